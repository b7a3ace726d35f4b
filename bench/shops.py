"""Opening a shop while many others are there. As a program (`python -m bench.shops SIZES`) it opens them."""

import json
import sys
import time
from collections.abc import Sequence

from bench.figures import Report, Table, at_most, milliseconds
from bench.stage import Stage, read_json

SIZES = (1, 100)
#: Shops whose opening is timed at each size.
OPENED = 20


def run(stage: Stage, *, sizes: Sequence[int] = SIZES) -> Report:
    """Time, tables and bytes of a new shop at each size."""
    report = Report("shops")
    told = read_json(stage.run_program(["-m", "bench.shops", ",".join(map(str, sizes))]))
    rows = [
        (
            round_["others"], milliseconds(round_["seconds"], 0.5), milliseconds(round_["seconds"], 0.95),
            max(round_["seconds"]) * 1000, round_["tables"], round_["bytes"] / 1024,
        )
        for round_ in told
    ]  # fmt: skip
    columns = ("others", "p50 ms", "p95 ms", "slowest ms", "tables", "KB")
    report.tables.append(Table(f"opening a shop, {OPENED} times at each size", columns, rows))
    last = told[-1]
    report.judge(f"opening with {last['others']} others, p95", milliseconds(last["seconds"], 0.95) / 1000, "s",
                 at_most(2, 0.5))  # fmt: skip
    report.judge("tables of an empty shop", last["tables"], "", at_most(40))
    report.judge("size of an empty shop", last["bytes"] / 1024, "KB", at_most(1024))
    if len(told) > 1:
        ratio = milliseconds(last["seconds"], 0.95) / milliseconds(told[0]["seconds"], 0.95)
        report.judge(f"opening with {last['others']} against {told[0]['others']} others", ratio, "×", at_most(2))
    return report


_SIZE = """
SELECT count(*) FILTER (WHERE relation.relkind = 'r'), sum(pg_relation_size(relation.oid))
  FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE namespace.nspname = %s AND relation.relkind IN ('r', 'i', 'S', 't')
"""
_TOAST = """
SELECT coalesce(sum(pg_total_relation_size(relation.reltoastrelid)), 0)
  FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE namespace.nspname = %s AND relation.reltoastrelid <> 0
"""


def main(sizes: Sequence[int]) -> None:
    """Open shops until there are as many as wanted, then time some more."""
    import django

    django.setup()
    from resellers.models import Reseller

    said = []
    for size in sizes:
        others = Reseller.objects.exclude(schema_name="public").count()
        for _ in range(size - others):
            _open()
        others = Reseller.objects.exclude(schema_name="public").count()
        opened = [_open() for _ in range(OPENED)]
        tables, size_in_bytes = _measure(opened[-1][1])
        said.append(
            {
                "others": others,
                "seconds": [seconds for seconds, _ in opened],
                "tables": tables,
                "bytes": size_in_bytes,
            }
        )
    sys.stdout.write(json.dumps(said) + "\n")


def _open() -> tuple[float, str]:
    from resellers.models import Reseller
    from resellers.services import reseller_open

    slug = f"bench{Reseller.objects.count()}"
    begun = time.perf_counter()
    shop = reseller_open(slug=slug, name=slug, host_names=[f"{slug}.localhost"])
    return time.perf_counter() - begun, shop.schema_name


def _measure(schema_name: str) -> tuple[int, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_SIZE, [schema_name])
        tables, size = cursor.fetchone()
        cursor.execute(_TOAST, [schema_name])
        return int(tables), int(size) + int(cursor.fetchone()[0])


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1].split(",")])
