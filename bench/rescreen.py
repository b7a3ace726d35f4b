"""One shop with many listings of its own names, all clear, looked at again: by one process and by two.

As a program (`python -m bench.rescreen N`) it puts them there.
"""

import json
import os
import re
import resource
import sys
import time

from bench.figures import Report, Table, at_most
from bench.stage import HOUSE, Stage, read_json
from kameng.embedded.console import report

LISTINGS = 50_000
#: Amounts of each product.
AMOUNTS = 5
GOAL_SECONDS, BEYOND_SECONDS = 60.0, 30.0
_LOOKED = re.compile(r"(\d+) looked at in .*: (\d+) fell, (\d+) came back")


def run(stage: Stage, *, listings: int = LISTINGS) -> Report:
    """The bound is for fifty thousand listings and two processes, as many as processors."""
    found = Report("rescreen")
    begun = time.monotonic()
    made = read_json(stage.run_program(["-m", "bench.rescreen", str(listings)]))
    report(f"{made['listings']} listings are there", time.monotonic() - begun)
    rows = []
    for jobs in (1, 2):
        began, before = time.perf_counter(), _processor_seconds()
        said = stage.run_program(["manage.py", "rescreen", "--jobs", str(jobs)])
        wall, used = time.perf_counter() - began, _processor_seconds() - before
        match = _LOOKED.search(said)
        looked, fell, rose = map(int, match.groups()) if match else (0, 0, 0)
        rows.append([jobs, looked, wall, used, used / max(looked, 1) * 1000, os.getloadavg()[0]])
        if looked < listings or fell or rose:
            lines = said.strip().splitlines()
            found.broken.append(f"--jobs {jobs}: {lines[-1]}; {lines[0]}")
    columns = ("processes", "looked at", "wall s", "CPU s", "CPU ms each", "load")
    found.tables.append(Table("everything looked at again, with the start of Python", columns, rows))
    found.judge(
        f"rescreen of {listings} listings, --jobs 2", float(rows[1][2]), "s", at_most(GOAL_SECONDS, BEYOND_SECONDS)
    )
    return found


def _processor_seconds() -> float:
    """Of the programs that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(listings: int) -> None:
    """Products, amounts, and in the house shop a name for each amount, all of them clear by the rules."""
    import django

    django.setup()
    from django.db import transaction
    from django_tenants.utils import schema_context

    from catalog.listings.models import Listing
    from catalog.models import Brand, Category, Product, Variant

    # Called as the demo's goods are, which pass: only what is clear costs what this measures.
    said = list(Product.objects.order_by("pk").values_list("name", flat=True))
    shelf, brands = Category.objects.order_by("pk")[0], list(Brand.objects.order_by("pk"))
    with transaction.atomic():
        products = Product.objects.bulk_create(
            Product(
                category=shelf, brand=brands[number % len(brands)], slug=f"bench-{number}", kind=Product.Kind.CODE,
                name=f"{said[number % len(said)]} {100 + number % 900}", notes="充值前请核对账号。" * 20,
                standing="clear",
            )
            for number in range(-(-listings // AMOUNTS))
        )  # fmt: skip
        variants = Variant.objects.bulk_create(
            Variant(
                product=products[number // AMOUNTS], sku=f"bench-{number}", name=f"{100 + number % AMOUNTS} 点",
                official_price=10, supply_price=9,
            )
            for number in range(listings)
        )  # fmt: skip
        with schema_context(HOUSE):
            Listing.objects.bulk_create(
                Listing(variant_id=variant.pk, name=f"{said[(7 * number) % len(said)]} {100 + number % 900}"[:60])
                for number, variant in enumerate(variants)
            )
    sys.stdout.write(json.dumps({"listings": len(variants)}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
