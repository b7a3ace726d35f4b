"""Placing an order, settling and ending it. Its state moves through the doors in `orders.states`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from catalog import accounts
from catalog.ages import Age
from catalog.listings.shelf import Shelf, ShelfProduct, ShelfVariant, shelf_now
from customers.contacts import contact_clean
from customers.models import Customer, Route
from kameng.core import sql
from kameng.core.encryption import digest
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.outbox.services import publish
from orders.events import event_write
from orders.exceptions import (
    IdempotencyConflict,
    OrderInvalid,
    OrderNotPayable,
    PriceChanged,
    ShopCannotTake,
    ShopClosed,
    SkuUnavailable,
    SkuUnknown,
)
from orders.holds import hold_take
from orders.minors import Spending, is_beyond_caps, require_within_caps, spending_of, spending_write
from orders.models import Order, OrderLine
from orders.no_return import BY_PROGRAM, is_wording
from orders.selectors import order_status
from orders.states import lines_queue, order_lock, order_transition
from orders.unpaid import limit_unpaid
from resellers.deposits.services import deposit_short
from resellers.models import Reseller

NUMBER_LENGTH = 16
MAX_LINES = 20
#: So long after the first click a second one of the same browser may come.
DOUBLE_CLICK_SECONDS = 15

Status = Order.Status


@dataclass(frozen=True)
class LineRequest:
    """One thing that a shopper wants, as it was asked for."""

    sku: str
    quantity: int
    account: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Buyer:
    """Who is asking, as fingerprints: nothing here identifies a person outside this platform."""

    device_digest: str = ""
    address: str = ""
    language: str = "zh-hans"
    #: Signed in to this account of the shop: the order belongs to it, and its refunds go where the customer prefers.
    customer: Customer | None = None
    #: Pays in the transaction that places the order: its orders are never unpaid, whoever else uses its contact.
    pays_at_once: bool = False


@dataclass(frozen=True)
class Declared:
    """What the shopper says beside the order itself."""

    #: One of `catalog.ages.Age`, or nothing.
    age: str = ""
    #: A program asked whether it is clear that the goods are not taken back without a reason, and was told yes.
    no_return: bool = False
    #: The code of a coupon, which whoever takes the money looks at (`payments.coupons`).
    coupon: str = ""


NOTHING_DECLARED = Declared()


@dataclass(frozen=True)
class Placed:
    """An order, and whether this very request made it."""

    order: Order
    is_new: bool


@dataclass(frozen=True)
class _Priced:
    product: ShelfProduct
    variant: ShelfVariant
    quantity: int
    account: list[dict[str, str]]

    @property
    def amount(self) -> Decimal:
        return self.variant.price * self.quantity


def request_digest(
    lines: Sequence[LineRequest],
    contact: str,
    quoted_total: Decimal | None,
    declared: Declared = NOTHING_DECLARED,
) -> str:
    """The fingerprint of a request, to tell a repetition from another request under the same key."""
    body = [[line.sku, line.quantity, sorted(line.account.items())] for line in lines]
    said = [] if declared == NOTHING_DECLARED else [declared.age, declared.no_return]
    said += [declared.coupon] if declared.coupon else []
    text = json.dumps([body, contact, str(quoted_total), *said], ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def order_place(
    *,
    shop: Reseller,
    lines: Sequence[LineRequest],
    contact: Any,
    buyer: Buyer,
    quoted_total: Decimal | None = None,
    idempotency_key: str | None = None,
    declared: Declared = NOTHING_DECLARED,
) -> Placed:
    """Commit to a purchase at this moment's prices.

    Where nobody but the shop's owner can collect, what the goods cost is held from the deposit with it. Repeating a
    request under the same key returns the same order. Raises `OrderInvalid`, `SkuUnknown`, `SkuUnavailable`,
    `PriceChanged`, `IdempotencyConflict`, `TooManyUnpaid`, `ShopClosed` or, where the deposit is short,
    `ShopCannotTake`; nothing is stored then.
    """
    fingerprint = request_digest(lines, str(contact), quoted_total, declared)
    try:
        with transaction.atomic():
            order = _place(shop, lines, contact, buyer, quoted_total, idempotency_key, fingerprint, declared)
    except (Problem, IntegrityError) as refused:
        # A repetition may not be possible any more, or breaks the constraint on the key; nothing else is asked of the
        # key, for nearly every order is a new one. Any other broken constraint is a bug and goes on up.
        if idempotency_key and (known := _placed_before(idempotency_key, fingerprint)):
            return known
        if isinstance(refused, ShopCannotTake):
            deposit_short(shop_id=shop.pk)
        raise
    return Placed(order, is_new=True)


def _placed_before(key: str, fingerprint: str) -> Placed | None:
    order = Order.objects.filter(idempotency_key=key).first()
    if order is None:
        return None
    if order.request_digest != fingerprint:
        raise IdempotencyConflict
    return Placed(order, is_new=False)


def _place(
    shop: Reseller,
    requested: Sequence[LineRequest],
    contact: Any,
    buyer: Buyer,
    quoted_total: Decimal | None,
    key: str | None,
    fingerprint: str,
    declared: Declared,
) -> Order:
    if not shop.is_open:
        raise ShopClosed
    shelf, current = shelf_now(shop)
    if not current.takes_orders:
        raise ShopClosed
    errors: dict[str, str] = {}
    try:
        contact = contact_clean(contact)
    except ValueError as error:
        errors["contact"] = str(error)
    priced = [_price(shelf, line, place, errors) for place, line in enumerate(_checked_lines(requested))]
    if declared.age and declared.age not in Age.values:
        errors["age"] = _("请选一个年龄段")
    if errors:
        raise OrderInvalid(fields=errors)
    lines = [line for line in priced if line is not None]
    total = sum((line.amount for line in lines), Decimal(0))
    if quoted_total is not None and quoted_total != total:
        raise PriceChanged(extra={"total": f"{total:.2f}", "quoted_total": f"{quoted_total:.2f}"})
    if total >= Decimal(10) ** 8:
        raise OrderInvalid(fields={"lines": _("金额太大了，请分开下单")})
    contact_digest = digest(contact, purpose="contact")
    address_digest = digest(buyer.address, purpose="address") if buyer.address else ""
    if not buyer.pays_at_once:
        limit_unpaid(contact_digest, address_digest)
    asks_age = any(line.product.limits_minors for line in lines)
    counted = _counted(lines) if asks_age and declared.age not in ("", Age.ADULT) else {}
    if counted:
        require_within_caps(
            age=declared.age, contact_digest=contact_digest, wanted=list(counted.values()), now=current.now
        )
    order = Order(
        number=random_id(NUMBER_LENGTH),
        contact=contact,
        total=total,
        language=buyer.language,
        customer=buyer.customer,
        refund_to=buyer.customer.refund_to if buyer.customer else Route.SOURCE,
        device_digest=buyer.device_digest,
        address_digest=address_digest,
        contact_digest=contact_digest,
        idempotency_key=key or None,
        request_digest=fingerprint,
        expires_at=current.now + timedelta(seconds=settings.ORDER_EXPIRES_SECONDS),
        held_at_once=shop.collects_alone and not buyer.pays_at_once,
        age=declared.age if asks_age else "",
        no_return_at=current.now if declared.no_return else None,
        no_return_wording=BY_PROGRAM if declared.no_return else "",
    )
    sql.insert(order)
    for place, line in enumerate(lines):
        written = _line(order, place, line)
        sql.insert(written)
        if place in counted:
            spending_write(line=written, contact_digest=contact_digest, spending=counted[place])
    if order.held_at_once:
        order.locked_at = current.now
        if not hold_take(order, shop_id=shop.pk):
            raise ShopCannotTake
    event_write(order, "order.placed", actor="shopper", to_status=Status.PENDING)
    publish("order.expire", delay=settings.ORDER_EXPIRES_SECONDS, order_id=order.pk)
    return order


def _checked_lines(requested: Sequence[LineRequest]) -> Sequence[LineRequest]:
    if not requested:
        raise OrderInvalid(fields={"lines": _("还没有选面额")})
    if len(requested) > MAX_LINES:
        raise OrderInvalid(fields={"lines": _("一单最多 %(limit)s 种，请分开下单") % {"limit": MAX_LINES}})
    return requested


def _price(shelf: Shelf, line: LineRequest, place: int, errors: dict[str, str]) -> _Priced | None:
    found = shelf.by_sku.get(line.sku)
    if found is None:
        raise SkuUnknown(extra={"sku": line.sku[:40]})
    product, variant = found
    if not variant.is_available:
        raise SkuUnavailable(extra={"sku": line.sku})
    if not 1 <= line.quantity <= variant.max_quantity:
        errors[f"lines.{place}.quantity"] = _("数量应在 1 到 %(limit)s 之间") % {"limit": variant.max_quantity}
        return None
    try:
        account = accounts.clean(product.account_fields, line.account)
    except accounts.AccountInvalid as invalid:
        errors.update({f"lines.{place}.account.{name}": text for name, text in invalid.errors.items()})
        return None
    return _Priced(product, variant, line.quantity, account)


def _counted(lines: Sequence[_Priced]) -> dict[int, Spending]:
    """What a minor's lines count for, by their places; other goods than the marked ones are nobody's business."""
    return {
        place: spending_of(line.product, line.account, line.amount)
        for place, line in enumerate(lines)
        if line.product.limits_minors
    }


def _line(order: Order, place: int, line: _Priced) -> OrderLine:
    product, variant = line.product, line.variant
    return OrderLine(
        order=order,
        position=place,
        variant_id=variant.id,
        sku=variant.sku,
        kind=product.kind,
        product_slug=product.slug,
        product_name=product.name,
        product_name_en=product.name_en,
        variant_name=variant.name,
        variant_name_en=variant.name_en,
        icon=product.icon,
        quantity=line.quantity,
        price=variant.price,
        official_price=variant.official_price,
        supply_price=variant.supply_price,
        account=line.account,
    )


@transaction.atomic
def order_check(*, order_id: int, no_return: str) -> Order:
    """The shopper has checked what is bought for whom, and confirmed in the words named `no_return` that it is not
    taken back without a reason. The first time counts. Raises `OrderInvalid` for words that no page asks in.
    """
    if not is_wording(no_return):
        raise OrderInvalid(fields={"no_return": _("请先勾选确认，再去付款")})
    order = order_lock(order_id)
    if order.checked_at is None:
        order.checked_at = order.no_return_at = order.locked_at
        order.no_return_wording = no_return
        order.save(update_fields=["checked_at", "no_return_at", "no_return_wording"])
        event_write(order, "order.checked", actor="shopper", no_return=no_return)
    return order


def order_hand_over(*, order_id: int, device_digest: str) -> None:
    """A double click of a browser without a cookie: the first reply is never read, so its device is nobody's.

    Only right after the order was placed: whoever knows its contact and its account by then has sent the same form.
    """
    moment = Now() - timedelta(seconds=DOUBLE_CLICK_SECONDS)
    Order.objects.filter(pk=order_id, status=Order.Status.PENDING, created_at__gt=moment).update(
        device_digest=device_digest
    )


def settle(*, order: Order, paid: Decimal, actor: str, owner_collects: bool = False) -> bool:
    """Mark an order paid, whose row is locked, once confirmed payments cover it; late money revives an expired order.
    Safe to call again. True if this call settled it.

    `paid` is the sum of the order's confirmed payments in yuan, taken under the lock; `owner_collects` says that the
    shop's owner was paid.

    Late money settles nothing, and goes back, where nobody knows any more whom the goods were for, and where a minor
    has spent the month's rest elsewhere.
    """
    if order.status not in (Status.PENDING, Status.EXPIRED, Status.CANCELED) or paid < order.total:
        return False
    late = order.status != Status.PENDING
    if order.forgotten_at is not None or (late and is_beyond_caps(order)):
        return False
    order.owner_collects = owner_collects
    order_transition(order, to=Status.PAID, actor=actor, late=late)
    lines_queue(order, actor=actor)
    publish("order.paid", order_id=order.pk)
    return True


def order_expire(*, order_id: int) -> float | None:
    """End an unpaid order whose time is over by the database's clock; seconds left if it is not.

    What is open at a gateway is closed afterwards, by whoever listens to `order.closed`. Nearly every order has been
    paid by then, and is not even locked. Raises `Order.DoesNotExist`.
    """
    if order_status(order_id) != Status.PENDING:
        return None
    with transaction.atomic():
        order = order_lock(order_id)
        if order.status != Status.PENDING:
            return None
        left = _seconds_left(order)
        if left > 0:
            return left
        order_transition(order, to=Status.EXPIRED, actor="system")
        publish("order.closed", order_id=order.pk)
    return None


def _seconds_left(order: Order) -> float:
    left: timedelta = order.expires_at - order.locked_at
    return left.total_seconds()


@transaction.atomic
def order_cancel(*, order_id: int, actor: str) -> Order:
    """Give up an unpaid order. Raises `OrderNotPayable` if it is not waiting for money any more."""
    order = order_lock(order_id)
    if order.status == Status.CANCELED:
        return order
    if order.status != Status.PENDING:
        raise OrderNotPayable
    order_transition(order, to=Status.CANCELED, actor=actor)
    publish("order.closed", order_id=order.pk)
    return order
