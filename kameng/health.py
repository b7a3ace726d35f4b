"""Whether this process runs, and whether the platform can serve: for load balancers and for `up`."""

from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse

from kameng.outbox.models import Heartbeat

POLLER_SECONDS = 15

_migrated = False


def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers, its tables are current, and a poller was seen: 200, otherwise 503 with what is missing."""
    checks = {"database": False, "migrations": False, "poller": False}
    try:
        checks["poller"] = Heartbeat.objects.filter(seen_at__gt=Now() - timedelta(seconds=POLLER_SECONDS)).exists()
        checks["database"] = True
        checks["migrations"] = _is_migrated()
    except DatabaseError:
        pass
    return JsonResponse({"ready": all(checks.values()), **checks}, status=200 if all(checks.values()) else 503)


def _is_migrated() -> bool:
    """Asked until it is true: code does not change under a running process."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated
