"""A shop of many orders, audited: `python -m bench.audited ORDERS` in the product's environment.

Fills the house shop with delivered orders of the last year, audits all of it, and what is recent. Prints what it took,
in seconds.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any

import django

from bench.filling import fill

RECENT = timedelta(hours=26)
MINUTE = timedelta(minutes=1)


def main(orders: int) -> dict[str, Any]:
    """Fill, audit what is recent, and all of it; for the latter a statement may take as long as it takes."""
    django.setup()
    from django.db import connection
    from django.utils import timezone

    from kameng.audit.services import audit
    from resellers.models import Reseller

    year, begun = timedelta(days=365), time.monotonic()
    fill(Reseller.objects.get(is_house=True), orders=orders, start=timezone.now() - year - MINUTE, span=year, price=57)
    told: dict[str, Any] = {"orders": orders, "filled": time.monotonic() - begun}
    since = timezone.now() - RECENT
    for name, moment in (("since", since), ("again", since), ("whole", None)):
        if moment is None:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
        begun = time.monotonic()
        broken = {verdict.code: verdict.examples for verdict in audit(since=moment) if not verdict.ok}
        told[name] = time.monotonic() - begun
        sys.stderr.write(f"{name}: {told[name]:.2f} s\n")
        told.setdefault("broken", {}).update({f"{name} {code}": said for code, said in broken.items()})
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))) + "\n")
