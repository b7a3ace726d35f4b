"""Who is woken, and who finds work when nobody can be: a broker makes it quick, never right."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery
from django.db import OperationalError, connection

from kameng import dispatch as dispatching
from kameng.dispatch import HANDLERS
from kameng.outbox import services
from kameng.outbox.models import Heartbeat, OutboxEvent
from kameng.outbox.poller import Poller
from kameng.outbox.services import Bell, Claim, claim, publish
from resellers.models import Reseller


def done(_: Claim) -> None:
    """A handler that is content."""


# --- the bell -----------------------------------------------------------------------------------------


class Broker:
    """Stands for the Celery app: counts messages, and fails if told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[tuple[object, ...]] = []

    def send_task(self, name: str, **options: object) -> None:
        """Send."""
        self.sent.append((name, options["args"], options["retry"]))
        if self.error is not None:
            raise self.error


def test_the_bell_sends_the_rows_id_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    monkeypatch.setattr(services, "current_app", broker)
    Bell().ring(7)
    assert broker.sent == [("kameng.outbox.run", [7], False)]


def test_a_broker_that_fails_is_swallowed_counted_and_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(ConnectionError("down"))
    monkeypatch.setattr(services, "current_app", broker)
    bell = Bell(rest_seconds=0.05)
    for number in range(20):
        bell.ring(number)
    assert (len(broker.sent), bell.failures) == (1, 1)
    time.sleep(0.06)
    broker.error = None
    bell.ring(21)
    bell.ring(22)
    assert (len(broker.sent), bell.failures) == (3, 1)


def test_the_bell_rings_after_commit_and_only_for_what_is_due(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(services.bell, "ring", rung.append)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        publish("order.paid", order_id=1)
        publish("order.expire", delay=5, order_id=1)
        assert rung == []
    assert rung == [OutboxEvent.objects.get(topic="order.paid").pk]


def app_at(url: str) -> Celery:
    """The project's Celery settings with another broker."""
    app = Celery("elsewhere", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(broker_url=url)
    return app


def test_a_broker_that_refuses_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "current_app", app_at("redis://127.0.0.1:1/0"))
    bell, began = Bell(), time.monotonic()
    bell.ring(1)
    assert bell.failures == 1
    assert time.monotonic() - began < 1.5


def test_a_broker_that_hangs_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(services, "current_app", app_at(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        bell, began = Bell(), time.monotonic()
        bell.ring(1)
        bell.ring(2)
    assert bell.failures == 1
    assert time.monotonic() - began < 2.5


# --- the poller ---------------------------------------------------------------------------------------


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker at all."""
    monkeypatch.setattr(services, "bell", Bell(rest_seconds=60))
    monkeypatch.setattr(services, "current_app", Broker(ConnectionError("no Redis")))


def wait_until(true: object, *, seconds: float = 5) -> None:
    """Until the callable says so."""
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@contextmanager
def polling(poller: Poller) -> Iterator[None]:
    """A poller at work; its threads and their connections are gone afterwards."""
    poller.start()
    try:
        yield
    finally:
        poller.stop()
        poller._thread.join(5)
        poller._pool.shutdown(wait=True)
        gc.collect()


@pytest.mark.usefixtures("deaf")
def test_the_poller_finds_work_without_a_broker(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, int]] = []
    monkeypatch.setitem(
        HANDLERS,
        "order.paid",
        [lambda *, order_id: ran.append((connection.schema_name, order_id))],  # type: ignore[attr-defined]
    )
    poller = Poller(dispatching.dispatch, threads=2, pause=0.02)
    with polling(poller):
        for number in range(5):
            publish("order.paid", order_id=number)
        wait_until(lambda: not OutboxEvent.objects.exists())
    assert services.bell.failures == 1
    assert sorted(ran) == [("shop_live", number) for number in range(5)]
    assert Heartbeat.objects.filter(name=poller.name).exists()


@pytest.mark.usefixtures("deaf")
def test_the_poller_outlives_a_handler_that_fails_and_one_that_hangs(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, ran = threading.Event(), []

    def handler(*, order_id: int) -> None:
        if order_id == 0:
            let_go.wait(5)
        if order_id == 1:
            raise ZeroDivisionError
        ran.append(order_id)

    monkeypatch.setitem(HANDLERS, "order.paid", [handler])
    with polling(Poller(dispatching.dispatch, threads=2, pause=0.02)):
        for number in range(4):
            publish("order.paid", order_id=number)
        wait_until(lambda: sorted(ran) == [2, 3])
        let_go.set()
        wait_until(lambda: sorted(ran) == [0, 2, 3])
        wait_until(lambda: OutboxEvent.objects.filter(lease_until=None).count() == 1)
    assert OutboxEvent.objects.get().last_error == "ZeroDivisionError: "


@pytest.mark.usefixtures("deaf")
def test_the_poller_outlives_a_database_that_refuses(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []

    def refuse_first(*, limit: int) -> list[Claim]:
        if len(refused) < 4:
            refused.append(limit)
            raise OperationalError("canceling statement due to lock timeout")
        return claim(limit=limit)

    monkeypatch.setattr("kameng.outbox.poller.claim", refuse_first)
    monkeypatch.setitem(HANDLERS, "order.paid", [lambda **_: None])
    with polling(Poller(dispatching.dispatch, threads=2, pause=0.02)):
        publish("order.paid", order_id=1)
        wait_until(lambda: not OutboxEvent.objects.exists())
    assert refused == [2, 2, 2, 2]


@pytest.mark.usefixtures("deaf")
def test_a_stopped_poller_takes_no_new_work(live_shop: Reseller) -> None:
    with polling(Poller(done, pause=0.02)):
        pass
    publish("order.paid", order_id=1)
    time.sleep(0.1)
    assert OutboxEvent.objects.get().fence == 0
