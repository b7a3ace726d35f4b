"""Reading what came of comparing: a day, its breaks, and how long they have waited."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.models import Supplier
from kameng.accounts.models import User
from kameng.outbox.models import OutboxEvent
from kameng.reconciliation.models import Break, Side, Statement
from kameng.reconciliation.services import TOPIC
from payments.merchants.models import GatewayAccount

#: How long a break has waited: name, label, from and to how many days.
AGES: tuple[tuple[str, Any, int, int | None], ...] = (
    ("new", _("1–5 天"), 0, 5),
    ("aging", _("6–10 天"), 6, 10),
    ("old", _("10 天以上"), 11, None),
)


@dataclass(frozen=True)
class Wanted:
    """Which breaks to show. `day` None: of all days."""

    status: str = Break.Status.OPEN
    day: date | None = None
    code: str = ""
    kind: str = ""
    age: str = ""
    assignee: str = ""
    number: str = ""


def breaks_of(wanted: Wanted) -> "QuerySet[Break]":
    """The breaks, oldest day first while they wait, newest first afterwards."""
    found = Break.objects.filter(status=wanted.status)
    if wanted.day is not None:
        found = found.filter(day=wanted.day)
    for name, value in (("code", wanted.code), ("kind", wanted.kind), ("assignee", wanted.assignee)):
        if value:
            found = found.filter(**{name: value})
    if wanted.number:
        found = found.filter(
            Q(number=wanted.number)
            | Q(reference=wanted.number)
            | Q(order_number=wanted.number.replace("-", "").upper())
        )
    if age := next((known for known in AGES if known[0] == wanted.age), None):
        today = timezone.localdate()
        found = found.filter(first_seen_at__date__lte=today - timedelta(days=age[2]))
        if age[3] is not None:
            found = found.filter(first_seen_at__date__gte=today - timedelta(days=age[3]))
    return found.order_by("day", "pk") if wanted.status == Break.Status.OPEN else found.order_by("-closed_at", "-pk")


def statements_of(day: date) -> list[Statement]:
    """A day's bills with the number of breaks that wait for each (`open`), gateways first."""
    found = list(Statement.objects.filter(day=day).order_by("side", "code"))
    counts: Mapping[tuple[str, int], int] = {
        (side, owner_id): count
        for side, owner_id, count in Break.objects.filter(day=day, status=Break.Status.OPEN)
        .order_by()
        .values_list("side", "owner_id")
        .annotate(count=Count("pk"))
    }
    for one in found:
        one.open = counts.get((one.side, one.owner_id), 0)  # type: ignore[attr-defined]
    return found


def names() -> dict[tuple[str, int], str]:
    """What merchant accounts and suppliers are called."""
    accounts = {(str(Side.GATEWAY), pk): name for pk, name in GatewayAccount.objects.values_list("pk", "name")}
    suppliers = {(str(Side.SUPPLIER), pk): name for pk, name in Supplier.objects.values_list("pk", "name")}
    return accounts | suppliers


def newest_day() -> date:
    """The newest day that has been reconciled, or yesterday."""
    newest = Statement.objects.order_by("-day").values_list("day", flat=True).first()
    return newest or timezone.localdate() - timedelta(days=1)


def is_running(day: date) -> bool:
    """Whether a worker has this day in hand, or will."""
    return OutboxEvent.objects.filter(topic=TOPIC, payload__day=day.isoformat()).exists()


def colleagues() -> list[str]:
    """Who a break can be given to."""
    return list(
        User.objects.filter(is_staff=True, is_active=True).order_by("username").values_list("username", flat=True)
    )
