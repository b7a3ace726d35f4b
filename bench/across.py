"""Traffic over many shops at once, held against the same traffic in one, and a column added to all under it.

Both take turns, and the median turn of each counts: a moment of anything else on the machine falls into one turn. What
they cost the processors, which other work hardly moves, is counted beside it.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import load
from bench.buyer import Purchase, purchase
from bench.figures import milliseconds
from bench.load import Ask, Broken, User
from bench.stage import NOT_COUNTED, Stage
from kameng.embedded import paths

READERS, BUYERS = 4, 4
#: Readers before anything counts. A connection stays with one web process: four of them often leave one of the two
#: with one, and with a tenth of its pages undrawn.
WARMERS = 16
TURNS, PAGE_SECONDS, CHECKOUT_SECONDS = 9, 2.0, 5.0
#: How often each page is asked for before anything counts: there are two web processes, and each draws its own.
WARMING = 8
READER = (("Accept-Language", "zh-CN,zh;q=0.9"),)


@dataclass
class Traffic:
    """What readers and buyers met; durations in seconds."""

    pages: list[float] = field(default_factory=list)
    #: Placing the order and opening its payment, together.
    checkouts: list[float] = field(default_factory=list)
    asked: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def error_share(self) -> float:
        """Errors among all that was asked."""
        return len(self.errors) / max(1, self.asked)


@dataclass(frozen=True)
class Shelf:
    """What is read and bought: a product's address, and something of which there is much."""

    product: str
    sku: str

    def paths(self) -> tuple[str, ...]:
        """The front page and a product's, which are kept, and its prices, which are asked for each time."""
        return "/", f"/p/{self.product}/", f"/api/v1/products/{self.product}/"


@dataclass
class Turns:
    """The same traffic several times, in one shop or over all."""

    each: list[Traffic] = field(default_factory=list)
    #: By process of the product.
    cpu_seconds: Counter[str] = field(default_factory=Counter)

    def page_p95(self) -> float:
        """Of the median turn, in milliseconds."""
        return median(milliseconds(one.pages, 0.95) for one in self.each)

    def checkout_p95(self) -> float:
        """The same of checkouts."""
        return median(milliseconds(one.checkouts, 0.95) for one in self.each)

    def cpu_ms(self, count: Callable[[Traffic], int], *names: str) -> float:
        """What processes of the product (all, if none is named) used for one of what `count` counts; milliseconds."""
        used = sum(self.cpu_seconds[name] for name in names or self.cpu_seconds)
        return used * 1000 / max(1, sum(map(count, self.each)))


def first_visits(stage: Stage, hosts: Sequence[str], shelf: Shelf) -> list[float]:
    """Ask each shop for its pages until every process has drawn them: how long the very first front pages took."""
    met = Traffic()
    waiting = [(host, "/") for host in hosts]

    def reader() -> User:
        while waiting:
            yield from _read(stage, *waiting.pop(), met)

    load.run([stage.port], [reader() for _ in range(READERS)])
    first = met.pages[:]
    waiting += [(host, path) for _ in range(WARMING) for path in shelf.paths() for host in hosts]
    load.run([stage.port], [reader() for _ in range(WARMERS)])
    return first


def first_orders(stage: Stage, hosts: Sequence[str], shelf: Shelf) -> Traffic:
    """Buy once in each shop. The first order that a shop ever has makes the first page of sixty tables and indexes,
    which no other order does; meanwhile the platform comes to the end of looking at what was visited."""
    met = Traffic()
    waiting = [*hosts]

    def buyer() -> User:
        while waiting:
            yield from _buy(stage, waiting.pop(), shelf, met)

    _go(stage, met, [buyer() for _ in range(BUYERS)])
    return met


def pages(stage: Stage, hosts: Sequence[str], shelf: Shelf) -> tuple[Turns, Turns]:
    """Readers in one shop, and at all at random, in turns."""
    return _turns(
        stage, hosts, lambda met, visited, goes_on: _reader(stage, visited, shelf, met, goes_on), PAGE_SECONDS
    )


def checkouts(stage: Stage, hosts: Sequence[str], shelf: Shelf) -> tuple[Turns, Turns]:
    """Buyers in one shop, and at all at random, in turns."""
    return _turns(
        stage, hosts, lambda met, visited, goes_on: _buyer(stage, visited, shelf, met, goes_on), CHECKOUT_SECONDS
    )


def _turns(
    stage: Stage,
    hosts: Sequence[str],
    user: Callable[[Traffic, Sequence[str], Callable[[], bool]], User],
    seconds: float,
) -> tuple[Turns, Turns]:
    in_one, over_all = Turns(), Turns()
    for _ in range(TURNS):
        for side, visited in ((in_one, hosts[:1]), (over_all, hosts)):
            met, before, until = Traffic(), stage.by_process(), time.perf_counter() + seconds

            def goes_on(until: float = until) -> bool:
                return time.perf_counter() < until

            _go(stage, met, [user(met, visited, goes_on) for _ in range(READERS)])
            side.each.append(met)
            used = {name: after - before[name] for name, after in stage.by_process().items()}
            side.cpu_seconds.update({name: spent for name, spent in used.items() if name not in NOT_COUNTED})
    return in_one, over_all


def column_added(stage: Stage, hosts: Sequence[str], shelf: Shelf) -> tuple[float, Traffic]:
    """Add a column to the orders of every shop while people read and buy: how long that took, and what they met.

    Raises `Broken` where a shop is left without it.
    """
    met = Traffic()
    env = {**stage.environment, "DJANGO_SETTINGS_MODULE": "bench.column.settings"}
    begun = time.perf_counter()
    migrating = subprocess.Popen(
        [sys.executable, "manage.py", "migrate_shops", "--jobs", "2"],
        cwd=paths.ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    ended: list[float] = []

    def goes_on() -> bool:
        if not ended and migrating.poll() is not None:
            ended.append(time.perf_counter())
        return not ended

    try:
        readers = [_reader(stage, hosts, shelf, met, goes_on) for _ in range(READERS)]
        buyers = [_buyer(stage, hosts, shelf, met, goes_on) for _ in range(BUYERS)]
        _go(stage, met, [*readers, *buyers])
    finally:
        if migrating.poll() is None:
            migrating.kill()
        said = migrating.communicate()[1]
    if migrating.returncode != 0:
        raise Broken(f"migrate_shops ended with {migrating.returncode}: {said.strip()[-300:]}")
    return ended[0] - begun, met


def _go(stage: Stage, met: Traffic, users: Sequence[User]) -> None:
    met.asked = load.run([stage.port, stage.sandbox_port], users).asked


def _reader(stage: Stage, hosts: Sequence[str], shelf: Shelf, met: Traffic, goes_on: Callable[[], bool]) -> User:
    while goes_on():
        yield from _read(stage, random.choice(hosts), random.choice(shelf.paths()), met)


def _read(stage: Stage, host: str, path: str, met: Traffic) -> User:
    reply = yield Ask(0, load.request("GET", path, host=f"{host}:{stage.port}", headers=READER))
    assert reply is not None
    if reply.status == 200:
        met.pages.append(reply.took)
    else:
        met.errors.append(f"{reply.status} for {path} of {host}")


def _buyer(stage: Stage, hosts: Sequence[str], shelf: Shelf, met: Traffic, goes_on: Callable[[], bool]) -> User:
    while goes_on():
        yield from _buy(stage, random.choice(hosts), shelf, met)


def _buy(stage: Stage, host: str, shelf: Shelf, met: Traffic) -> User:
    done = Purchase()
    try:
        yield from purchase(stage.port, shelf.sku, done, host_name=host)
    except Broken as broken:
        met.errors.append(f"{host}: {broken}")
    if done.refused:
        met.errors.append(f"{host} would not sell: {done.refused}")
    if "payment" in done.steps:
        met.checkouts.append(done.steps["order"] + done.steps["payment"])
