"""A month of a sub-site and its statement: `python -m bench.stated SHOP ORDERS` in the product's environment.

Fills the shop with delivered orders of the last month, lets what is due become available, and makes the statement in
every form. Prints what each took, in seconds, also of this process's own CPU (the database's is apart), and what memory
was needed, in MiB.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import django

from bench.filling import fill

PRICE = 60
OWN = Decimal(3)


def main(slug: str, orders: int) -> dict[str, Any]:
    """What it took; raises `DoesNotFoot` where the book says otherwise."""
    django.setup()
    from django.db import connection
    from django.utils import timezone

    from kameng.core.sheets import write_csv, write_xlsx
    from kameng.core.snapshot import one_moment
    from kameng.manage.monthly import PER_PAGE, tables_of
    from orders.monthly import Month, courses, page_of
    from resellers.ledger.balances import balances_snapshot
    from resellers.ledger.settlement import shop_settle
    from resellers.models import Reseller

    shop = Reseller.objects.get(slug=slug)
    now = timezone.now()
    this = Month.of(now)
    month = Month(this.year - (this.month == 1), (this.month - 2) % 12 + 1)
    Reseller.objects.filter(pk=shop.pk).update(created_at=month.start)
    shop.refresh_from_db()
    fill(shop, orders=orders, start=month.start, span=(this.start - month.start) * 0.99, price=PRICE)
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    told: dict[str, Any] = {"orders": orders}

    def took(name: str, work: Callable[[], object]) -> object:
        begun, worked = time.monotonic(), time.process_time()
        done = work()
        told[name], told[f"{name}_cpu"] = time.monotonic() - begun, time.process_time() - worked
        return done

    took("settled", lambda: shop_settle(shop_id=shop.pk, day=timezone.localdate(now)))
    balances_snapshot()
    told["before_mib"] = _peak()
    for form, write in (("csv", write_csv), ("xlsx", write_xlsx)):
        with tempfile.TemporaryFile() as file, one_moment():
            took(form, lambda write=write, file=file: write(file, tables_of(shop, month)))  # type: ignore[misc]
            told[f"{form}_mib"] = file.seek(0, 2) / 1024**2
    told["peak_mib"] = _peak()

    def page(first: int) -> None:
        totals, rows = page_of(shop, month, first=first, count=PER_PAGE)
        pending, _available = courses(shop, month, now=now)
        pending.foot(totals.pending)
        assert (totals.orders, totals.own) == (orders, OWN * orders)
        assert len(rows) == min(PER_PAGE, orders)

    for name, first in (("first_page", 0), ("last_page", max(orders - PER_PAGE, 0))):
        with one_moment():
            took(name, lambda first=first: page(first))  # type: ignore[misc]
    return told


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
