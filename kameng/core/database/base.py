"""django-tenants' backend, with some habits of its own.

The search path is sent when it differs from the one that the session has, not whenever a shop is entered again, and in
one message with the statement that needs it. A
connection that was used a moment ago is taken to be alive; one that was idle is asked first, as Django does. Several
statements go in one message (`kameng.core.database.session`), and sessions go from thread to thread
(`kameng.core.database.sessions`).
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from django_tenants.postgresql_backend import base
from django_tenants.utils import get_limit_set_calls, get_public_schema_name, quote_schema_name

from kameng.core.database.session import Cursor, Session
from kameng.core.database.sessions import TRUSTED_SECONDS, sessions

#: Where statements are said that name every schema themselves.
ANYWHERE = quote_schema_name(get_public_schema_name())
#: Names of more than 63 bytes are cut off (https://www.postgresql.org/docs/current/limits.html), and two shops must not
#: have the same.
LONGEST_SCHEMA = 36
_PLACE = re.compile(r"\$(\d+)")

#: Where statements are said in a shop, as it is sent.
_PATHS: dict[tuple[str | None, bool], str] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection."""

    connection: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: The path of the shop that was entered, as it is sent; worked out when it is needed.
        self._path: str | None = None
        self._is_anywhere = False
        self._is_order = False
        self._used_at = 0.0
        super().__init__(*args, **kwargs)

    def get_connection_params(self) -> dict[str, Any]:
        """As Django's, with our own classes of connection and cursor.

        What is prepared is planned once, whatever it will be given, and not five times in each shop
        (https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES).
        """
        wanted = super().get_connection_params()
        options = f"{wanted.get('options', '')} -c plan_cache_mode=force_generic_plan".strip()
        return {**wanted, "options": options, "connection_factory": Session, "cursor_factory": Cursor}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A session that leaves transactions to us: one that is there and best knows the shop, or a new one."""
        made = sessions.take(self._wanted_path(), orders=self._is_order) if sessions.shared else None
        if made is None:
            made = super().get_new_connection(conn_params)
            made.autocommit = True
            sessions.made(made, orders=self._is_order)
        return made

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            self.connection.explicit(not autocommit)

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """Enter a shop; nothing is sent before the next statement, nor where the session is there already."""
        super().set_tenant(tenant, include_public)
        self._path = None
        self._is_order = False

    def move(self, tenant: Any, *, order: bool = True) -> None:
        """Enter a shop in a session that knows it: one of those in which an order goes on, or is read, or another."""
        self.give_back()
        self.set_tenant(tenant)
        self._is_order = order

    @contextmanager
    def anywhere(self) -> Iterator[None]:
        """Statements inside name their schemas themselves. They are said in no shop, always along the same path: what a
        session was prepared for along another is planned anew."""
        self._is_anywhere = True
        try:
            yield
        finally:
            self._is_anywhere = False

    def prepare(self, statement: str, *, in_each_shop: bool = False) -> str:
        """The name by which the session knows a statement with `$1` for its parameters; told it once, or in each shop.

        The server keeps how it runs the statement. Where it has just run it in another shop, it works that out anew,
        unless it was told in each. The name is the same in every session, so that the server's log can be read.
        """
        session: Session = self.connection
        name = f"kameng_{sha256(statement.encode()).hexdigest()[:12]}"
        if not in_each_shop:
            return session.prepare(statement, name)
        schema_name = str(self.schema_name)
        if len(schema_name) > LONGEST_SCHEMA:
            schema_name = sha256(schema_name.encode()).hexdigest()[:LONGEST_SCHEMA]
        return session.prepare(statement, f"{name}_{schema_name}", path=session.path)

    def plan(self, statements: Iterable[str]) -> None:
        """Let the session find out how it runs these in the current shop, without running them."""
        with self.cursor() as cursor:
            planned = []
            for statement in statements:
                count = max(map(int, _PLACE.findall(statement)), default=0)
                given = f"({', '.join(['NULL'] * count)})" if count else ""
                planned.append(f"EXPLAIN EXECUTE {self.prepare(statement, in_each_shop=True)} {given}")
                self.connection.flush()  # the server keeps the whole message with each statement that it was told in it
            if planned:
                cursor.execute("; ".join(planned))
                self.connection.planned.add(self.connection.path)

    def close_if_health_check_failed(self) -> None:
        """Ask whether the connection is alive, unless it was a moment ago."""
        if time.monotonic() - self._used_at < TRUSTED_SECONDS:
            self.health_check_done = True
        super().close_if_health_check_failed()

    def close_if_unusable_or_obsolete(self) -> None:
        """At the end of a request or a task; whoever comes next may have the session."""
        super().close_if_unusable_or_obsolete()
        self.give_back()

    def give_back(self) -> None:
        """Let others have the session, where threads share and no transaction is open: what is asked next may be asked
        in another, and so nothing may be held by this one, such as a lock."""
        session = self.connection
        if session is None or self.in_atomic_block or not sessions.shared:
            return
        if self.errors_occurred:
            self.close()
            return
        self.connection = None
        sessions.give(session)

    def savepoint_rollback(self, sid: str) -> None:
        """What was to be said later belongs to what is undone; so may a path that was sent."""
        if self.connection is not None:
            self.connection.forget()
        try:
            super().savepoint_rollback(sid)
        finally:
            if self.connection is not None:
                self.connection.forget()

    def _handle_search_path(self, cursor: Any = None) -> None:
        if not get_limit_set_calls():
            self.connection.path = None
        self.connection.enter(ANYWHERE if self._is_anywhere else self._wanted_path())
        self._used_at = time.monotonic()

    def _wanted_path(self) -> str:
        if self._path is None:
            wanted = (self.schema_name, self.include_public_schema)
            if wanted not in _PATHS:
                _PATHS[wanted] = ",".join(map(quote_schema_name, self._get_cursor_search_paths()))
            self._path = _PATHS[wanted]
        return self._path
