"""Reading a supplier's price list: page by page, to be continued wherever it was interrupted, by one worker at a time.

A page is asked for outside any transaction, and then taken whole, together with the cursor of the next one. What was
not read stays as it was; only a complete reading says that something is no longer on the list.
"""

import logging
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.base import (
    Capability,
    ProductPage,
    SupplierAdapter,
    SupplierMisconfigured,
    SupplierProduct,
    SupplierSilent,
)
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import PriceChange, PriceSync, Supplier, SupplierOffer
from fulfillment.suppliers.prices import PRICE_FIELDS, Taken, price_take, tell_operators
from fulfillment.suppliers.rates import yuan_per_unit
from fulfillment.suppliers.screened import lines_judged, names_screen
from kameng.alerts.services import alert_end, alert_raise
from kameng.core.locks import alone
from kameng.core.problems import Problem

logger = logging.getLogger(__name__)

#: A worker reads for so long at a time and then gives its row back: less than a lease with the longest call.
SLICE_SECONDS = 20
#: An interrupted reading is continued for so long; what it began with is too old afterwards, and it begins anew.
RESUMABLE = timedelta(hours=1)
#: Readings without unmatched lines are forgotten after this.
KEPT = timedelta(days=7)
MOST_PAGES = 5000
#: What we can store of a supplier's words.
LONGEST_SKU, LONGEST_NAME, LONGEST_CURSOR, MOST_STOCK = 64, 120, 200, 2_000_000_000
#: Alert: a price list could not be read.
FAILED = "price.sync_failed"

Status = PriceSync.Status
Field = PriceChange.Field


class NoPriceList(Problem):
    """This supplier's protocol has none."""

    code = "no_price_list"
    message = _("这个渠道的接口没有价目表")


def supplier_sync(*, supplier_id: int) -> float | None:
    """A worker's share of reading a list: 0 where there is more, None at the end, also where others are at it."""
    if not Supplier.objects.filter(pk=supplier_id, is_active=True).exists():
        return None
    sync = price_list_read(supplier_id=supplier_id, seconds=SLICE_SECONDS)
    return 0 if sync is not None and sync.status == Status.RUNNING else None


def price_list_read(*, supplier_id: int, seconds: float | None = None) -> PriceSync | None:
    """Read on where the last reading was interrupted, or anew; to the end, or for about so many seconds.

    None where somebody else is reading this list at the moment. Raises `NoPriceList`.
    """
    supplier = Supplier.objects.get(pk=supplier_id)
    with alone(f"supplier.sync:{supplier_id}") as is_alone:
        if not is_alone:
            return None
        try:
            adapter = adapter_of(supplier)
        except SupplierMisconfigured as error:
            return _failed(_opened(supplier), supplier, str(error))
        if Capability.CATALOG not in adapter.capabilities:
            raise NoPriceList
        return _read(_opened(supplier), supplier, adapter, seconds)


def _read(sync: PriceSync, supplier: Supplier, adapter: SupplierAdapter, seconds: float | None) -> PriceSync:
    began = time.monotonic()
    while True:
        try:
            page = adapter.products(sync.cursor)
        except SupplierSilent as silent:
            return _failed(sync, supplier, str(silent))
        except Exception as error:  # a bug in an adapter ends this reading, not the worker
            logger.exception("adapter %s raised for its price list", supplier.adapter)
            return _failed(sync, supplier, type(error).__name__)
        if problem := _endless(sync, page):
            return _failed(sync, supplier, problem)
        sync = page_take(sync=sync, supplier=supplier, page=page)
        if sync.status != Status.RUNNING or (seconds is not None and time.monotonic() - began >= seconds):
            return sync


def _endless(sync: PriceSync, page: ProductPage) -> str:
    """Why a page cannot be taken, if so: each must lead on to another one, and somewhere."""
    if len(page.next_cursor) > LONGEST_CURSOR:
        return "the next page has too long a name"
    if page.next_cursor and (page.next_cursor == sync.cursor or sync.pages >= MOST_PAGES):
        return "the list does not come to an end"
    return ""


@transaction.atomic
def _opened(supplier: Supplier) -> PriceSync:
    """The reading to go on with. The caller is alone with this supplier: one that is running was interrupted."""
    newest = PriceSync.objects.select_for_update().filter(supplier=supplier).order_by("-pk").first()
    if newest is not None and newest.status != Status.DONE:
        if PriceSync.objects.filter(pk=newest.pk, started_at__gt=Now() - RESUMABLE).exists():
            newest.status, newest.problem, newest.finished_at = Status.RUNNING, "", None
            newest.save(update_fields=["status", "problem", "finished_at"])
            return newest
        if newest.status == Status.RUNNING:
            PriceSync.objects.filter(pk=newest.pk).update(
                status=Status.FAILED, problem="interrupted too long ago", finished_at=Now()
            )
    sync = PriceSync.objects.create(supplier=supplier)
    sync.refresh_from_db()
    return sync


@transaction.atomic
def _failed(sync: PriceSync, supplier: Supplier, problem: str) -> PriceSync:
    """This reading ends here; what was taken stays, and the next one goes on at the same page."""
    problem = problem.replace("\0", "")[:200]
    PriceSync.objects.filter(pk=sync.pk).update(status=Status.FAILED, problem=problem, finished_at=Now())
    alert_raise(FAILED, subject=supplier.code, supplier=supplier.code, problem=problem)
    sync.refresh_from_db()
    return sync


@transaction.atomic
def page_take(*, sync: PriceSync, supplier: Supplier, page: ProductPage) -> PriceSync:
    """Take one page whole: prices, stock, what is new, and where the list goes on. The last one ends the reading.

    A page that was taken already, by whoever was quicker, changes nothing.
    """
    current = PriceSync.objects.select_for_update().get(pk=sync.pk)
    if current.status != Status.RUNNING or (current.pages, current.cursor) != (sync.pages, sync.cursor):
        return current
    lines: dict[str, SupplierProduct] = {}
    for line in page.products:
        if 0 < len(line.sku) <= LONGEST_SKU and "\0" not in line.sku:
            lines.setdefault(line.sku, line)
    changes, variant_ids = _offers_take(current, supplier, lines)
    changes += _unmatched(current, supplier, lines)
    current.pages, current.cursor = current.pages + 1, page.next_cursor
    current.products += len(page.products)
    if not page.next_cursor:
        if not current.products and supplier.offers.exists():
            # Nothing at all is a failure of theirs rather than the end of everything that they sell.
            return _failed(sync, supplier, "the list is empty")
        moved = _gone(current, supplier) + _back(current, supplier)
        variant_ids |= {change.offer.variant_id for change in moved if change.offer is not None}
        changes += moved
        current.status = Status.DONE
    PriceChange.objects.bulk_create(changes)
    current.changes += len(changes)
    current.save(update_fields=["pages", "cursor", "products", "changes", "status"])
    if current.status == Status.DONE:
        PriceSync.objects.filter(pk=current.pk).update(finished_at=Now())
        alert_end(FAILED, subject=supplier.code)
        _forget_old(supplier)
    if variant_ids:
        availability_refresh(variant_ids=variant_ids)
    current.refresh_from_db()
    return current


def _offers_take(
    sync: PriceSync, supplier: Supplier, lines: dict[str, SupplierProduct]
) -> tuple[list[PriceChange], set[int]]:
    """Our offers that this page speaks about: the differences, and whose variants they concern."""
    rate = yuan_per_unit(supplier.currency)
    offers = list(
        SupplierOffer.objects.select_for_update(of=("self",))
        .select_related("variant")
        .filter(supplier=supplier, supplier_sku__in=lines)
        .order_by("pk")
    )
    taken: list[Taken] = []
    changes: list[PriceChange] = []
    variant_ids: set[int] = set()
    changed: list[SupplierOffer] = []
    renamed: list[SupplierOffer] = []
    for offer in offers:
        offer.supplier = supplier
        line = lines[offer.supplier_sku]
        kept = (offer.list_price, offer.proposed_price, offer.cost, offer.stock, offer.is_listed)
        taken.append(price_take(offer, line.cost, rate=rate))
        differences = [(Field.COST, taken[-1].before, taken[-1].after)] if taken[-1].is_change else []
        differences += _stock_and_listing(offer, line)
        changes += [_change(sync, line, field, before, after, offer) for field, before, after in differences]
        if kept != (offer.list_price, offer.proposed_price, offer.cost, offer.stock, offer.is_listed):
            changed.append(offer)
            variant_ids.add(offer.variant_id)
        if (name := _name(line)) and name != offer.listed_name:
            offer.listed_name = name
            renamed.append(offer)
            variant_ids.add(offer.variant_id)
    if renamed:
        SupplierOffer.objects.bulk_update(renamed, ["listed_name"], batch_size=200)
        names_screen([offer.pk for offer in renamed])
    SupplierOffer.objects.bulk_update(changed, [*PRICE_FIELDS, "stock", "is_listed"], batch_size=200)
    SupplierOffer.objects.filter(pk__in=[offer.pk for offer in offers]).update(synced_at=Now())
    tell_operators(taken, told={offer.pk: lines[offer.supplier_sku].cost for offer in offers})
    return changes, variant_ids


def _stock_and_listing(offer: SupplierOffer, line: SupplierProduct) -> list[tuple[PriceChange.Field, str, str]]:
    """Put both onto the offer; what differs."""
    found = []
    stock = None if line.stock is None else min(max(line.stock, 0), MOST_STOCK)
    if stock != offer.stock:
        found.append((Field.STOCK, _count(offer.stock), _count(stock)))
    if line.is_available != offer.is_listed:
        found.append((Field.LISTED, _yes(offer.is_listed), _yes(line.is_available)))
    offer.stock, offer.is_listed = stock, line.is_available
    return found


def _count(stock: int | None) -> str:
    return "" if stock is None else str(stock)


def _yes(is_listed: bool) -> str:
    return "1" if is_listed else "0"


def _name(line: SupplierProduct) -> str:
    return line.name.replace("\0", "")[:LONGEST_NAME]


def _change(
    sync: PriceSync,
    line: SupplierProduct,
    field: PriceChange.Field,
    before: str,
    after: str,
    offer: SupplierOffer | None,
) -> PriceChange:
    return PriceChange(
        sync=sync,
        offer=offer,
        supplier_sku=line.sku,
        name=_name(line),
        field=field,
        before=before[:40],
        after=after[:40],
    )


def _unmatched(sync: PriceSync, supplier: Supplier, lines: dict[str, SupplierProduct]) -> list[PriceChange]:
    """Lines that no offer takes up and that no reading has told of before, with what the gate says of their names."""
    ours = SupplierOffer.objects.filter(supplier=supplier, supplier_sku__in=lines)
    told = PriceChange.objects.filter(field=Field.NEW, supplier_sku__in=lines, sync__supplier=supplier)
    known = {*ours.values_list("supplier_sku", flat=True), *told.values_list("supplier_sku", flat=True)}
    found = [
        _change(sync, line, Field.NEW, "", "" if line.cost is None else str(line.cost), None)
        for sku, line in lines.items()
        if sku not in known
    ]
    for change, verdict in zip(found, lines_judged(change.name for change in found), strict=True):
        change.verdict = verdict
    return found


def _gone(sync: PriceSync, supplier: Supplier) -> list[PriceChange]:
    """Offers that a complete reading did not speak about: they can't be bought until the list has them again. What the
    list never speaks about is not gone."""
    adapter = adapter_of(supplier)
    unread = Q(synced_at__lt=sync.started_at) | Q(synced_at=None, updated_at__lt=sync.started_at)
    offers = SupplierOffer.objects.select_for_update(of=("self",)).filter(unread, supplier=supplier, is_listed=True)
    found = [offer for offer in offers.order_by("pk") if adapter.is_listed(offer.supplier_sku)]
    return _listing_moved(sync, found, is_listed=False)


def _back(sync: PriceSync, supplier: Supplier) -> list[PriceChange]:
    """Offers that an earlier reading took off sale although the list never speaks about them: no line of a list could
    ever bring them back. (Whoever does not want to buy one switches the offer off.)"""
    adapter = adapter_of(supplier)
    offers = SupplierOffer.objects.select_for_update(of=("self",)).filter(supplier=supplier, is_listed=False)
    unread = [offer for offer in offers.order_by("pk") if offer.synced_at is None or offer.synced_at < sync.started_at]
    found = [offer for offer in unread if not adapter.is_listed(offer.supplier_sku)]
    return _listing_moved(sync, found, is_listed=True)


def _listing_moved(sync: PriceSync, offers: list[SupplierOffer], *, is_listed: bool) -> list[PriceChange]:
    SupplierOffer.objects.filter(pk__in=[offer.pk for offer in offers]).update(is_listed=is_listed)
    before, after = _yes(not is_listed), _yes(is_listed)
    return [
        PriceChange(
            sync=sync, offer=offer, supplier_sku=offer.supplier_sku, field=Field.LISTED, before=before, after=after
        )
        for offer in offers
    ]


def _forget_old(supplier: Supplier) -> None:
    with_lines = PriceChange.objects.filter(field=Field.NEW, sync__supplier=supplier).values("sync_id")
    old = PriceSync.objects.filter(supplier=supplier, started_at__lt=Now() - KEPT).exclude(status=Status.RUNNING)
    old.exclude(pk__in=with_lines).delete()
