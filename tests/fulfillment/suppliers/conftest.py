"""A wire, and an adapter at its end."""

from collections.abc import Iterator

import pytest

from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.every_side import SIDES, WITHOUT_CODES
from tests.fulfillment.suppliers.sides import Side
from tests.fulfillment.suppliers.wire import Server


@pytest.fixture(params=SIDES, ids=lambda side: side.name)
def side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(params=[side for side in SIDES if side.name not in WITHOUT_CODES], ids=lambda side: side.name)
def code_side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(params=[side for side in SIDES if side.tells_time], ids=lambda side: side.name)
def timed_side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(connect=1, read=0.25, total=1)
    yield client
    client.close()
