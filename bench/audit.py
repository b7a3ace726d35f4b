"""A shop of many orders held against every promise: all of it, and what is recent."""

from bench.figures import Report, Table, at_most
from bench.stage import Stage, read_json

ORDERS = 100_000
GOAL_SECONDS, BEYOND_SECONDS = 10.0, 5.0


def run(stage: Stage, *, orders: int = ORDERS) -> Report:
    """The bound is for a million orders; fewer have to end as soon."""
    done = read_json(stage.run_program(["-m", "bench.audited", str(orders)]))
    found = Report("audit")
    columns = ("orders", "whole s", "since 26h s", "again s")
    row = [done[name] for name in ("orders", "whole", "since", "again")]
    found.tables.append(Table("every promise of a shop of delivered orders", columns, [row]))
    found.broken += [f"{which}: {'; '.join(said)}" for which, said in done["broken"].items()]
    found.judge(f"audit --since 26h of {orders} orders", done["since"], "s", at_most(GOAL_SECONDS, BEYOND_SECONDS))
    return found
