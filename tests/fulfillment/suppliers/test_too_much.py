"""A supplier that sends far too much, or never comes to an end: little memory, little time, and nothing bought twice.

The other side is a process of its own. Its answer is well-formed and signed: only the bounds keep it from being read.
"""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fulfillment.suppliers.base import Attempt, Capability, Outcome, OutcomeKind
from fulfillment.suppliers.reasons import Reason
from kameng.core import http as http_client
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.test_against_sandbox import (
    Supplier,
    sandbox,  # noqa: F401 - a fixture
    supplier,  # noqa: F401 - a fixture
)

MEGABYTE = 1_000_000
#: Patience of a client for a whole exchange, and what may come on top of it on a busy machine.
PATIENT, SLACK = 30.0, 2.0
xinghe = pytest.mark.parametrize("supplier", ["xinghe"], indirect=True)
readers = pytest.mark.parametrize("supplier", ["xinghe", "yunka"], indirect=True)


def peak_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """What it gave, and the most memory that it held, in bytes."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def patiently(supplier: Supplier, total: float) -> None:  # noqa: F811
    """Give its adapter a client with another bound on time."""
    supplier.adapter._http = HttpClient(connect=1, read=total, total=total)  # type: ignore[attr-defined]


@readers
def test_fifty_megabytes_are_not_read_and_the_purchase_is_found_again(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="flood")
    attempt = supplier.attempt(codes=1)
    outcome, peak = peak_of(lambda: supplier.adapter.submit(attempt))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.NO_ANSWER, ())
    assert peak < 5 * MEGABYTE
    if supplier.can(Capability.QUERY_BY_OUR_NUMBER):
        asked, peak = peak_of(lambda: supplier.adapter.query(attempt))
        assert (asked.kind, peak < 5 * MEGABYTE) == (OutcomeKind.UNKNOWN, True)
    bought_once(supplier, attempt, outcome)


@xinghe
def test_without_the_bound_fifty_megabytes_are_read(
    supplier: Supplier,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 1000 * MEGABYTE)
    patiently(supplier, PATIENT)
    supplier.behave(mode="flood")
    outcome, peak = peak_of(lambda: supplier.adapter.submit(supplier.attempt(codes=1)))
    assert outcome.kind is not OutcomeKind.UNKNOWN
    assert peak > 50 * MEGABYTE


@readers
def test_an_answer_that_trickles_for_ever_ends_in_time_and_the_purchase_is_found_again(
    supplier: Supplier,  # noqa: F811
) -> None:
    patiently(supplier, 1)
    supplier.behave(mode="drip")
    attempt = supplier.attempt(codes=1)
    begun = time.monotonic()
    outcome = supplier.adapter.submit(attempt)
    assert time.monotonic() - begun < 1 + SLACK
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NO_ANSWER)
    bought_once(supplier, attempt, outcome)


@xinghe
def test_without_a_bound_on_the_whole_a_trickle_is_waited_for(supplier: Supplier) -> None:  # noqa: F811
    patiently(supplier, PATIENT)
    supplier.behave(mode="drip", latency_ms=1500)
    begun = time.monotonic()
    outcome = supplier.adapter.submit(supplier.attempt(codes=1))
    assert outcome.kind is not OutcomeKind.UNKNOWN
    assert time.monotonic() - begun > 1.4


def bought_once(supplier: Supplier, attempt: Attempt, outcome: Outcome) -> None:  # noqa: F811
    """Well again, it says what became of the purchase, which its book holds once."""
    supplier.behave(mode="ok")
    settled = supplier.settled(attempt, outcome)
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (settled.kind, list(settled.items), booked["times"]) == (OutcomeKind.DELIVERED, booked["codes"], 1)
