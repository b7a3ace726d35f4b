"""One order on the operators' page: everything about it, nobody's secrets, and steps that services take."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from fulfillment.models import Fulfillment, SupplierOrder
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from orders.models import Order, OrderEvent
from payments.gateways.base import GatewayUnavailable, RefundResult, RefundStatus
from payments.models import Payment, Refund
from resellers.models import Reseller
from tests.conftest import OPERATIONS_HOST
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, open_payment, place, stocked
from tests.flows import REFUSED, TOPPED_UP, asked_gateway, drain, fulfill, outbox, paid
from tests.staff import code_of, handed_over, operator, order_address, owner_of, with_second_factor


def _act(client: Client, shop: Reseller, order: Order, act: str, row_id: int | str = "", **more: str) -> str:
    """Send one of the forms of an order's page; what is said afterwards."""
    answer = client.post(f"{order_address(shop, order)}act/", {"act": act, "id": row_id, **more}, follow=True)
    return answer.content.decode()


def _in(shop: Reseller) -> schema_context:
    return schema_context(shop.schema_name)


def test_an_orders_page_shows_attempts_evidence_and_notices_but_no_code_and_no_person(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    supplier_double.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    with _in(shop):
        SupplierOrder.objects.update(evidence="→ submit {}\n← 200 {}")
        payment = order.payments.get()
    InboxEvent.objects.create(
        source="payments", account="account-1", event_id="e1", subject=payment.number, body=b"{}", verdict="accepted"
    )
    shown = operator().get(order_address(shop, order)).content.decode()
    for text in ("履约与采购", "first", "← 200", "收款与退款", payment.number, "收到的通知", "account-1", "482***375"):
        assert text in shown
    for secret in ("13812345678", "482019375"):
        assert secret not in shown


def test_codes_are_counted_and_never_shown(shop: Reseller, gateway_double: type[ScriptedGateway]) -> None:
    order = paid(shop, stocked(["AAAA-BBBB-CCCC-DDDD"]))
    fulfill(order)
    client = operator()
    shown = client.get(order_address(shop, order)).content.decode()
    assert "1 个卡密已交付" in shown
    for address in (order_address(shop, order), "/admin/stock/", "/admin/suppliers/stockcode/", "/admin/"):
        assert "BBBB" not in client.get(address).content.decode()


def test_an_order_is_only_in_its_own_shop(shop: Reseller, other_shop: Reseller) -> None:
    order = place(shop, on_sale())
    client = operator()
    assert client.get(order_address(shop, order)).status_code == 200
    assert client.get(order_address(other_shop, order)).status_code == 404
    for guess in ("nobody", "operations", "public"):
        assert client.get(f"/admin/orders/{guess}/{order.number}/").status_code == 404


def test_looking_in_full_is_written_into_the_orders_history(shop: Reseller) -> None:
    order = place(shop, on_sale())
    shown = _act(operator(), shop, order, "look_in_full")
    assert "13812345678" in shown
    assert "482019375" in shown
    with _in(shop):
        assert OrderEvent.objects.filter(order=order, name="order.looked_into").get().actor == "staff:operator"
    assert "13812345678" not in operator().get(order_address(shop, order)).content.decode()


def test_asking_the_gateway_again_finds_a_lost_notice(shop: Reseller, gateway_double: type[ScriptedGateway]) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    ScriptedGateway.pay(payment.number, payment.amount)
    assert "支付渠道的答复：已收款" in _act(operator(), shop, order, "payment_ask", payment.pk)
    with _in(shop):
        order.refresh_from_db()
        assert order.status == Order.Status.PAID
        assert OrderEvent.objects.filter(order=order, name="payment.confirmed").get().actor == "staff:operator"


def test_a_gateway_that_does_not_answer_moves_nothing(shop: Reseller, gateway_double: type[ScriptedGateway]) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    ScriptedGateway.failures["query"] = GatewayUnavailable("timeout")
    assert "支付渠道没有给出答复" in _act(operator(), shop, order, "payment_ask", payment.pk)
    with _in(shop):
        order.refresh_from_db()
        assert (order.status, order.payments.get().status) == (Order.Status.PENDING, Payment.Status.PENDING)


def test_looking_again_asks_the_supplier_and_buys_nothing(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order, work = handed_over(shop)
    assert "已安排重新查看" in _act(operator(), shop, order, "fulfillment_retry", work.pk)
    with _in(shop):
        work.refresh_from_db()
        assert work.status == Fulfillment.Status.VERIFYING
        assert outbox("fulfillment.run")[-1] == {"fulfillment_id": work.pk}
        assert OutboxEvent.objects.filter(topic="fulfillment.run").latest("pk").schema_name == shop.schema_name
    assert supplier_double.bought_from() == ["first"]


def test_giving_up_needs_a_reason_and_starts_the_refund(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order, work = handed_over(shop)
    client = operator()
    for reason in ("", "   ", "没有"):
        assert "请写明依据" in _act(client, shop, order, "fulfillment_give_up", work.pk, reason=reason)
        with _in(shop):
            work.refresh_from_db()
            assert work.status == Fulfillment.Status.MANUAL
    assert "退款自动开始" in _act(client, shop, order, "fulfillment_give_up", work.pk, reason="渠道客服书面确认未充值")
    with _in(shop):
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        drain()
        order.refresh_from_db()
        work.refresh_from_db()
        assert (order.status, work.note) == (Order.Status.REFUNDED, "渠道客服书面确认未充值")
    assert asked_gateway("refund") == 1


def test_what_is_not_in_a_persons_hands_cannot_be_given_up(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    supplier_double.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    work = Fulfillment.objects.get(line__order=order)
    said = _act(operator(), shop, order, "fulfillment_give_up", work.pk, reason="渠道客服书面确认未充值")
    assert "不能放弃" in said
    with _in(shop):
        order.refresh_from_db()
        assert order.status == Order.Status.FULFILLED
    assert asked_gateway("refund") == 0


def _refund_failed(shop: Reseller) -> tuple[Order, Refund]:
    """Nobody delivers, and the gateway does not give the money back."""
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedGateway.refund_status = RefundStatus.FAILED
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    drain()
    return order, Refund.objects.get()


def test_a_refund_that_failed_is_tried_again_under_the_same_number(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order, refund = _refund_failed(shop)
    assert refund.status == Refund.Status.FAILED
    gateway_double.refunds[refund.number] = RefundResult(
        refund=refund.number, status=RefundStatus.SUCCEEDED, amount=refund.amount
    )
    assert "已重新提交退款" in _act(operator(), shop, order, "refund_retry", refund.pk)
    with _in(shop):
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        drain()
        refund.refresh_from_db()
        order.refresh_from_db()
        assert (refund.status, order.status) == (Refund.Status.SUCCEEDED, Order.Status.REFUNDED)


def test_a_refund_made_by_hand_is_written_down_with_what_proves_it(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    (order, refund), client = _refund_failed(shop), operator()
    for typed, said in (
        ({}, "凭证的单号"),
        ({"reference": "B" * 65}, "凭证的单号"),
        ({"reference": "BANK-7"}, "写明依据"),
    ):
        assert said in _act(client, shop, order, "refund_by_hand", refund.pk, **typed)
    proof = {"reference": "BANK 2026-7", "note": "渠道后台显示已退款"}
    assert "已记为人工退款" in _act(client, shop, order, "refund_by_hand", refund.pk, **proof)
    assert "不在等人处理" in _act(client, shop, order, "refund_by_hand", refund.pk, **proof)
    with _in(shop):
        refund.refresh_from_db()
        order.refresh_from_db()
        assert (refund.status, refund.reference) == (Refund.Status.SUCCEEDED, "BANK2026-7")
        assert order.status == Order.Status.REFUNDED


def test_above_the_limit_another_one_with_a_code_of_theirs_agrees(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway], settings: Any
) -> None:
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(20)
    (order, refund), first, second = _refund_failed(shop), operator(username="first"), operator(username="second")
    proof = {"reference": "BANK-7", "note": "渠道后台显示已退款"}
    assert "等另一位工作人员复核" in _act(first, shop, order, "refund_by_hand", refund.pk, **proof)
    with _in(shop):
        decision = order.decisions.get()
    assert "要另一位工作人员自己核实" in first.get(order_address(shop, order)).content.decode()
    assert "启用两步验证以后才能批准" in second.get(order_address(shop, order)).content.decode()
    keys = {name: with_second_factor("public", name) for name in ("first", "second")}
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    assert "BANK-7" in second.get(order_address(shop, order)).content.decode()
    own = _act(first, shop, order, "decision_agree", decision.pk, code=code_of(keys["first"]))
    assert "提交的人不能批自己的" in own
    _act(second, shop, order, "decision_agree", decision.pk, code="000000")
    assert "请写明不批准的原因" in _act(second, shop, order, "decision_reject", decision.pk, reason="不")
    with _in(shop):
        refund.refresh_from_db()
        assert refund.status == Refund.Status.FAILED
    said = _act(second, shop, order, "decision_agree", decision.pk, code=code_of(keys["second"]))
    assert "已记为人工退款" in said
    with _in(shop):
        refund.refresh_from_db()
        assert (refund.status, refund.reference) == (Refund.Status.SUCCEEDED, "BANK-7")


@pytest.mark.parametrize(
    "act",
    [
        *("payment_ask", "fulfillment_retry", "fulfillment_give_up", "refund_retry", "refund_by_hand"),
        "decision_reject",
    ],
)
@pytest.mark.parametrize("row_id", ["0", "x", "", "-1", "9" * 30, "１"])
def test_a_step_on_something_that_is_not_the_orders_own_is_not_there(shop: Reseller, act: str, row_id: str) -> None:
    order = place(shop, on_sale())
    answer = operator().post(
        f"{order_address(shop, order)}act/", {"act": act, "id": row_id, "reason": "没有充到，已确认"}
    )
    assert answer.status_code == 404


def test_another_orders_payment_is_not_this_orders(shop: Reseller, gateway_double: type[ScriptedGateway]) -> None:
    variant = on_sale()
    mine, theirs = place(shop, variant), place(shop, variant, contact="13900000001")
    payment = open_payment(shop, theirs)
    ScriptedGateway.pay(payment.number, payment.amount)
    answer = operator().post(f"{order_address(shop, mine)}act/", {"act": "payment_ask", "id": payment.pk})
    assert answer.status_code == 404
    with _in(shop):
        theirs.refresh_from_db()
        assert theirs.status == Order.Status.PENDING


@pytest.mark.parametrize("act", ["", "order_cancel", "__class__"])
def test_a_step_that_does_not_exist_is_not_there(shop: Reseller, act: str) -> None:
    order = place(shop, on_sale())
    assert operator().post(f"{order_address(shop, order)}act/", {"act": act, "id": "1"}).status_code == 404


def test_no_step_is_taken_by_looking_or_without_the_forms_token(shop: Reseller) -> None:
    order = place(shop, on_sale())
    client = operator()
    assert client.get(f"{order_address(shop, order)}act/", {"act": "look_in_full"}).status_code == 405
    strict = Client(enforce_csrf_checks=True, headers={"host": OPERATIONS_HOST})
    strict.cookies = client.cookies
    answer = strict.post(f"{order_address(shop, order)}act/", {"act": "look_in_full"})
    assert answer.status_code == 403
    assert "这一步没有做" in answer.content.decode()
    with _in(shop):
        assert not OrderEvent.objects.filter(name="order.looked_into").exists()


def test_an_owner_takes_no_operators_step(shop: Reseller) -> None:
    order = place(shop, on_sale())
    answer = owner_of(shop).post(f"{order_address(shop, order)}act/", {"act": "look_in_full"})
    assert answer.status_code == 404
    with _in(shop):
        assert not OrderEvent.objects.filter(name="order.looked_into").exists()
