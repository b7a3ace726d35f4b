"""One hot product: how many codes a second leave our own shelf, at first and after 20,000 have been sold.

As a program (`python -m bench.codes`) it takes them, in the product's environment.
"""

import json
import multiprocessing
import secrets
import sys
import threading
import time
from multiprocessing.synchronize import Barrier

from bench.figures import Report, Table, at_least, milliseconds
from bench.stage import HOUSE, Stage, read_json

SECONDS = 4.0
PROCESSES, THREADS = 4, 4
SOLD = 20_000
#: Enough that neither round empties the shelf.
LOADED = 3 * SOLD
SKU = "BENCH-CODES"
Taken = list[tuple[float, str]]


def run(stage: Stage) -> Report:
    """Before, after, and the ratio of both."""
    report = Report("codes")
    told = read_json(stage.run_program(["-m", "bench.codes"]))
    rates = {name: len(told[name]) / SECONDS for name in ("fresh", "after")}
    report.tables.append(
        Table(
            f"one code at a time of one product, {PROCESSES * THREADS} takers in {PROCESSES} processes",
            ("shelf", "codes/s", "p50 ms", "p95 ms", "p99 ms"),
            [
                (label, rates[name], *(milliseconds(told[name], share) for share in (0.5, 0.95, 0.99)))
                for name, label in (("fresh", "fresh"), ("after", f"after {SOLD:,} sales"))
            ],
        )
    )
    report.judge("fresh shelf", rates["fresh"], "/s", at_least(300, 600))
    report.judge(f"after {SOLD:,} sales", rates["after"], "/s", at_least(300, 600))
    report.judge(f"after {SOLD:,} sales against fresh", rates["after"] / rates["fresh"], "×", at_least(0.75, 0.95))
    if told["twice"]:
        report.broken.append(f"{told['twice']} codes were given twice")
    return report


def main() -> None:
    """Take codes for `SECONDS`, sell many more in one stroke, and take again; seconds of each taking, as JSON."""
    import django

    django.setup()
    from django.db import connection

    supplier_id = _load()
    fresh = _round(supplier_id)
    with connection.cursor() as cursor:
        # Oldest first, as they would have been sold: what a taker must walk past is the same.
        cursor.execute(
            "UPDATE public.suppliers_stockcode SET reference = 'X' || id, taken_at = now() WHERE id IN ("
            " SELECT code.id FROM public.suppliers_stockcode AS code"
            " JOIN public.catalog_variant AS variant ON variant.id = code.variant_id"
            " WHERE variant.sku = %s AND code.reference = '' ORDER BY code.id LIMIT %s)",
            [SKU, SOLD],
        )
    after = _round(supplier_id)
    codes = [code for _seconds, code in fresh + after]
    said = {
        "fresh": [seconds for seconds, _ in fresh],
        "after": [seconds for seconds, _ in after],
        "twice": len(codes) - len(set(codes)),
    }
    sys.stdout.write(json.dumps(said) + "\n")


def _load() -> int:
    """A variant of its own with a long shelf; the supplier's id."""
    from catalog.models import Product, Variant
    from fulfillment.suppliers.models import StockCode, Supplier
    from fulfillment.suppliers.stock_room import stock_load

    own = Supplier.objects.get(code="own")
    product = Product.objects.filter(kind=Product.Kind.CODE).order_by("pk")[0]
    variant, _ = Variant.objects.get_or_create(
        sku=SKU,
        defaults={"product": product, "name": SKU, "official_price": 10, "supply_price": 9, "is_available": False},
    )
    missing = LOADED - StockCode.objects.filter(variant=variant, reference="").count()
    stock_load(supplier=own, variant=variant, codes=(secrets.token_hex(10) for _ in range(missing)))
    return int(own.pk)


def _round(supplier_id: int) -> Taken:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES), context.SimpleQueue()
    takers = [
        context.Process(target=_taker, args=(supplier_id, barrier, results), daemon=True) for _ in range(PROCESSES)
    ]
    for taker in takers:
        taker.start()
    taken = [entry for _ in takers for entry in results.get()]
    for taker in takers:
        taker.join(10)
    return taken


def _taker(supplier_id: int, barrier: Barrier, results: "multiprocessing.SimpleQueue[Taken]") -> None:
    import django

    django.setup()
    taken: Taken = []
    barrier.wait(60)
    threads = [threading.Thread(target=_take, args=(supplier_id, taken)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(taken)


def _take(supplier_id: int, taken: Taken) -> None:
    from django.db import connection
    from django_tenants.utils import schema_context

    from fulfillment.suppliers.stock_room import ShelfRoom

    room = ShelfRoom(supplier_id)
    with schema_context(HOUSE):
        room.given(reference="connect first")
        until = time.perf_counter() + SECONDS
        while (begun := time.perf_counter()) < until:
            codes = room.take(reference=secrets.token_hex(8), sku=SKU, quantity=1)
            if not codes:
                raise SystemExit("the shelf is empty")
            taken.append((time.perf_counter() - begun, codes[0]))
    connection.close()


if __name__ == "__main__":
    main()
