"""What had paid for an order turns out never to have come, while goods are under way: nothing more is bought for it."""

import pytest

from fulfillment.services import DISPROVED, fulfillment_run
from kameng.audit.services import audit
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from payments.contradictions import payment_contradicted
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import ACCEPTED, FAILED, TOPPED_UP, attempts, confirm, drain, events, fulfill, states, work_of
from tests.payments.test_notices import YES, notify

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

SUPPLIERS = ("first", "second")


def lied_about(shop: Reseller, order: Order) -> None:
    """The notice that paid for `order` was about another one, which the gateway says when it is asked."""
    other = place(shop, on_sale(sku="another"), contact="13812345699")
    paid, named = open_payment(shop, other), open_payment(shop, order)
    ScriptedGateway.pay(named.number, named.amount, reference="T-other")
    assert notify(named.number) == YES
    del ScriptedGateway.paid[named.number]
    ScriptedGateway.pay(paid.number, paid.amount, reference="T-other")


def disprove(order: Order) -> None:
    other = Order.objects.exclude(pk=order.pk).get()
    assert payment_contradicted(payment_id=other.payments.get().pk) is None
    assert events(order, "payment.disproved") == ["payment.disproved"]


@pytest.fixture
def order(shop: Reseller) -> Order:
    """One that counts as paid, and is not."""
    order = place(shop, on_sale(suppliers=SUPPLIERS))
    lied_about(shop, order)
    return order


def test_what_was_not_bought_yet_is_not_bought(order: Order) -> None:
    disprove(order)
    fulfill(order)
    assert (states(order), work_of(order).note, attempts(order)) == (("paid", "failed"), DISPROVED, [])
    drain()
    assert events(order, "refund.created", "refund.short") == ["refund.short"]


def test_what_was_bought_is_asked_about_and_nobody_else_is_asked_after_it(order: Order) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", FAILED)
    fulfill(order)
    disprove(order)
    fulfillment_run(fulfillment_id=work_of(order).pk)
    assert (states(order), work_of(order).note) == (("paid", "failed"), DISPROVED)
    assert attempts(order) == [("first", "rejected")]


def test_what_arrives_all_the_same_has_arrived(order: Order) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    fulfill(order)
    disprove(order)
    fulfillment_run(fulfillment_id=work_of(order).pk)
    assert states(order) == ("fulfilled", "delivered")


def test_money_that_comes_after_all_buys_what_has_not_ended(order: Order) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    disprove(order)
    confirm(order.payments.get())
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    assert [verdict.examples for verdict in audit() if not verdict.ok] == []


def test_money_that_comes_too_late_for_that_goes_back(order: Order) -> None:
    disprove(order)
    fulfill(order)
    confirm(order.payments.get())
    drain()
    assert (states(order), attempts(order)) == (("refunded", "refunded"), [])
    assert [verdict.examples for verdict in audit() if not verdict.ok] == []


def test_each_line_ends_by_itself(shop: Reseller) -> None:
    wanted = [
        LineRequest(sku=on_sale(sku=sku).sku, quantity=1, account={"uid": "482019375"}) for sku in ("first", "second")
    ]
    order = order_place(shop=shop, lines=wanted, contact="13812345678", buyer=Buyer()).order
    lied_about(shop, order)
    disprove(order)
    fulfill(order)
    drain()
    assert states(order) == ("paid", "failed", "failed")
    assert attempts(order) == []
