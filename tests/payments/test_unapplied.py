"""Notices whose booking broke down are applied by ourselves."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django_tenants.utils import schema_context

from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from kameng.sweep import sweep
from orders.models import Order
from payments.gateways.base import GatewayStatus, GatewayUnavailable, PaymentResult
from payments.models import Payment, Refund
from payments.refunds import line_refund
from payments.unapplied import PAUSE_SECONDS, notice_settle
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import REFUSED, confirm, drain, fulfill, outbox, paid, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


@pytest.fixture
def payment(shop: Reseller) -> Payment:
    """An open payment of 60.00 under the account `till`."""
    GatewayAccountFactory(code="till")
    return open_payment(shop, place(shop, on_sale()))


def unapplied(subject: str, *, account: str = "till", schema_name: str = "shop_one") -> InboxEvent:
    """A genuine notice about that number, of a minute ago, of which nothing was booked."""
    event = InboxEvent.objects.create(
        source="payments", account=account, event_id="E1", schema_name=schema_name, subject=subject, body=b"{}",
        verdict="unapplied",
    )  # fmt: skip
    InboxEvent.objects.update(received_at=F("received_at") - timedelta(minutes=1))
    return event


def swept() -> int:
    """How much the sweep found; back in the shop."""
    inside = connection.tenant  # type: ignore[attr-defined]
    found = sweep()
    connection.set_tenant(inside)  # type: ignore[attr-defined]
    return found


def judged(event: InboxEvent) -> tuple[str, str]:
    event.refresh_from_db()
    return event.verdict, event.reason


def test_money_that_was_told_of_is_asked_about_and_booked(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, payment.amount)
    event = unapplied(payment.number)
    assert swept() == 1
    assert list(OutboxEvent.objects.filter(topic="notice.unapplied").values_list("schema_name", "payload")) == [
        ("shop_one", {"notice_id": event.pk})
    ]
    assert swept() == 0  # it is on a list
    drain()
    assert states(Order.objects.get(pk=payment.order_id))[0] == "paid"
    assert judged(event) == ("accepted", "")
    assert outbox("notice.unapplied") == []
    assert swept() == 0


def test_one_that_is_being_applied_is_left_alone(payment: Payment) -> None:
    unapplied(payment.number)
    InboxEvent.objects.update(received_at=F("received_at") + timedelta(seconds=50))
    assert swept() == 0


def test_what_was_booked_meanwhile_is_written_down_as_such(payment: Payment) -> None:
    confirm(payment)
    event = unapplied(payment.number)
    ScriptedGateway.pay(payment.number, payment.amount)
    assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("accepted", "")


def test_what_was_booked_and_returned_stays_booked(payment: Payment) -> None:
    """A gateway calls a trade closed once all of it went back."""
    confirm(payment)
    event = unapplied(payment.number)
    ScriptedGateway.paid[payment.number] = PaymentResult(payment=payment.number, status=GatewayStatus.CLOSED)
    assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("accepted", "")


def test_wrong_money_is_for_people(payment: Payment) -> None:
    ScriptedGateway.pay(payment.number, Decimal("0.01"))
    event = unapplied(payment.number)
    assert notice_settle(notice_id=event.pk) is None
    verdict, reason = judged(event)
    assert verdict == "refused"
    assert "amount" in reason


def test_while_the_gateway_knows_of_no_money_it_goes_on_being_asked(payment: Payment) -> None:
    event = unapplied(payment.number)
    ScriptedGateway.paid[payment.number] = PaymentResult(payment=payment.number, status=GatewayStatus.PENDING)
    assert notice_settle(notice_id=event.pk) == PAUSE_SECONDS
    assert judged(event) == ("unapplied", "")
    ScriptedGateway.paid[payment.number] = PaymentResult(payment=payment.number, status=GatewayStatus.CLOSED)
    assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("refused", "asked about, and nothing was paid")


def test_a_gateway_that_does_not_answer_is_asked_again(payment: Payment, monkeypatch: pytest.MonkeyPatch) -> None:
    event = unapplied(payment.number)

    def silent(*_: object) -> PaymentResult:
        raise GatewayUnavailable("silence")

    with monkeypatch.context() as patched:
        patched.setattr(ScriptedGateway, "query", silent)
        swept()
        drain()
    assert judged(event) == ("unapplied", "")
    ScriptedGateway.pay(payment.number, payment.amount)
    OutboxEvent.objects.filter(topic="notice.unapplied").update(run_at=F("run_at") - timedelta(minutes=1))
    drain()
    assert judged(event) == ("accepted", "")


def test_a_refunds_notice_waits_for_the_refunds_end(shop: Reseller) -> None:
    GatewayAccountFactory(code="till")
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    line_refund(line_id=order.lines.get().pk)
    refund = Refund.objects.get()
    event = unapplied(refund.number, account=refund.payment.account.code)
    assert notice_settle(notice_id=event.pk) == PAUSE_SECONDS
    Refund.objects.update(status="succeeded")
    assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("accepted", "")


@pytest.mark.parametrize("account", ["other", "gone"])
def test_one_about_nothing_under_its_account_is_for_people(payment: Payment, account: str) -> None:
    GatewayAccountFactory(code="other")
    ScriptedGateway.pay(payment.number, payment.amount)
    event = unapplied(payment.number, account=account)
    assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("refused", "no such payment or refund under this account")
    assert states(Order.objects.get(pk=payment.order_id))[0] == "pending"


def test_one_of_another_shop_is_not_touched(payment: Payment, other_shop: Reseller) -> None:
    event = unapplied(payment.number)
    with schema_context(other_shop.schema_name):
        assert notice_settle(notice_id=event.pk) is None
    assert judged(event) == ("unapplied", "")
