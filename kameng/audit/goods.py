"""I4, I5, I6 and I13: one owner for each code, one purchase for each duty, and nothing bought or stocked is lost."""

from kameng.audit.reach import left_out, unseen, whole
from kameng.audit.reading import Breaches, found
from resellers.models import Reseller

_COUNT = """
SELECT o.number, line.id, line.quantity - line.short_quantity AS quantity, work.delivered_quantity AS counted,
       count(delivery.id) AS deliveries, count(delivery.stock_code_id) AS codes
  FROM fulfillment_fulfillment AS work
  JOIN orders_orderline AS line ON line.id = work.line_id
  JOIN orders_order AS o ON o.id = line.order_id
  LEFT JOIN fulfillment_delivery AS delivery ON delivery.fulfillment_id = work.id
 GROUP BY o.number, line.id, work.id
HAVING (line.kind = 'code' AND (count(delivery.id) <> work.delivered_quantity
                                OR count(delivery.stock_code_id) <> work.delivered_quantity))
    OR (line.kind <> 'code' AND ((count(delivery.id) > 0) <> (work.delivered_quantity > 0)
                                 OR count(delivery.stock_code_id) <> 0))
    OR (work.status = 'delivered' AND work.delivered_quantity <> line.quantity - line.short_quantity)
    OR (work.status <> 'delivered' AND work.delivered_quantity >= line.quantity)
    OR (work.status = 'failed' AND work.delivered_quantity > 0)
"""
_OWNER = """
SELECT o.number, code.id, code.reference, code.schema_name, bought.reference AS ours
  FROM fulfillment_delivery AS delivery
  JOIN fulfillment_supplierorder AS bought ON bought.id = delivery.supplier_order_id
  JOIN fulfillment_fulfillment AS work ON work.id = delivery.fulfillment_id
  JOIN orders_orderline AS line ON line.id = work.line_id
  JOIN orders_order AS o ON o.id = line.order_id
  JOIN suppliers_stockcode AS code ON code.id = delivery.stock_code_id
 WHERE code.reference <> bought.reference OR code.schema_name <> %s
"""
_TWICE = """
SELECT stock_code_id, count(*) AS times FROM fulfillment_delivery
 WHERE stock_code_id IS NOT NULL GROUP BY stock_code_id HAVING count(*) > 1
"""
_SAME_CODE = """
SELECT min(id) AS first, count(*) AS times FROM public.suppliers_stockcode GROUP BY digest HAVING count(*) > 1
"""


def codes_have_one_owner(shop: Reseller) -> Breaches:
    """As many codes as were bought, each owned by the purchase that delivered it."""
    yield from found(
        "order {number}, line #{id}: {quantity} bought, {counted} arrived, {deliveries} deliveries, {codes} codes",
        _COUNT,
    )
    yield from found(
        "order {number} was given code #{id} of {schema_name}:{reference} by {ours}", _OWNER, [shop.schema_name]
    )
    yield from found("code #{stock_code_id} was delivered {times} times", _TWICE)


@left_out("codes that are stored twice")
def codes_are_known_once() -> Breaches:
    """Over the whole platform."""
    yield from found("code #{first} is stored {times} times", _SAME_CODE)


_MANY = """
SELECT fulfillment_id, count(*) FILTER (WHERE status IN ('intended', 'accepted', 'unknown')) AS active,
       count(*) FILTER (WHERE status = 'succeeded') AS succeeded
  FROM fulfillment_supplierorder GROUP BY fulfillment_id
HAVING count(*) FILTER (WHERE status IN ('intended', 'accepted', 'unknown')) > 1
    OR count(*) FILTER (WHERE status = 'succeeded') > 1
"""
_AFTER_THE_END = """
SELECT work.id, work.status, bought.reference, bought.status AS bought_status
  FROM fulfillment_fulfillment AS work JOIN fulfillment_supplierorder AS bought ON bought.fulfillment_id = work.id
 WHERE work.status IN ('delivered', 'failed') AND bought.status IN ('intended', 'accepted', 'unknown')
"""
_WITHOUT_PURCHASE = """
SELECT work.id FROM fulfillment_fulfillment AS work
 WHERE work.status = 'delivered' AND NOT EXISTS (
       SELECT FROM fulfillment_supplierorder AS bought
        WHERE bought.fulfillment_id = work.id AND bought.status IN ('succeeded', 'partial', 'reversed'))
"""
_WRONG_PURCHASE = """
SELECT delivery.id, bought.reference, bought.status
  FROM fulfillment_delivery AS delivery
  JOIN fulfillment_supplierorder AS bought ON bought.id = delivery.supplier_order_id
 WHERE bought.status NOT IN ('succeeded', 'partial', 'reversed') OR bought.fulfillment_id <> delivery.fulfillment_id
"""
_OVERLAP = """
SELECT earlier.reference, later.reference AS next
  FROM fulfillment_supplierorder AS earlier
  JOIN fulfillment_supplierorder AS later
    ON later.fulfillment_id = earlier.fulfillment_id AND later.sequence > earlier.sequence
 WHERE earlier.finished_at IS NULL OR earlier.finished_at > later.created_at
"""


def one_purchase_at_a_time(_: Reseller) -> Breaches:
    """One active attempt, one success used, and none begun before the one before it had ended."""
    yield from found("work #{fulfillment_id}: {active} active purchases, {succeeded} successful", _MANY)
    yield from found("work #{id} is {status}, but purchase {reference} is {bought_status}", _AFTER_THE_END)
    yield from found("work #{id} is delivered without a successful purchase", _WITHOUT_PURCHASE)
    yield from found("delivery #{id} is from purchase {reference}, which is {status} or another's", _WRONG_PURCHASE)
    yield from found("purchase {next} began before {reference} had ended", _OVERLAP)


_UNUSED = """
SELECT bought.reference FROM fulfillment_supplierorder AS bought
 WHERE bought.status IN ('succeeded', 'partial')
   AND NOT EXISTS (SELECT FROM fulfillment_delivery AS delivery WHERE delivery.supplier_order_id = bought.id)
"""
_STRAYS = "codes of purchases that their shop does not know"
#: Codes that were given to a purchase of this shop and reached nobody, unless that is booked or still open.
_ADRIFT = """
SELECT code.id, code.reference, coalesce(bought.status, 'unknown to its shop') AS status
  FROM suppliers_stockcode AS code
  JOIN public.suppliers_supplier AS supplier ON supplier.id = code.supplier_id
  LEFT JOIN fulfillment_supplierorder AS bought ON bought.reference = code.reference
 WHERE code.schema_name = %s AND {whose}
   AND NOT EXISTS (SELECT FROM fulfillment_delivery AS delivery WHERE delivery.stock_code_id = code.id)
   AND coalesce(bought.status, '') NOT IN ('intended', 'accepted', 'unknown')
   AND NOT EXISTS (SELECT FROM public.suppliers_duplicatesupply AS booked WHERE booked.reference = code.reference)
"""


@unseen(_STRAYS)
def what_was_charged_was_used(shop: Reseller) -> Breaches:
    """Our side of it: every success was delivered, every code that was sent is used or booked as too much."""
    yield from found("purchase {reference} succeeded and delivered nothing", _UNUSED)
    sent = _ADRIFT.format(whose="supplier.adapter <> 'stock'")
    yield from found(
        "code #{id} came for purchase {reference} ({status}) and is used nowhere", sent, [shop.schema_name]
    )


_NOBODYS = """
SELECT code.id, code.reference, code.schema_name FROM public.suppliers_stockcode AS code
 WHERE (code.reference = '') <> (code.schema_name = '') OR (code.reference = '') <> (code.taken_at IS NULL)
    OR (code.schema_name <> '' AND NOT EXISTS (
        SELECT FROM public.resellers_reseller AS shop WHERE shop.schema_name = code.schema_name))
"""


@unseen(_STRAYS)
def stock_is_conserved(shop: Reseller) -> Breaches:
    """Every code that left our shelf for this shop was delivered, or its purchase is still open."""
    taken = _ADRIFT.format(whose="supplier.adapter = 'stock'")
    yield from found(
        "code #{id} left the shelf for purchase {reference} ({status}) and reached nobody", taken, [shop.schema_name]
    )


@whole
def stock_is_free_or_owned() -> Breaches:
    """Loaded is free and taken, with nothing between."""
    yield from found("code #{id} is neither free nor owned: {schema_name}:{reference}", _NOBODYS)
