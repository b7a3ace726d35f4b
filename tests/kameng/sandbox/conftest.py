"""A running sandbox, and a shop that keeps every notice it is sent."""

from collections.abc import Iterator

import pytest

from tests.kameng.sandbox.running import RunningSandbox, Shop, start_sandbox, stop_sandbox


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    stop_sandbox(running)


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The sandbox with an empty book and everything well."""
    sandbox_process.steer("reset")
    return sandbox_process


@pytest.fixture
def shop() -> Iterator[Shop]:
    receiver = Shop()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
