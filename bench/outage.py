"""The first-ranked supplier dies while orders come in, five ways in turn: nobody notices but the operator.

As a program (`python -m bench.outage SHOPS`) it opens shops and sets the suppliers' safe window.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench import load
from bench.books import ATTEMPTS, WORKS, ask, audit_both, charged, everywhere
from bench.buyer import Purchase, purchase
from bench.figures import Report, Table, at_most, percentile
from bench.load import Broken
from bench.stage import Stage, read_json
from kameng.embedded.console import report

ORDERS, SHOPS, BUYERS = 1000, 20, 16
#: "No such order" is believed after so many seconds, twice so far apart: a setting of each supplier, in life as here.
GRACE_SECONDS, WINDOW_SECONDS = 20, 10
#: How it dies, and what the sandbox is told for it.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "connection refused": {"mode": "down"},
    "hang": {"mode": "hang"},
    "500 after charging": {"mode": "charge_then_500"},
    "reset after charging": {"mode": "charge_then_reset"},
    "70 % refusals": {"mode": "reject", "rate": 0.7},
}
#: How long it stays dead: what was under way can only end when somebody answers again.
FAULT_SECONDS = 45.0
#: The goal, and how long is waited before an order is called open.
END_SECONDS, PATIENCE_SECONDS = 120.0, 240.0
RECOVERY_SECONDS = 300.0
#: After the breaker opened so much of what is bought may still go there, in percent, trials apart. Of these so many are
#: due while the supplier is dead, however few or many orders there are.
SHARE_PERCENT, TRIALS = 1.0, 3
#: Whoever was choosing as the breaker opened did not know yet.
UNAWARE_SECONDS = 0.5
DEAD, NEXT = "xinghe", "lantian"
ACCOUNT = {"uid": "482019375", "server": "wx-android"}
SKU = "hok-60"
#: A shop of the demo that sells no games.
WITHOUT_GAMES = ("qinghe",)
COLUMNS = (
    "way", "orders", "delivered", "refunded", "open", "last end s", "breaker opened s", "bought there after", "trials",
    "of", "charged twice", "delivered twice", "p95 before s", "p95 after s", "traffic back s",
)  # fmt: skip


@dataclass
class Outage:
    """One way to die. Seconds count from the fault, `back` from the recovery."""

    way: str
    purchases: list[Purchase] = field(default_factory=list)
    open_orders: int = 0
    last_end: float = 0.0
    opened: float = float("nan")
    went_there: int = 0
    trials: int = 0
    bought: int = 0
    charged_twice: int = 0
    delivered_twice: int = 0
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    back: float = float("nan")

    @property
    def share(self) -> float:
        """Of the purchases after the breaker opened, those that went to the dead supplier, in percent, trials apart;
        not a number where it never opened."""
        return 100 * self.went_there / self.bought if self.bought else float("nan")

    def row(self) -> tuple[str | float, ...]:
        """A line of the table."""
        ends = Counter(one.status for one in self.purchases)
        return (
            self.way, len(self.purchases), ends["fulfilled"], ends["refunded"], self.open_orders, self.last_end,
            self.opened, self.went_there, self.trials, self.bought, self.charged_twice, self.delivered_twice,
            percentile(self.before, 0.95), percentile(self.after, 0.95), self.back,
        )  # fmt: skip


def run(stage: Stage, *, orders: int = ORDERS, shops: int = SHOPS) -> Report:
    """Every way in turn, each with so many orders and a clean slate."""
    found = Report("outage")
    hosts = read_json(stage.run_program(["-m", "bench.outage", str(shops)]))
    outages = []
    for way, told in WAYS.items():
        outages.append(_outage(stage, way, told, hosts, orders=orders))
        _judge(found, outages[-1])
    found.tables.append(Table(f"{DEAD} dies in the middle; {len(hosts)} shops, {BUYERS} buyers", COLUMNS,
                              [outage.row() for outage in outages]))  # fmt: skip
    found.broken += audit_both(stage)
    return found


def _judge(found: Report, outage: Outage) -> None:
    found.judge(f"{outage.way}: last order delivered or refunded", outage.last_end, "s", at_most(END_SECONDS))
    found.judge(f"{outage.way}: neither", outage.open_orders, "", at_most(0))
    found.judge(f"{outage.way}: charged twice by a supplier's own book", outage.charged_twice, "", at_most(0))
    found.judge(f"{outage.way}: delivered twice", outage.delivered_twice, "", at_most(0))
    found.judge(f"{outage.way}: bought there after the breaker opened", outage.share, "%", at_most(SHARE_PERCENT))
    found.judge(f"{outage.way}: trials while it was dead", outage.trials, "", at_most(TRIALS))
    found.judge(f"{outage.way}: traffic back", outage.back, "s", at_most(RECOVERY_SECONDS))


def _outage(stage: Stage, way: str, told: Mapping[str, Any], hosts: Sequence[str], *, orders: int) -> Outage:
    outage = Outage(way)
    clean_slate(stage)
    begun = time.monotonic()
    fault_at: list[Any] = []
    open_orders: list[Purchase] = []
    left = iter(range(orders))

    def buyer() -> load.User:
        for number in left:
            if number == orders // 2:
                stage.ask_sandbox("POST", f"suppliers/{DEAD}", body=told)
                fault_at.append(_now(stage))
            done = Purchase()
            outage.purchases.append(done)
            try:
                yield from _bought(stage, hosts[number % len(hosts)], done)
            except Broken:
                open_orders.append(done)

    def healer() -> load.User:
        while not fault_at:
            yield load.Pause(0.2)
        yield load.Pause(FAULT_SECONDS)
        stage.ask_sandbox("POST", f"suppliers/{DEAD}", body={"mode": "ok"})
        fault_at.append(_now(stage))

    load.run([stage.port, stage.sandbox_port], [*(buyer() for _ in range(BUYERS)), healer()])
    outage.open_orders = len(open_orders)
    _read(stage, outage, *fault_at)
    outage.back = _recover(stage, hosts, fault_at[1])
    report(f"outage by {way}, {len(outage.purchases)} orders", time.monotonic() - begun)
    return outage


def _bought(stage: Stage, host: str, done: Purchase) -> load.User:
    yield from purchase(stage.port, SKU, done, reveal=False, host_name=host, account=ACCOUNT, patience=PATIENCE_SECONDS)


_BREAKER = """
SELECT breaker.state, breaker.opened_at
  FROM public.suppliers_supplierbreaker AS breaker
  JOIN public.suppliers_supplier AS supplier ON supplier.id = breaker.supplier_id
 WHERE supplier.code = %s
"""


def _now(stage: Stage) -> Any:
    return ask(stage, "SELECT statement_timestamp()")[0][0]


def _read(stage: Stage, outage: Outage, fault_at: Any, healed_at: Any) -> None:
    """What the books say of the orders: ours, and each supplier's own."""
    numbers = [one.number for one in outage.purchases if one.number]
    works = everywhere(stage, WORKS, numbers)
    attempts = everywhere(stage, ATTEMPTS, numbers)
    ends = [end for _, _, end, _ in works if end is not None]
    outage.last_end = max(0.0, (max(ends) - fault_at).total_seconds()) if ends else float("nan")
    outage.delivered_twice = sum(successes > 1 for *_, successes in works)
    for _, paid_at, end, _ in works:
        if end is not None:
            (outage.before if paid_at <= fault_at else outage.after).append((end - paid_at).total_seconds())
    for _, opened_at in ask(stage, _BREAKER, [DEAD]):
        outage.opened = (opened_at - fault_at).total_seconds()
        aware = opened_at + timedelta(seconds=UNAWARE_SECONDS)
        later = [(code, is_trial) for _, code, _, at, is_trial, _ in attempts if aware < at < healed_at]
        outage.bought = len(later)
        outage.trials, outage.went_there = later.count((DEAD, True)), later.count((DEAD, False))
    outage.charged_twice, unused = charged(stage, attempts)
    outage.delivered_twice += unused


def _recover(stage: Stage, hosts: Sequence[str], healed_at: Any) -> float:
    """Seconds from the supplier's recovery until an order goes there again with its breaker closed; some more orders,
    one at a time."""
    while (waited := (_now(stage) - healed_at).total_seconds()) < RECOVERY_SECONDS + 10:
        done = Purchase()
        load.run([stage.port, stage.sandbox_port], [_bought(stage, hosts[0], done)])
        attempts = everywhere(stage, ATTEMPTS, [done.number])
        states = [state for state, _ in ask(stage, _BREAKER, [DEAD])]
        if attempts and attempts[-1][1] == DEAD and states in ([], ["closed"]):
            return float(waited)
        time.sleep(0.5)
    return float("nan")


def clean_slate(stage: Stage) -> None:
    """Each way is an experiment of its own: what the one before it did to the ranking is forgotten."""
    for table in ("supplierbreaker", "supplierincident", "suppliercall", "supplierresult"):
        ask(stage, f"DELETE FROM public.suppliers_{table}")
    ask(stage, "UPDATE public.suppliers_supplieroffer SET score = NULL, score_parts = '{}'")


def main(shops: int) -> None:
    """Open shops until there are so many, set the safe window, and print the hosts."""
    import django

    django.setup()
    from fulfillment.suppliers.models import Supplier
    from resellers.models import Domain, Reseller
    from resellers.services import reseller_open

    for number in range(shops - Reseller.objects.exclude(schema_name="public").count()):
        reseller_open(slug=f"outage{number}", name=f"Outage {number}", host_names=[f"outage{number}.localhost"])
    Supplier.objects.update(not_found_grace=GRACE_SECONDS, not_found_window=WINDOW_SECONDS)
    hosts = (
        Domain.objects.exclude(tenant__schema_name="public")
        .exclude(tenant__slug__in=WITHOUT_GAMES)
        .order_by("tenant_id", "pk")
    )
    first = {domain.tenant_id: domain.domain for domain in hosts.order_by("-tenant_id", "-pk")}
    sys.stdout.write(json.dumps(sorted(first.values())) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
