"""Orders that no supplier takes: how soon after the last no their money is on its way back."""

from bench import load
from bench.books import audit_both
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_most, percentile
from bench.outage import ACCOUNT, SKU
from bench.stage import HOUSE, Stage

ORDERS, BUYERS = 100, 16
GOAL_SECONDS = 2.0
#: By the database's clock, from the row that says that nobody delivers: until the refund was decided, and until the
#: gateway, which was asked in between, had returned it.
_MOMENTS = f"""
SELECT extract(epoch FROM refund.created_at - work.finished_at)::float,
       extract(epoch FROM refund.finished_at - work.finished_at)::float
  FROM {HOUSE}.orders_order AS placed
  JOIN {HOUSE}.orders_orderline AS line ON line.order_id = placed.id
  JOIN {HOUSE}.fulfillment_fulfillment AS work ON work.line_id = line.id AND work.status = 'failed'
  JOIN {HOUSE}.payments_refund AS refund ON refund.line_id = line.id AND refund.status = 'succeeded'
 WHERE placed.number = ANY(%s)
"""


def run(stage: Stage, *, orders: int = ORDERS) -> Report:
    """Every supplier refuses the account; each order is paid for and ends with its money back."""
    found = Report("refused")
    suppliers = [str(supplier["code"]) for supplier in stage.ask_sandbox("GET", "suppliers/")]
    for code in suppliers:
        stage.ask_sandbox("POST", f"suppliers/{code}", body={"mode": "reject", "reason": "account"})
    bought = [Purchase() for _ in range(orders)]
    left = iter(bought)

    def buyer() -> load.User:
        for one in left:
            yield from purchase(stage.port, SKU, one, account=ACCOUNT)

    try:
        load.run([stage.port, stage.sandbox_port], [buyer() for _ in range(BUYERS)])
    finally:
        for code in suppliers:
            stage.ask_sandbox("POST", f"suppliers/{code}", body={"mode": "ok"})
    moments = stage.rows(_MOMENTS, [[one.number for one in bought]])
    decided, returned = ([float(row[place]) for row in moments] for place in (0, 1))
    shares = (0.5, 0.95, 1.0)
    columns = ("orders", "refunded", "decided p50 s", "p95", "last", "returned p50 s", "p95", "last")
    row = (orders, len(moments), *(percentile(decided, share) for share in shares),
           *(percentile(returned, share) for share in shares))  # fmt: skip
    found.tables.append(Table("from the last supplier's no to the refund", columns, [row]))
    found.judge("failed → refund asked of the gateway and returned, median", percentile(returned, 0.5), "s",
                at_most(GOAL_SECONDS))  # fmt: skip
    found.judge("not refunded", orders - len(moments), "", at_most(0))
    found.broken += audit_both(stage)
    return found
