"""Stopping the product at one exact moment, from outside and without a hook in its code."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2

from tests.live.buying import Purchase
from tests.live.platform import SCHEMAS, Platform

#: How long a worker may try to connect while it is to be caught at that.
CONNECT_SECONDS = 10
_HOLD = "SELECT pg_backend_pid() FROM {schema}.orders_order WHERE number = %s FOR UPDATE"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"


@contextmanager
def result_held_back(bought: Purchase) -> Iterator[Callable[[], bool]]:
    """Hold the order's row: what a supplier answers meanwhile is heard by a worker that cannot book it.

    Yields whether somebody stands before the row.
    """
    platform = bought.platform
    connection = psycopg2.connect(platform.server._replace(path=f"/{platform.database}").geturl())
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_HOLD.format(schema=SCHEMAS[bought.good.host]), [bought.number])
            ((holder,),) = cursor.fetchall()
            yield lambda: bool(platform.sql(_WAITING, [holder])[0][0])
    finally:
        connection.close()


@contextmanager
def nobody_picks_up(platform: Platform, supplier: str) -> Iterator[None]:
    """The supplier's port neither answers nor refuses: who connects there has sent nothing yet.

    A listener whose queue is full lets the kernel drop whoever knocks. Afterwards the supplier is there again, and the
    connect deadline as before.
    """
    address = next(row for row in platform.sandbox.read("suppliers/") if row["code"] == supplier)["base_url"]
    port = urlsplit(address).port
    ((before,),) = platform.sql("SELECT connect_seconds FROM suppliers_supplier WHERE code = %s", [supplier])
    _allow(platform, supplier, CONNECT_SECONDS)
    platform.suppliers("down", supplier)
    try:
        with socket.socket() as door, socket.socket() as first, socket.socket() as second:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", port))
            door.listen(0)
            for knocking in (first, second):
                knocking.setblocking(False)
                knocking.connect_ex(("127.0.0.1", port))
            yield
    finally:
        platform.suppliers("ok", supplier)
        _allow(platform, supplier, before)


def _allow(platform: Platform, supplier: str, seconds: object) -> None:
    """A connection is made anew when its row has changed; that is seen within a second."""
    platform.sql(
        "UPDATE suppliers_supplier SET connect_seconds = %s, updated_at = clock_timestamp() WHERE code = %s",
        [seconds, supplier],
    )


def intended(bought: Purchase) -> bool:
    """Whether a purchase for the order is committed to, and nothing is known of it yet."""
    schema = SCHEMAS[bought.good.host]
    return bool(
        bought.platform.sql(
            f"SELECT 1 FROM {schema}.fulfillment_supplierorder AS buy"
            f" JOIN {schema}.fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id"
            f" JOIN {schema}.orders_orderline AS line ON line.id = work.line_id"
            f" JOIN {schema}.orders_order AS placed ON placed.id = line.order_id"
            " WHERE placed.number = %s AND buy.status = 'intended'",
            [bought.number],
        )
    )
