"""Forgetting by itself what is old enough, a batch at a time, once an hour; what is left over comes with the next."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from compliance.reports.services import contacts_forget
from kameng.core.locks import alone
from kameng.inbox.models import InboxEvent
from kameng.privacy.forgetting import OVER, NotOver, order_forget
from orders.minors import month_begin
from orders.models import MinorSpending, Order
from resellers.models import Reseller

logger = logging.getLogger(__name__)

#: Orders of one shop, and notices of all, that one run forgets.
BATCH = 500
ACTOR = "retention"


def retention_run(*, batch: int = BATCH) -> int:
    """Every shop, then what lies in public; how many orders were forgotten. Nobody does it twice at a time."""
    forgotten = 0
    with alone("retention") as is_mine:
        if not is_mine:
            return 0
        for shop in Reseller.objects.exclude(schema_name=get_public_schema_name()):
            connection.set_tenant(shop)  # type: ignore[attr-defined]
            try:
                forgotten += shop_forget(batch=batch)
            finally:
                connection.set_schema_to_public()  # type: ignore[attr-defined]
        contacts_forget(days=settings.RETENTION_REPORT_DAYS)
        notices_forget(batch=batch)
    return forgotten


def shop_forget(*, batch: int = BATCH) -> int:
    """The oldest orders of the current shop whose time is over. One that is still under way is left for later."""
    unpaid = Q(paid_at__isnull=True, expires_at__lt=Now() - timedelta(days=settings.RETENTION_UNPAID_DAYS))
    paid = Q(paid_at__isnull=False, finished_at__lt=Now() - timedelta(days=settings.RETENTION_ORDER_DAYS))
    youngest = Now() - timedelta(days=min(settings.RETENTION_UNPAID_DAYS, settings.RETENTION_ORDER_DAYS))
    due = Order.objects.filter(unpaid | paid, forgotten_at__isnull=True, status__in=OVER, created_at__lt=youngest)
    forgotten = 0
    for order_id in list(due.order_by("created_at").values_list("pk", flat=True)[:batch]):
        try:
            forgotten += order_forget(order_id=order_id, actor=ACTOR)
        except NotOver:
            logger.warning("retention: order %s is old and still under way", order_id)
    # A month that is over counts for nothing any more.
    MinorSpending.objects.filter(created_at__lt=month_begin(timezone.now())).delete()
    return forgotten


def notices_forget(*, batch: int = BATCH) -> int:
    """What gateways and suppliers sent, as it came: its words go, that it came stays. How many."""
    old = InboxEvent.objects.filter(received_at__lt=Now() - timedelta(days=settings.RETENTION_NOTICE_DAYS))
    keys = list(old.exclude(body=b"").order_by("pk").values_list("pk", flat=True)[:batch])
    return InboxEvent.objects.filter(pk__in=keys).update(body=b"", headers={})
