"""A gateway whose notice names another payment than was made: what is true is found by asking it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kameng.alerts.models import Alert
from kameng.audit.services import audit
from orders.models import Order
from payments.contradictions import AGAIN_SECONDS, payment_contradicted
from payments.exceptions import IllegalTransition
from payments.gateways.base import GatewayUnavailable
from payments.models import Payment, Refund
from payments.refunds import refund_request
from payments.services import payment_apply, payment_ask, payment_transition
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import TOPPED_UP, drain, events, outbox, states
from tests.payments.test_notices import NO, YES, notify

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

TRANSACTION = "T-of-a"


@pytest.fixture
def lied_to(shop: Reseller) -> tuple[Order, Order]:
    """Order a was paid; the notice of it named b's payment, whose goods have been delivered."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    variant = on_sale()
    a, b = (place(shop, variant, contact=f"1381234567{digit}") for digit in (1, 2))
    paid, named = open_payment(shop, a), open_payment(shop, b)
    ScriptedGateway.pay(named.number, named.amount, reference=TRANSACTION)
    assert notify(named.number) == YES
    del ScriptedGateway.paid[named.number]
    ScriptedGateway.pay(paid.number, paid.amount, reference=TRANSACTION)
    drain()
    assert (states(a), states(b)) == (("pending", "waiting"), ("fulfilled", "delivered"))
    return a, b


def payments(*orders: Order) -> list[tuple[str, str]]:
    """Status and the gateway's number of the payment of each."""
    return [Payment.objects.values_list("status", "reference").get(order=order) for order in orders]


def ask(order: Order) -> None:
    payment_ask(payment_id=order.payments.get().pk, actor="schedule")


def broken() -> dict[str, tuple[str, ...]]:
    """What the audit says of money."""
    return {verdict.code: verdict.examples for verdict in audit() if not verdict.ok}


def test_who_paid_gets_what_was_paid_for_and_the_other_payment_is_taken_back(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    ask(a)
    assert events(a, "payment.refused") == ["payment.refused"]
    drain()
    assert payments(a, b) == [("confirmed", TRANSACTION), ("failed", "")]
    assert (states(a), states(b)) == (("fulfilled", "delivered"), ("fulfilled", "delivered"))
    assert events(b, "payment.disproved") == ["payment.disproved"]
    named = b.payments.get().number
    assert Alert.objects.values_list("kind", "subject", "level").get() == ("payment.disproved", named, "urgent")
    assert Refund.objects.count() == 0
    (says,) = broken().pop("I3")
    assert f"order {b.number} of 60.00 is fulfilled and kept 0: it was paid by a notice that the gateway took b" in says
    assert set(broken()) == {"I3"}


def test_a_notice_of_the_true_payment_leads_there_too(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    assert notify(a.payments.get().number, event="E2") == NO
    drain()
    assert notify(a.payments.get().number, event="E2") == YES
    assert payments(a, b) == [("confirmed", TRANSACTION), ("failed", "")]


def test_money_that_comes_for_the_other_order_after_all_is_its_price(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    ask(a)
    drain()
    payment = b.payments.get()
    assert payment_apply(
        payment_id=payment.pk, result=ScriptedGateway.pay(payment.number, payment.amount), actor="notice"
    ).verdict == "confirmed"  # fmt: skip
    drain()
    assert Refund.objects.count() == 0
    assert broken() == {}


def test_a_second_true_transaction_of_the_other_order_puts_both_right(lied_to: tuple[Order, Order]) -> None:
    """Both shoppers paid, and only the notice of one was wrong."""
    a, b = lied_to
    named = b.payments.get()
    ScriptedGateway.pay(named.number, named.amount, reference="T-of-b")
    ask(b)
    drain()
    assert payments(a, b) == [("pending", ""), ("confirmed", "T-of-b")]
    assert events(b, "payment.rebooked") == ["payment.rebooked"]
    ask(a)
    drain()
    assert payments(a, b) == [("confirmed", TRANSACTION), ("confirmed", "T-of-b")]
    assert broken() == {}


def test_both_are_put_right_whichever_is_heard_of_first(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    named = b.payments.get()
    ScriptedGateway.pay(named.number, named.amount, reference="T-of-b")
    ask(a)
    drain()
    assert payments(a, b) == [("confirmed", TRANSACTION), ("confirmed", "T-of-b")]
    assert broken() == {}


def test_a_gateway_that_says_both_is_a_persons(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    named = b.payments.get()
    ScriptedGateway.pay(named.number, named.amount, reference=TRANSACTION)
    ask(a)
    drain()
    assert payments(a, b) == [("pending", ""), ("confirmed", TRANSACTION)]
    assert Alert.objects.get().kind == "payment.contradiction"


def test_the_lie_told_second_confirms_nothing(shop: Reseller) -> None:
    variant = on_sale()
    a, b = (place(shop, variant, contact=f"1381234567{digit}") for digit in (1, 2))
    paid, named = open_payment(shop, a), open_payment(shop, b)
    ScriptedGateway.pay(paid.number, paid.amount, reference=TRANSACTION)
    notify(paid.number)
    ScriptedGateway.pay(named.number, named.amount, reference=TRANSACTION)
    assert notify(named.number, event="E2") == NO
    del ScriptedGateway.paid[named.number]
    assert payment_contradicted(payment_id=named.pk) is None
    assert payments(a, b) == [("confirmed", TRANSACTION), ("pending", "")]
    assert Alert.objects.count() == 0


def test_it_is_asked_again_while_the_gateway_is_away(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    ask(a)
    ScriptedGateway.failures["query"] = GatewayUnavailable("down")
    assert payment_contradicted(payment_id=a.payments.get().pk) == AGAIN_SECONDS
    assert payments(a, b) == [("pending", ""), ("confirmed", TRANSACTION)]


def test_money_that_was_sent_back_already_leaves_it_to_a_person(lied_to: tuple[Order, Order]) -> None:
    a, b = lied_to
    named = b.payments.get()
    refund_request(
        payment_id=named.pk, amount=named.amount, cause="ops:1", reason="goodwill", actor="ops",
        line_id=b.lines.get().pk,
    )  # fmt: skip
    assert payment_contradicted(payment_id=a.payments.get().pk) is None
    assert payments(a, b) == [("pending", ""), ("confirmed", TRANSACTION)]
    assert Alert.objects.get().kind == "payment.contradiction"


def test_another_amount_is_no_contradiction_but_wrong_money(lied_to: tuple[Order, Order]) -> None:
    a, _ = lied_to
    payment = a.payments.get()
    ScriptedGateway.pay(payment.number, payment.amount - 1, reference=TRANSACTION)
    ask(a)
    assert outbox("payment.contradicted") == []


def test_only_its_being_disproved_ends_a_confirmed_payment(lied_to: tuple[Order, Order]) -> None:
    _, b = lied_to
    Payment.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    drain()
    assert payments(b) == [("confirmed", TRANSACTION)]
    with pytest.raises(IllegalTransition):
        payment_transition(b.payments.get(), to=Payment.Status.CANCELED)
