"""Work that is written down: claimed once, and finished by whoever still holds it."""

import logging
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django_tenants.utils import schema_context

from kameng.celery import outbox_run_task
from kameng.dispatch import HANDLERS, ShopGone, dispatch
from kameng.outbox import services
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import LEASE_SECONDS, Claim, claim, publish, run
from resellers.models import Reseller


def done(_: Claim) -> None:
    """A handler that is content."""


def broken(_: Claim) -> None:
    """A handler that is not."""
    raise ZeroDivisionError("no")


def due_in(event: OutboxEvent) -> float:
    """Seconds until the row is due, by the database's clock."""
    event.refresh_from_db()
    now = OutboxEvent.objects.values_list(Now(), flat=True)[0]
    return (event.run_at - now).total_seconds()


def make_due(seconds: float = 400) -> None:
    """As if that much time had passed for every row."""
    OutboxEvent.objects.update(run_at=F("run_at") - timedelta(seconds=seconds))


# --- writing and claiming -----------------------------------------------------------------------------


def test_work_carries_its_shop_topic_and_payload(shop: Reseller) -> None:
    publish("order.paid", order_id=7)
    (claimed,) = claim()
    assert claimed == Claim(
        id=OutboxEvent.objects.get().pk, schema_name="shop_one", topic="order.paid", payload={"order_id": 7}, fence=1,
        attempts=1,
    )  # fmt: skip


def test_work_is_rolled_back_with_what_made_it_true(shop: Reseller) -> None:
    with transaction.atomic():
        publish("order.paid", order_id=7)
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()


def test_work_in_hand_is_not_claimed_again(shop: Reseller) -> None:
    publish("order.paid", order_id=7)
    assert len(claim(limit=10)) == 1
    assert claim(limit=10) == []
    event = OutboxEvent.objects.get()
    assert claim(event_id=event.pk) == []
    assert event.lease_until is not None
    assert LEASE_SECONDS - 2 < (event.lease_until - timezone.now()).total_seconds() <= LEASE_SECONDS


def test_work_whose_lease_ran_out_is_claimed_with_a_higher_fence(shop: Reseller) -> None:
    publish("order.paid", order_id=7)
    (first,) = claim()
    OutboxEvent.objects.update(lease_until=F("lease_until") - timedelta(seconds=LEASE_SECONDS + 1))
    (second,) = claim()
    assert (first.id, first.fence, second.fence, second.attempts) == (second.id, 1, 2, 2)


def test_work_for_later_is_not_claimed_now(shop: Reseller) -> None:
    publish("order.expire", delay=900, order_id=7)
    event = OutboxEvent.objects.get()
    assert 899 < due_in(event) <= 900
    assert claim(limit=10) == []
    assert claim(event_id=event.pk) == []
    make_due(901)
    assert len(claim()) == 1


def test_the_longest_due_comes_first_up_to_the_limit(shop: Reseller) -> None:
    for number in range(4):
        publish("order.paid", order_id=number)
    OutboxEvent.objects.filter(payload__order_id=3).update(run_at=F("run_at") - timedelta(hours=1))
    assert [claimed.payload for claimed in claim()] == [{"order_id": 3}]
    assert sorted(claimed.payload["order_id"] for claimed in claim(limit=2)) == [0, 1]


@pytest.mark.parametrize("off", ["", "hashjoin", "hashjoin, mergejoin", "hashjoin, mergejoin, material, hashagg, sort"])
def test_no_more_are_claimed_than_asked_for_however_the_database_plans_it(shop: Reseller, off: str) -> None:
    for number in range(20):
        publish("order.paid", order_id=number)
    with connection.cursor() as cursor:
        for way in filter(None, off.split(", ")):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    assert len(claim(limit=3)) == 3
    assert OutboxEvent.objects.filter(fence=1).count() == 3


def test_one_row_is_claimed_by_its_id(shop: Reseller) -> None:
    publish("order.paid", order_id=1)
    publish("order.paid", order_id=2)
    wanted = OutboxEvent.objects.get(payload={"order_id": 2})
    assert [claimed.id for claimed in claim(event_id=wanted.pk)] == [wanted.pk]
    assert claim(event_id=wanted.pk + 1000) == []


# --- finishing ----------------------------------------------------------------------------------------


def test_finished_work_leaves_no_row(shop: Reseller) -> None:
    publish("order.paid", order_id=7)
    assert run(claim()[0], done) is True
    assert not OutboxEvent.objects.exists()


def test_work_that_wants_to_run_again_keeps_its_row(shop: Reseller) -> None:
    publish("payment.follow", payment_id=7)
    assert run(claim()[0], lambda _: 30.0) is True
    event = OutboxEvent.objects.get()
    assert 29 < due_in(event) <= 30
    assert (event.lease_until, event.attempts, event.fence, event.last_error) == (None, 0, 1, "")


def test_work_that_fails_comes_back_after_growing_pauses(shop: Reseller, caplog: pytest.LogCaptureFixture) -> None:
    publish("order.paid", order_id=7)
    event = OutboxEvent.objects.get()
    pauses = []
    for _ in range(10):
        assert run(claim()[0], broken) is False
        pauses.append(round(due_in(event)))
        make_due()
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert (event.lease_until, event.last_error, event.attempts) == (None, "ZeroDivisionError: no", 10)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 10


def test_the_pause_stays_finite_however_often_it_fails(shop: Reseller) -> None:
    publish("order.paid", order_id=7)
    OutboxEvent.objects.update(attempts=5000)
    assert run(claim()[0], broken) is False
    assert round(due_in(OutboxEvent.objects.get())) == 300


def test_success_forgets_earlier_failures(shop: Reseller) -> None:
    publish("payment.follow", payment_id=7)
    run(claim()[0], broken)
    make_due()
    run(claim()[0], lambda _: 1.0)
    event = OutboxEvent.objects.get()
    assert (event.attempts, event.last_error) == (0, "")


@pytest.mark.parametrize("end", [done, broken, lambda _: 5.0], ids=["done", "broken", "again"])
def test_a_worker_that_lost_its_lease_can_neither_finish_nor_release(shop: Reseller, end: services.Dispatcher) -> None:
    publish("order.paid", order_id=7)
    (stale,) = claim()
    OutboxEvent.objects.update(lease_until=Now())
    (current,) = claim()
    before = OutboxEvent.objects.values().get()

    run(stale, end)

    assert OutboxEvent.objects.values().get() == before
    run(current, done)
    assert not OutboxEvent.objects.exists()


# --- who does the work --------------------------------------------------------------------------------


def test_a_handler_runs_in_its_rows_shop_and_leaves_it_again(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def handler(*, order_id: int) -> None:
        seen.append((connection.schema_name, order_id))  # type: ignore[attr-defined]

    monkeypatch.setitem(HANDLERS, "order.paid", [handler])
    publish("order.paid", order_id=7)
    with schema_context("public"):
        assert run(claim()[0], dispatch) is True
        assert connection.schema_name == "public"  # type: ignore[attr-defined]
    assert seen == [("shop_one", 7)]


def test_the_platforms_own_work_runs_in_public(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setitem(
        HANDLERS,
        "order.paid",
        [lambda **_: seen.append(connection.schema_name)],  # type: ignore[attr-defined]
    )
    with schema_context("public"):
        publish("order.paid")
        run(claim()[0], dispatch)
    assert seen == ["public"]


def test_a_schema_that_is_gone_is_refused_and_its_work_kept(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setitem(HANDLERS, "order.paid", [lambda **_: called.append("ran")])
    publish("order.paid", order_id=7)
    OutboxEvent.objects.update(schema_name="shop_gone")
    (claimed,) = claim()
    with pytest.raises(ShopGone):
        dispatch(claimed)
    assert run(claimed, dispatch) is False
    assert called == []
    assert OutboxEvent.objects.get().last_error == "ShopGone: shop_gone"


def test_a_handler_that_fails_leaves_the_shop_too(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(HANDLERS, "order.paid", [handler])
    publish("order.paid", order_id=7)
    with schema_context("public"):
        run(claim()[0], dispatch)
        assert connection.schema_name == "public"  # type: ignore[attr-defined]
        assert connection.tenant.schema_name == "public"  # type: ignore[attr-defined]


def test_the_shortest_wish_of_several_handlers_counts(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS, "order.paid", [lambda **_: 30.0, lambda **_: None, lambda **_: 10.0])
    publish("order.paid", order_id=7)
    assert dispatch(claim()[0]) == 10.0


def test_a_topic_that_nobody_handles_is_kept(shop: Reseller) -> None:
    publish("no.such.topic")
    assert run(claim()[0], dispatch) is False
    assert OutboxEvent.objects.get().last_error.startswith("KeyError")


def test_every_handler_takes_what_is_published_for_it() -> None:
    assert set(HANDLERS) == {
        "order.expire", "order.closed", "order.paid", "payment.follow", "payment.surplus",
        "payment.contradicted", "fulfillment.run",
        "fulfillment.wake", "marks.changed", "rules.changed",
        "subjects.rescreen", "subject.taken_down", "goods.taken_down",
        "line.delivered", "line.failed", "line.short", "refund.run",
        "variant.refresh", "category.refresh", "shelf.renamed",
        "supplier.probe", "supplier.sync", "supplier.balance", "payment.noticed", "notice.unapplied",
        "licenses.changed", "requirements.changed", "reconciliation.run", "client_order.follow", "client_callback.send",
        "domain.check", "authorizations.changed", "visit.over", "stock.import",
    }  # fmt: skip
    assert all(HANDLERS.values())


def test_the_bells_task_runs_the_row_it_names_once(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setitem(HANDLERS, "order.paid", [lambda *, order_id: ran.append(order_id)])
    publish("order.paid", order_id=1)
    publish("order.paid", order_id=2)
    wanted = OutboxEvent.objects.get(payload={"order_id": 2}).pk
    for _ in range(3):
        outbox_run_task(wanted)
    assert ran == [2]
    assert OutboxEvent.objects.get().payload == {"order_id": 1}
