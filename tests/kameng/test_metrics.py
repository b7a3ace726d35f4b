"""Figures that operators watch."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from fulfillment.suppliers.services import supplier_eliminate
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import Heartbeat, OutboxEvent
from resellers.models import Reseller
from tests.factories import SupplierFactory, stocked

pytestmark = pytest.mark.usefixtures("db")

_SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{topic="(?P<topic>[a-z.]+)"\})? (?P<value>[0-9.]+)')


def figures() -> dict[str, float]:
    """By name, and by topic where there is one. Each must have been announced with its meaning and its type."""
    reply = Client().get("/metrics", headers={"host": "ops.test"})
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = reply.content.decode()
    assert text.endswith("\n")
    announced, found = set(), {}
    for line in text.splitlines():
        if line.startswith("#"):
            announced.add((line.split()[1], line.split()[2]))
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        assert {("HELP", sample["name"]), ("TYPE", sample["name"])} <= announced
        found[sample["name"] + (f" {sample['topic']}" if sample["topic"] else "")] = float(sample["value"])
    return found


def test_an_idle_platform_has_nothing_to_do() -> None:
    found = figures()
    assert found["kameng_outbox_oldest_seconds"] == 0
    assert found["kameng_shops"] == Reseller.objects.exclude(schema_name="public").count() == 3
    assert not [name for name in found if name.startswith("kameng_outbox_rows")]


def test_work_is_counted_by_topic_with_its_age_and_its_failures() -> None:
    due = Now() - timedelta(seconds=90)
    for topic, attempts, run_at in (
        ("order.paid", 1, due),
        ("order.paid", 3, due),
        ("order.expire", 0, Now() + timedelta(minutes=15)),
    ):
        OutboxEvent.objects.create(schema_name="shop_one", topic=topic, payload={}, attempts=attempts, run_at=run_at)
    found = figures()
    assert (found["kameng_outbox_rows order.paid"], found["kameng_outbox_rows order.expire"]) == (2, 1)
    assert (found["kameng_outbox_failing order.paid"], found["kameng_outbox_failing order.expire"]) == (1, 0)
    assert 89 < found["kameng_outbox_oldest_seconds"] < 100


def test_work_that_is_not_due_yet_is_not_late() -> None:
    OutboxEvent.objects.create(
        schema_name="shop_one", topic="order.expire", payload={}, run_at=Now() + timedelta(minutes=15)
    )
    assert figures()["kameng_outbox_oldest_seconds"] == 0


def test_what_waits_for_a_person_is_counted(supplier_double: object) -> None:
    supplier_eliminate(supplier_id=SupplierFactory().pk, reason="no balance")
    SupplierFactory()
    stocked(["CARD-1", "CARD-2"])
    for verdict in InboxEvent.Verdict:
        InboxEvent.objects.create(source="payments", account="till", event_id=verdict, body=b"", verdict=verdict)
    Heartbeat.objects.create(name="host:1")
    found = figures()
    assert found["kameng_suppliers_eliminated"] == 1
    assert found["kameng_stock_codes_free"] == 2
    assert found["kameng_inbox_refused"] == found["kameng_inbox_unapplied"] == 1
    assert found["kameng_pollers"] == 1


@pytest.mark.parametrize("host", ["one.test", "nobody.test"])
def test_shops_show_no_figures(host: str) -> None:
    assert Client().get("/metrics", headers={"host": host}).status_code == 404


def test_figures_are_only_read() -> None:
    assert Client().post("/metrics", headers={"host": "ops.test"}).status_code == 405
