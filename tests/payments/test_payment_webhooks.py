"""Notices on our hosts: genuine ones are believed once, all others move nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from payments.gateways.base import GatewayStatus, PaymentResult
from payments.models import Payment
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import events, outbox
from tests.program import Reply, staying, webhook

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")


@pytest.fixture
def payment(shop: Reseller) -> Payment:
    """An open payment of 60.00 under the account `till`."""
    GatewayAccountFactory(code="till")
    return open_payment(shop, place(shop, on_sale(suppliers=("first",))))


def notice(payment: str, *, event: str = "N1", account: str = "till", **how: Any) -> Reply:
    """A notice about a payment, as genuine as the double can tell."""
    body = json.dumps({"id": event, "payment": payment}).encode()
    return webhook(f"payments/{account}/", body, **{"signature": "genuine", **how})


def statuses(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.status, Order.objects.get(pk=payment.order_id).status


def stored() -> list[tuple[str, str]]:
    return list(InboxEvent.objects.order_by("pk").values_list("verdict", "subject"))


@pytest.mark.parametrize("host", ["ops.test", "one.test", "two.test", "ONE.test.", "one.test:8000"])
def test_a_genuine_notice_is_believed_on_any_of_our_hosts(payment: Payment, other_shop: Reseller, host: str) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    reply = notice(payment.number, host=host)
    assert (reply.status_code, reply.headers["Content-Type"], reply.content) == (200, "text/plain", b"success")
    assert statuses(payment) == ("confirmed", "paid")
    assert stored() == [("accepted", payment.number)]
    assert bytes(InboxEvent.objects.get().body) == json.dumps({"id": "N1", "payment": payment.number}).encode()
    assert len(outbox("order.paid")) == 1


@pytest.mark.parametrize("signature", ["", "forged", "genuine "])
def test_a_forged_notice_is_refused_and_not_even_stored(payment: Payment, signature: str) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    reply = notice(payment.number, signature=signature)
    assert (reply.status_code, reply.content) == (400, b"fail")
    assert statuses(payment) == ("pending", "pending")
    assert stored() == []
    assert outbox("order.paid") == []


def test_a_replayed_notice_is_answered_alike_and_changes_nothing(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    replies = [notice(payment.number) for _ in range(5)] + [notice(payment.number, event="N2")]
    assert {reply.content for reply in replies} == {b"success"}
    assert statuses(payment) == ("confirmed", "paid")
    assert len(outbox("order.paid")) == 1
    assert outbox("payment.surplus") == []
    assert stored() == [("accepted", payment.number)] * 2


def test_notices_out_of_order_leave_the_payment_where_it_is(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    notice(payment.number)
    for late in (GatewayStatus.PENDING, GatewayStatus.CLOSED):
        ScriptedGateway.paid[payment.number] = PaymentResult(payment=payment.number, status=late)
        assert notice(payment.number, event=f"late {late}").content == b"success"
    assert statuses(payment) == ("confirmed", "paid")
    assert len(outbox("order.paid")) == 1


def test_money_that_comes_after_the_word_that_it_will_not_is_money(payment: Payment) -> None:
    ScriptedGateway.paid[payment.number] = PaymentResult(payment=payment.number, status=GatewayStatus.CLOSED)
    notice(payment.number)
    assert statuses(payment) == ("canceled", "pending")
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notice(payment.number, event="N2").content == b"success"
    assert statuses(payment) == ("confirmed", "paid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Decimal("59.99")},
        {"amount": Decimal("60.01")},
        {"amount": Decimal("0.01")},
        {"amount": None},
        {"currency": "USD"},
        {"merchant": "merchant-2"},
        {"app": "app-2"},
        {"reference": ""},
    ],
    ids=repr,
)
def test_a_genuine_notice_that_does_not_match_is_kept_and_refused(payment: Payment, wrong: dict[str, Any]) -> None:
    told = {"amount": payment.amount, **wrong}
    ScriptedGateway.pay(payment.number, told.pop("amount"), **told)
    assert notice(payment.number).content == b"fail"
    assert statuses(payment) == ("pending", "pending")
    assert stored() == [("refused", payment.number)]
    assert InboxEvent.objects.get().reason
    assert events(Order.objects.get(), "payment.refused") == ["payment.refused"]
    assert outbox("order.paid") == []


def test_a_notice_for_another_merchants_account_moves_nothing(payment: Payment) -> None:
    GatewayAccountFactory(code="other")
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notice(payment.number, account="other").content == b"fail"
    assert statuses(payment) == ("pending", "pending")
    assert stored() == [("refused", payment.number)]


def test_the_money_of_one_order_does_not_pay_another(payment: Payment, shop: Reseller) -> None:
    victim = open_payment(shop, place(shop, on_sale(suppliers=("first",)), contact="13900000000"))
    ScriptedGateway.pay(payment.number, payment.amount)
    notice(payment.number)
    assert statuses(payment) == ("confirmed", "paid")
    assert statuses(victim) == ("pending", "pending")
    # The same money, told once more under the other order's number.
    ScriptedGateway.pay(victim.number, victim.amount, reference=f"T{payment.number}")
    assert notice(victim.number, event="N2").content == b"fail"
    assert statuses(victim) == ("pending", "pending")
    assert stored() == [("accepted", payment.number), ("refused", victim.number)]


@pytest.mark.parametrize("number", ["002NOTHINGOFTHEKIND00000", "ZZZNOTHINGOFTHEKIND00000", "?", "x" * 100])
def test_a_notice_about_nothing_of_ours_is_kept_for_people(payment: Payment, number: str) -> None:
    ScriptedGateway.pay(number, payment.amount)
    assert notice(number).content == b"fail"
    assert statuses(payment) == ("pending", "pending")
    assert stored() == [("refused", number[:64])]


def test_an_unknown_account_is_not_found(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    for host in ("ops.test", "one.test"):
        reply = notice(payment.number, account="nobody", host=host)
        assert (reply.status_code, reply.headers["Content-Type"]) == (404, "text/plain")
    assert statuses(payment) == ("pending", "pending")
    assert stored() == []


def test_an_account_that_collects_no_more_still_hears_of_late_money(payment: Payment) -> None:
    type(payment.account).objects.filter(pk=payment.account_id).update(is_active=False)
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notice(payment.number).content == b"success"
    assert statuses(payment) == ("confirmed", "paid")


def test_an_account_with_unreadable_keys_asks_to_be_told_again(payment: Payment) -> None:
    GatewayAccountFactory(code="broken", gateway="alipay", config={})
    assert notice(payment.number, account="broken").status_code == 503
    assert stored() == []


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_only_post_is_understood(payment: Payment, method: str) -> None:
    with staying():
        reply = getattr(Client(headers={"host": "ops.test"}), method)("/webhooks/payments/till/")
    assert reply.status_code == 405


class Tap:
    """Counts what is taken of a body."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.taken += size
        return b"x" * size

    readline = read


@pytest.mark.parametrize("path", ["payments/till/", "suppliers/first/"])
@pytest.mark.parametrize("length", [64 * 1024 + 1, 10**9])
def test_a_large_body_is_refused_unread(payment: Payment, path: str, length: int) -> None:
    tap = Tap()
    with staying():
        sent: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": tap}
        reply = Client(headers={"host": "ops.test"}).generic("POST", f"/webhooks/{path}", b"x", **sent)
    assert (reply.status_code, tap.taken) == (413, 0)
    assert stored() == []


def test_a_body_at_the_limit_is_read(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    body = json.dumps({"id": "N1", "payment": payment.number}).encode().ljust(64 * 1024)
    assert webhook("payments/till/", body, signature="genuine").content == b"success"
    assert webhook("payments/till/", body + b" ", signature="genuine").status_code == 413


def test_a_login_or_a_token_of_a_form_is_not_needed(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    body = json.dumps({"id": "N1", "payment": payment.number})
    client = Client(headers={"host": "one.test", "signature": "genuine"}, enforce_csrf_checks=True)
    with staying():
        assert client.post("/webhooks/payments/till/", body, content_type="text/plain").content == b"success"
    assert OutboxEvent.objects.filter(topic="order.paid").count() == 1
