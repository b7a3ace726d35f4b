"""What has to be done about suppliers every few minutes. Run by beat once a minute, in public; twice is harmless."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django_tenants.utils import get_public_schema_name, schema_context

from compliance.services import licenses_watch
from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.costs import typed_costs_watch
from fulfillment.suppliers.models import PriceSync, Supplier
from fulfillment.suppliers.rates import rates_watch
from kameng.alerts.services import alerts_end_quiet
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import publish

#: Raised by `fulfillment.callbacks`, which is told of callbacks and never of their absence.
CALLBACKS_REFUSED, CALLBACKS_QUIET_SECONDS = "supplier.callbacks_refused", 3600
SYNC, BALANCE = "supplier.sync", "supplier.balance"
_UNASKED = {Capability.SAME_DATABASE, Capability.MANUAL}


def suppliers_upkeep() -> int:
    """Let costs follow rates and ages; list price lists and balances that are due. How much was put on the list."""
    with schema_context(get_public_schema_name()):
        return _upkeep()


def _upkeep() -> int:
    rates_watch()
    typed_costs_watch()
    licenses_watch()
    alerts_end_quiet(CALLBACKS_REFUSED, seconds=CALLBACKS_QUIET_SECONDS)
    listed = {
        (topic, payload.get("supplier_id"))
        for topic, payload in OutboxEvent.objects.filter(topic__in=[SYNC, BALANCE]).values_list("topic", "payload")
    }
    due = [(SYNC, pk) for pk in _lists_due()] + [(BALANCE, pk) for pk in _balances_due()]
    new = [work for work in due if work not in listed]
    for topic, supplier_id in new:
        publish(topic, supplier_id=supplier_id)
    return len(new)


def _can(suppliers: "QuerySet[Any]", *, wanted: set[Capability], unwanted: set[Capability]) -> list[int]:
    found = []
    for supplier in suppliers:
        try:
            can = adapter_of(supplier).capabilities
        except SupplierMisconfigured:
            continue
        if wanted <= can and not can & unwanted:
            found.append(supplier.pk)
    return found


def _lists_due() -> list[int]:
    """Active suppliers with a list whose last reading ended, or was interrupted, long enough ago."""
    newest = PriceSync.objects.filter(supplier=OuterRef("pk")).order_by("-pk")
    ended = newest.annotate(at=Coalesce("finished_at", "started_at")).values("at")[:1]
    ago = Now() - timedelta(minutes=settings.SUPPLIER_SYNC_MINUTES)
    suppliers = Supplier.objects.filter(is_active=True).annotate(read_at=Subquery(ended))
    due = suppliers.filter(Q(read_at=None) | Q(read_at__lte=ago))
    return _can(due, wanted={Capability.CATALOG}, unwanted=set())


def _balances_due() -> list[int]:
    ago = Now() - timedelta(minutes=settings.SUPPLIER_BALANCE_MINUTES)
    due = Supplier.objects.filter(Q(balance_at=None) | Q(balance_at__lte=ago), is_active=True)
    return _can(due, wanted=set(), unwanted=_UNASKED)
