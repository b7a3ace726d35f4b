"""Reading what people have written down about transfers."""

from collections.abc import Iterable

from payments.gateways.base import ByHand, Channel, GatewayMisconfigured, Receiving
from payments.merchants.services import account_known, gateway_of
from payments.models import Payment
from payments.transfers.models import Transfer

Status = Transfer.Status
TONES = {Status.ASKED: "warn", Status.RECORDED: "info", Status.CONFIRMED: "ok", Status.REJECTED: "neutral"}


def receiving_of(payment: Payment) -> Receiving | None:
    """The account that the shopper of a payment by transfer is told; None for every other payment."""
    if payment.channel != Channel.TRANSFER:
        return None
    try:
        gateway: object = gateway_of(account_known(payment.account_id))
    except GatewayMisconfigured:
        return None
    return gateway.receiving if isinstance(gateway, ByHand) else None


def is_awaited(payments: Iterable[str]) -> bool:
    """Whether somebody says that money for one of these payments was sent, or came, and that is not settled."""
    numbers = list(payments)
    awaited = Transfer.objects.filter(number__in=numbers, kind=Transfer.Kind.IN, status__in=Transfer.OPEN)
    return bool(numbers) and awaited.exists()
