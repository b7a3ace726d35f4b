"""What our books say: of everything that a bill names, and of everything that we think was that day.

Money lies in the shops' schemas. A number names its shop, so that what a bill tells of is found by one statement for
each shop that occurs in it; what we think was that day takes one for every shop.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django_tenants.utils import get_public_schema_name
from psycopg2 import sql

from kameng.core.ids import ROUTE_LENGTH, shop_id_of
from kameng.reconciliation.models import Side, Statement
from payments.merchants.models import GatewayAccount
from resellers.ledger.posting import Name
from resellers.models import Reseller

CHINA = ZoneInfo("Asia/Shanghai")
#: How far two clocks may be apart, and how long what has just happened may take to be told.
SKEW = timedelta(minutes=10)
#: How long before it ended something may have been begun, to be looked for among what ended on a day. What took longer
#: is still found where the bill names it.
LONGEST = timedelta(days=7)

TABLES = """
CREATE TEMPORARY TABLE theirs ON COMMIT DROP AS
SELECT DISTINCT ON (kind, coalesce(nullif(number, ''), reference)) *
  FROM public.reconciliation_row WHERE statement_id = %(statement)s
 ORDER BY kind, coalesce(nullif(number, ''), reference), state <> 'done', id;
CREATE INDEX ON theirs (number);
ANALYZE theirs;
CREATE TEMPORARY TABLE ours (
    kind text, number text, schema_name text, order_number text, owner_id bigint, reference text, amount numeric,
    fee numeric, state text, is_done boolean, created_at timestamptz, done_at timestamptz, ledger numeric,
    PRIMARY KEY (kind, number)
) ON COMMIT DROP;
"""
_ROUTES = f"SELECT DISTINCT left(number, {ROUTE_LENGTH}) FROM theirs WHERE number <> ''"

_PAYMENTS = """
SELECT 'payment', payment.number, {schema_name}, placed.number, payment.account_id, payment.reference, payment.amount,
       payment.fee, payment.status, payment.status = 'confirmed', payment.created_at, payment.confirmed_at,
       NULL::numeric
  FROM {schema}.payments_payment AS payment JOIN {schema}.orders_order AS placed ON placed.id = payment.order_id
"""
_REFUNDS = """
SELECT 'refund', refund.number, {schema_name}, placed.number, payment.account_id, refund.reference, refund.amount,
       NULL::numeric, CASE WHEN refund.code = 'by_hand' THEN 'by_hand' ELSE refund.status END,
       refund.status = 'succeeded', refund.created_at, refund.finished_at, NULL::numeric
  FROM {schema}.payments_refund AS refund
  JOIN {schema}.payments_payment AS payment ON payment.id = refund.payment_id AND refund.route = 'source'
  JOIN {schema}.orders_order AS placed ON placed.id = payment.order_id
"""
_SUPPLIES = """
SELECT 'supply', buy.reference, {schema_name}, placed.number, buy.supplier_id, buy.supplier_reference, buy.cost,
       NULL::numeric, buy.status, buy.status IN ('succeeded', 'partial'), buy.created_at, buy.finished_at, NULL::numeric
  FROM {schema}.fulfillment_supplierorder AS buy
  JOIN {schema}.fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN {schema}.orders_orderline AS line ON line.id = work.line_id
  JOIN {schema}.orders_order AS placed ON placed.id = line.order_id
"""
_NAMED = " WHERE {table}.{number} IN (SELECT number FROM theirs WHERE kind = {kind} AND left(number, 3) = {route})"
_OF_THE_DAY = {
    "payment": (
        " WHERE payment.account_id = %(owner)s AND payment.status = 'confirmed'"
        " AND payment.confirmed_at >= %(start)s AND payment.confirmed_at < %(end)s AND payment.created_at >= %(begun)s"
    ),
    "refund": (
        " WHERE payment.account_id = %(owner)s AND refund.status = 'succeeded'"
        " AND refund.finished_at >= %(start)s AND refund.finished_at < %(end)s"
    ),
    "supply": (
        " WHERE buy.supplier_id = %(owner)s AND buy.status IN ('succeeded', 'partial') AND buy.cost > 0"
        " AND buy.finished_at >= %(start)s AND buy.finished_at < %(end)s AND buy.created_at >= %(begun)s"
    ),
}
_KINDS = {
    Side.GATEWAY: (("payment", "payment", "number", _PAYMENTS), ("refund", "refund", "number", _REFUNDS)),
    Side.SUPPLIER: (("supply", "buy", "reference", _SUPPLIES),),
}

#: What the book says of each, by the keys of its journals. Of two entries of one journal on a gateway's account the
#: larger one is the money, and the other one its fee.
_LEDGER = """
UPDATE ours SET ledger = booked.amount FROM (
    SELECT kind, number, sum(amount * {sign}) AS amount FROM (
        SELECT DISTINCT ON (journal.id) ours.kind, ours.number, entry.amount
          FROM ours JOIN unnest(%(prefixes)s::text[]) AS prefix ON true
          JOIN public.ledger_journal AS journal ON journal.key = prefix || ':' || ours.number
          JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
          JOIN public.ledger_account AS account
            ON account.id = entry.account_id AND account.name = %(name)s AND account.owner = ours.owner_id
         WHERE ours.kind = %(kind)s
         ORDER BY journal.id, abs(entry.amount) DESC) AS money
     GROUP BY kind, number) AS booked
 WHERE booked.kind = ours.kind AND booked.number = ours.number
"""
#: A payment that was disproved, or confirmed anew, has several; the operators are those of the index over beginnings.
_LEDGER_AGAIN = """
UPDATE ours SET ledger = (SELECT sum(amount) FROM (
    SELECT DISTINCT ON (journal.id) entry.amount FROM public.ledger_journal AS journal
      JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account
        ON account.id = entry.account_id AND account.name = %(name)s AND account.owner = ours.owner_id
     WHERE journal.key = 'payment:' || ours.number
        OR (journal.key ~>=~ ('payment:' || ours.number || ':') AND journal.key ~<~ ('payment:' || ours.number || ';'))
        OR (journal.key ~>=~ ('disproved:' || ours.number || ':')
            AND journal.key ~<~ ('disproved:' || ours.number || ';'))
     ORDER BY journal.id, abs(entry.amount) DESC) AS money)
 WHERE kind = 'payment' AND number IN (
    SELECT split_part(key, ':', 2) FROM public.ledger_journal WHERE key ~>=~ 'disproved:' AND key ~<~ 'disproved;')
"""


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """When a day of China's calendar begins and ends."""
    return datetime.combine(day, time(0), CHINA), datetime.combine(day + timedelta(days=1), time(0), CHINA)


def ours_gather(statement: Statement) -> None:
    """Fill the temporary tables `theirs` and `ours`, which live as long as the transaction."""
    start, end = day_bounds(statement.day)
    with connection.cursor() as cursor:
        cursor.execute(TABLES, {"statement": statement.pk})
        for shop, route in _named_shops(cursor):
            _insert(cursor, statement, shop, named=route)
        bounds = {"owner": statement.owner_id, "start": start, "end": end, "begun": start - LONGEST}
        for shop in _every_shop(cursor):
            _insert(cursor, statement, shop, bounds=bounds)
        cursor.execute("ANALYZE ours")
        if statement.side == Side.GATEWAY:
            lies = {"name": _clearing(statement.owner_id)}
            cursor.execute(_LEDGER.format(sign=1), {"prefixes": ["payment"], "kind": "payment", **lies})
            cursor.execute(_LEDGER.format(sign=-1), {"prefixes": ["refund"], "kind": "refund", **lies})
            cursor.execute(_LEDGER_AGAIN, lies)
        else:
            prefixes = ["supply", "duplicate"]
            cursor.execute(_LEDGER.format(sign=-1), {"prefixes": prefixes, "name": "supplier", "kind": "supply"})


def _clearing(account_id: int) -> str:
    """On which account of the book the money of a merchant account lies; on the platform's where nobody knows it."""
    account = GatewayAccount.objects.filter(pk=account_id).first()
    return str(Name.OWN_CLEARING if account is not None and account.owner_collects else Name.CLEARING)


def _named_shops(cursor: object) -> Iterator[tuple[Reseller, str]]:
    cursor.execute(_ROUTES)  # type: ignore[attr-defined]
    routes = {shop_id_of(route): route for (route,) in cursor.fetchall()}  # type: ignore[attr-defined]
    shops = {shop.pk: shop for shop in _every_shop(cursor)}
    for shop_id, route in routes.items():
        if shop_id in shops:
            yield shops[shop_id], route


def _every_shop(cursor: object) -> Sequence[Reseller]:
    cursor.execute("SELECT nspname FROM pg_namespace")  # type: ignore[attr-defined]
    schemas = [name for (name,) in cursor.fetchall()]  # type: ignore[attr-defined]
    found = Reseller.objects.filter(schema_name__in=schemas).exclude(schema_name=get_public_schema_name())
    return list(found.only("pk", "schema_name"))


def _insert(
    cursor: object, statement: Statement, shop: Reseller, *, named: str = "", bounds: dict[str, object] | None = None
) -> None:
    for kind, table, number, source in _KINDS[Side(statement.side)]:
        places = {
            "schema": sql.Identifier(shop.schema_name),
            "schema_name": sql.Literal(shop.schema_name),
        }
        text = sql.SQL("INSERT INTO ours ") + sql.SQL(source).format(**places)
        if bounds is None:
            where = sql.SQL(_NAMED).format(
                table=sql.Identifier(table), number=sql.Identifier(number), kind=sql.Literal(kind),
                route=sql.Literal(named),
            )  # fmt: skip
        else:
            where = sql.SQL(_OF_THE_DAY[kind])
        cursor.execute(text + where + sql.SQL(" ON CONFLICT DO NOTHING"), bounds)  # type: ignore[attr-defined]
