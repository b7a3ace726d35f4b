"""A day's bill held against our books: how long it takes, and how much memory a larger one needs."""

from typing import Any

from bench.figures import Report, Table, at_most
from bench.reconciled import BREAKS
from bench.stage import Stage, read_json

ROWS = 100_000
#: A tenth of it, to see whether memory grows with the bill.
SMALLER = 10
GOAL_SECONDS, BEYOND_SECONDS = 60.0, 30.0
GOAL_GROWTH_MIB, BEYOND_GROWTH_MIB = 32.0, 8.0


def run(stage: Stage, *, orders: int = ROWS) -> Report:
    """Each size in a process of its own, because what a process once had, it does not give back."""
    found = Report("reconcile")
    small = _one(stage, max(orders // SMALLER, 3 * BREAKS), 5)
    large = _one(stage, max(orders, 3 * BREAKS), 3)
    columns = ("rows", "first s", "again s", "before MiB", "peak MiB")
    rows = [[one["rows"], one["seconds"], one["again"], one["before_mib"], one["peak_mib"]] for one in (small, large)]
    found.tables.append(Table("a bill read, kept and compared with payments and the book", columns, rows))
    for one in (small, large):
        wanted = {"amount": BREAKS, "not_ours": BREAKS, "not_theirs": BREAKS}
        if one["kinds"] != wanted:
            found.broken.append(f"{one['rows']} rows: {one['kinds']} found instead of {wanted}")
    found.judge(f"{large['rows']} rows reconciled", large["seconds"], "s", at_most(GOAL_SECONDS, BEYOND_SECONDS))
    growth = large["peak_mib"] - small["peak_mib"]
    found.judge("memory for ten times the rows", growth, "MiB", at_most(GOAL_GROWTH_MIB, BEYOND_GROWTH_MIB))
    return found


def _one(stage: Stage, rows: int, days_ago: int) -> dict[str, Any]:
    done: dict[str, Any] = read_json(stage.run_program(["-m", "bench.reconciled", str(rows), str(days_ago)]))
    return done
