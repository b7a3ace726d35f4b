"""A shop for which nobody but its owner collects: an order holds the price of its goods from its first moment, and
there is none where the deposit does not reach. And an order that was paid by what turns out never to have come."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from kameng.alerts.models import Alert
from kameng.outbox.models import OutboxEvent
from kameng.sweep import sweep
from orders.exceptions import ShopCannotTake
from orders.models import Order
from orders.services import Buyer, LineRequest, order_cancel, order_place
from payments.contradictions import _disprove
from payments.exceptions import GatewayDown
from payments.gateways.base import GatewayRefused
from payments.merchants.alone import alone_refresh
from payments.merchants.models import GatewayAccount
from payments.models import Payment, Refund
from resellers.deposits.services import deposit_take_out
from resellers.ledger.models import Journal
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import REFUSED, TOPPED_UP, UNKNOWN, confirm, drain, fulfill, outbox, paid, states
from tests.orders.asking import body_of
from tests.own_collection import SUPPLY, audited, fund, own_till, purse
from tests.payments.test_owner_collects import closed
from tests.program import Program, refusal

NOTHING, HUNDRED = Decimal(0), Decimal(100)
LEFT = HUNDRED - SUPPLY


@pytest.fixture
def alone(shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]) -> Reseller:
    """A shop that only its owner collects for, with a deposit of a hundred yuan."""
    own_till(shop)
    fund(shop, HUNDRED)
    assert alone_refresh() == 1
    shop.refresh_from_db()
    return shop


def freed() -> int:
    """How often something was freed."""
    return Journal.objects.filter(kind="deposit_free").count()


def test_an_order_holds_from_its_first_moment_until_it_is_over(alone: Reseller) -> None:
    order = place(alone, on_sale())
    assert (purse(alone), audited(alone)) == ((LEFT, SUPPLY), [])
    payment = open_payment(alone, order)
    closed(payment)
    ScriptedGateway.failures["charge"] = GatewayRefused("NO")
    with pytest.raises(GatewayDown):
        open_payment(alone, order)
    assert (purse(alone), audited(alone)) == ((LEFT, SUPPLY), [])
    order_cancel(order_id=order.pk, actor="shopper")
    assert (purse(alone), audited(alone)) == ((LEFT, SUPPLY), [])
    for _ in range(2):
        drain()
        OutboxEvent.objects.create(schema_name=alone.schema_name, topic="order.closed", payload={"order_id": order.pk})
    assert (purse(alone), freed(), audited(alone)) == ((HUNDRED, NOTHING), 1, [])


def test_an_order_that_is_paid_holds_once_and_is_charged_with_the_delivery(alone: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(alone, on_sale())
    assert (purse(alone), audited(alone)) == ((LEFT, SUPPLY), [])
    fulfill(order)
    assert (purse(alone), freed(), audited(alone)) == ((LEFT, NOTHING), 0, [])


def test_where_the_deposit_is_short_there_is_no_order_and_nobody_is_told_why(alone: Reseller) -> None:
    variant = on_sale()
    order = place(alone, variant, idempotency_key="before")
    before = OutboxEvent.objects.count()
    answer = Program().post("orders/", body_of(variant))
    assert refusal(answer) == (409, "shop_cannot_take")
    form = {"product": variant.product.slug, "sku": variant.sku, "quantity": "1", "contact": "13812345678"}
    shown = Client(headers={"host": "one.test"}).post("/checkout/", form | {"account_uid": "482019375"})
    connection.set_tenant(alone)  # type: ignore[attr-defined]
    assert shown.status_code == 409
    assert "本店现在接不了这单" in shown.content.decode()
    for reply in (answer, shown):
        assert "保证金" not in reply.content.decode()
    assert (Order.objects.count(), OutboxEvent.objects.count(), purse(alone)) == (1, before, (LEFT, SUPPLY))
    told = Alert.objects.get(kind="deposit.exhausted")
    assert (told.subject, told.level, told.closed_at) == (alone.slug, "urgent", None)
    assert place(alone, variant, idempotency_key="before").pk == order.pk
    fund(alone, "500")
    assert place(alone, variant, contact="13812345679").held_at_once
    assert audited(alone) == []


def test_a_shop_that_the_platform_collects_for_as_well_goes_on_selling(alone: Reseller) -> None:
    GatewayAccountFactory(gateway="other", position=9)
    assert alone_refresh() == 1
    alone.refresh_from_db()
    deposit_take_out(shop_id=alone.pk, amount=HUNDRED, key="k")
    order = place(alone, on_sale())
    assert (order.held_at_once, order.held) == (False, NOTHING)
    GatewayAccount.objects.filter(gateway="other").update(is_active=False)
    assert alone_refresh() == 1
    alone.refresh_from_db()
    with pytest.raises(ShopCannotTake):
        place(alone, on_sale(), contact="13812345679")


def test_the_platforms_account_of_the_owners_gateway_is_no_other_way(alone: Reseller, other_shop: Reseller) -> None:
    GatewayAccountFactory(position=0)
    assert alone_refresh() == 0
    assert not Reseller.objects.get(pk=other_shop.pk).collects_alone


def test_who_pays_from_a_balance_pays_the_platform(alone: Reseller) -> None:
    line = LineRequest(sku=on_sale().sku, quantity=1, account={"uid": "482019375"})
    order_place(shop=alone, lines=[line], contact="a@b.cn", buyer=Buyer(pays_at_once=True))
    assert purse(alone) == (HUNDRED, NOTHING)


def test_an_order_that_nobody_closed_is_found_and_what_it_holds_is_named(alone: Reseller) -> None:
    order = place(alone, on_sale())
    Order.objects.update(held_at_once=False)
    assert any("which its payments contradict" in breach for breach in audited(alone))
    Order.objects.update(held_at_once=True, created_at="2020-01-01T00:00Z")
    order_cancel(order_id=order.pk, actor="shopper")
    OutboxEvent.objects.all().delete()
    assert any("is canceled and holds 57.00" in breach for breach in audited(alone))
    sweep()
    connection.set_tenant(alone)  # type: ignore[attr-defined]
    assert outbox("order.closed") == [{"order_id": order.pk}]
    drain()
    assert (purse(alone), audited(alone)) == ((HUNDRED, NOTHING), [])


# --- what had paid for it never came ------------------------------------------------------------------------


def unpaid_after_all(shop: Reseller) -> tuple[Order, Payment]:
    """An order that is being bought, and whose payment the gateway has never been paid."""
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN, REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    payment = order.payments.get()
    assert _disprove(payment)
    assert (states(order), purse(shop), audited(shop)) == (("paid", "verifying"), (LEFT, SUPPLY), [])
    return order, payment


def test_what_never_was_paid_and_does_not_arrive_is_free_again_once(alone: Reseller) -> None:
    order, _payment = unpaid_after_all(alone)
    fulfill(order)
    fulfill(order)
    assert (states(order), audited(alone)) == (("paid", "failed"), [])
    line = order.lines.get().pk
    for _ in range(2):
        drain()
        OutboxEvent.objects.create(schema_name=alone.schema_name, topic="line.failed", payload={"line_id": line})
    drain()
    assert (purse(alone), freed(), audited(alone)) == ((HUNDRED, NOTHING), 1, [])
    assert not Refund.objects.exists()
    assert order.events.filter(name="refund.short").count() == 1
    Order.objects.update(held=1)
    assert any("it needs 0" in breach for breach in audited(alone))


@pytest.mark.parametrize("reaches", [True, False])
def test_money_that_comes_for_it_after_all_goes_back(alone: Reseller, reaches: bool) -> None:
    """As the price of goods that are held for until it is back; or as money that the order has no use for."""
    order, payment = unpaid_after_all(alone)
    fulfill(order)
    fulfill(order)
    drain()
    if not reaches:
        deposit_take_out(shop_id=alone.pk, amount=Decimal(50), key="k")
    assert confirm(payment).verdict == ("confirmed" if reaches else "surplus")
    assert audited(alone) == []
    drain()
    drain()
    refund = Refund.objects.get()
    assert (refund.status, refund.amount, refund.line_id is None) == ("succeeded", Decimal(60), not reaches)
    assert (purse(alone)[1], audited(alone)) == (NOTHING, [])
