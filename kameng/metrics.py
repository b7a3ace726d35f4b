"""Figures for Prometheus (text format 0.0.4), on the operations host only."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from fulfillment.suppliers.models import StockCode, Supplier
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import Heartbeat
from kameng.outbox.services import bell
from resellers.models import Reseller

_OUTBOX = """
SELECT topic, count(*), count(*) FILTER (WHERE attempts > 1),
       greatest(coalesce(extract(epoch FROM max(statement_timestamp() - run_at)), 0), 0)
  FROM public.outbox_outboxevent GROUP BY topic ORDER BY topic
"""


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What there is to do, how late it is, and what waits for a person."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTBOX)
        work = cursor.fetchall()
    lines = ["# HELP kameng_outbox_rows Pieces of work on the list.", "# TYPE kameng_outbox_rows gauge"]
    lines += [f'kameng_outbox_rows{{topic="{topic}"}} {count}' for topic, count, _, _ in work]
    lines += ["# HELP kameng_outbox_failing Pieces of work that failed before.", "# TYPE kameng_outbox_failing gauge"]
    lines += [f'kameng_outbox_failing{{topic="{topic}"}} {failing}' for topic, _, failing, _ in work]
    gauges = {
        "kameng_outbox_oldest_seconds": (
            "Age of the oldest work that is due.",
            max((row[3] for row in work), default=0),
        ),
        "kameng_pollers": ("Pollers ever seen.", Heartbeat.objects.count()),
        "kameng_bell_failures": ("Bells this process could not ring.", bell.failures),
        "kameng_shops": ("Shops, without the operations host.", Reseller.objects.exclude(schema_name="public").count()),
        "kameng_suppliers_eliminated": (
            "Suppliers waiting for a person.",
            Supplier.objects.filter(eliminated_at__isnull=False).count(),
        ),
        "kameng_stock_codes_free": (
            "Codes on our own shelf.",
            StockCode.objects.filter(reference="", variant__product__owner=None).count(),
        ),
        "kameng_inbox_refused": (
            "Genuine notices that could not be booked.",
            InboxEvent.objects.filter(verdict=InboxEvent.Verdict.REFUSED).count(),
        ),
        "kameng_inbox_unapplied": (
            "Genuine notices of which nothing is booked yet.",
            InboxEvent.objects.filter(verdict=InboxEvent.Verdict.UNAPPLIED).count(),
        ),
    }
    for name, (meaning, value) in gauges.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value}"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")
