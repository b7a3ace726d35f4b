"""Notices from gateways."""

import json
from decimal import Decimal

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from kameng.core.ids import routed_id
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from orders.states import order_lock
from payments.gateways.base import GatewayMisconfigured, GatewayStatus, NoticeReply, RefundResult, RefundStatus
from payments.merchants.models import GatewayAccount
from payments.models import Payment, Refund
from payments.notices import AccountUnknown, notice_receive
from payments.refunds import line_refund
from payments.services import payment_start
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import REFUSED, books, confirm, events, fulfill, outbox, paid, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

YES = NoticeReply(200, "text/plain", b"success")
NO = NoticeReply(400, "text/plain", b"fail")


def notify(payment: str, *, account: str | None = None, event: str = "E1", signature: str = "genuine") -> NoticeReply:
    """The gateway's notice about a payment, as it comes from the network: in no shop's schema."""
    return _receive({"id": event, "payment": payment}, account, signature)


def _receive(body: dict[str, str], account: str | None, signature: str = "genuine") -> NoticeReply:
    code = account or GatewayAccount.objects.order_by("pk")[0].code
    headers = {"signature": signature, "content-type": "application/json", "x-secret": "s"}
    with schema_context("public"):
        return notice_receive(account_code=code, headers=headers, body=json.dumps(body).encode())


def waiting(shop: Reseller) -> tuple[Order, Payment]:
    """An order with an open attempt."""
    order = place(shop, on_sale())
    return order, open_payment(shop, order)


def inbox() -> list[tuple[str, str, str, str]]:
    """Event, shop, number and verdict of what is stored."""
    return list(InboxEvent.objects.order_by("pk").values_list("event_id", "schema_name", "subject", "verdict"))


def test_a_genuine_notice_settles_the_order_and_is_kept(shop: Reseller) -> None:
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notify(payment.number) == YES
    assert states(order) == ("paid", "queued")
    assert outbox("order.paid") == [{"order_id": order.pk}]
    assert inbox() == [("E1", "shop_one", payment.number, "accepted")]
    kept = InboxEvent.objects.get()
    assert json.loads(bytes(kept.body)) == {"id": "E1", "payment": payment.number}
    assert kept.headers == {"content-type": "application/json"}
    assert (kept.source, kept.account) == ("payments", GatewayAccount.objects.get().code)
    assert connection.schema_name == "shop_one"  # type: ignore[attr-defined]


def test_a_repeated_notice_changes_nothing_and_is_answered_alike(shop: Reseller) -> None:
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    notify(payment.number)
    before = books(order), events(order)
    for event in ("E1", "E1", "E2"):
        assert notify(payment.number, event=event) == YES
    assert (books(order), events(order)) == before
    assert [row[0] for row in inbox()] == ["E1", "E2"]


@pytest.mark.parametrize("signature", ["", "forged"])
def test_a_forged_notice_is_refused_and_not_kept(shop: Reseller, signature: str) -> None:
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    before = books(order), events(order)
    assert notify(payment.number, signature=signature) == NO
    assert (books(order), events(order)) == before
    assert inbox() == []


@pytest.mark.parametrize(
    "changes",
    [{"amount": Decimal("0.01")}, {"amount": None}, {"merchant": "m"}, {"app": "a"}, {"currency": "HKD"}],
    ids=str,
)
def test_a_genuine_notice_of_wrong_money_is_kept_and_refused(shop: Reseller, changes: dict[str, object]) -> None:
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount, **changes)
    before = books(order)
    assert notify(payment.number) == NO
    assert books(order) == before
    assert inbox() == [("E1", "shop_one", payment.number, "refused")]
    assert next(iter(changes)) in InboxEvent.objects.get().reason
    assert events(order, "payment.refused") == ["payment.refused"]


def test_what_was_refused_is_judged_again_when_it_is_repeated(shop: Reseller) -> None:
    """An account whose merchant number was mistyped is put right; the gateway repeats itself meanwhile."""
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount, merchant="mistyped")
    assert notify(payment.number) == NO
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notify(payment.number) == YES
    assert states(order) == ("paid", "queued")
    stored = InboxEvent.objects.get()
    assert (stored.verdict, stored.reason) == ("accepted", "")


def test_what_was_accepted_stays_accepted(shop: Reseller) -> None:
    _, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    notify(payment.number)
    ScriptedGateway.pay(payment.number, payment.amount, merchant="other")
    assert notify(payment.number) == NO
    assert InboxEvent.objects.get().verdict == "accepted"


def test_a_notice_of_an_order_that_is_not_ours_is_kept_and_refused(shop: Reseller) -> None:
    order, payment = waiting(shop)
    before = books(order)
    strangers = {
        "nobody's": "20241122000000001",
        "not a number": "！！",
        "too short": "00",
        "a shop's, unknown": routed_id(shop.pk, 24),
        "the operations host's": routed_id(Reseller.objects.get(schema_name="public").pk, 24),
        "no such shop's": routed_id(32_000, 24),
    }
    for event, number in strangers.items():
        ScriptedGateway.pay(number, payment.amount)
        assert notify(number, event=event) == NO
    assert books(order) == before
    assert {row[0]: row[3] for row in inbox()} == dict.fromkeys(strangers, "refused")
    assert connection.schema_name == "shop_one"  # type: ignore[attr-defined]


def test_a_notice_through_another_account_confirms_nothing(shop: Reseller) -> None:
    order, payment = waiting(shop)
    GatewayAccountFactory(code="other")
    ScriptedGateway.pay(payment.number, payment.amount)
    before = books(order)
    assert notify(payment.number, account="other") == NO
    assert books(order) == before
    assert InboxEvent.objects.get().reason == "no such payment under this account"


def test_a_notice_about_one_shop_moves_nothing_in_another(shop: Reseller, other_shop: Reseller) -> None:
    order, _payment = waiting(shop)
    with schema_context(other_shop.schema_name):
        theirs = place(other_shop, on_sale())
        number = payment_start(
            order=theirs, shop_id=other_shop.pk, gateway="scripted", channel="qr", client_ip="", return_url="x"
        ).number
    before = books(order)
    ScriptedGateway.pay(number, Decimal("60.00"))
    assert notify(number) == YES
    assert books(order)[:2] == before[:2]
    with schema_context(other_shop.schema_name):
        assert states(theirs) == ("paid", "queued")
    assert list(OutboxEvent.objects.filter(topic="order.paid").values_list("schema_name", flat=True)) == ["shop_two"]


def test_a_notice_that_is_neither_payment_nor_refund_is_ignored(shop: Reseller) -> None:
    waiting(shop)
    assert notify("nothing was paid under this") == YES
    assert inbox() == [("E1", "", "", "ignored")]


def test_a_notice_that_money_has_not_come_changes_nothing(shop: Reseller) -> None:
    order, payment = waiting(shop)
    before = books(order)
    ScriptedGateway.pay(payment.number, payment.amount, status=GatewayStatus.PENDING)
    assert notify(payment.number) == YES
    assert books(order) == before


def test_a_notice_of_a_refund_is_booked(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    line_refund(line_id=order.lines.get().pk)
    refund = Refund.objects.get()
    ScriptedGateway.refunds[refund.number] = RefundResult(
        refund=refund.number, status=RefundStatus.SUCCEEDED, amount=refund.amount, reference="R1"
    )
    code = GatewayAccount.objects.get().code
    for _ in range(2):
        assert _receive({"id": "E9", "refund": refund.number}, code) == YES
    assert states(order) == ("refunded", "refunded")
    assert events(order, "refund.succeeded") == ["refund.succeeded"]
    assert inbox() == [("E9", "shop_one", refund.number, "accepted")]
    GatewayAccountFactory(code="other")
    assert _receive({"id": "E10", "refund": refund.number}, "other") == NO


def test_nobodys_account_is_unknown(shop: Reseller) -> None:
    with pytest.raises(AccountUnknown):
        notify("x", account="nobody")
    assert inbox() == []


def test_an_account_without_keys_trusts_nothing(shop: Reseller) -> None:
    """An empty key would make every signature genuine."""
    account = GatewayAccountFactory(gateway="alipay")
    with pytest.raises(GatewayMisconfigured):
        notify("x", account=account.code)
    GatewayAccount.objects.filter(pk=account.pk).update(sealed_config="00000000.AAAA")
    with pytest.raises(GatewayMisconfigured):
        notify("x", account=account.code)
    assert inbox() == []


def test_a_notice_whose_booking_breaks_down_is_not_answered_but_kept_and_applied_when_repeated(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered with success and then lost would be the worst of all ends."""
    order, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    before = books(order)

    def break_down(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("payments.services.settle", break_down)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            notify(payment.number)
        assert books(order) == before
        assert inbox() == [("E1", "shop_one", payment.number, "unapplied")]
    assert json.loads(bytes(InboxEvent.objects.get().body)) == {"id": "E1", "payment": payment.number}
    monkeypatch.undo()
    assert notify(payment.number) == YES
    assert states(order) == ("paid", "queued")
    assert inbox() == [("E1", "shop_one", payment.number, "accepted")]


def test_a_notice_is_stored_before_its_order_is_locked(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    _, payment = waiting(shop)
    ScriptedGateway.pay(payment.number, payment.amount)
    seen: list[tuple[str, str, str, str]] = []

    def look(order_id: int) -> Order:
        seen.extend(inbox())
        return order_lock(order_id)

    monkeypatch.setattr("payments.services.order_lock", look)
    assert notify(payment.number) == YES
    assert seen == [("E1", "shop_one", payment.number, "unapplied")]


def test_a_second_payment_is_taken_and_goes_back(shop: Reseller) -> None:
    order, payment = waiting(shop)
    second = open_payment(shop, order, channel="h5")
    confirm(payment)
    ScriptedGateway.pay(second.number, second.amount)
    assert notify(second.number) == YES
    assert outbox("payment.surplus") == [{"payment_id": second.pk}]
