"""Placing an order, settling and ending it. Its state moves through the doors in `orders.states`."""

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
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from catalog import accounts
from catalog.listings.shelf import Shelf, ShelfProduct, ShelfVariant, shelf_now
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
    TooManyUnpaid,
)
from orders.holds import hold_take
from orders.models import Order, OrderLine
from orders.selectors import order_status
from orders.states import lines_queue, order_lock, order_transition
from resellers.deposits.services import deposit_short
from resellers.models import Reseller

NUMBER_LENGTH = 16
MAX_LINES = 20
#: So long after the first click a second one of the same browser may come.
DOUBLE_CLICK_SECONDS = 15
_PHONE = re.compile(r"1[3-9]\d{9}", re.ASCII)

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
    #: Pays in the transaction that places the order: its orders are never unpaid, whoever else uses its contact.
    pays_at_once: bool = False


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

    Where nobody but the shop's owner can collect, what the goods cost is held from the deposit with it. Repeating a
    request under the same key returns the same order. Raises `OrderInvalid`, `SkuUnknown`, `SkuUnavailable`,
    `PriceChanged`, `IdempotencyConflict`, `TooManyUnpaid`, `ShopClosed` or, where the deposit is short,
    `ShopCannotTake`; nothing is stored then.
    """
    fingerprint = request_digest(lines, str(contact), quoted_total)
    try:
        with transaction.atomic():
            order = _place(shop, lines, contact, buyer, quoted_total, idempotency_key, fingerprint)
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
    if not buyer.pays_at_once:
        _limit_unpaid(contact_digest, address_digest)
    order = Order(
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
        held_at_once=shop.collects_alone and not buyer.pays_at_once,
    )
    sql.insert(order)
    for place, line in enumerate(lines):
        sql.insert(_line(order, place, line))
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


_UNPAID = """
SELECT count(*) FILTER (WHERE contact_digest = %(contact)s), count(*) FILTER (WHERE address_digest = %(address)s),
       min(expires_at - statement_timestamp())
  FROM orders_order
 WHERE status = 'pending' AND expires_at > statement_timestamp()
   AND (contact_digest = %(contact)s OR (address_digest = %(address)s AND %(address)s <> ''))
"""


#: Whoever orders next with the same contact, or from the same address, counts after this one has committed. The order
#: of the keys is the same for everybody, so that no two wait for each other.
_IN_TURN = """
SELECT pg_advisory_xact_lock(key)
  FROM (SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(%s::text[]) AS name ORDER BY key) AS keys
"""
#: So many is no limit, and nobody has to wait for it.
_NO_LIMIT = 1_000_000


def _limit_unpaid(contact_digest: str, address_digest: str) -> None:
    """Raises `TooManyUnpaid`. Holds back others with the same contact or address until the transaction ends."""
    limits = (
        ("contact", contact_digest, settings.UNPAID_ORDERS_PER_CONTACT),
        ("address", address_digest, settings.UNPAID_ORDERS_PER_ADDRESS),
    )
    tenant: str = connection.schema_name  # type: ignore[attr-defined]
    if keys := [f"unpaid/{tenant}/{kind}/{key}" for kind, key, limit in limits if key and limit < _NO_LIMIT]:
        sql.later(_IN_TURN, [keys])
    of_contact, of_address, next_end = sql.rows(_UNPAID, {"contact": contact_digest, "address": address_digest})[0]
    if of_contact >= settings.UNPAID_ORDERS_PER_CONTACT or (
        address_digest and of_address >= settings.UNPAID_ORDERS_PER_ADDRESS
    ):
        raise TooManyUnpaid(extra={"retry_after": max(1, math.ceil(next_end.total_seconds()))})


@transaction.atomic
def order_check(*, order_id: int) -> Order:
    """The shopper has checked what is bought for whom, on a page of its own."""
    order = order_lock(order_id)
    if order.checked_at is None:
        order.checked_at = Now()
        order.save(update_fields=["checked_at"])
        event_write(order, "order.checked", actor="shopper")
    return order


def order_hand_over(*, order_id: int, device_digest: str) -> None:
    """A double click of a browser without a cookie: the first reply is never read, so its device is nobody's.

    Only right after the order was placed: whoever knows its contact and its account by then has sent the same form.
    """
    moment = Now() - timedelta(seconds=DOUBLE_CLICK_SECONDS)
    Order.objects.filter(pk=order_id, status=Order.Status.PENDING, created_at__gt=moment).update(
        device_digest=device_digest
    )


@transaction.atomic
def order_settle(*, order_id: int, paid: Decimal, actor: str) -> bool:
    """Mark the order paid once confirmed payments cover it; late money revives an expired order. Safe to call again.

    `paid` is the sum of the order's confirmed payments in yuan, taken under the order's lock. True if this call
    settled it.
    """
    return settle(order=order_lock(order_id), paid=paid, actor=actor)


def settle(*, order: Order, paid: Decimal, actor: str, owner_collects: bool = False) -> bool:
    """The same for an order whose row is locked already; `owner_collects` says that the shop's owner was paid."""
    if order.status not in (Status.PENDING, Status.EXPIRED, Status.CANCELED) or paid < order.total:
        return False
    late = order.status != Status.PENDING
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
