"""Orders that were paid while no worker ran: how soon they are delivered once there is one again."""

import time
from collections import Counter
from collections.abc import Sequence

from bench import load
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_most
from bench.load import Broken, Pause
from bench.stage import HOUSE, Stage, read_json
from kameng.embedded.console import report

ORDERS, BUYERS = 500, 16
GOAL_SECONDS, BEYOND_SECONDS, PATIENCE_SECONDS = 60.0, 20.0, 240.0
NOTICE_SECONDS = 15.0
SUPPLIERS = ("yunka", "baihe")

_LINES = f"""
SELECT line.status, count(*), max(extract(epoch FROM work.finished_at))::float
  FROM {HOUSE}.orders_order AS placed
  JOIN {HOUSE}.orders_orderline AS line ON line.order_id = placed.id
  LEFT JOIN {HOUSE}.fulfillment_fulfillment AS work ON work.line_id = line.id
 WHERE placed.number = ANY(%s) GROUP BY line.status
"""
_REFERENCES = f"""
SELECT buy.reference
  FROM {HOUSE}.fulfillment_supplierorder AS buy
  JOIN {HOUSE}.fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN {HOUSE}.orders_orderline AS line ON line.id = work.line_id
  JOIN {HOUSE}.orders_order AS placed ON placed.id = line.order_id
 WHERE placed.number = ANY(%s)
"""
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float"


def run(stage: Stage, *, orders: int = ORDERS) -> Report:
    """Stop the worker, pay for orders that a supplier delivers, start it and wait for the last one."""
    found = Report("backlog")
    sku = str(read_json(stage.run_program(["-m", "bench.goods", "0"]))["supplied"])
    worker = stage.process("worker")
    worker.kill()
    begun = time.monotonic()
    try:
        numbers = _pay(stage, sku, orders)
        waiting = _queued(stage, numbers)
    finally:
        ((started_at,),) = stage.rows(_NOW)
        worker.start()
    report(f"backlog of {len(numbers)} orders paid", time.monotonic() - begun)
    if waiting != {"queued": orders}:
        found.broken.append(f"{dict(waiting)} instead of {orders} orders in the queue before the worker was started")
    ends, last = _drained(stage, numbers)
    seconds = last - started_at
    twice = _charged_twice(stage, numbers)
    columns = ("orders", "delivered", "refunded", "other", "drained s", "orders/s", "charged twice")
    other = orders - ends["delivered"] - ends["refunded"]
    row = (orders, ends["delivered"], ends["refunded"], other, seconds, orders / seconds, twice)
    found.tables.append(Table("paid while no worker ran, from the worker's start on", columns, [row]))
    found.judge(f"{orders} orders drained", seconds, "s", at_most(GOAL_SECONDS, BEYOND_SECONDS))
    found.judge("neither delivered nor refunded", other, "", at_most(0))
    found.judge("charged twice by a supplier's own book", twice, "", at_most(0))
    return found


def _pay(stage: Stage, sku: str, orders: int) -> list[str]:
    left, paid = iter(range(orders)), []

    def buyer() -> load.User:
        for _ in left:
            done = Purchase()
            steps = purchase(stage.port, sku, done)
            step = next(steps, None)
            # The first pause is the one after the money: from there on a buyer would only ask.
            while step is not None and not isinstance(step, Pause):
                reply = yield step
                try:
                    step = steps.send(reply)
                except StopIteration:
                    step = None
            steps.close()
            if step is None:
                raise Broken(f"the shop would not sell: {done.refused}")
            paid.append(done.number)

    load.run([stage.port, stage.sandbox_port], [buyer() for _ in range(BUYERS)])
    return paid


def _lines(stage: Stage, numbers: Sequence[str]) -> tuple[Counter[str], float]:
    """How many are in which state, and when the last one ended by the database's clock."""
    rows = stage.rows(_LINES, [list(numbers)])
    return Counter({status: count for status, count, _ in rows}), max((end for *_, end in rows if end), default=0.0)


def _queued(stage: Stage, numbers: Sequence[str]) -> Counter[str]:
    """The states once the last notices of the gateway, which are sent after it has answered, have come."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while (lines := _lines(stage, numbers)[0])["queued"] < len(numbers) and time.monotonic() < deadline:
        time.sleep(0.2)
    return lines


def _drained(stage: Stage, numbers: Sequence[str]) -> tuple[Counter[str], float]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines, last = _lines(stage, numbers)
        if lines["delivered"] + lines["refunded"] == len(numbers):
            return lines, last
        if time.monotonic() > deadline:
            return lines, float("nan")
        time.sleep(0.5)


def _charged_twice(stage: Stage, numbers: Sequence[str]) -> int:
    """By number of ours, and more than one for an order."""
    ours = {reference for (reference,) in stage.rows(_REFERENCES, [list(numbers)])}
    rows = [row for code in SUPPLIERS for row in stage.ask_sandbox("GET", f"suppliers/{code}/book")]
    times = [int(row["times"]) for row in rows if row["reference"] in ours]
    return sum(time > 1 for time in times) + max(0, sum(times) - len(numbers))
