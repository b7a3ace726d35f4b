"""The tables as if only what is recent were in them, so that the same checks end sooner.

PostgreSQL looks for a table among a session's temporary ones before it looks anywhere else. So what is recent is copied
into temporary tables called like the real ones, and checks that name a table without its schema see only that. A check
that names `public.…` sees everything.

Recent are orders to which something happened since the moment, those for which something was written into the book,
those that have not ended (what stands still has no recent events), and whatever shares a code, a purchase or a refund
with one of them. They are copied with their whole history.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from orders.models import Order
from resellers.models import Reseller

_OPEN = [Order.Status.PENDING, Order.Status.PAID]

#: Name and contents; `{shop}` is the shop's schema. Each may use those before it. Those that stand for a table keep its
#: primary key, by which checks group.
_Tables = Sequence[tuple[str, str]]

_ENTRIES = """
SELECT entry.* FROM public.ledger_entry AS entry JOIN ledger_journal AS journal ON journal.id = entry.journal_id
"""

_PLATFORM: _Tables = [
    (
        # Of withdrawals all journals: their rows are compared with all of theirs.
        "ledger_journal",
        """
        SELECT journal.* FROM public.ledger_journal AS journal
         WHERE journal.posted_at >= %(since)s
        UNION
        SELECT journal.* FROM public.ledger_account AS account
          JOIN public.ledger_entry AS entry ON entry.account_id = account.id
          JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
         WHERE account.name = 'withdrawals'
        """,
    ),
    ("ledger_entry", _ENTRIES),
    ("inbox_inboxevent", "SELECT notice.* FROM public.inbox_inboxevent AS notice WHERE received_at >= %(since)s"),
]

_ORDERS: _Tables = [
    (
        "audit_number",
        """
        SELECT DISTINCT order_number AS number FROM public.ledger_journal
         WHERE posted_at >= %(since)s AND shop_id = %(shop)s AND order_number <> ''
        """,
    ),
    (
        "audit_happened",
        """
        SELECT order_id AS id FROM {shop}.orders_orderevent WHERE created_at >= %(since)s
        UNION SELECT id FROM {shop}.orders_order WHERE created_at >= %(since)s OR status = ANY(%(open)s)
        UNION SELECT o.id FROM audit_number JOIN {shop}.orders_order AS o USING (number)
        """,
    ),
    (
        # A refund of one order for another's line, a delivery by another's purchase, a code that went to two.
        "audit_order",
        """
        WITH work AS (
            SELECT work.id, line.order_id FROM audit_happened
              JOIN {shop}.orders_orderline AS line ON line.order_id = audit_happened.id
              JOIN {shop}.fulfillment_fulfillment AS work ON work.line_id = line.id
        ), shared AS (
            SELECT line.order_id AS id FROM audit_happened
              JOIN {shop}.payments_payment AS payment ON payment.order_id = audit_happened.id
              JOIN {shop}.payments_refund AS refund ON refund.payment_id = payment.id
              JOIN {shop}.orders_orderline AS line ON line.id = refund.line_id
            UNION ALL
            SELECT payment.order_id FROM audit_happened
              JOIN {shop}.orders_orderline AS line ON line.order_id = audit_happened.id
              JOIN {shop}.payments_refund AS refund ON refund.line_id = line.id
              JOIN {shop}.payments_payment AS payment ON payment.id = refund.payment_id
            UNION ALL
            SELECT line.order_id FROM work
              JOIN {shop}.fulfillment_delivery AS mine ON mine.fulfillment_id = work.id
              JOIN {shop}.fulfillment_supplierorder AS bought ON bought.id = mine.supplier_order_id
              JOIN {shop}.fulfillment_fulfillment AS other ON other.id = bought.fulfillment_id
              JOIN {shop}.orders_orderline AS line ON line.id = other.line_id
            UNION ALL
            SELECT line.order_id FROM work
              JOIN {shop}.fulfillment_delivery AS mine ON mine.fulfillment_id = work.id
              JOIN {shop}.fulfillment_delivery AS again ON again.stock_code_id = mine.stock_code_id
              JOIN {shop}.fulfillment_fulfillment AS other ON other.id = again.fulfillment_id
              JOIN {shop}.orders_orderline AS line ON line.id = other.line_id
        )
        SELECT id FROM audit_happened UNION SELECT id FROM shared
        """,
    ),
    ("orders_order", "SELECT o.* FROM {shop}.orders_order AS o JOIN audit_order USING (id)"),
    (
        "orders_orderline",
        "SELECT line.* FROM {shop}.orders_orderline AS line JOIN audit_order ON audit_order.id = line.order_id",
    ),
    (
        "orders_orderevent",
        "SELECT event.* FROM {shop}.orders_orderevent AS event JOIN audit_order ON audit_order.id = event.order_id",
    ),
    (
        "payments_payment",
        "SELECT paid.* FROM {shop}.payments_payment AS paid JOIN audit_order ON audit_order.id = paid.order_id",
    ),
    (
        "payments_refund",
        "SELECT refund.* FROM {shop}.payments_refund AS refund"
        " JOIN payments_payment AS payment ON payment.id = refund.payment_id",
    ),
    (
        "fulfillment_fulfillment",
        "SELECT work.* FROM {shop}.fulfillment_fulfillment AS work"
        " JOIN orders_orderline AS line ON line.id = work.line_id",
    ),
    (
        "fulfillment_supplierorder",
        "SELECT bought.* FROM {shop}.fulfillment_supplierorder AS bought"
        " JOIN fulfillment_fulfillment AS work ON work.id = bought.fulfillment_id",
    ),
    (
        "fulfillment_delivery",
        "SELECT delivery.* FROM {shop}.fulfillment_delivery AS delivery"
        " JOIN fulfillment_fulfillment AS work ON work.id = delivery.fulfillment_id",
    ),
    (
        "supply_clientorder",
        "SELECT asked.* FROM {shop}.supply_clientorder AS asked JOIN audit_order ON audit_order.id = asked.order_id",
    ),
    (
        "suppliers_stockcode",
        """
        SELECT code.* FROM public.suppliers_stockcode AS code
          JOIN (SELECT code.id FROM fulfillment_supplierorder AS bought
                  JOIN public.suppliers_stockcode AS code
                    ON code.reference = bought.reference AND code.reference <> ''
                UNION SELECT stock_code_id FROM fulfillment_delivery) AS ours USING (id)
        """,
    ),
    (
        "ledger_journal",
        """
        SELECT journal.* FROM public.ledger_journal AS journal
          JOIN (SELECT number FROM audit_number UNION SELECT number FROM orders_order) AS ours
            ON ours.number = journal.order_number
         WHERE journal.shop_id = %(shop)s
        """,
    ),
    ("ledger_entry", _ENTRIES),
    (
        "inbox_inboxevent",
        "SELECT notice.* FROM public.inbox_inboxevent AS notice"
        " WHERE received_at >= %(since)s AND schema_name = %(schema)s",
    ),
]
#: Beginning of the names that are no table's.
_OURS = "audit_"
#: What checks look up once for each row.
_LOOKED_UP = {
    "orders_orderline": "order_id",
    "payments_payment": "order_id",
    "payments_refund": "payment_id",
    "fulfillment_fulfillment": "line_id",
}


@contextmanager
def recent_over_platform(since: datetime) -> Iterator[None]:
    """Inside, the book and the notices of every shop since then."""
    with _instead(_PLATFORM, {"since": since}):
        yield


@contextmanager
def recent_in_shop(shop: Reseller, since: datetime) -> Iterator[None]:
    """Inside the shop's schema, its recent orders and all that belongs to them."""
    known = {"since": since, "open": [*_OPEN], "shop": shop.pk, "schema": shop.schema_name}
    with _instead(_ORDERS, known, schema_name=shop.schema_name):
        yield


@contextmanager
def _instead(tables: _Tables, known: Mapping[str, Any], schema_name: str = "public") -> Iterator[None]:
    """However it ends, the tables go with the savepoint. Nothing else can be written once they are there."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            shop = connection.ops.quote_name(schema_name)
            for name, contents in tables:
                cursor.execute(f"CREATE TEMPORARY TABLE {name} AS {contents.format(shop=shop)}", known)
                if not name.startswith(_OURS):
                    cursor.execute(f"ALTER TABLE pg_temp.{name} ADD PRIMARY KEY (id)")
                if name in _LOOKED_UP:
                    cursor.execute(f"CREATE INDEX ON pg_temp.{name} ({_LOOKED_UP[name]})")
                cursor.execute(f"ANALYZE pg_temp.{name}")
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
        transaction.set_rollback(True)
