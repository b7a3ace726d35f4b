"""Ports on the loopback interface."""

import errno
import os
import random
import socket
import sys
import time
from pathlib import Path

from kameng.embedded.console import Refused

LOOPBACK = "127.0.0.1"
#: Below the range that the kernel gives to outgoing connections, so that a remembered port stays free.
REMEMBERED = range(20_000, 30_000)
LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp
#: What this process has been given, until it ends.
_claims: dict[int, socket.socket] = {}


def is_free(port: int) -> bool:
    """Whether a server may listen on `port` now."""
    return _try_to_bind(port) == 0


def free(*, preferred: int | None = None, patience: float = 0) -> int:
    """A free port that nobody else is given while this process lives.

    The preferred one if it is free, or becomes so within `patience` seconds, else any.
    """
    deadline = time.monotonic() + patience
    while preferred is not None:
        if is_free(preferred) and _claim(preferred):
            return preferred
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    for port in random.sample(REMEMBERED, min(100, len(REMEMBERED))):
        if port not in _claims and is_free(port) and _claim(port):
            return port
    raise Refused("no free port was found between 20000 and 30000")


def in_a_row(count: int) -> int:
    """The first of `count` free ports that follow each other, which nobody else is given while this process lives."""
    firsts = range(REMEMBERED.start, REMEMBERED.stop, count)
    for first in random.sample(firsts, len(firsts)):
        row = range(first, first + count)
        if _claims.keys().isdisjoint(row) and all(is_free(port) and _claim(port) for port in row):
            return first
    raise Refused(f"no {count} free ports in a row were found between 20000 and 30000")


def demand(port: int, *, variable: str) -> None:
    """Refuse, naming the port and who has it, where `port` cannot be used.

    Whoever asked for it by number may have it, even where another process has claimed it for its children.
    """
    refused = _try_to_bind(port)
    if not refused:
        _claim(port)
    if refused == errno.EADDRINUSE:
        owner = holder(port)
        by = f" by {owner}" if owner else ""
        raise Refused(f"port {port} is taken{by}: stop that, or choose another with {variable}=…")
    if refused:
        raise Refused(f"port {port} cannot be used ({os.strerror(refused)}): choose another with {variable}=…")


def from_environment(variable: str, *, default: int) -> int:
    """The port number in an environment variable."""
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Refused(f"{variable} must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def accepts(port: int) -> bool:
    """Whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def holder(port: int) -> str:
    """Name and number of the process that listens on `port`, as far as this user may see it."""
    sockets = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {process.name})"
        except OSError:
            continue
    return ""


def _try_to_bind(port: int) -> int:
    """0, or why not (errno)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _claim(port: int) -> bool:
    """Whether `port` is this process's to give: from being found free to being listened on may take half a minute.

    The claim is a name in Linux's abstract namespace (unix(7)), which ends with the process; where there is none, a
    port that was free is given.
    """
    if port in _claims or not sys.platform.startswith("linux"):
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0kameng-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True
