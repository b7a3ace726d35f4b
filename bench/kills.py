"""A worker is killed every three seconds for a minute, while suppliers drip their answers to orders that they charged.

The verdict is what became of each order by our books, and of the money by the suppliers' own.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import load
from bench.accidents import EVERY_SECONDS, Killer
from bench.books import ATTEMPTS, WORKS, ask, audit_both, charged, everywhere
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_least, at_most
from bench.load import Broken
from bench.outage import ACCOUNT, SKU
from bench.stage import Stage, read_json
from kameng.embedded.console import report, say
from kameng.embedded.processes import Process, stop, wait_ready

ORDERS, SHOPS, WORKERS = 240, 20, 3
SECONDS = 60.0
#: How long a supplier takes over each answer, which it begins at once.
DRIP_MS = 10_000
SUPPLIERS = ("xinghe", "lantian", "yunka", "baihe")
#: The goal, from the last kill on, and how long is waited before an order is called open.
END_SECONDS, PATIENCE_SECONDS = 120.0, 300.0
READY_SECONDS, STOP_SECONDS = 60.0, 5.0
COLUMNS = (
    "orders", "kills", "hit a purchase", "delivered", "refunded", "open", "last end s", "charged twice",
    "delivered twice",
)  # fmt: skip

_IN_HAND = "SELECT count(*) FROM {schema}.fulfillment_supplierorder WHERE status = 'intended'"


@dataclass
class Kills:
    """What happened. `last_end` in seconds from the last kill."""

    purchases: list[Purchase] = field(default_factory=list)
    kills: int = 0
    #: Kills with purchases under way, of which nobody knew an end.
    hits: int = 0
    open_orders: int = 0
    last_kill: Any = None
    last_end: float = float("nan")
    charged_twice: int = 0
    delivered_twice: int = 0

    def row(self) -> tuple[str | float, ...]:
        """The line of the table."""
        ends = Counter(one.status for one in self.purchases)
        return (
            len(self.purchases), self.kills, self.hits, ends["fulfilled"], ends["refunded"], self.open_orders,
            self.last_end, self.charged_twice, self.delivered_twice,
        )  # fmt: skip


def run(stage: Stage, *, orders: int = ORDERS, shops: int = SHOPS, seconds: float = SECONDS) -> Report:
    """Orders come in for as long as workers are killed; then everybody is left alone, and each order must end."""
    found = Report("kills")
    hosts = read_json(stage.run_program(["-m", "bench.outage", str(shops)]))
    code = str(read_json(stage.run_program(["-m", "bench.goods", "0"]))["supplied"])
    seed = secrets.randbelow(10**6)
    say(f"  kills by seed {seed}")
    begun = time.monotonic()
    with _workers(stage) as workers:
        kills = _killed(stage, Killer(workers, seed), [*_buys(hosts, code, orders)], seconds=seconds)
    report(f"{kills.kills} kills, {orders} orders", time.monotonic() - begun)
    title = (
        f"one of {WORKERS} workers killed every {EVERY_SECONDS:g} s for {seconds:g} s; {len(hosts)} shops, seed {seed}"
    )
    found.tables.append(Table(title, COLUMNS, [kills.row()]))
    found.judge("workers killed", kills.kills, "", at_least(seconds // EVERY_SECONDS))
    found.judge("kills with a purchase under way", kills.hits, "", at_least(kills.kills / 2))
    found.judge("last order delivered or refunded", kills.last_end, "s", at_most(END_SECONDS))
    found.judge("neither", orders - _ended(kills), "", at_most(0))
    found.judge("charged twice by a supplier's own book", kills.charged_twice, "", at_most(0))
    found.judge("delivered twice", kills.delivered_twice, "", at_most(0))
    found.broken += audit_both(stage)
    return found


def _ended(kills: Kills) -> int:
    return sum(one.status in ("fulfilled", "refunded") for one in kills.purchases)


def _buys(hosts: Sequence[str], code: str, orders: int) -> Iterator[dict[str, Any]]:
    """Half of them top-ups in any shop, half of them codes in the house shop, which sells everything."""
    for number in range(orders):
        if number % 2:
            yield {"sku": code}
        else:
            yield {"sku": SKU, "host_name": hosts[number // 2 % len(hosts)], "account": ACCOUNT}


def _killed(stage: Stage, killer: Killer, buys: Sequence[dict[str, Any]], *, seconds: float) -> Kills:
    kills = Kills()

    def buyer(number: int, told: dict[str, Any]) -> load.User:
        yield load.Pause(seconds * number / len(buys))
        done = Purchase()
        kills.purchases.append(done)
        try:
            yield from purchase(stage.port, done=done, reveal=False, patience=PATIENCE_SECONDS, **told)
        except Broken as broken:
            kills.open_orders += 1
            say(f"  {broken}")

    def nemesis() -> load.User:
        for _ in range(int(seconds // EVERY_SECONDS)):
            yield load.Pause(EVERY_SECONDS)
            kills.hits += any(count for (count,) in everywhere(stage, _IN_HAND))
            killer.strike()
        kills.last_kill = ask(stage, "SELECT statement_timestamp()")[0][0]
        _steer(stage, mode="ok")

    _steer(stage, mode="drip", latency_ms=DRIP_MS, callbacks="lost")
    try:
        ports = [stage.port, stage.sandbox_port]
        load.run(ports, [*(buyer(number, told) for number, told in enumerate(buys)), nemesis()])
    finally:
        _steer(stage, mode="ok")
    kills.kills = killer.kills
    _read(stage, kills)
    return kills


def _read(stage: Stage, kills: Kills) -> None:
    """What the books say of the orders: ours, and each supplier's own."""
    numbers = [one.number for one in kills.purchases if one.number]
    works = everywhere(stage, WORKS, numbers)
    attempts = everywhere(stage, ATTEMPTS, numbers)
    ends = [end for _, _, end, _ in works]
    if len(works) == len(kills.purchases) and None not in ends:
        kills.last_end = max(0.0, (max(ends) - kills.last_kill).total_seconds())
    kills.charged_twice, unused = charged(stage, attempts)
    kills.delivered_twice = sum(successes > 1 for *_, successes in works) + unused


def _steer(stage: Stage, **told: Any) -> None:
    for code in SUPPLIERS:
        stage.ask_sandbox("POST", f"suppliers/{code}", body=told)


@contextmanager
def _workers(stage: Stage) -> Iterator[list[Process]]:
    """The worker of the demo and others beside it, for as long as the block lasts."""
    first = stage.process("worker")
    others = [_another(stage, first, number) for number in range(2, WORKERS + 1)]
    try:
        for other in others:
            wait_ready(other, lambda other=other: " ready." in other.said(), seconds=READY_SECONDS)  # type: ignore[misc]
        yield [first, *others]
    finally:
        stop(others, seconds=STOP_SECONDS)
        for other in others:
            stage.programs.remove(other)


def _another(stage: Stage, worker: Process, number: int) -> Process:
    made = Process(
        name=f"worker-{number}",
        command=[*worker.command, f"--hostname=worker{number}@%h"],
        log=worker.log.with_name(f"worker-{number}.log"),
        env=worker.env,
        cwd=worker.cwd,
    )
    made.start()
    stage.programs.append(made)
    return made
