"""Placing an order, and the one door through which its state moves."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Min, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from catalog import accounts
from catalog.listings.shelf import Shelf, ShelfProduct, ShelfVariant, shelf_now
from kameng.core.encryption import digest
from kameng.core.ids import random_id
from kameng.outbox.services import publish
from orders.exceptions import (
    IdempotencyConflict,
    IllegalTransition,
    OrderInvalid,
    OrderNotPayable,
    PriceChanged,
    ShopClosed,
    SkuUnavailable,
    SkuUnknown,
    TooManyUnpaid,
)
from orders.models import Order, OrderEvent, OrderLine
from resellers.models import Reseller

NUMBER_LENGTH = 16
MAX_LINES = 20
_PHONE = re.compile(r"1[3-9]\d{9}", re.ASCII)

Status = Order.Status
LineStatus = OrderLine.Status


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


def contact_clean(raw: Any) -> str:
    """A mobile number of eleven digits or an e-mail address, normalized.

    Raises `ValueError` with a message for people.
    """
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(_("请填写手机号或邮箱，查订单时要用"))
    text = raw.strip()
    digits = re.sub(r"[\s\-]", "", text).removeprefix("+86")
    if _PHONE.fullmatch(digits):
        return digits
    if len(text) <= 120 and "@" in text:
        try:
            validate_email(text)
        except ValidationError:
            pass
        else:
            return text.lower()
    raise ValueError(_("手机号或邮箱不对，应像 13812345678 或 name@example.com 这样"))


def request_digest(lines: Sequence[LineRequest], contact: str, quoted_total: Decimal | None) -> str:
    """The fingerprint of a request, to tell a repetition from another request under the same key."""
    body = [[line.sku, line.quantity, sorted(line.account.items())] for line in lines]
    text = json.dumps([body, contact, str(quoted_total)], ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def order_place(
    *,
    shop: Reseller,
    lines: Sequence[LineRequest],
    contact: Any,
    buyer: Buyer,
    quoted_total: Decimal | None = None,
    idempotency_key: str | None = None,
) -> Placed:
    """Commit to a purchase at this moment's prices.

    Repeating a request under the same key returns the same order. Raises `OrderInvalid`, `SkuUnknown`,
    `SkuUnavailable`, `PriceChanged`, `IdempotencyConflict`, `TooManyUnpaid` or `ShopClosed`; nothing is stored then.
    """
    fingerprint = request_digest(lines, str(contact), quoted_total)
    if idempotency_key and (known := _placed_before(idempotency_key, fingerprint)):
        return known
    try:
        with transaction.atomic():
            order = _place(shop, lines, contact, buyer, quoted_total, idempotency_key, fingerprint)
    except IntegrityError:
        # Somebody was first with the same key, a moment ago; any other broken constraint is a bug and goes on up.
        if idempotency_key and (known := _placed_before(idempotency_key, fingerprint)):
            return known
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
) -> Order:
    if not shop.is_open:
        raise ShopClosed
    shelf, current = shelf_now(shop)
    errors: dict[str, str] = {}
    try:
        contact = contact_clean(contact)
    except ValueError as error:
        errors["contact"] = str(error)
    priced = [_price(shelf, line, place, errors) for place, line in enumerate(_checked_lines(requested))]
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
    _limit_unpaid(contact_digest, address_digest)
    order = Order.objects.create(
        number=random_id(NUMBER_LENGTH),
        contact=contact,
        total=total,
        language=buyer.language,
        device_digest=buyer.device_digest,
        address_digest=address_digest,
        contact_digest=contact_digest,
        idempotency_key=key or None,
        request_digest=fingerprint,
        expires_at=current.now + timedelta(seconds=settings.ORDER_EXPIRES_SECONDS),
    )
    OrderLine.objects.bulk_create(_line(order, place, line) for place, line in enumerate(lines))
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


def _limit_unpaid(contact_digest: str, address_digest: str) -> None:
    unpaid = Order.objects.filter(status=Status.PENDING, expires_at__gt=Now())
    same = Q(contact_digest=contact_digest)
    if address_digest:
        same |= Q(address_digest=address_digest)
    counted = unpaid.filter(same).aggregate(
        contact=Count("pk", filter=Q(contact_digest=contact_digest)),
        address=Count("pk", filter=Q(address_digest=address_digest)),
        next_end=Min(F("expires_at") - Now()),
    )
    if counted["contact"] >= settings.UNPAID_ORDERS_PER_CONTACT or (
        address_digest and counted["address"] >= settings.UNPAID_ORDERS_PER_ADDRESS
    ):
        raise TooManyUnpaid(extra={"retry_after": max(1, math.ceil(counted["next_end"].total_seconds()))})


def event_write(
    order: Order,
    name: str,
    *,
    actor: str,
    line: OrderLine | None = None,
    from_status: str = "",
    to_status: str = "",
    **data: Any,
) -> None:
    """Leave one line in the order's history. `data` must be JSON and hold no secret."""
    OrderEvent.objects.create(
        order=order, line=line, name=name, actor=actor, from_status=from_status, to_status=to_status, data=data
    )


def order_lock(order_id: int) -> Order:
    """The order's row, locked until the transaction ends: the first lock of every flow that moves money or goods."""
    return Order.objects.select_for_update(of=("self",)).get(pk=order_id)


def order_transition(order: Order, *, to: Order.Status, actor: str, **data: Any) -> None:
    """The only door for an order's status; the row must be locked. Raises `IllegalTransition`."""
    origin = Status(order.status)
    if to not in Order.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"order {order.number}: {origin} → {to}")
    order.status = to
    fields = ["status"]
    if to == Status.PAID:
        order.paid_at = Now()
        fields.append("paid_at")
    elif to in (Status.FULFILLED, Status.REFUNDED, Status.PARTLY_REFUNDED):
        order.finished_at = Now()
        fields.append("finished_at")
    order.save(update_fields=fields)
    event_write(order, f"order.{to}", actor=actor, from_status=origin, to_status=to, **data)


def line_transition(line: OrderLine, *, to: OrderLine.Status, actor: str, **data: Any) -> None:
    """The only door for a line's status; its order must be locked. Staying where one is, is not a step."""
    origin = LineStatus(line.status)
    if origin == to:
        return
    if to not in OrderLine.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"line {line.pk}: {origin} → {to}")
    line.status = to
    fields = ["status"]
    if to in (LineStatus.DELIVERED, LineStatus.REFUNDED):
        line.finished_at = Now()
        fields.append("finished_at")
    line.save(update_fields=fields)
    event_write(line.order, f"line.{to}", actor=actor, line=line, from_status=origin, to_status=to, **data)


@transaction.atomic
def order_check(*, order_id: int) -> Order:
    """The shopper has checked what is bought for whom, on a page of its own."""
    order = order_lock(order_id)
    if order.checked_at is None:
        order.checked_at = Now()
        order.save(update_fields=["checked_at"])
        event_write(order, "order.checked", actor="shopper")
    return order


@transaction.atomic
def order_settle(*, order_id: int, paid: Decimal, actor: str) -> bool:
    """Mark the order paid once confirmed payments cover it; late money revives an expired order. Safe to call again.

    `paid` is the sum of the order's confirmed payments in yuan, taken under the order's lock. True if this call
    settled it.
    """
    order = order_lock(order_id)
    if order.status not in (Status.PENDING, Status.EXPIRED, Status.CANCELED) or paid < order.total:
        return False
    late = order.status != Status.PENDING
    order_transition(order, to=Status.PAID, actor=actor, late=late)
    for line in order.lines.select_related("order"):
        line_transition(line, to=LineStatus.QUEUED, actor=actor)
    publish("order.paid", order_id=order.pk)
    return True


@transaction.atomic
def order_expire(*, order_id: int) -> float | None:
    """End an unpaid order whose time is over by the database's clock; seconds left if it is not.

    What is open at a gateway is closed afterwards, by whoever listens to `order.closed`.
    """
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
    row = Order.objects.filter(pk=order.pk).values_list(Now(), "expires_at").get()
    left: timedelta = row[1] - row[0]
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


def order_recount(order: Order, *, actor: str) -> None:
    """Draw the order's state from its lines; the row must be locked. Called whenever a line reached an end."""
    ends = set(order.lines.values_list("status", flat=True))
    if order.status not in (Status.PAID, Status.FULFILLED, Status.PARTLY_REFUNDED):
        return
    if ends == {LineStatus.DELIVERED}:
        to = Status.FULFILLED
    elif ends == {LineStatus.REFUNDED}:
        to = Status.REFUNDED
    elif ends == {LineStatus.DELIVERED, LineStatus.REFUNDED}:
        to = Status.PARTLY_REFUNDED
    else:
        return
    if to != order.status:
        order_transition(order, to=to, actor=actor)
