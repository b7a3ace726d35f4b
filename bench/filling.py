"""Delivered orders in one shop and the book, by a few statements: half of them of codes, each with its payment, notice,
purchase, history and journals. For programs that run in the product's environment.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resellers.models import Reseller

#: Rows of one number belong to one order. Ids are counted from what is there.
_FILL = """
SET LOCAL statement_timeout = 0;
CREATE TEMPORARY TABLE bench_base ON COMMIT DROP AS SELECT
    (SELECT coalesce(max(id), 0) FROM {schema}.orders_order) AS orders,
    (SELECT coalesce(max(id), 0) FROM {schema}.orders_orderline) AS lines,
    (SELECT coalesce(max(id), 0) FROM {schema}.payments_payment) AS payments,
    (SELECT coalesce(max(id), 0) FROM {schema}.fulfillment_fulfillment) AS works,
    (SELECT coalesce(max(id), 0) FROM {schema}.fulfillment_supplierorder) AS buys,
    (SELECT coalesce(max(id), 0) FROM public.suppliers_stockcode) AS codes,
    (SELECT coalesce(max(id), 0) FROM public.ledger_journal) AS journals;
CREATE TEMPORARY TABLE bench_order ON COMMIT DROP AS
SELECT n, %(route)s || 'Z' || lpad(upper(to_hex(base.orders + n)), 12, '0') AS number, n %% 2 = 0 AS is_code,
       %(start)s::timestamptz + n * (%(span)s::interval / %(orders)s) AS at
  FROM generate_series(1, %(orders)s) AS n, bench_base AS base;
INSERT INTO {schema}.orders_order (id, number, status, contact, total, language, device_digest, address_digest,
       contact_digest, request_digest, created_at, expires_at, paid_at, finished_at)
SELECT base.orders + n, number, 'fulfilled', '13800000000', %(price)s, 'zh-hans', '', '', '', '', at, at, at, at
  FROM bench_order, bench_base AS base;
INSERT INTO {schema}.orders_orderline (id, order_id, position, variant_id, sku, kind, product_slug, product_name,
       product_name_en, variant_name, variant_name_en, icon, quantity, price, official_price, supply_price, account,
       status, finished_at)
SELECT base.lines + n, base.orders + n, 0, %(variant)s, 'bench', CASE WHEN is_code THEN 'code' ELSE 'topup' END,
       'bench', 'bench', '', 'bench', '', '', 1, %(price)s, %(price)s, 57, '[]', 'delivered', at
  FROM bench_order, bench_base AS base;
INSERT INTO {schema}.orders_orderevent (order_id, line_id, name, from_status, to_status, actor, data, created_at)
SELECT base.orders + n, CASE WHEN step.is_line THEN base.lines + n END, step.name, step.origin, step.ends, 'bench',
       CASE step.name WHEN 'payment.confirmed'
            THEN jsonb_build_object('payment', number || '00000000', 'amount', %(price)s::numeric(12, 2)::text)
            ELSE '{{}}' END, at
  FROM bench_order, bench_base AS base, (VALUES
       (1, FALSE, 'order.placed', '', 'pending'), (2, FALSE, 'payment.confirmed', '', ''),
       (3, FALSE, 'order.paid', 'pending', 'paid'), (4, TRUE, 'line.queued', 'waiting', 'queued'),
       (5, TRUE, 'line.delivered', 'queued', 'delivered'), (6, FALSE, 'order.fulfilled', 'paid', 'fulfilled')
       ) AS step (place, is_line, name, origin, ends) ORDER BY n, step.place;
INSERT INTO {schema}.payments_payment (id, order_id, number, account_id, gateway, channel, amount, status, reference,
       qr, url, is_surplus, created_at, expires_at, confirmed_at)
SELECT base.payments + n, base.orders + n, number || '00000000', %(account)s, 'wechatpay', 'qr', %(price)s, 'confirmed',
       'T' || number, '', '', FALSE, at, at, at
  FROM bench_order, bench_base AS base;
INSERT INTO public.inbox_inboxevent (source, account, event_id, schema_name, subject, headers, body, verdict, reason,
       received_at)
SELECT 'payments', 'wechatpay', 'bench:' || number, '{name}', number || '00000000', '{{}}',
       convert_to(repeat(md5(number), 16), 'UTF8'), 'accepted', '', at FROM bench_order;
INSERT INTO {schema}.fulfillment_fulfillment (id, line_id, status, delivered_quantity, attempts, note, created_at,
       finished_at)
SELECT base.works + n, base.lines + n, 'delivered', 1, 1, '', at, at FROM bench_order, bench_base AS base;
INSERT INTO {schema}.fulfillment_supplierorder (id, fulfillment_id, supplier_id, offer_id, sequence, reference,
       supplier_reference, supplier_sku, quantity, cost, status, code, message, evidence, choice, asked, created_at,
       finished_at)
SELECT base.buys + n, base.works + n, %(supplier)s, %(offer)s, 1, number || 'P01', '', 'bench', 1, 55, 'succeeded', '',
       '', '-> {{"order": "' || number || '"}} <- {{"state": "done"}}', '{{}}', 0, at, at
  FROM bench_order, bench_base AS base;
INSERT INTO public.suppliers_stockcode (id, variant_id, supplier_id, sealed, digest, reference, schema_name, added_at,
       taken_at)
SELECT base.codes + n, %(variant)s, %(supplier)s, repeat(md5(number), 4), 'bench:' || number, number || 'P01',
       '{name}', at, at FROM bench_order, bench_base AS base WHERE is_code;
INSERT INTO {schema}.fulfillment_delivery (fulfillment_id, supplier_order_id, stock_code_id, position, created_at)
SELECT base.works + n, base.buys + n, CASE WHEN is_code THEN base.codes + n END, 0, at
  FROM bench_order, bench_base AS base;
INSERT INTO public.ledger_account (name, owner)
VALUES ('clearing', %(account)s), ('orders', %(shop)s), ('sales', 0), ('cost', 0), ('supplier', %(supplier)s),
       ('pending', %(shop)s)
    ON CONFLICT DO NOTHING;
INSERT INTO public.ledger_journal (id, key, kind, shop_id, order_number, size, posted_at)
SELECT base.journals + 3 * (n - 1) + kind.place,
       CASE kind.name WHEN 'payment' THEN 'payment:' || number || '00000000'
                      WHEN 'supply' THEN 'supply:' || number || 'P01'
                      ELSE 'delivery:' || %(shop)s || ':' || base.lines + n END,
       kind.name, %(shop)s, number, CASE WHEN kind.name = 'delivery' AND %(price)s > 57 THEN 3 ELSE 2 END, at
  FROM bench_order, bench_base AS base, (VALUES (1, 'payment'), (2, 'supply'), (3, 'delivery')) AS kind (place, name)
 ORDER BY n, kind.place;
INSERT INTO public.ledger_entry (journal_id, account_id, amount)
SELECT base.journals + 3 * (n - 1) + move.place, account.id, move.amount
  FROM bench_order, bench_base AS base, (VALUES
       (1, 'clearing', %(account)s, %(price)s), (1, 'orders', %(shop)s, -%(price)s), (2, 'cost', 0, 55),
       (2, 'supplier', %(supplier)s, -55), (3, 'orders', %(shop)s, %(price)s), (3, 'sales', 0, -57),
       (3, 'pending', %(shop)s, 57 - %(price)s)) AS move (place, name, owner, amount)
  JOIN public.ledger_account AS account ON account.name = move.name AND account.owner = move.owner
 WHERE move.amount <> 0 ORDER BY n, move.place;
"""
_GUARDED = ("ledger_journal", "ledger_entry")
#: Ids were given by hand.
_IDS = (
    *("{schema}.orders_order", "{schema}.orders_orderline", "{schema}.payments_payment", "public.ledger_journal"),
    *("{schema}.fulfillment_fulfillment", "{schema}.fulfillment_supplierorder", "public.suppliers_stockcode"),
)


def fill(shop: "Reseller", *, orders: int, start: datetime, span: timedelta, price: int) -> None:
    """So many orders evenly over `span`, sold at `price` yuan (supplied at 57, of which a reseller has the rest, and
    bought at 55)."""
    from django.db import connection, transaction

    from fulfillment.suppliers.models import SupplierOffer
    from kameng.core.ids import ROUTE_LENGTH, routed_id
    from payments.merchants.models import GatewayAccount

    offer = SupplierOffer.objects.exclude(supplier__adapter="stock").order_by("pk")[0]
    account = GatewayAccount.objects.get(code="wechatpay")
    known = {
        "orders": orders, "route": routed_id(shop.pk, 20)[:ROUTE_LENGTH], "shop": shop.pk, "account": account.pk,
        "variant": offer.variant_id, "offer": offer.pk, "supplier": offer.supplier_id, "price": price, "start": start,
        "span": span,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        # Nobody could look at each row as it comes; the audit looks at all of them afterwards.
        cursor.execute("".join(f"ALTER TABLE public.{table} DISABLE TRIGGER USER;" for table in _GUARDED))
        cursor.execute(_FILL.format(schema=shop.schema_name, name=shop.schema_name), known)
        for table in _IDS:
            name = table.format(schema=shop.schema_name)
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("".join(f"ALTER TABLE public.{table} ENABLE TRIGGER USER;" for table in _GUARDED))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
