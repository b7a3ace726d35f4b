"""The limits of the machine: PostgreSQL alone, and the framework alone, doing what an order needs at the least."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from random import randrange
from urllib.parse import urlsplit

import psycopg2

from bench import load, machine
from bench.bare import CODES
from bench.load import Ask, Broken, User
from bench.stage import BARE_DATABASE, HOST, Stage, address

SECONDS = 4.0
PROCESSES, CONNECTIONS_EACH = 4, 4
_TABLES = """
CREATE TABLE IF NOT EXISTS raw_order (
    id bigserial PRIMARY KEY, number text UNIQUE, total numeric, status text, created_at timestamptz DEFAULT now());
CREATE TABLE IF NOT EXISTS raw_line (id bigserial PRIMARY KEY, order_id bigint REFERENCES raw_order, sku text);
CREATE TABLE IF NOT EXISTS raw_payment (
    id bigserial PRIMARY KEY, order_id bigint REFERENCES raw_order, reference text UNIQUE, amount numeric);
CREATE TABLE IF NOT EXISTS raw_code (id bigserial PRIMARY KEY, text text, order_id bigint);
CREATE INDEX IF NOT EXISTS raw_code_free ON raw_code (id) WHERE order_id IS NULL;
INSERT INTO raw_code (text) SELECT 'CODE-' || n FROM generate_series(1, %(codes)s) AS n;
"""
_TAKE = """
UPDATE raw_code SET order_id = %s WHERE id = (
    SELECT id FROM raw_code WHERE order_id IS NULL AND id >= %s ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True)
class Limit:
    """What was possible: orders a second, CPU ms of the servers for each, and seconds of each where known."""

    name: str
    rate: float
    cpu_ms: float
    took: list[float]


def postgres(stage: Stage) -> Limit:
    """Three transactions an order over psycopg2: order and line; payment; code. Only the database's CPU counts."""
    url = urlsplit(address(stage.database_url))._replace(path=f"/{BARE_DATABASE}").geturl()
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(_TABLES, {"codes": 3 * CODES})
    connection.close()
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES + 1), context.SimpleQueue()
    clients = [context.Process(target=_client, args=(url, barrier, results), daemon=True) for _ in range(PROCESSES)]
    for client in clients:
        client.start()
    barrier.wait(60)
    server = [pid for pid in [stage.process("postgres").pid] if pid]
    before, begun = machine.cpu_seconds(server), time.perf_counter()
    took = [seconds for _ in clients for seconds in results.get()]
    seconds, cpu = time.perf_counter() - begun, machine.cpu_seconds(server) - before
    for client in clients:
        client.join(10)
    return Limit("PostgreSQL, 3 transactions an order", len(took) / seconds, cpu * 1000 / len(took), took)


def _client(url: str, barrier: Barrier, results: "multiprocessing.SimpleQueue[list[float]]") -> None:
    took: list[float] = []
    connections = [psycopg2.connect(url) for _ in range(CONNECTIONS_EACH)]
    barrier.wait(60)
    until = time.perf_counter() + SECONDS
    threads = [threading.Thread(target=_orders, args=(connection, until, took)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(took)


def _orders(connection: "psycopg2.extensions.connection", until: float, took: list[float]) -> None:
    place = threading.get_native_id() << 32
    while (begun := time.perf_counter()) < until:
        place += 1
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO raw_order (number, total, status) VALUES (%s, 9.9, 'pending') RETURNING id", [f"N{place}"]
            )
            (order,) = cursor.fetchone()
            cursor.execute("INSERT INTO raw_line (order_id, sku) VALUES (%s, 'SKU')", [order])
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT total FROM raw_order WHERE id = %s FOR UPDATE", [order])
            cursor.execute(
                "INSERT INTO raw_payment (order_id, reference, amount) VALUES (%s, %s, 9.9)", [order, f"R{place}"]
            )
            cursor.execute("UPDATE raw_order SET status = 'paid' WHERE id = %s", [order])
        with connection, connection.cursor() as cursor:
            cursor.execute(_TAKE, [order, randrange(2 * CODES)])
            cursor.execute("UPDATE raw_order SET status = 'delivered' WHERE id = %s", [order])
        took.append(time.perf_counter() - begun)


def bare_django(stage: Stage, *, buyers: int, orders: int) -> Limit:
    """Three plain views of a bare project: order, unsigned notice, codes. No worker, no gateway, no history."""
    took: list[float] = []
    remaining = orders

    def take_turn() -> bool:
        nonlocal remaining
        remaining -= 1
        return remaining >= 0

    _bare_round(stage, buyers, lambda: False, took)
    counted = stage.counted(bare=True)
    before, begun = machine.cpu_seconds(counted), time.perf_counter()
    _bare_round(stage, buyers, take_turn, took)
    seconds, cpu = time.perf_counter() - begun, machine.cpu_seconds(counted) - before
    return Limit("bare Django, 3 views", len(took) / seconds, cpu * 1000 / max(1, len(took)), took)


def _bare_round(stage: Stage, buyers: int, go_on: Callable[[], bool], took: list[float]) -> None:
    host = f"{HOST}:{stage.bare_port}"
    body = {"sku": "SKU-1", "contact": "13800000000"}

    def buyer() -> User:
        while go_on():
            begun = time.perf_counter()
            placed = yield Ask(0, load.request("POST", "/orders/", host=host, body=body))
            assert placed is not None
            number = placed.json()["number"]
            noticed = yield Ask(0, load.request("POST", "/notices/", host=host, body={"number": number}))
            assert noticed is not None
            read = yield Ask(0, load.request("GET", f"/orders/{number}/", host=host))
            assert read is not None
            if len(read.json()["codes"]) != 1:
                raise Broken(f"bare Django gave {read.body!r}")
            took.append(time.perf_counter() - begun)

    load.run([stage.bare_port], [buyer() for _ in range(buyers)])
