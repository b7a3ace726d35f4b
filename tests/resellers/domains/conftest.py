"""A real name server on this machine, whose records a test sets."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from kameng.sandbox.dns import Name, NameServer, Trouble
from resellers.domains import resolving

TARGET, ADDRESS = "shops.kameng.example", "127.0.0.1"


class Zone:
    """What the name server knows."""

    def __init__(self, server: NameServer) -> None:
        self._server = server

    @property
    def address(self) -> str:
        """Where it listens, as the settings write it."""
        return f"127.0.0.1:{self._server.port}"

    def set(self, name: str, trouble: Trouble = Trouble.OK, **records: list[str]) -> None:
        """The records of a name, anew."""
        self._server.names[name] = Name(records, trouble)

    def drop(self, name: str) -> None:
        """The name does not exist any more."""
        self._server.names.pop(name, None)

    def clear(self) -> None:
        """As it was at first."""
        self._server.reset()


@pytest.fixture(scope="module")
def name_server() -> Iterator[Zone]:
    loop, server = asyncio.new_event_loop(), NameServer()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.open(0), loop).result(10)
    yield Zone(server)
    loop.call_soon_threadsafe(server.shut)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def zone(name_server: Zone, monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest) -> Zone:
    """The platform asks this one, and is not patient."""
    name_server.clear()
    monkeypatch.setattr(resolving, "ATTEMPT_SECONDS", 0.05)
    monkeypatch.setattr(resolving, "TOTAL_SECONDS", 0.4)
    settings.DNS_RESOLVERS = [name_server.address]  # type: ignore[attr-defined]
    settings.DOMAIN_TARGET, settings.DOMAIN_ADDRESSES = TARGET, [ADDRESS]  # type: ignore[attr-defined]
    return name_server
