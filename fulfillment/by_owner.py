"""Goods of their own that owners deliver by hand: until when, what they wrote, and what becomes of what they do not.

Whether the owner delivered or the deadline passed is settled under the order's lock, by whoever comes first: the other
finds an attempt that has an end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from catalog.models import Product
from fulfillment.calls import CODES
from fulfillment.decisions import codes_fit
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.outcomes import outcome_book, with_line
from fulfillment.selectors import attempt_known, order_id_of_attempt, work_known
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.choosing import is_taken_down
from fulfillment.suppliers.connections import supplier_known
from fulfillment.suppliers.owners import HANDS
from fulfillment.suppliers.reasons import Reason
from kameng.core.encryption import seal, unseal
from kameng.core.problems import NotFound, Problem
from kameng.outbox.services import publish
from orders.events import event_write
from orders.selectors import lines_of
from orders.states import order_lock
from resellers.hours import after_open, read

LONGEST_NOTE, USUAL_MINUTES = 2000, 60
_OVERDUE = Outcome(OutcomeKind.FAILED, code=Reason.OWNER_OVERDUE)
_STOPPED = Outcome(OutcomeKind.FAILED, code=Reason.OWNER_STOPPED)
#: Why an owner does not deliver, from a closed list: shoppers read it.
REFUSALS = (Reason.OWNER_EMPTY, Reason.OWNER_ACCOUNT, Reason.OWNER_CANNOT)
#: By how the attempt ended: why the money goes back.
REFUND_REASONS: Mapping[str, str] = {
    Reason.OWNER_OVERDUE: gettext_noop("店主没有按时交付，自动退款"),
    Reason.OWNER_EMPTY: gettext_noop("店主没有货了，自动退款"),
    Reason.OWNER_ACCOUNT: gettext_noop("账号不对，店主充不了，自动退款"),
    Reason.OWNER_CANNOT: gettext_noop("店主这单做不了，自动退款"),
}


def ended_without(work: Fulfillment) -> Outcome | None:
    """Why the owner does not deliver any more what lies with them: the platform has taken the good down, or their time
    is over by the clock of the database that locked the order."""
    if work.due_at is None:
        return None
    if is_taken_down(work.line.variant_id):
        return _STOPPED
    return _OVERDUE if work.line.order.locked_at >= work.due_at else None


def due_write(work: Fulfillment) -> None:
    """Fix until when the owner has to deliver, from the moment of the payment; later edits of the good move nothing."""
    product = Product.objects.select_related("owner").get(variants=work.line.variant_id)
    if work.due_at is not None or product.owner is None:
        return
    begun: datetime = timezone.localtime(work.line.order.paid_at or work.line.order.locked_at)
    week = read(product.owner.hours) if product.hand_in_hours else ()
    # Somebody may have changed, a moment ago, how it is delivered; the owner has it now, and has to have a deadline.
    work.due_at = after_open(week, begun, product.hand_minutes or USUAL_MINUTES)
    work.save(update_fields=["due_at"])


@dataclass(frozen=True, slots=True)
class ToDo:
    """A paid line that waits for the owner's hands."""

    buy: SupplierOrder
    wants_codes: bool

    @property
    def work(self) -> Fulfillment:
        """The duty, with its line and order."""
        return self.buy.fulfillment

    @property
    def seconds_left(self) -> float:
        """Until the money goes back."""
        return (self.work.due_at - timezone.now()).total_seconds() if self.work.due_at else 0.0


def to_dos() -> list[ToDo]:
    """What waits in the current shop, the most urgent first."""
    found = _waiting().select_related("fulfillment__line__order").order_by("fulfillment__due_at", "pk")
    return [ToDo(buy, buy.fulfillment.line.kind == CODES) for buy in found]


def _waiting() -> "QuerySet[SupplierOrder]":
    return SupplierOrder.objects.filter(status__in=SupplierOrder.ACTIVE, fulfillment__due_at__isnull=False)


class NotYours(Problem):
    """The attempt is not one that the owner delivers, or it has ended."""

    code = "not_for_owner"
    status = 409
    message = gettext_lazy("这一单已经结束了：可能刚交付，也可能过了时限、已经自动退款。什么都没有改")


class DeliveryInvalid(Problem):
    """What the owner says was delivered cannot be taken; `fields` say why."""

    code = "delivery_invalid"
    message = gettext_lazy("没有交付，请改好再提交")


@transaction.atomic
def owner_deliver(*, supplier_order_id: int, actor: str, text: str) -> None:
    """The owner has delivered: `text` are the codes, one a line, or what the shopper should know of a top-up.

    Raises `NotYours`, `CodesUnfit`, `DeliveryInvalid`; nothing has moved then.
    """
    buy = _owners(supplier_order_id)
    line = buy.fulfillment.line
    items: tuple[str, ...] = ()
    if line.kind == CODES:
        items = codes_fit(text.splitlines(), buy.quantity)
    else:
        note = text.replace("\0", "").strip()
        if len(note) > LONGEST_NOTE:
            raise DeliveryInvalid(fields={"text": _("太长了，最多 %(limit)s 个字符") % {"limit": LONGEST_NOTE}})
        if note:
            note_seal(buy.fulfillment, note)
    event_write(line.order, "owner.delivered", actor=actor, line=line)
    delivered = Outcome(OutcomeKind.DELIVERED, items=items, code="owner_delivered", cost=Decimal(0))
    outcome_book(buy, delivered, actor)


@transaction.atomic
def owner_refuse(*, supplier_order_id: int, actor: str, reason: str) -> None:
    """The owner cannot deliver, for one of `REFUSALS`: the money goes back at once. Raises `NotYours` and
    `DeliveryInvalid`."""
    if reason not in REFUSALS:
        raise DeliveryInvalid(fields={"reason": _("请选一个原因")})
    buy = _owners(supplier_order_id)
    event_write(buy.fulfillment.line.order, "owner.refused", actor=actor, line=buy.fulfillment.line, reason=reason)
    outcome_book(buy, Outcome(OutcomeKind.FAILED, code=reason, cost=Decimal(0)), actor)
    publish("fulfillment.wake", fulfillment_id=buy.fulfillment_id)


def _owners(supplier_order_id: int) -> SupplierOrder:
    """An open attempt of the owner's, under its order's lock."""
    try:
        order = order_lock(order_id_of_attempt(supplier_order_id))
    except SupplierOrder.DoesNotExist:
        raise NotFound from None
    buy = attempt_known(supplier_order_id)
    buy.fulfillment = with_line(work_known(buy.fulfillment_id), order, lines_of(order.pk))
    if buy.status not in SupplierOrder.ACTIVE or supplier_known(buy.supplier_id).code != HANDS:
        raise NotYours
    return buy


def note_seal(work: Fulfillment, note: str) -> None:
    """Keep what the owner wrote, for the shopper alone."""
    work.sealed_note = seal(note, context=f"note:{work.pk}")
    work.save(update_fields=["sealed_note"])


def note_open(work_id: int, sealed: str) -> str:
    """The same in clear; for the one who proved that it is theirs. Raises `Unreadable`."""
    return unseal(sealed, context=f"note:{work_id}")
