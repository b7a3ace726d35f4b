"""Many shops: opening one more, what an empty one costs, and whether anybody notices how many there are.

As a program (`python -m bench.shops SIZE`) it opens them.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import across, machine, orders
from bench.across import Shelf, Turns
from bench.figures import Report, Table, at_most, milliseconds
from bench.stage import Stage, read_json
from kameng.embedded.console import report

SIZES = (1, 100)
#: Shops whose opening is timed at each size.
OPENED = 20


@dataclass(frozen=True)
class Opened:
    """What the program found while it opened shops; durations in seconds."""

    others: int
    seconds: Sequence[float]
    tables: int
    bytes: int
    database_bytes: int
    hosts: Sequence[str]


@dataclass(frozen=True)
class Round:
    """One size: what was there, and how it went."""

    opened: Opened
    check_seconds: float
    first_visits: Sequence[float]
    pages_of_one: Turns
    pages: Turns
    first_orders: across.Traffic
    checkouts_of_one: Turns
    checkouts: Turns
    web_mib: float
    worker_mib: float
    #: Of all sessions of the database together: what is theirs alone.
    database_mib: float

    @property
    def page_ratio(self) -> float:
        """p95 over all shops against one of them, in turns."""
        return self.pages.page_p95() / self.pages_of_one.page_p95()

    @property
    def checkout_ratio(self) -> float:
        """The same for checkouts."""
        return self.checkouts.checkout_p95() / self.checkouts_of_one.checkout_p95()


def run(stage: Stage, *, sizes: Sequence[int] = SIZES) -> Report:
    """Everything at each size; at the last one a column is added to every shop under traffic."""
    found = Report("shops")
    slug = str(stage.ask_shop("GET", "/api/v1/products/").json()["results"][0]["slug"])
    shelf = Shelf(product=slug, sku=orders.prepare(stage).own)
    rounds = [_round(stage, size, shelf) for size in sizes]
    found.tables += [_opening_table(rounds), _traffic_table(rounds), _cost_table(rounds)]
    _judge(found, rounds)
    for one in rounds:
        for turns in (one.pages_of_one, one.pages, one.checkouts_of_one, one.checkouts):
            found.broken += [error for traffic in turns.each for error in traffic.errors][:3]
        found.broken += one.first_orders.errors[:3]
    _column(stage, found, rounds[-1], shelf)
    return found


def _round(stage: Stage, size: int, shelf: Shelf) -> Round:
    begun = time.monotonic()
    opened = Opened(**read_json(stage.run_program(["-m", "bench.shops", str(size)])))
    report(f"{opened.others} shops are there", time.monotonic() - begun)
    checked = time.perf_counter()
    stage.run_program(["manage.py", "migrate_shops", "--check"])
    check_seconds = time.perf_counter() - checked
    first = across.first_visits(stage, opened.hosts, shelf)
    pages = across.pages(stage, opened.hosts, shelf)
    first_orders = across.first_orders(stage, opened.hosts, shelf)
    found = Round(
        opened, check_seconds, first, *pages, first_orders, *across.checkouts(stage, opened.hosts, shelf),
        max(machine.memory_mib(stage.process("web").pid or 0)),
        max(machine.memory_mib(stage.process("worker").pid or 0)),
        sum(machine.memory_mib(stage.process("postgres").pid or 0)),
    )  # fmt: skip
    report(f"traffic over {len(opened.hosts)} shops", time.monotonic() - begun)
    return found


def _opening_table(rounds: Sequence[Round]) -> Table:
    rows = [
        (
            one.opened.others, milliseconds(one.opened.seconds, 0.5), milliseconds(one.opened.seconds, 0.95),
            max(one.opened.seconds) * 1000, one.opened.tables, one.opened.bytes / 1024,
            one.opened.database_bytes / 1024**2, one.check_seconds,
        )
        for one in rounds
    ]  # fmt: skip
    columns = ("others", "p50 ms", "p95 ms", "slowest ms", "tables", "KB", "database MB", "check s")
    return Table(f"opening a shop, {OPENED} times at each size", columns, rows)


def _traffic_table(rounds: Sequence[Round]) -> Table:
    rows = [
        (
            len(one.opened.hosts), milliseconds(one.first_visits, 0.95),
            one.pages_of_one.page_p95(), one.pages.page_p95(), one.page_ratio,
            milliseconds(one.first_orders.checkouts, 0.95),
            one.checkouts_of_one.checkout_p95(), one.checkouts.checkout_p95(), one.checkout_ratio,
        )
        for one in rounds
    ]  # fmt: skip
    columns = (
        "shops visited", "first visit p95 ms", "page p95 ms in one", "in all", "×", "first checkout p95 ms",
        "checkout p95 ms in one", "in all", "×",
    )  # fmt: skip
    return Table("the same traffic in one shop and over all, the median of turns", columns, rows)


def _cost_table(rounds: Sequence[Round]) -> Table:
    def read(met: across.Traffic) -> int:
        return len(met.pages)

    def bought(met: across.Traffic) -> int:
        return len(met.checkouts)

    rows = [
        (
            len(one.opened.hosts), one.pages_of_one.cpu_ms(read), one.pages.cpu_ms(read),
            one.checkouts_of_one.cpu_ms(bought), one.checkouts.cpu_ms(bought),
            *(side.cpu_ms(bought, "postgres") for side in (one.checkouts_of_one, one.checkouts)),
            one.web_mib, one.worker_mib, one.database_mib,
        )
        for one in rounds
    ]  # fmt: skip
    columns = (
        "shops visited", "CPU ms a page in one", "in all", "CPU ms an order in one", "in all",
        "of that the database's in one", "in all", "web MiB", "worker MiB",
        "sessions MiB",
    )  # fmt: skip
    return Table("what it costs, orders to their delivery", columns, rows)


def _judge(found: Report, rounds: Sequence[Round]) -> None:
    last = rounds[-1]
    with_others = f"with {last.opened.others} others"
    p95 = milliseconds(last.opened.seconds, 0.95)
    found.judge(f"opening {with_others}, p95", p95 / 1000, "s", at_most(2, 0.5))
    found.judge("tables of an empty shop", last.opened.tables, "", at_most(40))
    found.judge("size of an empty shop", last.opened.bytes / 1024, "KB", at_most(1024))
    found.judge(f"nothing to migrate {with_others}", last.check_seconds, "s", at_most(5))
    found.judge(f"pages over {len(last.opened.hosts)} shops against one, p95", last.page_ratio, "×", at_most(1.15))
    found.judge(
        f"checkouts over {len(last.opened.hosts)} shops against one, p95", last.checkout_ratio, "×", at_most(1.15)
    )
    if len(rounds) > 1:
        first = rounds[0]
        ratio = p95 / milliseconds(first.opened.seconds, 0.95)
        found.judge(f"opening {with_others} against {first.opened.others}", ratio, "×", at_most(2))
        found.judge(f"a web process more {with_others}", last.web_mib - first.web_mib, "MiB", at_most(60))
        found.judge(f"a worker more {with_others}", last.worker_mib - first.worker_mib, "MiB", at_most(60))


def _column(stage: Stage, found: Report, last: Round, shelf: Shelf) -> None:
    seconds, met = across.column_added(stage, last.opened.hosts, shelf)
    ((without,),) = stage.rows(_WITHOUT_COLUMN)
    if without:
        found.broken.append(f"{without} shops have no new column although migrate_shops said that it was done")
    row = (
        seconds, met.asked, len(met.errors), milliseconds(met.pages, 0.95), milliseconds(met.checkouts, 0.95),
    )  # fmt: skip
    columns = ("seconds", "requests meanwhile", "errors", "page p95 ms", "checkout p95 ms")
    shops = last.opened.others + OPENED
    found.tables.append(Table(f"a column added to {shops} shops under traffic", columns, [row]))
    found.tables += [Table("its errors", ("error",), [(error,) for error in met.errors[:10]])] if met.errors else []
    found.judge(f"a column in {shops} shops under traffic", seconds, "s", at_most(120))
    found.judge("errors meanwhile", met.error_share * 100, "%", at_most(0.1))


_WITHOUT_COLUMN = """
SELECT count(*) FROM pg_class AS relation JOIN public.resellers_reseller AS shop
    ON shop.schema_name = relation.relnamespace::regnamespace::text
 WHERE relation.relname = 'orders_order' AND NOT EXISTS (
       SELECT FROM pg_attribute WHERE attrelid = relation.oid AND attname = 'bench_note')
"""
_SIZE = """
SELECT count(*) FILTER (WHERE relation.relkind = 'r'),
       sum(pg_total_relation_size(relation.oid))
  FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE namespace.nspname = %s AND relation.relkind IN ('r', 'S')
"""


def main(size: int) -> None:
    """Open shops until there are as many as wanted, then time some more."""
    import django

    django.setup()
    from django.db import connection

    from resellers.models import Domain, Reseller

    for _ in range(size - Reseller.objects.exclude(schema_name="public").count()):
        _open()
    others = Reseller.objects.exclude(schema_name="public").count()
    opened = [_open() for _ in range(OPENED)]
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, [opened[-1][1]])
        tables, size_in_bytes = cursor.fetchone()
        cursor.execute("SELECT pg_database_size(current_database())")
        (database_bytes,) = cursor.fetchone()
    hosts = Domain.objects.filter(tenant__slug__startswith="bench").order_by("pk").values_list("domain", flat=True)
    said = {
        "others": others,
        "seconds": [seconds for seconds, _ in opened],
        "tables": int(tables),
        "bytes": int(size_in_bytes),
        "database_bytes": database_bytes,
        "hosts": list(hosts),
    }
    sys.stdout.write(json.dumps(said) + "\n")


def _open() -> tuple[float, str]:
    from resellers.models import Reseller
    from resellers.services import reseller_open

    slug = f"bench{Reseller.objects.count()}"
    begun = time.perf_counter()
    shop = reseller_open(slug=slug, name=slug, host_names=[f"{slug}.localhost"])
    return time.perf_counter() - begun, shop.schema_name


if __name__ == "__main__":
    main(int(sys.argv[1]))
