"""Sessions look at a shop's tables while its pages are read, not while somebody waits for an order.

What a session has to learn of a shop's tables once (2 to 3 ms of a processor) would else be paid by the first order
after each pause. People read before they buy, so a page of a shop is reason enough. One thread of the process does it,
in the session that will be taken for the shop's next order, and leaves most of its time to others. The worker, in which
an order goes on, hears of the shop as well.
"""

import logging
import time
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import Model

from kameng.core import sql
from kameng.core.database.session import Session
from kameng.core.database.sessions import sessions

logger = logging.getLogger(__name__)

#: After each shop, and after a database that did not answer, in seconds.
PAUSE, REST = 0.02, 5.0
#: Others are told of so many at once.
TOLD = 25


def tables_of(models: Iterable[type[Model]]) -> str:
    """A statement that reads nothing, for which a session must look at tables, indexes and sequences all the same."""
    names = [model._meta.db_table for model in models]
    return " UNION ALL ".join(f"SELECT {name}.id FROM {name} JOIN {name}_id_seq ON TRUE WHERE id = 0" for name in names)


class Warming:
    """Which shops are wanted, and which session knows each."""

    def __init__(self) -> None:
        #: What a session is asked to have looked at everything; nothing is done without.
        self.statement = ""
        #: Of which process these are the sessions: it has statements of its own to plan.
        self.process: sql.Process = "web"
        #: Who else would like to hear of shops whose pages are read, by their schemas.
        self.tell: Callable[[list[str]], None] = lambda schema_names: None
        self._wanted: dict[str, Any] = {}
        self._known_by: dict[str, Session] = {}
        self._bell, self._begun = Event(), Lock()

    def want(self, shop: Any) -> None:
        """Somebody looks at a page of this shop. Costs nothing where a session knows it."""
        session = self._known_by.get(shop.schema_name)
        if session is not None and not session.closed:
            return
        if self.statement and sessions.shared and len(self._wanted) < settings.SHOPS_KNOWN:
            self._wanted[shop.schema_name] = shop
            self._bell.set()
            # Not before the first page: a process may be forked after it was loaded, and threads stay behind.
            if self._begun.acquire(blocking=False):
                Thread(target=self._run, name="warming", daemon=True).start()

    def _run(self) -> None:
        while self._bell.wait():
            self._bell.clear()
            looked: list[str] = []
            while self._wanted:
                name, shop = self._wanted.popitem()  # who came last may be about to buy
                looked.append(name)
                if len(looked) >= TOLD or not self._wanted:
                    self.tell(looked)
                    looked = []
                time.sleep(PAUSE if self.look(shop) else REST)

    def look(self, shop: Any) -> bool:
        """Let the session that the shop's next order will get look at its tables. False if the database would not."""
        try:
            connection.move(shop)  # type: ignore[attr-defined]
            with connection.cursor() as cursor:
                cursor.execute(self.statement)
            connection.plan(sql.InEachShop.said_by(self.process))  # type: ignore[attr-defined]
            self._known_by[shop.schema_name] = connection.connection
        except Error as error:
            logger.info("%s was not looked at: %s", shop.schema_name, error)
            connection.close()
            return False
        finally:
            connection.set_schema_to_public()  # type: ignore[attr-defined]
            connection.close_if_unusable_or_obsolete()
        return True


warming = Warming()
