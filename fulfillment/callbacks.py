"""Callbacks from suppliers: a doorbell.

They are verified and kept; the supplier is asked unless its signature covers the result.
"""

import json
import logging
from collections.abc import Mapping

from django.db import transaction
from django_tenants.utils import schema_context

from fulfillment.calls import in_yuan
from fulfillment.models import SupplierOrder
from fulfillment.outcomes import outcome_apply
from fulfillment.suppliers.base import CallbackRefused, Capability, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of, supplier_named
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.upkeep import CALLBACKS_REFUSED
from kameng.alerts.services import alert_raise
from kameng.core.throttle import counters
from kameng.inbox.models import InboxEvent
from kameng.outbox.services import publish
from resellers.selectors import shop_of_number

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
SOURCE = "suppliers"
#: So many refused callbacks of one supplier within so many seconds are no accident: somebody forges them, or the secret
#: at one end is wrong. Nobody counts while Redis is away.
REFUSED_MANY, REFUSED_SECONDS = 10, 600

Reply = tuple[int, str, bytes]


class SupplierUnknown(Exception):
    """No such supplier."""


def callback_receive(*, supplier_code: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Take one raw callback and say what to answer. Raises `SupplierUnknown`."""
    supplier = supplier_named(supplier_code)
    if supplier is None:
        raise SupplierUnknown
    try:
        adapter = adapter_of(supplier)
    except SupplierMisconfigured as error:
        raise SupplierUnknown from error
    try:
        claim = adapter.parse_callback(headers=headers, body=body)
    except CallbackRefused as refused:
        return _refuse(supplier, adapter, str(refused))
    shop = shop_of_number(claim.reference)
    if shop is None:
        return _refuse(supplier, adapter, "about no order of ours")
    with schema_context(shop.schema_name):
        buy = SupplierOrder.objects.filter(reference=claim.reference, supplier_id=supplier.pk).first()
        if buy is None:
            return _refuse(supplier, adapter, "about an order that is not theirs")
        with transaction.atomic():
            if not _is_first(supplier, claim.event_id, shop.schema_name, claim.reference, body):
                return adapter.callback_reply(accepted=True)
            if claim.outcome is not None and Capability.CALLBACK_COVERS_RESULT in adapter.capabilities:
                outcome = in_yuan(claim.outcome, supplier)
                outcome_apply(supplier_order_id=buy.pk, outcome=outcome, actor=f"callback {supplier.code}")
            publish("fulfillment.wake", fulfillment_id=buy.fulfillment_id)
    return adapter.callback_reply(accepted=True)


def _refuse(supplier: Supplier, adapter: SupplierAdapter, problem: str) -> Reply:
    """Answer no. One may be an accident; people are told of many, once for each window and supplier. After the first
    ones nothing is written anywhere, so that whoever sends them fills neither logs nor tables."""
    counted = counters.count(f"callback-refused:{supplier.pk}", seconds=REFUSED_SECONDS, everywhere=True)
    if counted <= REFUSED_MANY:
        logger.warning("callback from %s refused: %s", supplier.code, problem)
    if counted == REFUSED_MANY:
        alert_raise(
            CALLBACKS_REFUSED, subject=supplier.code, name=supplier.name, supplier=supplier.code, problem=problem[:200],
            count=counted,
        )  # fmt: skip
    return adapter.callback_reply(accepted=False)


def _is_first(supplier: Supplier, event_id: str, schema_name: str, subject: str, body: bytes) -> bool:
    """Remember the callback. Its body may hold codes, so the length is kept instead."""
    kept = json.dumps({"bytes": len(body)}).encode()
    _, created = InboxEvent.objects.get_or_create(
        source=SOURCE,
        account=supplier.code,
        event_id=event_id[:128],
        defaults={
            "schema_name": schema_name,
            "subject": subject,
            "body": kept,
            "verdict": InboxEvent.Verdict.ACCEPTED,
        },
    )
    return created
