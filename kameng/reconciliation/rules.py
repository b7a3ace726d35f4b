"""What counts as a break: each rule selects from `theirs` and `ours`, as they were gathered for one bill.

A rule's columns are number, reference, schema, order, ours, theirs, our state, their state, currency, moment.
"""

from kameng.reconciliation.models import Break, Side

Kind = Break.Kind

#: What has just happened may not have been told to us yet: it is on its way, not broken.
FRESH = "interval '10 minutes'"
#: A supplier is asked for as long as an hour; costs are kept to four places, bills to two.
FRESH_SUPPLY = "interval '1 hour'"
CLOSE = "0.01"

_THEIRS = "coalesce(nullif(t.number, ''), t.reference), t.reference"
_BOTH = (
    f"SELECT {_THEIRS}, coalesce(o.schema_name, ''), coalesce(o.order_number, ''), o.amount, t.amount,"
    " coalesce(o.state, ''), t.state, t.currency, t.at"
    " FROM theirs AS t LEFT JOIN ours AS o ON o.kind = t.kind AND o.number = t.number"
)
_LEDGER = (
    "SELECT o.number, o.reference, o.schema_name, o.order_number, coalesce(o.ledger, 0),"
    " {expected}, o.state, 'ledger', 'CNY', o.done_at FROM ours AS o"
)
#: Ours of that day that no bill tells of, once every bill is here that could.
_OURS = (
    "SELECT o.number, o.reference, o.schema_name, o.order_number, o.amount, NULL::numeric, o.state, '', 'CNY',"
    " o.done_at"
    " FROM ours AS o WHERE o.kind = {kind} AND o.is_done AND o.owner_id = %(owner)s AND {alone} AND {told}"
)
#: No bill of this account, of whichever day, has a row of it.
ALONE = """
o.done_at >= %(start)s AND o.done_at < %(end)s AND NOT EXISTS (
    SELECT FROM public.reconciliation_row AS known JOIN public.reconciliation_statement AS bill
        ON bill.id = known.statement_id
     WHERE known.number = o.number AND known.kind = o.kind AND bill.side = %(side)s AND bill.owner_id = %(owner)s)
"""
#: Every day on which it can have happened has its bill, and that bill was written after it.
TOLD = """
NOT EXISTS (
    SELECT FROM generate_series(
        ((o.created_at - %(skew)s) AT TIME ZONE 'Asia/Shanghai')::date::timestamp,
        ((o.done_at + %(skew)s) AT TIME ZONE 'Asia/Shanghai')::date::timestamp, interval '1 day') AS needed(day)
     WHERE NOT EXISTS (
        SELECT FROM public.reconciliation_statement AS bill
         WHERE bill.side = %(side)s AND bill.owner_id = %(owner)s AND bill.day = needed.day::date
           AND bill.fetched_at >= least(o.done_at + %(skew)s, (needed.day + interval '1 day')
                                                                   AT TIME ZONE 'Asia/Shanghai')))
"""
#: More rows of one thing than one, here or in the bill of another day.
_REPEATED = f"""
SELECT {_THEIRS}, coalesce(o.schema_name, ''), coalesce(o.order_number, ''), o.amount, sums.amount,
       coalesce(o.state, ''), '×' || sums.times, t.currency, t.at
  FROM theirs AS t LEFT JOIN ours AS o ON o.kind = t.kind AND o.number = t.number
  JOIN LATERAL (
    SELECT count(*) AS times, sum(known.amount) AS amount
      FROM public.reconciliation_row AS known JOIN public.reconciliation_statement AS bill
        ON bill.id = known.statement_id
     WHERE known.number = t.number AND known.kind = t.kind AND known.state = 'done'
       AND bill.side = %(side)s AND bill.owner_id = %(owner)s) AS sums ON sums.times > 1
 WHERE t.number <> '' AND t.state = 'done'
"""
_OUR_MONEY = "o.owner_id = %(owner)s AND t.currency = %(currency)s"

_PAYMENT_RULES = (
    (Kind.NOT_OURS, f"{_BOTH} WHERE t.kind = 'payment' AND o.number IS NULL"),
    (Kind.NOT_THEIRS, _OURS.format(kind="'payment'", alone=ALONE, told=TOLD)),
    (Kind.AMOUNT, f"{_BOTH} WHERE t.kind = 'payment' AND {_OUR_MONEY} AND t.amount <> o.amount"),
    (
        Kind.STATE,
        f"{_BOTH} WHERE t.kind = 'payment' AND o.number IS NOT NULL AND NOT o.is_done AND t.at < now() - {FRESH}",
    ),
    (
        Kind.FEE,
        f"{_BOTH.replace('o.amount, t.amount', 'o.fee, t.fee')}"
        f" WHERE t.kind = 'payment' AND {_OUR_MONEY} AND o.is_done AND t.fee <> o.fee",
    ),
)
_REFUND_RULES = (
    (Kind.REFUND_NOT_OURS, f"{_BOTH} WHERE t.kind = 'refund' AND t.state <> 'failed' AND o.number IS NULL"),
    (Kind.REFUND_NOT_THEIRS, _OURS.format(kind="'refund'", alone=ALONE, told=TOLD)),
    (Kind.REFUND_AMOUNT, f"{_BOTH} WHERE t.kind = 'refund' AND {_OUR_MONEY} AND t.amount <> o.amount"),
    (
        Kind.REFUND_STATE,
        f"{_BOTH} WHERE t.kind = 'refund' AND ((t.state = 'done' AND NOT o.is_done AND t.at < now() - {FRESH})"
        " OR (t.state = 'failed' AND o.state = 'succeeded'))",
    ),
)
_GATEWAY_RULES = (
    *_PAYMENT_RULES,
    *_REFUND_RULES,
    (Kind.ACCOUNT, f"{_BOTH} WHERE o.owner_id <> %(owner)s"),
    (Kind.DUPLICATE, _REPEATED),
    (Kind.CURRENCY, f"{_BOTH} WHERE t.currency <> %(currency)s AND o.number IS NOT NULL"),
    (
        Kind.LEDGER,
        _LEDGER.format(expected="CASE WHEN o.is_done THEN o.amount ELSE 0 END")
        + " WHERE o.owner_id = %(owner)s AND coalesce(o.ledger, 0) <> CASE WHEN o.is_done THEN o.amount ELSE 0 END",
    ),
)
#: What a supplier gave back for an attempt, told by a later row of its bills.
_GIVEN_BACK = """
EXISTS (SELECT FROM public.reconciliation_row AS known JOIN public.reconciliation_statement AS bill
            ON bill.id = known.statement_id
         WHERE known.number = t.number AND known.kind = 'supply' AND known.state = 'failed'
           AND bill.side = %(side)s AND bill.owner_id = %(owner)s)
"""
_IN_YUAN = f"{_OUR_MONEY} AND %(currency)s = 'CNY' AND t.state = 'done'"
_SUPPLIER_RULES = (
    (Kind.SUPPLY_NOT_OURS, f"{_BOTH} WHERE t.state = 'done' AND (o.number IS NULL OR o.owner_id <> %(owner)s)"),
    (Kind.SUPPLY_NOT_THEIRS, _OURS.format(kind="'supply'", alone=ALONE, told=TOLD)),
    (
        Kind.SUPPLY_CHARGED,
        f"{_BOTH} WHERE t.state = 'done' AND t.amount > 0 AND o.owner_id = %(owner)s AND o.state = 'rejected'"
        " AND o.ledger IS NULL",
    ),
    (Kind.SUPPLY_NOT_CHARGED, f"{_BOTH} WHERE t.state = 'failed' AND o.owner_id = %(owner)s AND o.is_done"),
    (
        Kind.SUPPLY_AMOUNT,
        f"{_BOTH.replace('o.amount, t.amount', 'coalesce(o.ledger, o.amount), t.amount')}"
        f" WHERE {_IN_YUAN} AND (o.is_done OR o.ledger IS NOT NULL)"
        f" AND abs(t.amount - coalesce(o.ledger, o.amount)) >= {CLOSE}",
    ),
    (
        Kind.SUPPLY_STATE,
        f"{_BOTH} WHERE t.state = 'done' AND o.owner_id = %(owner)s"
        f" AND ((o.state IN ('intended', 'accepted', 'unknown') AND coalesce(t.at, %(end)s) < now() - {FRESH_SUPPLY})"
        f" OR (o.state = 'reversed' AND NOT {_GIVEN_BACK}))",
    ),
    (Kind.SUPPLY_DUPLICATE, _REPEATED),
    (Kind.SUPPLY_CURRENCY, f"{_BOTH} WHERE t.currency <> %(currency)s AND o.owner_id = %(owner)s"),
    (
        Kind.SUPPLY_LEDGER,
        _LEDGER.format(expected="o.amount")
        + " WHERE o.owner_id = %(owner)s AND ((o.state = 'succeeded'"
        + f" AND abs(coalesce(o.ledger, 0) - o.amount) >= {CLOSE})"
        + " OR (o.state = 'partial' AND o.amount > 0 AND o.ledger IS NULL))",
    ),
)
RULES = {Side.GATEWAY: _GATEWAY_RULES, Side.SUPPLIER: _SUPPLIER_RULES}
