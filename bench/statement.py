"""A month of a busy sub-site: how long its owner waits for the statement, and how much memory a larger one needs."""

from typing import Any

from bench.figures import Report, Table, at_most
from bench.stage import Stage, read_json

ORDERS = 100_000
#: A tenth of it, to see whether memory grows with the month; each in a shop, and a process, of its own.
SMALLER, SMALL_SHOP, LARGE_SHOP = 10, "qinghe", "yueyou"
#: What whoever takes a file, or looks at a page, waits for.
GOAL_SECONDS, GOAL_PAGE_SECONDS, GOAL_GROWTH_MIB = 15.0, 3.0, 32.0
COLUMNS = (
    "orders", "CSV s", "CPU s", "MiB", "XLSX s", "CPU s", "MiB", "first page s", "last page s", "settled s",
    "before MiB", "peak MiB",
)  # fmt: skip


def run(stage: Stage, *, orders: int = ORDERS) -> Report:
    """Made and footed in every form; what does not foot is not made at all."""
    found = Report("statement")
    small, large = _one(stage, SMALL_SHOP, max(orders // SMALLER, 1)), _one(stage, LARGE_SHOP, orders)
    names = ("orders", "csv", "csv_cpu", "csv_mib", "xlsx", "xlsx_cpu", "xlsx_mib", "first_page", "last_page",
             "settled", "before_mib", "peak_mib")  # fmt: skip
    rows = [[one[name] for name in names] for one in (small, large)]
    found.tables.append(Table("a month of delivered orders, stated and footed to the ledger", COLUMNS, rows))
    for form in ("csv", "xlsx"):
        found.judge(f"{form} of {orders} orders", large[form], "s", at_most(GOAL_SECONDS))
    slowest = max(large["first_page"], large["last_page"])
    found.judge(f"a page of {orders} orders", slowest, "s", at_most(GOAL_PAGE_SECONDS))
    growth = large["peak_mib"] - small["peak_mib"]
    found.judge("memory for ten times the orders", growth, "MiB", at_most(GOAL_GROWTH_MIB))
    return found


def _one(stage: Stage, shop: str, orders: int) -> dict[str, Any]:
    done: dict[str, Any] = read_json(stage.run_program(["-m", "bench.stated", shop, str(orders)]))
    return done
