"""Using a coupon for an order: before anybody was asked for the rest, and once for an order.

What it would give is told beforehand (`coupon_quote`), and is looked at again when it is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import Variant
from customers.coupons.discount import Goods, discount_of
from customers.coupons.exceptions import CouponRefused, CouponUnknown, CouponUnsuited
from customers.coupons.models import Coupon
from customers.coupons.selectors import coupon_known, coupon_named
from customers.coupons.words import coupon_name, plain, why_closed
from kameng.core import sql
from kameng.core.throttle import TooMany, allow, wait_for
from orders.exceptions import OrderNotPayable
from orders.models import Order, OrderLine
from orders.selectors import lines_of
from orders.states import order_lock
from payments.models import Payment
from payments.purses import COUPON, PURSES, purse_pay
from payments.selectors import payments_of
from resellers.models import Reseller

#: Codes that are none, by one address.
GUESSES, GUESS_SECONDS = 20, 600

#: Those that came back whole are not counted: the contact has them again.
_OF_CONTACT = """
SELECT count(*) FROM orders_order AS ordered JOIN payments_payment AS payment ON payment.order_id = ordered.id
 WHERE ordered.contact_digest = %(contact)s AND payment.gateway = 'coupon' AND payment.holder_id = %(coupon)s
   AND payment.status = 'confirmed' AND payment.amount > (
       SELECT coalesce(sum(refund.amount), 0) FROM payments_refund AS refund
        WHERE refund.payment_id = payment.id AND refund.status = 'succeeded')
"""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a coupon takes off an order, in yuan."""

    coupon: Coupon
    amount: Decimal

    @property
    def name(self) -> str:
        """What it is called, in the reader's language."""
        return coupon_name(self.coupon)


@contextmanager
def guessing(address: str) -> Iterator[None]:
    """Around whatever takes a code from an address: after too many that are none, no other is looked at. Raises
    `TooMany`."""
    if wait := wait_for("coupon", address, limit=GUESSES, seconds=GUESS_SECONDS):
        raise TooMany(_("试了太多次，%(seconds)s 秒后再试") % {"seconds": wait}, extra={"retry_after": wait})
    try:
        yield
    except CouponUnknown:
        allow("coupon", address, limit=GUESSES, seconds=GUESS_SECONDS)
        raise


def coupon_payment(order_id: int) -> Payment | None:
    """What a coupon pays of an order, if any does."""
    found = (one for one in payments_of(order_id) if one.gateway == COUPON.gateway and not one.is_surplus)
    return next(found, None)


def coupon_holding(*, shop: Reseller, code: str) -> Coupon:
    """The coupon of that code, which holds in the shop now. Raises `CouponRefused`."""
    coupon = coupon_named(shop.pk, code)
    if coupon is None:
        raise CouponUnknown
    if shop.collects_alone:
        raise CouponRefused(_("这家店由店主自己收款，不能用优惠券"))
    if closed := why_closed(coupon, now=timezone.now()):
        raise CouponRefused(closed)
    return coupon


def coupon_quote(*, shop: Reseller, order: Order, code: str) -> Quote:
    """What the coupon of that code would take off. Raises `CouponRefused`; nothing moves either way."""
    coupon = coupon_holding(shop=shop, code=code)
    discount = discount_of(coupon.terms, _goods(lines_of(order.pk)))
    if discount.missing:
        facts = {"threshold": plain(coupon.threshold), "missing": plain(discount.missing)}
        raise CouponUnsuited(_("这张券满 ¥%(threshold)s 可用，还差 ¥%(missing)s") % facts)
    if not discount.amount:
        raise CouponUnsuited(_("这张券不能用于这个商品"))
    if _uses(order, coupon) >= coupon.contact_limit:
        raise _used_before(coupon)
    return Quote(coupon, discount.amount)


@transaction.atomic
def coupon_use(*, shop: Reseller, order_id: int, code: str, actor: str) -> Payment:
    """Pay with a coupon what it takes off. Raises `CouponRefused`; nothing has moved then."""
    order = order_lock(order_id)
    if coupon_payment(order_id) is not None:
        raise CouponRefused(_("这单已经用了一张券"))
    quote = coupon_quote(shop=shop, order=order, code=code)
    try:
        payment = purse_pay(
            order_id=order_id,
            purse=COUPON,
            holder_id=quote.coupon.pk,
            shop_id=shop.pk,
            actor=actor,
            amount=quote.amount,
        )
    except OrderNotPayable:
        raise CouponRefused(_("这单已经去付款，不能再用券了；取消这单，重新下单时再用")) from None
    # The coupon's row is locked by now: whoever else uses it for the same contact has ended, or waits.
    if _uses(order, quote.coupon) > quote.coupon.contact_limit:
        raise _used_before(quote.coupon)
    return payment


def may_take_coupon(order: Order) -> bool:
    """Whether one could pay a part now: none does, and nobody was asked for the rest."""
    return all(one.gateway in PURSES and one.gateway != COUPON.gateway for one in payments_of(order.pk))


def coupon_name_of(payment: Payment) -> str:
    """What the coupon is called that a payment came from."""
    coupon = coupon_known(payment.holder_id or 0)
    return coupon_name(coupon) if coupon is not None else ""


def is_for_coupons(order: Order) -> bool:
    """Whether there are goods in it that coupons can be for: what the platform sells to owners is not."""
    return bool(_goods(lines_of(order.pk)))


def _goods(lines: list[OrderLine]) -> list[Goods]:
    on_shelves = Variant.objects.filter(pk__in=[line.variant_id for line in lines], product__is_on_shelves=True)
    placed = {
        variant_id: (category_id, product_id)
        for variant_id, category_id, product_id in on_shelves.values_list("pk", "product__category_id", "product_id")
    }
    return [
        Goods(line.amount, (line.price - line.supply_price) * line.quantity, *placed[line.variant_id])
        for line in lines
        if line.variant_id in placed
    ]


def _uses(order: Order, coupon: Coupon) -> int:
    ((count,),) = sql.rows(_OF_CONTACT, {"contact": order.contact_digest, "coupon": coupon.pk})
    return int(count)


def _used_before(coupon: Coupon) -> CouponRefused:
    if coupon.contact_limit == 1:
        return CouponRefused(_("这张券你已经用过了"))
    return CouponRefused(_("这张券每人限用 %(limit)s 次，你已经用完了") % {"limit": coupon.contact_limit})
