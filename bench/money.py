"""Money: notices verified and applied, journals posted, balances read; beside what PostgreSQL alone could do.

As a program (`python -m bench.money NOTICES ENTRIES`) it does all three, in the product's environment.
"""

import json
import multiprocessing
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg2

from bench.figures import Report, Table, at_least, at_most, milliseconds
from bench.long_book import measured, post_one
from bench.stage import HOUSE, Stage, address, read_json

NOTICES, ENTRIES = 2_000, 1_000_000
PROCESSES, THREADS = 4, 4
SECONDS = 4.0
PATIENCE_SECONDS = 300
GATEWAY, CHANNEL = "alipay", "h5"  # the one that is opened without asking anybody

_RAW = """
DROP TABLE IF EXISTS raw_money_entry, raw_money_journal, raw_money_inbox, raw_money_outbox, raw_money_payment,
                     raw_money_order;
CREATE TABLE raw_money_order (id bigserial PRIMARY KEY, status text, paid_at timestamptz);
CREATE TABLE raw_money_payment (id bigserial PRIMARY KEY, order_id bigint REFERENCES raw_money_order, status text);
CREATE TABLE raw_money_inbox (id bigserial PRIMARY KEY, event text UNIQUE, body bytea);
CREATE TABLE raw_money_outbox (id bigserial PRIMARY KEY, topic text, payload jsonb);
CREATE TABLE raw_money_journal (id bigserial PRIMARY KEY, key text UNIQUE);
CREATE TABLE raw_money_entry (id bigserial PRIMARY KEY, journal_id bigint REFERENCES raw_money_journal, account bigint,
                              amount numeric);
CREATE INDEX ON raw_money_entry (account, id) INCLUDE (amount);
INSERT INTO raw_money_order (status) SELECT 'pending' FROM generate_series(1, %(notices)s);
INSERT INTO raw_money_payment (order_id, status) SELECT id, 'pending' FROM raw_money_order;
"""
_ENTRIES = "INSERT INTO raw_money_entry (journal_id, account, amount) VALUES (%s, 1, 9.9), (%s, %s, -9.9)"
_JOURNAL = "INSERT INTO raw_money_journal (key) VALUES (%s) RETURNING id"

Took = list[float]
#: What everything took, when it began and when it ended.
Spell = tuple[Took, float, float]


@dataclass(frozen=True)
class Round:
    """One thing done again and again by everybody at once."""

    took: Took
    seconds: float

    @property
    def rate(self) -> float:
        """A second."""
        return len(self.took) / self.seconds

    @property
    def shares(self) -> tuple[float, float]:
        """Half and 95 % of them took no longer, in ms."""
        return milliseconds(self.took, 0.5), milliseconds(self.took, 0.95)


def run(stage: Stage, *, notices: int = NOTICES, entries: int = ENTRIES) -> Report:
    """The product's rates against the database's in the same run; the worker stands still meanwhile."""
    report = Report("money")
    worker = stage.process("worker")
    worker.kill()
    try:
        told = read_json(stage.run_program(["-m", "bench.money", str(notices), str(entries)]))
    finally:
        worker.start()
    rounds = {name: Round(**found) for name, found in told["rounds"].items()}
    rows: list[tuple[str | float, ...]] = [
        (label, found.rate, *found.shares, found.rate / rounds[limit].rate)
        for name, label, limit in (
            ("notices", "notices verified and applied", "raw_notices"),
            ("repeated", "the same notices again", "raw_notices"),
            ("raw_notices", "PostgreSQL alone: the same rows", "raw_notices"),
            ("postings", "journals of two entries posted", "raw_postings"),
            ("raw_postings", "PostgreSQL alone: the same rows", "raw_postings"),
        )
        for found in [rounds[name]]
    ]
    report.tables.append(
        Table(
            f"{PROCESSES * THREADS} at once in {PROCESSES} processes",
            ("what", "/s", "p50 ms", "p95 ms", "× the limit"),
            rows,
        )
    )
    reads = Round(told["reads"], sum(told["reads"]))
    report.tables.append(
        Table(
            "the book",
            ("entries", "accounts", "summed up in s", "read p50 ms", "p95 ms"),
            [(told["entries"], told["accounts"], told["snapshot"], *reads.shares)],
        )
    )
    notice, posting = (rounds[name].rate / rounds[f"raw_{name}"].rate for name in ("notices", "postings"))
    report.judge("notices against PostgreSQL alone", notice, "×", at_least(0.1, 0.25))
    report.judge("postings against PostgreSQL alone", posting, "×", at_least(0.25, 0.5))
    report.judge(f"a balance among {told['entries']:,} entries, p95", reads.shares[1], "ms", at_most(5, 2))
    report.broken += told["wrong"]
    return report


# --- in the product's environment -------------------------------------------------------------------------------------


def main(notices: int, entries: int) -> None:
    """Apply, repeat, post and read; seconds of each, as JSON."""
    import django

    django.setup()
    share = notices // PROCESSES
    with _database() as connection, connection.cursor() as cursor:
        cursor.execute(_RAW, {"notices": share * PROCESSES})
    before = _book()
    rounds = _all_at_once(share)
    wrong = _wrong(before, _book(), share * PROCESSES)
    said = {"rounds": rounds, "wrong": wrong, **measured(entries)}
    sys.stdout.write(json.dumps(said) + "\n")


def _all_at_once(share: int) -> dict[str, dict[str, Any]]:
    """What each process took for each round, and how long each round was for everybody together."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES), context.SimpleQueue()
    takers = [
        context.Process(target=_take, args=(number, share, barrier, results), daemon=True)
        for number in range(PROCESSES)
    ]
    for process in takers:
        process.start()
    found: dict[str, list[Spell]] = {}
    for _ in takers:
        for name, told in results.get().items():
            found.setdefault(name, []).append(told)
    for process in takers:
        process.join(10)
    return {
        name: {
            "took": [seconds for took, _, _ in told for seconds in took],
            "seconds": max(ended for _, _, ended in told) - min(begun for _, begun, _ in told),
        }
        for name, told in found.items()
    }


def _take(
    number: int,
    share: int,
    barrier: Barrier,
    results: "multiprocessing.SimpleQueue[dict[str, Spell]]",
) -> None:
    import django

    django.setup()
    results.put(_Taker(number, share, barrier).run())


class _Taker:
    """One process with its threads and its own share of the notices."""

    def __init__(self, number: int, share: int, barrier: Barrier) -> None:
        self._barrier = barrier
        self._bodies: list[bytes] = []
        self._share = share
        self._first = number * share + 1

    def run(self) -> dict[str, Spell]:
        """Every round, begun by all processes together."""
        self._threads(self._prepare, range(self._share))
        until = _until(SECONDS)
        return {
            "notices": self._round(self._notice, list(self._bodies)),
            "repeated": self._round(self._notice, list(self._bodies)),
            "raw_notices": self._round(self._raw_notice, list(range(self._first, self._first + self._share))),
            "postings": self._round(post_one, until),
            "raw_postings": self._round(self._raw_posting, until),
        }

    def _round(self, one: Callable[[Any], None], work: "list[Any] | Callable[[], Iterator[Any]]") -> Spell:
        took: Took = []
        self._barrier.wait(PATIENCE_SECONDS)
        begun = time.monotonic()
        self._threads(one, work() if callable(work) else work, took)
        return took, begun, time.monotonic()

    def _threads(self, one: Callable[[Any], None], work: Any, took: Took | None = None) -> None:
        left, lock, failed = iter(work), threading.Lock(), []

        def work_on() -> None:
            from django.db import connection

            try:
                while True:
                    with lock:
                        task = next(left, None)
                    if task is None:
                        return
                    begun = time.perf_counter()
                    one(task)
                    if took is not None:
                        took.append(time.perf_counter() - begun)
            except BaseException as error:
                failed.append(error)
                raise
            finally:
                connection.close()
                if raw := getattr(_own, "connection", None):
                    raw.close()
                    del _own.connection

        threads = [threading.Thread(target=work_on) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    # --- what is done -------------------------------------------------------------------------------------------------

    def _prepare(self, _number: int) -> None:
        """An order, an open payment, and the notice that Alipay would sign for it."""
        from django_tenants.utils import schema_context

        from orders.services import Buyer, LineRequest, order_place
        from payments.services import payment_start
        from resellers.models import Reseller

        with schema_context(HOUSE):
            shop = Reseller.objects.get(schema_name=HOUSE)
            contact = f"138{secrets.randbelow(10**8):08d}"
            order = order_place(
                shop=shop, lines=[LineRequest(sku=_sku(), quantity=1, account={})], contact=contact, buyer=Buyer()
            ).order
            payment = payment_start(
                order=order,
                shop_id=shop.pk,
                gateway=GATEWAY,
                channel=CHANNEL,
                client_ip="127.0.0.1",
                return_url="http://x/",
            )
            self._bodies.append(_signed(payment.number, payment.amount))

    @staticmethod
    def _notice(body: bytes) -> None:
        from payments.notices import notice_receive

        reply = notice_receive(account_code=GATEWAY, headers={}, body=body)
        if reply.body != b"success":
            raise SystemExit(f"a notice was answered with {reply.body!r}")

    @staticmethod
    def _raw_notice(order: int) -> None:
        with _raw() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT status FROM raw_money_order WHERE id = %s FOR UPDATE", [order])
            cursor.execute("SELECT status FROM raw_money_payment WHERE order_id = %s FOR UPDATE", [order])
            cursor.execute("UPDATE raw_money_payment SET status = 'confirmed' WHERE order_id = %s", [order])
            cursor.execute("UPDATE raw_money_order SET status = 'paid', paid_at = now() WHERE id = %s", [order])
            cursor.execute("INSERT INTO raw_money_inbox (event, body) VALUES (%s, %s)", [f"E{order}", b"x" * 1200])
            cursor.execute("INSERT INTO raw_money_outbox (topic, payload) VALUES ('order.paid', '{\"order\": 1}')")
            cursor.execute(_JOURNAL, [f"payment:{order}"])
            (journal,) = cursor.fetchone() or (0,)
            cursor.execute(_ENTRIES, [journal, journal, 2])

    @staticmethod
    def _raw_posting(number: str) -> None:
        with _raw() as connection, connection.cursor() as cursor:
            cursor.execute(_JOURNAL, [number])
            (journal,) = cursor.fetchone() or (0,)
            cursor.execute(_ENTRIES, [journal, journal, 2])


_own = threading.local()


def _database() -> "psycopg2.extensions.connection":
    return psycopg2.connect(address(os.environ["DATABASE_URL"]))


def _raw() -> "psycopg2.extensions.connection":
    """The thread's own."""
    if not hasattr(_own, "connection"):
        _own.connection = _database()
    return _own.connection


def _until(seconds: float) -> Callable[[], Iterator[str]]:
    def names() -> Iterator[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield secrets.token_hex(7)

    return names


def _sku() -> str:
    from catalog.models import Variant

    if not hasattr(_own, "sku"):
        supplied = Variant.objects.filter(product__kind="code", offers__supplier__adapter="dujiao", is_available=True)
        _own.sku = supplied.exclude(offers__supplier__adapter="stock").order_by("pk")[0].sku
    return str(_own.sku)


def _signed(number: str, amount: Decimal) -> bytes:
    from kameng.sandbox import alipay_messages, keys
    from kameng.sandbox.book import Trade, TradeState

    if not hasattr(_own, "keys"):
        _own.keys = keys.ensure(Path(os.environ["KAMENG_VAR"]) / "sandbox").alipay
    now = time.time()
    trade = Trade(
        GATEWAY, number, CHANNEL, int(amount * 100), "bench", now, TradeState.PAID,
        reference=f"2026{secrets.randbelow(10**24):024d}", paid_at=now,
    )  # fmt: skip
    fields = alipay_messages.notice_fields(_own.keys, trade)
    return alipay_messages.notice(_own.keys, "http://x/", fields, forged=False).body


def _book() -> tuple[int, int]:
    """Payments that count, and journals of payments."""
    with _database() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM {HOUSE}.payments_payment WHERE status = 'confirmed' AND NOT is_surplus),"
            " (SELECT count(*) FROM public.ledger_journal WHERE kind = 'payment')"
        )
        payments, journals = cursor.fetchone() or (0, 0)
        return int(payments), int(journals)


def _wrong(before: tuple[int, int], after: tuple[int, int], notices: int) -> list[str]:
    found = tuple(late - early for early, late in zip(before, after, strict=True))
    return (
        [] if found == (notices, notices) else [f"{found} payments and journals of {notices} notices, each sent twice"]
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
