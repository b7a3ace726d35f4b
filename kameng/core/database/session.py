"""A psycopg2 connection that says several things in one message.

psycopg2 sends BEGIN and COMMIT as messages of their own, and waits for an answer to each. Here BEGIN goes out with the
first statement of a transaction, and statements of which nobody awaits anything (`later`) with whatever is said next,
at the latest with COMMIT. The order stays the same, and what fails, fails before the transaction ends
(docs/adr/0010-several-statements-in-a-message.md). So does the search path, whenever another shop is entered.

PostgreSQL reads a whole message before it does anything of it
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT): one that it cannot read is
not even begun, BEGIN included. Nothing may be said after it until somebody rolls back, or it would be outside of the
transaction.
"""

import re
import time
from collections.abc import Iterable
from typing import Any

from psycopg2 import Error, ProgrammingError, errors, extensions

BEGIN, COMMIT, ROLLBACK = b"BEGIN", b"COMMIT", b"ROLLBACK"
AND_THEN = b"; "
#: What may be said in one message with something else outside of a transaction: the message is one then, in which much
#: else (CREATE INDEX CONCURRENTLY, VACUUM, CREATE DATABASE) is refused.
_SHARES = re.compile(rb"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|EXECUTE)\b", re.IGNORECASE)


class Session(extensions.connection):
    """One connection. Transactions begin and end as it is told by `explicit`, `commit` and `rollback`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Where the server looks for tables once what is waiting has been said; None where nobody knows.
        self.path: str | None = None
        #: Where it has looked so far: what the server has learned about their tables is learned.
        self.known: set[str] = set()
        #: Where it has also planned what an order says.
        self.planned: set[str] = set()
        #: Whether orders take it, and nobody else (`kameng.core.database.sessions`).
        self.is_for_orders = False
        #: Statements that it has been prepared for, along which path, and by which names.
        self.prepared: dict[tuple[str | None, str], str] = {}
        #: Of those, the ones that have not been told to the server yet, and the ones of which it has not said whether
        #: it took them.
        self._untold: list[tuple[str | None, str]] = []
        self._unsure: list[tuple[str | None, str]] = []
        #: How many names it may know of that nobody uses.
        self._wasted = 0
        #: Numbers that it has locked and nobody could unlock yet (`fulfillment.suppliers.limits`).
        self.left_behind: list[int] = []
        self.born_at = self.used_at = time.monotonic()
        self._ahead: list[bytes] = []
        self._in_block = False
        self._begun = False
        self._unread = False

    def explicit(self, wanted: bool) -> None:
        """From now on statements belong to a transaction that somebody ends, or are each one of their own.

        Raises `ProgrammingError` while a transaction is open.
        """
        if self._begun:
            raise ProgrammingError("a transaction is open: commit or roll back first")
        if any(said != BEGIN for said in self._ahead):
            self.path = None  # a path that nobody needed after all
        self._in_block = wanted
        self._anew()

    def enter(self, path: str) -> None:
        """Look for tables there, from the next statement on: schemas, quoted and with commas between them."""
        if path == self.path or self.get_transaction_status() == extensions.TRANSACTION_STATUS_INERROR:
            return  # a transaction that has failed takes nothing but its end
        self._ahead.append(b"SET search_path = " + path.encode())
        self.path = path
        self.known.add(path)

    def rest(self) -> bool:
        """Be ready for whoever comes next. False where something is under way."""
        if self.closed or self._in_block or self.get_transaction_status() != extensions.TRANSACTION_STATUS_IDLE:
            return False
        if self._ahead:
            self.forget()  # a path that nobody needed after all
        return True

    def later(self, statement: bytes) -> None:
        """Say this before the next statement, or on commit; at once where there is no transaction.

        It must not end in a comment, which would swallow what follows.
        """
        self._ahead.append(statement)
        if not self._in_block:
            self.flush()

    def prepare(self, statement: str, name: str, *, path: str | None = None) -> str:
        """The name by which the server knows a statement with `$1` for its parameters, of its own along a `path`. It is
        told once, with whatever is said next. `name` is a wish: what an error may have left gets another."""
        key = (path, statement)
        known = self.prepared.get(key)
        if known is None:
            known = self.prepared[key] = f"{name}_{self._wasted}" if self._wasted else name
            self._untold.append(key)
            self._ahead.append(f"PREPARE {known} AS {statement}".encode())
        return known

    @property
    def waiting(self) -> bool:
        """Whether something has to be said before the next statement, or nothing may be said."""
        return bool(self._ahead) or self._unread

    def alone(self, statement: bytes) -> bool:
        """Whether a statement has to be said in a message of its own."""
        return not self._in_block and not _SHARES.match(statement)

    def forget(self) -> None:
        """What is waiting was part of something that is being undone."""
        self._ahead = [BEGIN] if self._in_block and not self._begun else []
        self._unlearn(self._untold)
        self.path = None

    def take(self) -> bytes:
        """What has to be said first, if anything, with the mark that more follows.

        Raises `InFailedSqlTransaction`, as the server does, where the transaction has failed without it.
        """
        if self._unread:
            raise errors.InFailedSqlTransaction("the transaction was never begun: its first message could not be read")
        if not self._ahead:
            return b""
        said = AND_THEN.join([*self._ahead, b""])
        self._ahead = []
        self._unsure, self._untold = self._untold, []
        self._begun = self._in_block
        return said

    def heard(self) -> None:
        """The server has done everything that it was told."""
        self._unsure = []

    def flush(self) -> None:
        """Say now what is waiting."""
        if self.waiting:
            self._say(self.take())

    def commit(self) -> None:
        """End the transaction, and begin the next one with the next statement."""
        if self._begun or len(self._ahead) > 1:
            self._say(self.take() + COMMIT)
        self._anew()

    def rollback(self) -> None:
        """The same, and nothing has happened; what was waiting is not said."""
        begun = self._begun and not self._unread
        self._anew()
        self.path = None
        if begun:
            self._say(ROLLBACK)

    def failed(self) -> None:
        """A message led to an error: was the transaction begun at all?"""
        idle = not self.closed and self.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
        self._unread = self._unread or (self._begun and idle)
        self._wasted += len(self._unsure)
        self._unlearn(self._unsure)
        self.path = None  # where it was changed in this message or this transaction, it has not been

    def _anew(self) -> None:
        """Nothing has been said yet."""
        self._ahead = [BEGIN] if self._in_block else []
        self._unlearn(self._untold)
        self._begun = self._unread = False

    def _unlearn(self, keys: list[tuple[str | None, str]]) -> None:
        for key in keys:
            del self.prepared[key]
        keys.clear()

    def _say(self, message: bytes) -> None:
        with self.cursor(cursor_factory=extensions.cursor) as cursor:
            try:
                cursor.execute(message)
            except Error:
                self.failed()
                raise
        self.heard()


class Cursor(extensions.cursor):
    """Says first what has to be said first."""

    connection: Session

    def execute(self, query: Any, parameters: Any = None) -> None:
        """One statement; its result is the cursor's."""
        if self.name is not None:
            self.connection.flush()  # a server-side cursor puts words of its own before the query
            super().execute(query, parameters)
            return
        if self.connection.waiting:
            # Written out first: what cannot be is not said, and what is waiting goes on waiting.
            query, parameters = self.mogrify(query, parameters), None
            if self.connection.alone(query):
                self.connection.flush()
            else:
                query = self.connection.take() + query
        try:
            super().execute(query, parameters)
        except Error:
            self.connection.failed()
            raise
        self.connection.heard()

    def executemany(self, query: Any, vars_list: Iterable[Any]) -> None:
        """Each on its own."""
        self.connection.flush()
        super().executemany(query, vars_list)

    def callproc(self, *args: Any) -> Any:
        """A function by its name."""
        self.connection.flush()
        return super().callproc(*args)

    def copy_expert(self, *args: Any, **kwargs: Any) -> None:
        """COPY, in any form."""
        self.connection.flush()
        super().copy_expert(*args, **kwargs)

    def copy_from(self, *args: Any, **kwargs: Any) -> None:
        """COPY FROM STDIN."""
        self.connection.flush()
        super().copy_from(*args, **kwargs)

    def copy_to(self, *args: Any, **kwargs: Any) -> None:
        """COPY TO STDOUT."""
        self.connection.flush()
        super().copy_to(*args, **kwargs)
