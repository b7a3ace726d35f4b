"""What a person at the terminal sees: one line a step with its seconds, and one line for what stops the work."""

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """The command cannot go on. The message is one line that says why and what to do."""


def say(line: str) -> None:
    """Print a line at once, also where the output is a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(what: str, seconds: float) -> None:
    """Print one finished step."""
    say(f"  {what:<58}{seconds:6.1f} s")


@contextmanager
def step(what: str) -> Iterator[list[str]]:
    """Time a step and print it when it has succeeded, with what was appended to the yielded list behind its name."""
    started = time.monotonic()
    details: list[str] = []
    if sys.stdout.isatty():
        sys.stdout.write(f"  {what} …\r")
        sys.stdout.flush()
    yield details
    report(": ".join([what, *details]), time.monotonic() - started)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn a full disk, or a folder that may not be written, into one line."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Refused(f"the disk is full{place}: free some space and run it again") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise Refused(f"not allowed to write or run{place}: {error.strerror}") from error
        raise
