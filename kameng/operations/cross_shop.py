"""Lists over all shops: one query over every schema, a page at a time.

Rows are in the order of their making, newest first, whichever shop they belong to. A page ends with a cursor: the next
one begins after it, so that rows which arrive meanwhile move nothing. Each schema is read by an index and only as far
as the page needs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db import connection
from django_tenants.utils import get_public_schema_name
from psycopg2 import sql

from kameng.core.encryption import digest
from kameng.core.ids import ALPHABET, normalize, shop_id_of
from resellers.ledger.models import Account
from resellers.models import Reseller

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: what comes after it is older, or as old and further down."""

    at: datetime
    schema_name: str
    id: int

    def sign(self) -> str:
        """For an address; nobody but us can make one."""
        return signing.dumps([self.at.isoformat(), self.schema_name, self.id], salt="cross-shop")

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """What `sign` made; None for anything else."""
        try:
            at, schema_name, row_id = signing.loads(text, salt="cross-shop")
        except (signing.BadSignature, ValueError):
            return None
        return cls(datetime.fromisoformat(at), schema_name, row_id)


@dataclass(frozen=True)
class Found:
    """A page of rows as mappings of columns, each with its `shop`, and where the next page begins."""

    rows: list[dict[str, Any]]
    after: str


@dataclass(frozen=True)
class List:
    """One kind of list: what is read in each shop. `{schema}` is the shop's schema, `row` the listed table."""

    columns: str
    source: str

    def page(
        self,
        shops: Sequence[Reseller],
        *,
        where: Sequence[str] = (),
        parameters: Sequence[Any] = (),
        after: str = "",
        limit: int = PER_PAGE,
    ) -> Found:
        """The newest rows of the shops that answer all conditions, from a cursor on.

        `where` is SQL of ours; what anybody typed belongs into `parameters`.
        """
        cursor = Cursor.read(after) if after else None
        rows = self._read(shops, where, parameters, cursor=cursor, limit=limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        next_page = Cursor(last["created_at"], last["schema_name"], last["id"]).sign() if last else ""
        return Found(rows[:limit], next_page)

    def oldest(
        self, shops: Sequence[Reseller], *, where: Sequence[str], parameters: Sequence[Any] = (), limit: int = PER_PAGE
    ) -> list[dict[str, Any]]:
        """What has waited longest; for lists that get shorter by being worked on."""
        return self._read(shops, where, parameters, newest_first=False, limit=limit)

    def count(
        self, shops: Sequence[Reseller], *, conditions: Mapping[str, str], parameters: Sequence[Any] = ()
    ) -> dict[str, int]:
        """How many rows of the shops answer each of the named conditions; every one takes the same parameters."""
        if not shops:
            return dict.fromkeys(conditions, 0)
        columns = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in conditions.items())
        anyone = " OR ".join(f"({condition})" for condition in conditions.values())
        parts = [
            sql.SQL(f"(SELECT {columns} FROM {self.source} WHERE {anyone})").format(
                schema=sql.Identifier(shop.schema_name)
            )
            for shop in shops
        ]
        rows = rows_of(sql.SQL(" UNION ALL ").join(parts), [*parameters] * (2 * len(conditions) * len(shops)))
        return {name: sum(row[name] for row in rows) for name in conditions}

    def _read(
        self,
        shops: Sequence[Reseller],
        where: Sequence[str],
        parameters: Sequence[Any],
        *,
        cursor: Cursor | None = None,
        newest_first: bool = True,
        limit: int,
    ) -> list[dict[str, Any]]:
        if not shops:
            return []
        way = "DESC" if newest_first else "ASC"
        parts: list[sql.Composable] = []
        values: list[Any] = []
        for shop in shops:
            conditions = ["TRUE", *where]
            values += [shop.schema_name, *parameters]
            if cursor is not None:
                condition, more = _older(shop.schema_name, cursor)
                conditions.append(condition)
                values += more
            text = (
                f"(SELECT %s AS schema_name, row.id, row.created_at, {self.columns} FROM {self.source} "
                f"WHERE {' AND '.join(conditions)} ORDER BY row.created_at {way}, row.id {way} LIMIT {limit:d})"
            )
            parts.append(sql.SQL(text).format(schema=sql.Identifier(shop.schema_name)))
        query = sql.SQL(
            "SELECT * FROM ({union}) AS found ORDER BY created_at {way}, schema_name, id {way} LIMIT {limit}"
        )
        union = sql.SQL(" UNION ALL ").join(parts)
        rows = rows_of(query.format(union=union, way=sql.SQL(way), limit=sql.Literal(limit)), values)
        by_schema = {shop.schema_name: shop for shop in shops}
        for row in rows:
            row["shop"] = by_schema[row["schema_name"]]
        return rows


def _older(schema_name: str, cursor: Cursor) -> tuple[str, list[Any]]:
    """What comes after the cursor in one schema, by the order (time down, schema up, id down)."""
    if schema_name < cursor.schema_name:
        return "row.created_at < %s", [cursor.at]
    if schema_name > cursor.schema_name:
        return "row.created_at <= %s", [cursor.at]
    return "(row.created_at, row.id) < (%s, %s)", [cursor.at, cursor.id]


def rows_of(query: sql.Composable, values: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a query answers, each row as a mapping of its columns."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def every_shop() -> list[Reseller]:
    """All shops with their hosts, the house first."""
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name())
    return list(shops.order_by("-is_house", "pk").prefetch_related("domains"))


def shops_that_sold() -> list[Reseller]:
    """Those into which money ever came, the house first: in the others there is nothing to count."""
    sold = Account.objects.filter(name=Account.Name.ORDERS).values("owner")
    return list(Reseller.objects.filter(pk__in=sold).order_by("-is_house", "pk"))


ORDERS = List(
    columns=(
        "row.number, row.status, row.total, row.paid_at, row.finished_at, line.product_name, line.variant_name, "
        "line.product_slug, line.sku, line.quantity, line.account, more.count AS lines, more.statuses, more.margin"
    ),
    source=(
        "{schema}.orders_order AS row "
        "JOIN {schema}.orders_orderline AS line ON line.order_id = row.id AND line.position = 0 "
        "CROSS JOIN LATERAL (SELECT count(*), array_agg(every.status) AS statuses, "
        "sum((every.price - every.supply_price) * every.quantity) AS margin "
        "FROM {schema}.orders_orderline AS every WHERE every.order_id = row.id) AS more"
    ),
)
SUPPLIER_ORDERS = List(
    columns=(
        "row.reference, row.supplier_reference, row.sequence, row.quantity, row.cost, row.status, row.code, "
        "row.message, row.asked, row.finished_at, row.choice, row.evidence, row.supplier_id, "
        "supplier.name AS supplier_name, supplier.adapter, supplier.instructions, work.attempts, "
        "work.status AS work_status, work.note, "
        "line.product_name, line.variant_name, line.account, line.kind, placed.number"
    ),
    source=(
        "{schema}.fulfillment_supplierorder AS row "
        "JOIN {schema}.fulfillment_fulfillment AS work ON work.id = row.fulfillment_id "
        "JOIN {schema}.orders_orderline AS line ON line.id = work.line_id "
        "JOIN {schema}.orders_order AS placed ON placed.id = line.order_id "
        "LEFT JOIN public.suppliers_supplier AS supplier ON supplier.id = row.supplier_id"
    ),
)
REFUNDS = List(
    columns=(
        "row.number AS refund, row.amount, row.reason, row.status, row.code, row.actor, row.finished_at, "
        "payment.gateway, row.route, payment.number AS payment, placed.number, placed.total"
    ),
    source=(
        "{schema}.payments_refund AS row JOIN {schema}.payments_payment AS payment ON payment.id = row.payment_id "
        "JOIN {schema}.orders_order AS placed ON placed.id = payment.order_id"
    ),
)

#: Conditions on `SUPPLIER_ORDERS` for what waits for a person; the parameter is the list of adapters of people.
UNCLEAR = "work.status = 'manual' AND row.sequence = work.attempts AND (supplier.adapter = ANY(%s)) IS NOT TRUE"
BY_HAND = "row.status IN ('intended', 'accepted', 'unknown') AND supplier.adapter = ANY(%s)"

_NAMED = "EXISTS (SELECT 1 FROM {schema}.orders_orderline AS named WHERE named.order_id = row.id AND "


def orders_like(text: str) -> tuple[str, list[Any]]:
    """A condition on `ORDERS` for what an operator may type beside a number, and its parameters.

    The whole contact, the whole account, the code of a denomination, or a part of a product's name.
    """
    contact = digest(text.strip().lower(), purpose="contact")
    condition = (
        f"(row.contact_digest = %s OR {_NAMED} named.account @> %s::jsonb) OR {_NAMED} named.sku = %s) "
        f"OR {_NAMED} strpos(lower(named.product_name), lower(%s)) > 0))"
    )
    return condition, [contact, json.dumps([{"value": text.strip()}]), text.strip(), text.strip()]


def attempts_like(text: str) -> tuple[str, list[Any]]:
    """A condition on `SUPPLIER_ORDERS` for what an operator may type: our number or the supplier's, an order's number,
    or the whole account."""
    number, typed = normalize(text), text.strip()
    condition = "(row.reference = %s OR row.supplier_reference = %s OR placed.number = %s OR line.account @> %s::jsonb)"
    return condition, [number, typed, number, json.dumps([{"value": typed}])]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order is: its shop and its number."""

    shop: Reseller
    number: str


def order_place_of(text: str, shops: Iterable[Reseller]) -> Place | None:
    """The one order that a number leads to: its own, or that of a payment, a refund or an attempt to buy."""
    number = normalize(text)
    if not number or any(char not in ALPHABET for char in number):
        return None
    shops = list(shops)
    routed = next((shop for shop in shops if shop.pk == shop_id_of(number)), None)
    if routed is not None and (found := _number_behind(routed, number)):
        return Place(routed, found)
    if len(number) != 16 or not shops:
        return None
    parts = [
        sql.SQL("(SELECT %s AS schema_name, number FROM {schema}.orders_order WHERE number = %s)").format(
            schema=sql.Identifier(shop.schema_name)
        )
        for shop in shops
    ]
    values = [value for shop in shops for value in (shop.schema_name, number)]
    rows = rows_of(sql.SQL(" UNION ALL ").join(parts), values)
    by_schema = {shop.schema_name: shop for shop in shops}
    return Place(by_schema[rows[0]["schema_name"]], rows[0]["number"]) if rows else None


def _number_behind(shop: Reseller, number: str) -> str:
    """The order that a payment, refund or attempt of this number belongs to, in the shop that its number names."""
    query = sql.SQL(
        "SELECT placed.number FROM {schema}.orders_order AS placed WHERE placed.id IN ("
        "SELECT order_id FROM {schema}.payments_payment WHERE number = %s UNION ALL "
        "SELECT payment.order_id FROM {schema}.payments_refund AS refund "
        "JOIN {schema}.payments_payment AS payment ON payment.id = refund.payment_id "
        "WHERE refund.number = %s UNION ALL "
        "SELECT line.order_id FROM {schema}.fulfillment_supplierorder AS attempt "
        "JOIN {schema}.fulfillment_fulfillment AS work ON work.id = attempt.fulfillment_id "
        "JOIN {schema}.orders_orderline AS line ON line.id = work.line_id WHERE attempt.reference = %s)"
    ).format(schema=sql.Identifier(shop.schema_name))
    rows = rows_of(query, [number, number, number])
    return str(rows[0]["number"]) if rows else ""
