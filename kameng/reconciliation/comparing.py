"""Holding one bill against our books, in the database: what does not agree is written down, nothing is put right."""

import json
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from kameng.reconciliation.models import Break, Side, Statement
from kameng.reconciliation.ours import SKEW, day_bounds, ours_gather
from kameng.reconciliation.rules import ALONE, RULES, TOLD

#: A comparison of 10⁵ rows takes seconds; the limit for requests is not for it.
LONGEST_STATEMENT = "5min"

_FOUND = """
CREATE TEMPORARY TABLE found (
    kind text, number text, reference text, schema_name text, order_number text, ours numeric, theirs numeric,
    our_state text, their_state text, currency text, happened_at timestamptz, PRIMARY KEY (kind, number)
) ON COMMIT DROP
"""
_OF_THIS = "side = %(side)s AND owner_id = %(owner)s"
_SAME = (
    "known.side = %(side)s AND known.owner_id = %(owner)s AND known.kind = found.kind AND known.number = found.number"
)
_DIFFERS = """
(known.ours, known.theirs, known.our_state, known.their_state)
IS DISTINCT FROM (round(found.ours, 4), round(found.theirs, 4), found.our_state, found.their_state)
"""
_GONE = f"""
WITH gone AS (
    UPDATE public.reconciliation_break AS known SET status = 'gone', closed_at = now()
     WHERE {_OF_THIS} AND day = %(day)s AND status = 'open'
       AND NOT EXISTS (SELECT FROM found WHERE found.kind = known.kind AND found.number = known.number)
    RETURNING id)
INSERT INTO public.reconciliation_breakevent (subject_id, name, actor, text, at)
SELECT id, 'gone', 'system', '', now() FROM gone
"""
#: Said before the rows change, so that history keeps what they said until now.
_CHANGED = f"""
INSERT INTO public.reconciliation_breakevent (subject_id, name, actor, text, at)
SELECT known.id, CASE known.status WHEN 'open' THEN 'changed' ELSE 'reopened' END, 'system',
       concat(coalesce(known.ours::text, '–'), ' / ', coalesce(known.theirs::text, '–'), ' → ',
              coalesce(round(found.ours, 4)::text, '–'), ' / ', coalesce(round(found.theirs, 4)::text, '–')), now()
  FROM public.reconciliation_break AS known JOIN found ON {_SAME}
 WHERE known.status = 'gone' OR {_DIFFERS}
"""
_SEEN = f"""
UPDATE public.reconciliation_break AS known
   SET status = CASE WHEN known.status = 'gone' OR {_DIFFERS} THEN 'open' ELSE known.status END,
       closed_at = CASE WHEN known.status = 'gone' OR {_DIFFERS} THEN NULL ELSE known.closed_at END,
       ours = round(found.ours, 4), theirs = round(found.theirs, 4), our_state = found.our_state,
       their_state = found.their_state, reference = found.reference, seen_at = now()
  FROM found WHERE {_SAME}
"""
_NEW = f"""
WITH new AS (
    INSERT INTO public.reconciliation_break (
        side, owner_id, code, day, kind, number, reference, schema_name, order_number, ours, theirs, our_state,
        their_state, currency, happened_at, status, assignee)
    SELECT %(side)s, %(owner)s, %(code)s, %(day)s, kind, number, reference, schema_name, order_number, round(ours, 4),
           round(theirs, 4), our_state, their_state, currency, happened_at, 'open', ''
      FROM found
     WHERE NOT EXISTS (SELECT FROM public.reconciliation_break AS known WHERE {_SAME})
    RETURNING id)
INSERT INTO public.reconciliation_breakevent (subject_id, name, actor, text, at)
SELECT id, 'found', 'system', '', now() FROM new
"""
#: Sums over the bill, and over ours that it names or that it should have named.
_TOTALS = f"""
WITH counted AS (
    SELECT o.* FROM ours AS o
     WHERE o.owner_id = %(owner)s
       AND (EXISTS (SELECT FROM theirs AS t WHERE t.kind = o.kind AND t.number = o.number)
            OR EXISTS (SELECT FROM found WHERE found.number = o.number AND found.kind LIKE '%%not_theirs'))
), bill AS (SELECT * FROM public.reconciliation_row WHERE statement_id = %(statement)s)
SELECT json_build_object(
    'theirs_in', (SELECT coalesce(sum(amount), 0) FROM bill WHERE kind IN ('payment', 'supply') AND state = 'done'),
    'theirs_back', (SELECT coalesce(sum(amount), 0) FROM bill WHERE kind = 'refund' AND state <> 'failed'),
    'fees', (SELECT coalesce(sum(fee), 0) FROM bill),
    'ours_in', (SELECT coalesce(sum(amount), 0) FROM counted WHERE kind IN ('payment', 'supply') AND is_done),
    'ours_back', (SELECT coalesce(sum(amount), 0) FROM counted WHERE kind = 'refund' AND is_done),
    'ledger_in', (SELECT coalesce(sum(ledger), 0) FROM counted WHERE kind IN ('payment', 'supply')),
    'ledger_back', (SELECT coalesce(sum(ledger), 0) FROM counted WHERE kind = 'refund'),
    'matched', (SELECT count(*) FROM bill WHERE NOT EXISTS (
        SELECT FROM found WHERE found.number = coalesce(nullif(bill.number, ''), bill.reference))),
    'in_transit', (SELECT count(*) FROM ours AS o
                    WHERE o.is_done AND o.owner_id = %(owner)s AND (o.amount > 0) AND {ALONE} AND NOT {TOLD}))::text
"""


@transaction.atomic
def statement_compare(*, statement_id: int) -> Statement:
    """Compare one kept bill; what is found again stays one row, what is gone is closed.

    A second run says the same.
    """
    statement = Statement.objects.select_for_update().get(pk=statement_id)
    start, end = day_bounds(statement.day)
    known: dict[str, Any] = {
        "statement": statement.pk, "side": statement.side, "owner": statement.owner_id, "code": statement.code,
        "day": statement.day, "currency": statement.currency, "start": start, "end": end, "skew": SKEW,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{LONGEST_STATEMENT}'")
        _drop_left_over(cursor)
        ours_gather(statement)
        cursor.execute(_FOUND)
        for kind, rule in RULES[Side(statement.side)]:
            cursor.execute(
                f"INSERT INTO found SELECT '{kind}', rule.* FROM ({rule}) AS rule ON CONFLICT DO NOTHING", known
            )
        for step in (_GONE, _CHANGED, _SEEN, _NEW):
            cursor.execute(step, known)
        cursor.execute(_TOTALS, known)
        totals = json.loads(cursor.fetchone()[0], parse_float=str, parse_int=str)
    changed = {**totals, "status": Statement.Status.DONE, "message": "", "compared_at": Now()}
    Statement.objects.filter(pk=statement.pk).update(**changed)
    statement.refresh_from_db()
    return statement


def _drop_left_over(cursor: Any) -> None:
    """Two comparisons in one transaction: the tables of the first are still there."""
    cursor.execute("DROP TABLE IF EXISTS theirs, ours, found")


def open_breaks(statement: Statement) -> int:
    """How many of a bill's breaks wait for a person."""
    found = Break.objects.filter(side=statement.side, owner_id=statement.owner_id, day=statement.day)
    return found.filter(status=Break.Status.OPEN).count()


def neighbors(statement: Statement) -> list[int]:
    """The kept bills of the day before and after, whose money near midnight this one may tell of."""
    days: list[date] = [statement.day.fromordinal(statement.day.toordinal() + step) for step in (-1, 1)]
    found = Statement.objects.filter(
        side=statement.side, owner_id=statement.owner_id, day__in=days, fetched_at__isnull=False
    )
    return list(found.order_by("day").values_list("pk", flat=True))
