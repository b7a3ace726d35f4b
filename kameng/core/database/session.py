"""A psycopg2 connection that says several things in one message.

psycopg2 sends BEGIN and COMMIT as messages of their own, and waits for an answer to each. Here BEGIN goes out with the
first statement of a transaction, and statements of which nobody awaits anything (`later`) with whatever is said next,
at the latest with COMMIT. The order stays the same, and what fails, fails before the transaction ends.
"""

from collections.abc import Iterable
from typing import Any

from psycopg2 import extensions

BEGIN, COMMIT, ROLLBACK = b"BEGIN", b"COMMIT", b"ROLLBACK"
AND_THEN = b"; "


class Session(extensions.connection):
    """One connection. Transactions begin and end as it is told by `explicit`, `commit` and `rollback`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ahead: list[bytes] = []
        self._in_block = False
        self._begun = False

    def explicit(self, wanted: bool) -> None:
        """From now on statements belong to a transaction that somebody ends, or are each one of their own."""
        self._in_block = wanted
        self._begun = False
        self._ahead = [BEGIN] if wanted else []

    def later(self, statement: bytes) -> None:
        """Say this before the next statement, or on commit; at once where there is no transaction."""
        self._ahead.append(statement)
        if not self._in_block:
            self.flush()

    def forget(self) -> None:
        """What is waiting was part of something that is being undone."""
        self._ahead = [BEGIN] if self._in_block and not self._begun else []

    def take(self) -> bytes:
        """What has to be said first, if anything, with the mark that more follows."""
        if not self._ahead:
            return b""
        said = AND_THEN.join([*self._ahead, b""])
        self._ahead = []
        self._begun = self._in_block
        return said

    def flush(self) -> None:
        """Say now what is waiting."""
        if self._ahead:
            self._say(self.take())

    def commit(self) -> None:
        """End the transaction, and begin the next one with the next statement."""
        if self._begun or len(self._ahead) > 1:
            self._say(self.take() + COMMIT)
        self.explicit(self._in_block)

    def rollback(self) -> None:
        """The same, and nothing has happened; what was waiting is not said."""
        begun = self._begun
        self.explicit(self._in_block)
        if begun:
            self._say(ROLLBACK)

    def _say(self, message: bytes) -> None:
        with self.cursor(cursor_factory=extensions.cursor) as cursor:
            cursor.execute(message)


class Cursor(extensions.cursor):
    """Says first what has to be said first."""

    connection: Session

    def execute(self, query: Any, parameters: Any = None) -> None:
        """One statement; its result is the cursor's."""
        if self.name is not None:
            self.connection.flush()  # a server-side cursor puts words of its own before the query
        elif ahead := self.connection.take():
            query, parameters = ahead + self.mogrify(query, parameters), None
        super().execute(query, parameters)

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
