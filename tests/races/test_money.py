"""Money from several sides at once. Each guard has a test that shows what happens without it."""

from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from kameng.sweep import sweep
from orders import services as order_services
from orders.models import Order
from orders.services import order_expire
from payments.exceptions import IllegalTransition, RefundTooLarge
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund, refund_request
from payments.services import Applied, Verdict
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import on_sale, open_payment, place
from tests.flows import confirm, drain, events, outbox, paid, part_payment, states
from tests.payments.test_notices import YES, notify
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_after, pause_before, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]

# --- paid twice: two attempts, both with money ----------------------------------------------------------


def pay_twice(shop: Reseller) -> tuple[Order, list[Any]]:
    """Two payments of the whole price arrive at the same moment."""
    order = place(shop, on_sale())
    payments = open_payment(shop, order), open_payment(shop, order, channel="h5")
    results = at_once(shop, *[lambda payment=payment: confirm(payment) for payment in payments])
    return order, results


def test_of_two_payments_one_pays_and_one_goes_back(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "payments.services.mismatch")
    order, results = pay_twice(live_shop)
    assert sorted(applied.verdict for applied in results) == [Verdict.CONFIRMED, Verdict.SURPLUS]
    assert states(order) == ("paid", "queued")
    assert len(outbox("order.paid")) == 1
    assert len(outbox("payment.surplus")) == 1
    assert order.payments.filter(is_surplus=True).count() == 1


def test_without_the_lock_both_are_kept(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "payments.services.mismatch", patience=SURELY)
    order, results = pay_twice(live_shop)
    assert [applied.verdict for applied in results] == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    assert outbox("payment.surplus") == []
    assert order.payments.filter(status="confirmed", is_surplus=False).count() == 2


# --- fifty notices ------------------------------------------------------------------------------------------


def test_fifty_notices_at_once_count_once(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    payment = open_payment(live_shop, order)
    ScriptedGateway.pay(payment.number, payment.amount)

    def two_notices() -> list[object]:
        return [notify(payment.number), notify(payment.number)]

    replies = at_once(live_shop, *[two_notices] * 25)
    assert replies == [[YES, YES]] * 25
    assert states(order) == ("paid", "queued")
    assert events(order, "payment.confirmed", "order.paid") == ["payment.confirmed", "order.paid"]
    assert len(outbox("order.paid")) == 1
    assert InboxEvent.objects.count() == 1
    assert Payment.objects.filter(status="confirmed").count() == 1


def test_a_notice_outlives_the_database_that_goes_away_while_it_is_booked(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody repeats it: by itself it is asked about, and applied."""
    order = place(live_shop, on_sale())
    payment = open_payment(live_shop, order)
    ScriptedGateway.pay(payment.number, payment.amount)

    def cut_off(**_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patched:
        patched.setattr("payments.services.settle", cut_off)
        (broken,) = at_once(live_shop, lambda: notify(payment.number))
    assert isinstance(broken, OperationalError)
    assert states(order) == ("pending", "waiting")
    assert list(InboxEvent.objects.values_list("verdict", flat=True)) == ["unapplied"]
    InboxEvent.objects.update(received_at=F("received_at") - timedelta(minutes=1))
    sweep()
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    assert outbox("notice.unapplied") == [{"notice_id": InboxEvent.objects.get().pk}]
    drain()
    assert states(order)[0] == "paid"
    assert list(InboxEvent.objects.values_list("verdict", flat=True)) == ["accepted"]


def test_without_the_lock_the_statement_itself_refuses_to_confirm_twice(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see an open payment, which the lock prevents: the second one's step finds it confirmed, and fails."""
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "payments.services.mismatch", patience=SURELY)
    order = place(live_shop, on_sale())
    payment = open_payment(live_shop, order)
    results = at_once(live_shop, lambda: confirm(payment), lambda: confirm(payment))
    assert Applied(Verdict.CONFIRMED) in results
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, IllegalTransition)
    assert events(order, "payment.confirmed") == ["payment.confirmed"]


# --- two parts ----------------------------------------------------------------------------------------------


def pay_in_parts(shop: Reseller) -> Order:
    """Two halves of the price arrive at the same moment."""
    order = place(shop, on_sale())
    parts = [part_payment(order, amount=Decimal("30.00")) for _ in range(2)]
    results = at_once(shop, *[lambda part=part: confirm(part) for part in parts])
    assert [applied.verdict for applied in results] == [Verdict.CONFIRMED] * 2
    return order


def test_two_parts_at_once_settle_the_order(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "payments.services.confirmed_total")
    order = pay_in_parts(live_shop)
    assert states(order) == ("paid", "queued")
    assert len(outbox("order.paid")) == 1


def test_without_the_lock_each_part_sees_only_itself(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "payments.services.confirmed_total", patience=SURELY)
    order = pay_in_parts(live_shop)
    assert states(order) == ("pending", "waiting")
    assert outbox("order.paid") == []


# --- refunded twice -----------------------------------------------------------------------------------------


def failed(shop: Reseller) -> Order:
    """A paid order whose line nobody can deliver."""
    order = paid(shop, on_sale())
    order.lines.update(status="failed")
    return order


def refund_twice(shop: Reseller) -> tuple[Order, list[Any]]:
    """Two people return the whole price for two reasons at the same moment."""
    order = failed(shop)
    payment, line = order.payments.get(), order.lines.get()

    def give_back(cause: str) -> Refund:
        return refund_request(
            payment_id=payment.pk, amount=payment.amount, cause=cause, reason="", actor="ops", line_id=line.pk
        )

    return order, at_once(shop, lambda: give_back("ops:1"), lambda: give_back("ops:2"))


def test_of_two_refunds_one_is_refused(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "payments.refunds.refundable")
    _, results = refund_twice(live_shop)
    assert {type(result) for result in results} == {Refund, RefundTooLarge}
    assert Refund.objects.get().amount == Decimal("60.00")


def test_without_the_lock_twice_the_money_goes_out(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "payments.refunds._returning", patience=SURELY)
    refund_twice(live_shop)
    assert [refund.amount for refund in Refund.objects.all()] == [Decimal("60.00")] * 2


def test_one_cause_from_many_sides_is_refunded_once(live_shop: Reseller) -> None:
    order = failed(live_shop)
    line = order.lines.get()
    results = at_once(live_shop, *[lambda: line_refund(line_id=line.pk)] * 8)
    assert results == [None] * 8
    assert Refund.objects.get().amount == Decimal("60.00")
    assert len(outbox("refund.run")) == 1


def run_twice(shop: Reseller) -> Order:
    """Two workers tell the gateway of one refund at the same moment."""
    order = failed(shop)
    line_refund(line_id=order.lines.get().pk)
    refund = Refund.objects.get()
    results = at_once(shop, *[lambda: refund_run(refund_id=refund.pk)] * 2)
    assert results == [None, None]
    assert len({call.refund for verb, call in ScriptedGateway.calls if verb == "refund"}) == 1
    return order


def test_a_refund_run_twice_is_booked_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_before(monkeypatch, "payments.refund_outcomes.refund_transition")
    order = run_twice(live_shop)
    assert states(order) == ("refunded", "refunded")
    assert events(order, "refund.succeeded", "line.refunded", "order.refunded") == [
        "refund.succeeded", "line.refunded", "order.refunded",
    ]  # fmt: skip


def test_without_the_lock_a_refund_is_booked_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_before(monkeypatch, "payments.refund_outcomes.refund_transition", patience=SURELY)
    order = run_twice(live_shop)
    assert events(order, "refund.succeeded") == ["refund.succeeded"] * 2


# --- money against the clock --------------------------------------------------------------------------------


def expire_while_paying(shop: Reseller, monkeypatch: pytest.MonkeyPatch, *, patience: float) -> Order:
    """The order's time is over, and somebody is writing that down while the money arrives."""
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    Order.objects.update(expires_at=order.created_at)
    looked, settled = Event(), Event()
    seconds_left = order_services._seconds_left

    def look_and_dawdle(locked: Order) -> float:
        left = seconds_left(locked)
        looked.set()
        settled.wait(patience)
        return left

    monkeypatch.setattr(order_services, "_seconds_left", look_and_dawdle)

    def pay() -> None:
        assert looked.wait(SURELY)
        confirm(payment)
        settled.set()

    results = at_once(shop, lambda: order_expire(order_id=order.pk), pay)
    assert results == [None, None]
    return order


def test_money_that_comes_while_the_order_expires_is_not_lost(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = expire_while_paying(live_shop, monkeypatch, patience=BRIEFLY)
    assert states(order) == ("paid", "queued")
    assert events(order, "order.expired", "order.paid") == ["order.expired", "order.paid"]
    assert len(outbox("order.paid")) == 1


def test_without_the_lock_a_paid_order_expires(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    order = expire_while_paying(live_shop, monkeypatch, patience=SURELY)
    assert states(order) == ("expired", "queued")
    assert order.payments.get().status == "confirmed"
    assert OutboxEvent.objects.filter(topic="order.paid").exists()
