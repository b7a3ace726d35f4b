"""Sockets that keep a deadline, however slowly the other side sends, and write nothing after a given moment.

A time-out of a socket is the silence that is allowed: whoever sends a byte before each silence is over is never cut
off. Here every operation of a request gets what is left of the whole, and the clock is looked at right before bytes are
handed to the system. What remains between that look and the system call is some microseconds in which the process could
be stopped, and what the system has taken is sent whatever becomes of us.

A name is looked up by the system's resolver, which keeps time-outs of its own (`resolv.conf`) and nobody else's.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore

#: As much is written at once; in between the clock is looked at.
CHUNK_BYTES = 16_384


def awake() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the process is stopped or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TooLateToSend(Exception):
    """The moment after which a request must not be sent any more was over. `written` tells whether any of it was."""

    def __init__(self, late: float, *, written: bool) -> None:
        super().__init__(f"{late:.1f} s too late to send")
        self.written = written


@dataclass
class Turn:
    """One request: until when it may last, and until when it may be sent, by `awake`."""

    ends_at: float
    send_by: float | None = None
    written: bool = False

    def left(self, timeout: float | None, late: type[Exception]) -> float:
        """What may be waited for now: `timeout`, or what is left of the whole if that is less. Raises `late`."""
        left = self.ends_at - awake()
        if left <= 0:
            raise late("no complete reply in time")
        return left if timeout is None else min(timeout, left)

    def write(self) -> None:
        """Raises `TooLateToSend`."""
        if self.send_by is not None and (late := awake() - self.send_by) > 0:
            raise TooLateToSend(late, written=self.written)
        self.written = True


_turn: ContextVar[Turn] = ContextVar("turn")


@contextmanager
def taking(turn: Turn) -> Iterator[Turn]:
    """What this thread's sockets do inside is part of that request."""
    token = _turn.set(turn)
    try:
        yield turn
    finally:
        _turn.reset(token)


_no_later: ContextVar[float] = ContextVar("no_later", default=float("inf"))


@contextmanager
def no_later_than(moment: float) -> Iterator[None]:
    """However long a request may last elsewhere, those that are made inside end by `moment`, by `awake`."""
    token = _no_later.set(min(moment, _no_later.get()))
    try:
        yield
    finally:
        _no_later.reset(token)


def ending(seconds: float) -> float:
    """The moment by which a request that may last so many seconds has to end here."""
    return min(awake() + seconds, _no_later.get())


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every operation ends with the request that it is part of."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises `httpcore.ReadTimeout` and `httpcore.ReadError`."""
        return self._inner.read(max_bytes, _turn.get().left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises `httpcore.WriteTimeout`, `httpcore.WriteError` and `TooLateToSend`."""
        turn = _turn.get()
        for start in range(0, len(buffer), CHUNK_BYTES):
            wait = turn.left(timeout, httpcore.WriteTimeout)
            turn.write()
            self._inner.write(buffer[start : start + CHUNK_BYTES], wait)

    def close(self) -> None:
        """At any time, and by any thread."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Raises `httpcore.ConnectTimeout` and `httpcore.ConnectError`."""
        wait = _turn.get().left(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, wait))

    def get_extra_info(self, info: str) -> Any:
        """As the connection itself says."""
        return self._inner.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects one address after the other, all of them within the request's time."""

    def __init__(self, allowed: Callable[[str], bool] | None = None) -> None:
        self._inner = httpcore.SyncBackend()
        self._allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises `httpcore.ConnectTimeout` and `httpcore.ConnectError`; `timeout` is for all addresses together.

        What is looked at is what is connected to: a name that leads elsewhere a moment later changes nothing.
        """
        turn = _turn.get()
        until = awake() + timeout if timeout is not None else turn.ends_at
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for *_, address in found:
            if self._allowed is not None and not self._allowed(str(address[0])):
                failure = httpcore.ConnectError(f"{host} leads to an address that is not called")
                continue
            wait = turn.left(until - awake(), httpcore.ConnectTimeout)
            if wait <= 0:
                break
            try:
                inner = self._inner.connect_tcp(str(address[0]), port, wait, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(inner)
        raise failure
