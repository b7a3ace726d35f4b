"""Orders from the first request to the code, through every process of the product and the other side's protocols."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import books, limits, load, machine
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_least, at_most, milliseconds, percentile
from bench.stage import HOUSE, Stage, read_json
from kameng.embedded.console import report

BUYERS = 16
ORDERS = 600
WARM_UP = 48
#: Fractions of ORDERS for the variants beside the main one.
SUPPLIER_SHARE = 0.5
CROWD, RARE_CODES = 300, 100
#: What the sandbox's dujiao supplier takes: its reply, then its delivery (docs/sandbox.md); in seconds.
SUPPLIER_SECONDS = 0.115
COLUMNS = (
    "orders", "buyers", "orders/s", "p50 ms", "p95 ms", "p99 ms", "paid→delivered p50", "p95", "CPU ms",
    "web", "worker", "postgres", "valkey", "questions",
)  # fmt: skip


@dataclass
class Case:
    """One closed loop of orders and what it cost. `moments` are seconds from money to goods by the database's clock."""

    name: str
    buyers: int
    purchases: list[Purchase] = field(default_factory=list)
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    moments: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Orders a second."""
        return len(self.purchases) / self.seconds

    @property
    def whole(self) -> list[float]:
        """Seconds from the first request to the code."""
        return [one.whole for one in self.purchases if one.whole]

    @property
    def cpu_ms(self) -> float:
        """CPU ms of our own processes for one order."""
        return sum(self.of(name) for name in ("web", "worker", "postgres", "valkey"))

    def of(self, process: str) -> float:
        """The part of one process."""
        return self.cpu.get(process, 0.0) * 1000 / max(1, len(self.purchases))

    def row(self) -> tuple[str | float, ...]:
        """A line of the table."""
        return (
            self.name, self.buyers, self.rate, *(milliseconds(self.whole, share) for share in (0.5, 0.95, 0.99)),
            milliseconds(self.moments, 0.5), milliseconds(self.moments, 0.95), self.cpu_ms,
            *(self.of(name) for name in ("web", "worker", "postgres", "valkey")),
            sum(one.questions for one in self.purchases) / max(1, len(self.purchases)),
        )  # fmt: skip


@dataclass(frozen=True)
class Goods:
    """What is bought: a code on our own shelf, one that a supplier sells, and one of which there are few."""

    own: str
    supplied: str
    rare: str


def run(stage: Stage, *, orders: int = ORDERS, sizes: Sequence[int] = (BUYERS,)) -> Report:
    """Own stock at each number of buyers, the limits, a supplier, and a crowd for few codes."""
    found = Report("orders")
    goods = prepare(stage)
    _case(stage, "warm-up", goods.own, buyers=BUYERS, orders=WARM_UP)
    raw = limits.postgres(stage)
    cases = []
    for buyers in sizes:
        cases.append(_case(stage, "own stock", goods.own, buyers=buyers, orders=_fitting(orders, buyers)))
        found.broken += books.check(stage, cases[-1].purchases, name=f"{buyers} buyers")
    bare = limits.bare_django(stage, buyers=BUYERS, orders=orders)
    own = next((case for case in cases if case.buyers == BUYERS), cases[-1])
    _judge_own(found, own, bare)
    _case(stage, "warm-up", goods.supplied, buyers=BUYERS, orders=BUYERS)
    supplied = _case(
        stage, "a supplier's API", goods.supplied, buyers=BUYERS, orders=max(1, int(orders * SUPPLIER_SHARE))
    )
    found.broken += books.check(stage, supplied.purchases, name="supplier")
    found.judge("a supplier's API, rate", supplied.rate, "/s", at_least(50, 80))
    over = percentile(supplied.moments, 0.5) - SUPPLIER_SECONDS
    found.judge("a supplier's API, paid → delivered p50 over the supplier's time", over * 1000, "ms", at_most(500))
    crowd = _crowd(stage, goods.rare)
    found.broken += books.check_crowd(stage, crowd.purchases, codes=RARE_CODES, sku=goods.rare)
    found.tables.append(
        Table("orders from the first request to the code", COLUMNS, [case.row() for case in (*cases, supplied, crowd)])
    )
    found.tables.append(_limits_table(own, raw, bare))
    found.tables.append(_steps_table(own))
    found.broken += books.audit(stage)
    found.judge("memory of the worker", max(machine.memory_mib(stage.process("worker").pid or 0)), "MiB", at_most(110))
    return found


def prepare(stage: Stage) -> Goods:
    """Put codes on the shelf, and say what is on it."""
    told = read_json(stage.run_program(["-m", "bench.goods", str(RARE_CODES)]))
    return Goods(own=told["own"], supplied=told["supplied"], rare=told["rare"])


def place_one(stage: Stage) -> Purchase:
    """An order that nobody pays."""
    placed = Purchase()
    sku = str(read_json(stage.run_program(["-m", "bench.goods", "0"]))["own"])
    load.run([stage.port, stage.sandbox_port], [purchase(stage.port, sku, placed, pay=False)])
    return placed


def _fitting(orders: int, buyers: int) -> int:
    """One buyer alone is slow: fewer orders, so that the case takes as long as the others."""
    return max(buyers, min(orders, orders * buyers // 4))


def _case(stage: Stage, name: str, sku: str, *, buyers: int, orders: int) -> Case:
    case = Case(name, buyers)
    remaining = orders

    def buyer() -> load.User:
        nonlocal remaining
        while remaining > 0:
            remaining -= 1
            done = Purchase()
            yield from purchase(stage.port, sku, done)
            case.purchases.append(done)

    return _measured(stage, case, [buyer() for _ in range(buyers)])


def _crowd(stage: Stage, sku: str) -> Case:
    """Everybody at once, one piece each, of which there are fewer than people."""
    case = Case(f"{CROWD} for {RARE_CODES} codes", CROWD)
    case.purchases = [Purchase() for _ in range(CROWD)]
    return _measured(stage, case, [purchase(stage.port, sku, done) for done in case.purchases])


def _measured(stage: Stage, case: Case, users: list[load.User]) -> Case:
    before, begun = stage.by_process(), time.perf_counter()
    load.run([stage.port, stage.sandbox_port], users)
    case.seconds = time.perf_counter() - begun
    case.cpu = {name: cpu - before.get(name, 0.0) for name, cpu in stage.by_process().items()}
    case.moments = _moments(stage, case.purchases)
    report(f"{case.name}, {case.buyers} buyers, {len(case.purchases)} orders", case.seconds)
    return case


_MOMENTS = f"""
SELECT extract(epoch FROM work.finished_at - payment.confirmed_at)::float8
  FROM {HOUSE}.payments_payment AS payment
  JOIN {HOUSE}.orders_orderline AS line ON line.order_id = payment.order_id
  JOIN {HOUSE}.fulfillment_fulfillment AS work ON work.line_id = line.id
 WHERE payment.number = ANY(%s) AND work.status = 'delivered'
"""


def _moments(stage: Stage, purchases: Sequence[Purchase]) -> list[float]:
    """Seconds from the booked money to the booked goods, by the database's clock."""
    return [moment for (moment,) in stage.rows(_MOMENTS, [[one.payment for one in purchases if one.payment]])]


def _judge_own(found: Report, own: Case, bare: limits.Limit) -> None:
    found.judge("own stock, rate", own.rate, "/s", at_least(75, 110))
    found.judge("own stock, p95", milliseconds(own.whole, 0.95), "ms", at_most(350))
    found.judge("own stock, CPU", own.cpu_ms, "ms", at_most(25, 16))
    found.judge("own stock, rate against bare Django", own.rate / bare.rate, "×", at_least(0.6, 0.85))


def _limits_table(own: Case, raw: limits.Limit, bare: limits.Limit) -> Table:
    rows = [
        (
            limit.name, limit.rate, milliseconds(limit.took, 0.5), milliseconds(limit.took, 0.95), limit.cpu_ms,
            own.rate / limit.rate, limit.cpu_ms / own.cpu_ms,
        )
        for limit in (raw, bare)
    ]  # fmt: skip
    columns = ("limit in the same run", "orders/s", "p50 ms", "p95 ms", "CPU ms", "ours × rate", "ours × CPU")
    return Table(f"what {BUYERS} buyers could get at best", columns, rows)


def _steps_table(own: Case) -> Table:
    rows = []
    for step in ("order", "payment", "pay", "status", "reveal"):
        took = [one.steps[step] for one in own.purchases if step in one.steps]
        rows.append((step, milliseconds(took, 0.5), milliseconds(took, 0.95)))
    sandbox = ("sandbox's CPU", own.of("sandbox"), "")
    return Table(
        "own stock: each request (pay is the other side's), ms", ("step", "p50 ms", "p95 ms"), [*rows, sandbox]
    )
