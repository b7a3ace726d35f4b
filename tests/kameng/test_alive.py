"""Whether the poller of one host is at work, asked without Django."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from kameng.outbox.alive import alive
from kameng.outbox.models import Heartbeat
from resellers.models import Reseller


@pytest.fixture
def url(live_shop: Reseller) -> str:
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    known = connection.settings_dict
    return f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


def seen(name: str, seconds_ago: int) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"seen_at": Now() - timedelta(seconds=seconds_ago)})


def test_a_poller_just_seen_is_alive(url: str) -> None:
    seen("worker-a:12", 2)

    assert alive(url, "worker-a")


def test_a_poller_of_another_host_says_nothing_of_ours(url: str) -> None:
    seen("worker-a2:12", 2)

    assert not alive(url, "worker-b")
    assert not alive(url, "worker-a2:12")


def test_a_poller_that_was_not_seen_for_long_is_dead(url: str) -> None:
    seen("worker-c:12", 16)

    assert not alive(url, "worker-c")


def test_a_host_with_two_workers_is_alive_while_one_is(url: str) -> None:
    seen("worker-d:12", 600)
    seen("worker-d:31", 1)

    assert alive(url, "worker-d")


@pytest.mark.parametrize("address", ["postgres://nobody@127.0.0.1:1/none", "", "not an address"])
def test_a_database_that_does_not_answer_is_no_proof_of_life(address: str) -> None:
    assert not alive(address, "worker-a")
