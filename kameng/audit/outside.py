"""I3 and I6 against the other side's own books, where the other side is the sandbox."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils import timezone
from django_tenants.utils import schema_context

from customers.models import Route
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import DuplicateSupply, StockCode, Supplier
from fulfillment.suppliers.stock_room import code_digest
from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, shops
from orders.models import OrderEvent
from payments.merchants.models import GatewayAccount
from payments.models import Payment, Refund

TIMEOUT_SECONDS = 10
#: A payment whose notice was lost is found within three minutes; a result is asked for every minute at the latest.
UNNOTICED = timedelta(minutes=4)


def _get(url: str) -> Any:
    """A control endpoint's answer. Raises `OSError`."""
    if not url.startswith("http://"):
        raise OSError("the sandbox answers on http:// only")
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


@dataclass(frozen=True)
class _Purchase:
    status: str
    is_booked: bool
    schema_name: str


@whole
def charges_were_used(url: str) -> Breaches:
    """Each supplier's book: charged once, and used, booked as too much, or still open."""
    ours = _purchases()
    for supplier in Supplier.objects.exclude(adapter="stock"):
        try:
            book = _get(f"{url}/_control/suppliers/{supplier.code}/book")
        except urllib.error.HTTPError:
            continue
        theirs = {row["reference"]: row for row in book}
        for reference, row in theirs.items():
            yield from _charged(supplier, reference, row, ours[supplier.pk].get(reference))
        for reference, purchase in ours[supplier.pk].items():
            if purchase.status == SupplierOrder.Status.SUCCEEDED and reference not in theirs:
                yield f"{purchase.schema_name}: purchase {reference} succeeded, and {supplier.code} does not know it"


def _charged(supplier: Supplier, reference: str, row: dict[str, Any], ours: _Purchase | None) -> Iterator[str]:
    if row["times"] > 1:
        yield f"{supplier.code} charged purchase {reference} {row['times']} times"
    if ours is None:
        yield f"{supplier.code} knows purchase {reference}, which is not ours"
    elif Decimal(row["charged"]) > 0 and ours.status == SupplierOrder.Status.REJECTED and not ours.is_booked:
        yield f"{ours.schema_name}: purchase {reference} was charged by {supplier.code}, and is rejected and not booked"
    elif ours.status in (SupplierOrder.Status.SUCCEEDED, SupplierOrder.Status.PARTIAL) and row["codes"]:
        sent = {code_digest(code) for code in row["codes"]}
        kept = set(StockCode.objects.filter(reference=reference).values_list("digest", flat=True))
        if sent != kept:
            yield f"{ours.schema_name}: purchase {reference}: {len(sent)} codes sent, {len(sent & kept)} delivered"


def _purchases() -> dict[int, dict[str, _Purchase]]:
    """Ours, by supplier and reference."""
    found: dict[int, dict[str, _Purchase]] = {pk: {} for pk in Supplier.objects.values_list("pk", flat=True)}
    booked = set(DuplicateSupply.objects.values_list("reference", flat=True))
    for shop in shops():
        with schema_context(shop.schema_name):
            rows = SupplierOrder.objects.values_list("supplier_id", "reference", "status")
            for supplier_id, reference, status in rows:
                purchase = _Purchase(status, reference in booked, shop.schema_name)
                found.setdefault(supplier_id, {})[reference] = purchase
    return found


@dataclass(frozen=True)
class _Collected:
    schema_name: str
    status: str
    amount: Decimal
    returned: Decimal
    returning: Decimal
    is_noted: bool


@whole
def captured_is_in_the_books(url: str) -> Breaches:
    """Each gateway's book: what was paid there is confirmed or noted here, and what went back there went back here."""
    ours = _collected()
    for code in GatewayAccount.objects.order_by().values_list("gateway", flat=True).distinct():
        try:
            book = _get(f"{url}/_control/gateways/{code}/book")
        except urllib.error.HTTPError:
            continue
        theirs = {row["payment"]: row for row in book}
        for number, row in theirs.items():
            yield from _captured(code, number, row, ours.get((code, number)))
        for (gateway, number), payment in ours.items():
            if gateway == code and payment.status == Payment.Status.CONFIRMED and number not in theirs:
                yield f"{payment.schema_name}: payment {number} is confirmed, and {code} was not paid"


def _captured(code: str, number: str, row: dict[str, Any], ours: _Collected | None) -> Iterator[str]:
    amount, returned = Decimal(row["amount"]), Decimal(row["refunded"])
    if ours is None:
        yield f"{code} was paid {amount} for {number}, which is not ours"
        return
    where = f"{ours.schema_name}: payment {number}"
    if ours.status != Payment.Status.CONFIRMED:
        is_fresh = timezone.now() - datetime.fromisoformat(row["paid_at"]) < UNNOTICED
        if not ours.is_noted and not is_fresh:
            yield f"{where} is {ours.status}, and {code} was paid {amount}"
    elif ours.amount != amount:
        yield f"{where} is confirmed over {ours.amount}, and {code} was paid {amount}"
    if not ours.returned <= returned <= ours.returned + ours.returning:
        yield f"{where}: {ours.returned} went back, {code} says {returned}"


def _collected() -> dict[tuple[str, str], _Collected]:
    """Ours, by gateway and number."""
    found = {}
    for shop in shops():
        with schema_context(shop.schema_name):
            noted = set(OrderEvent.objects.filter(name="payment.refused").values_list("data__payment", flat=True))
            returned = _refunds(Refund.Status.SUCCEEDED)
            returning = _refunds(Refund.Status.CREATED, Refund.Status.PENDING, Refund.Status.FAILED)
            for payment in Payment.objects.all():
                found[payment.gateway, payment.number] = _Collected(
                    schema_name=shop.schema_name,
                    status=payment.status,
                    amount=payment.amount,
                    returned=returned.get(payment.pk, Decimal(0)),
                    returning=returning.get(payment.pk, Decimal(0)),
                    is_noted=payment.number in noted,
                )
    return found


def _refunds(*statuses: str) -> dict[int, Decimal]:
    """Sums by payment, of what went back the way it came."""
    sums = Refund.objects.order_by().filter(status__in=statuses, route=Route.SOURCE).values_list("payment_id")
    return dict(sums.annotate(total=Sum("amount")).values_list("payment_id", "total"))
