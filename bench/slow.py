"""What a supplier that drips costs the orders that never go there: the same traffic without and with it, in turns."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench import load
from bench.books import WORKS, audit_both, everywhere
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_least, at_most, percentile
from bench.load import Broken
from bench.outage import ACCOUNT, DEAD, SKU, clean_slate
from bench.stage import Stage, read_json
from kameng.embedded.console import report

#: Turns of each kind, one after the other; the median turn of each is compared, because whatever else the machine does
#: for a few seconds falls into one turn of one kind, and would be that kind's whole p95.
TURNS, SECONDS = 5, 12.0
#: Orders a second: codes from a supplier that is well, top-ups that begin at the one that is to drip.
CODES_A_SECOND, TOP_UPS_A_SECOND = 4, 2
PATIENCE_SECONDS = 240.0
#: The goal, and what counts as held up.
GOAL_RATIO, HELD_UP_SECONDS = 1.2, 5.0
COLUMNS = ("", "codes", "p50 s", "p95 s", "median turn's p95 s", "top-ups", "held up", "p95 of top-ups s", "open")


@dataclass
class Side:
    """All turns of one kind; seconds from the money to the delivery, by the database's clock."""

    name: str
    turns: list[list[float]] = field(default_factory=list)
    top_ups: list[float] = field(default_factory=list)
    open_orders: int = 0

    @property
    def codes(self) -> list[float]:
        """All codes of all turns."""
        return [took for turn in self.turns for took in turn]

    @property
    def usual_p95(self) -> float:
        """Of the codes of the median turn; not a number before the first turn."""
        return median(percentile(turn, 0.95) for turn in self.turns) if self.turns else float("nan")

    @property
    def held_up(self) -> int:
        """Top-ups that the slow supplier kept."""
        return sum(took > HELD_UP_SECONDS for took in self.top_ups)

    def row(self) -> tuple[str | float, ...]:
        """A line of the table."""
        return (
            self.name, len(self.codes), percentile(self.codes, 0.5), percentile(self.codes, 0.95), self.usual_p95,
            len(self.top_ups), self.held_up, percentile(self.top_ups, 0.95), self.open_orders,
        )  # fmt: skip


def run(stage: Stage, *, turns: int = TURNS) -> Report:
    """Take turns, and compare."""
    found = Report("slow")
    stage.run_program(["-m", "bench.outage", "0"])
    code = str(read_json(stage.run_program(["-m", "bench.goods", "0"]))["supplied"])
    quiet, slow = Side("all are well"), Side(f"{DEAD} drips")
    _turn(stage, code, Side("warming up"), mode="ok")
    begun = time.monotonic()
    for _ in range(turns):
        _turn(stage, code, quiet, mode="ok")
        _turn(stage, code, slow, mode="drip")
    report(f"{2 * turns} turns", time.monotonic() - begun)
    title = f"{CODES_A_SECOND} codes and {TOP_UPS_A_SECOND} top-ups a second, {turns} turns of {SECONDS:g} s each"
    found.tables.append(Table(title, COLUMNS, [quiet.row(), slow.row()]))
    ratio = slow.usual_p95 / quiet.usual_p95
    found.judge("p95 of the others, with the slow one against without", ratio, "×", at_most(GOAL_RATIO))
    found.judge("top-ups that the slow one held up", slow.held_up, "", at_least(turns))
    found.judge("neither delivered nor refunded", quiet.open_orders + slow.open_orders, "", at_most(0))
    found.broken += audit_both(stage)
    return found


def _turn(stage: Stage, code: str, side: Side, *, mode: str) -> None:
    """So many seconds of orders, and then for as long as the last of them needs with everybody well again."""
    clean_slate(stage)
    codes: list[Purchase] = []
    top_ups: list[Purchase] = []

    def buyer(at: float, into: list[Purchase], told: dict[str, Any]) -> load.User:
        yield load.Pause(at)
        done = Purchase()
        into.append(done)
        try:
            yield from purchase(stage.port, done=done, reveal=False, patience=PATIENCE_SECONDS, **told)
        except Broken:
            side.open_orders += 1

    def healer() -> load.User:
        yield load.Pause(SECONDS)
        stage.ask_sandbox("POST", f"suppliers/{DEAD}", body={"mode": "ok"})

    stage.ask_sandbox("POST", f"suppliers/{DEAD}", body={"mode": mode})
    crowd = [buyer(at, codes, {"sku": code}) for at in _moments(CODES_A_SECOND)]
    crowd += [buyer(at, top_ups, {"sku": SKU, "account": ACCOUNT}) for at in _moments(TOP_UPS_A_SECOND)]
    load.run([stage.port, stage.sandbox_port], [*crowd, healer()])
    side.turns.append(_seconds(stage, codes))
    side.top_ups += _seconds(stage, top_ups)


def _moments(a_second: float) -> list[float]:
    return [number / a_second for number in range(int(SECONDS * a_second))]


def _seconds(stage: Stage, purchases: Sequence[Purchase]) -> list[float]:
    works = everywhere(stage, WORKS, [one.number for one in purchases if one.number])
    return [(end - paid_at).total_seconds() for _, paid_at, end, _ in works if end is not None]
