"""Each step of a movement that people see to: what one has written down counts once another one agrees.

Money that came is then booked by the service that books what gateways confirm, and what was sent back by the one that
books what gateways say of refunds: a wrong amount, late money and a second time follow the same rules.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import schema_context

from kameng.core.ids import normalize
from kameng.core.money import quantize
from payments.exceptions import NeedsAnother
from payments.gateways.base import ByHand, Channel, Gateway, GatewayMisconfigured, RefundResult, RefundStatus
from payments.merchants.services import account_known, gateway_of
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_apply
from payments.services import payment_apply
from payments.transfers.desk import desk_ask
from payments.transfers.exceptions import TransferDecided, TransferRefused
from payments.transfers.models import Transfer
from resellers.selectors import shop_of_number

Kind, Status = Transfer.Kind, Transfer.Status
SHORTEST_REFERENCE, LONGEST_REFERENCE, SHORTEST_REASON = 4, 64, 4
#: How far the bank's clock may be ahead of ours, and how old what is written down may be.
SKEW, LONGEST_AGO = timedelta(minutes=10), timedelta(days=400)
#: The code of a refund of which people say that it cannot be sent this way.
NOT_SENT = "not_sent"


def _refused(field: str, text: str) -> TransferRefused:
    return TransferRefused(text, fields={field: text})


def transfers_claim(*, payments: Iterable[Payment]) -> int:
    """The shopper says that they have transferred the money: people are to look; of how many payments. In their shop.

    It is only their word: nothing is booked by it. Said twice, it was said once.
    """
    claimed = [payment for payment in payments if payment.channel == Channel.TRANSFER]
    for payment in claimed:
        desk_ask(
            Kind.IN,
            account_id=payment.account_id,
            number=payment.number,
            payment=payment.number,
            amount=payment.amount,
        )
    return len(claimed)


def transfer_record(*, number: str, amount: Decimal, reference: str, moved_at: datetime, actor: str) -> Transfer:
    """Write down that so much came for a payment of ours, under the bank's reference; another person has to agree.

    What the shopper said of it, if anything, becomes this. Raises `TransferRefused`.
    """
    number = normalize(number)
    shop = shop_of_number(number)
    if shop is None:
        raise _refused("number", _("没有这个付款单号；让买家在收银台或订单里看备注"))
    typed = _typed(reference, moved_at)
    if amount <= 0 or amount != quantize(amount):
        raise _refused("amount", _("金额要大于 0，最多两位小数"))
    with schema_context(shop.schema_name):
        payment = Payment.objects.select_related("order").filter(number=number).first()
        if payment is None or payment.channel != Channel.TRANSFER:
            raise _refused("number", _("没有这个付款单号；让买家在收银台或订单里看备注"))
        with _reference_once(), transaction.atomic():
            row = Transfer.objects.select_for_update().filter(kind=Kind.IN, number=number, status=Status.ASKED).first()
            row = row or Transfer(
                kind=Kind.IN,
                account_id=payment.account_id,
                schema_name=shop.schema_name,
                order_number=payment.order.number,
                number=number,
            )
            row.amount = amount
            _record(row, typed, actor)
    return row


def transfer_send(*, transfer_id: int, reference: str, moved_at: datetime, actor: str) -> Transfer:
    """Write down that a refund was sent, whole, under the bank's reference; another person has to agree.

    Raises `TransferRefused` and `TransferDecided`.
    """
    typed = _typed(reference, moved_at)
    with _reference_once(), transaction.atomic():
        row = _locked(transfer_id)
        if row.kind != Kind.OUT or row.status != Status.ASKED:
            raise TransferDecided
        _record(row, typed, actor)
    return row


def _typed(reference: str, moved_at: datetime) -> tuple[str, datetime]:
    """A reference as it is compared, so that one that is typed in another way is not another one, and its moment."""
    reference = "".join(reference.split()).upper()
    if not SHORTEST_REFERENCE <= len(reference) <= LONGEST_REFERENCE:
        raise _refused("reference", _("请填银行流水号，4 到 64 个字符"))
    now = timezone.now()
    if not now - LONGEST_AGO <= moved_at <= now + SKEW:
        raise _refused("moved_at", _("时间不对：不能在将来，也不能早于一年"))
    return reference, moved_at


@contextmanager
def _reference_once() -> Iterator[None]:
    """What the database says to a reference that is there already, in words."""
    try:
        yield
    except IntegrityError as error:
        if "transfer_reference_unique" not in str(error):
            raise
        raise _refused("reference", _("这个流水号已经登记过，一笔钱只能登记一次")) from error


def _record(row: Transfer, typed: tuple[str, datetime], actor: str) -> None:
    row.reference, row.moved_at = typed
    row.status, row.recorded_by, row.recorded_at, row.reason = Status.RECORDED, actor, timezone.now(), ""
    row.save()


def _locked(transfer_id: int) -> Transfer:
    return Transfer.objects.select_for_update().get(pk=transfer_id)


def _step(row: Transfer, to: Transfer.Status) -> None:
    if to not in Transfer.TRANSITIONS.get(Status(row.status), ()):
        raise TransferDecided
    row.status = to


def transfer_confirm(*, transfer_id: int, actor: str) -> Transfer:
    """Agree with what another person has written down, and book it. Confirmed already is no mistake.

    What does not match the payment is confirmed as having come, and refused by the books: `verdict` and `reason` say
    so. Raises `NeedsAnother` and `TransferDecided`.
    """
    with schema_context(Transfer.objects.values_list("schema_name", flat=True).get(pk=transfer_id)):
        with transaction.atomic():
            row = _locked(transfer_id)
            if row.status == Status.CONFIRMED:
                return row
            if row.status == Status.RECORDED and row.recorded_by == actor:
                raise NeedsAnother
            _step(row, Status.CONFIRMED)
            row.decided_by, row.decided_at = actor, Now()
            row.save()
            (_came if row.kind == Kind.IN else _went)(row, actor)
        row.refresh_from_db()
        return row


def _by_hand(row: Transfer) -> ByHand:
    gateway: Gateway = gateway_of(account_known(row.account_id))
    if not isinstance(gateway, ByHand):
        raise GatewayMisconfigured(f"people see to no transfers of {gateway.code}")
    return gateway


def _came(row: Transfer, actor: str) -> None:
    payment = Payment.objects.get(number=row.number, account_id=row.account_id)
    applied = payment_apply(payment_id=payment.pk, result=_by_hand(row).received(row.moved), actor=actor)
    row.verdict, row.reason = applied.verdict, applied.reason[:200]
    row.save(update_fields=["verdict", "reason"])


def _went(row: Transfer, actor: str) -> None:
    refund = Refund.objects.select_related("payment").get(number=row.number, payment__account_id=row.account_id)
    said = _by_hand(row).returned(row.moved, payment=refund.payment.number)
    refund_apply(refund_id=refund.pk, result=said, actor=actor)


def transfer_reject(*, transfer_id: int, reason: str, actor: str) -> Transfer:
    """It is not so, for a reason. Money that did not come is looked for no more. What was recorded of money to be sent
    back is to be recorded anew; what cannot be sent at all is a failed refund. Safe to say twice.

    Raises `TransferRefused` without a reason, and `TransferDecided`.
    """
    reason = " ".join(reason.split())[:200]
    if len(reason) < SHORTEST_REASON:
        raise _refused("reason", _("请写明原因，至少 %(count)s 个字") % {"count": SHORTEST_REASON})
    with schema_context(Transfer.objects.values_list("schema_name", flat=True).get(pk=transfer_id)):
        with transaction.atomic():
            row = _locked(transfer_id)
            if row.status == Status.REJECTED:
                return row
            if row.kind == Kind.OUT and row.status == Status.RECORDED:
                row.reference, row.moved_at, row.recorded_by, row.recorded_at = "", None, "", None
                _step(row, Status.ASKED)
            else:
                _step(row, Status.REJECTED)
                row.decided_by, row.decided_at = actor, Now()
            row.reason = reason
            row.save()
            if row.kind == Kind.OUT and row.status == Status.REJECTED:
                failed = RefundResult(refund=row.number, status=RefundStatus.FAILED, code=NOT_SENT)
                refund_apply(refund_id=Refund.objects.get(number=row.number).pk, result=failed, actor=actor)
        row.refresh_from_db()
        return row
