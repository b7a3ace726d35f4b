"""Paying from a client's balance: a payment like any other, made and booked in one step, with nobody to ask.

Its merchant account stands for the balances: what is paid from one passes through its clearing and leaves nothing
there. It collects nothing from shoppers, so it is switched off for them.
"""

from django.db import transaction

from kameng.core import sql
from kameng.core.ids import routed_id
from orders.events import event_write
from orders.exceptions import OrderNotPayable
from orders.models import Order
from orders.services import settle
from orders.states import order_lock
from payments.fees import fee_now
from payments.merchants.models import GatewayAccount
from payments.merchants.services import account_named
from payments.models import Payment
from payments.postings import payment_booked
from payments.services import NUMBER_LENGTH, payment_transition
from resellers.clients.services import client_charge

#: The gateway of such payments, and the code of their merchant account.
PREPAID = "prepaid"
CHANNEL = "balance"
ACTOR = "client"


def prepaid_account() -> GatewayAccount:
    """The merchant account of all balances; made by the first payment from one."""
    known = account_named(PREPAID)
    if known is not None:
        return known
    made, _ = GatewayAccount.objects.get_or_create(
        code=PREPAID, defaults={"gateway": PREPAID, "name": "下游客户余额", "is_active": False, "sealed_config": ""}
    )
    return made


@transaction.atomic
def prepaid_pay(*, order_id: int, client_id: int, shop_id: int) -> Payment:
    """Pay a whole order from a client's balance.

    Raises `OrderNotPayable` and `BalanceShort`; nothing has moved then.
    """
    order = order_lock(order_id)
    if order.status != Order.Status.PENDING or order.payments.exists():
        raise OrderNotPayable
    account = prepaid_account()
    number = routed_id(shop_id, NUMBER_LENGTH)
    payment = Payment(
        order=order,
        number=number,
        account_id=account.pk,
        gateway=PREPAID,
        channel=CHANNEL,
        amount=order.total,
        expires_at=order.expires_at,
    )
    sql.insert(payment)
    payment.reference = number
    client_charge(
        client_id=client_id,
        amount=payment.amount,
        payment=number,
        account_id=account.pk,
        shop_id=shop_id,
        order_number=order.number,
    )
    payment.fee, payment.fee_bearer = fee_now(payment)
    payment_transition(payment, to=Payment.Status.CONFIRMED)
    payment_booked(payment, order)
    amount = str(payment.amount)
    event_write(order, "payment.created", actor=ACTOR, payment=number, gateway=PREPAID)
    event_write(order, "payment.confirmed", actor=ACTOR, payment=number, amount=amount, surplus=False)
    settle(order=order, paid=payment.amount, actor=ACTOR)
    return payment
