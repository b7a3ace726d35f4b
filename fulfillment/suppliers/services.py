"""Suppliers as the rest of fulfillment sees them: who can be asked for what, in which order, by which adapter."""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.base import Connection, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of, forget, supplier_known
from fulfillment.suppliers.costs import YUAN, is_typed_only
from fulfillment.suppliers.costs import availability_refresh as availability_refresh
from fulfillment.suppliers.licensed import supplier_begins
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.plan_desk import Desk
from fulfillment.suppliers.prices import price_typed
from fulfillment.suppliers.rates import COST_PLACES, yuan_per_unit
from fulfillment.suppliers.registry import adapter_class
from fulfillment.suppliers.stock_room import ShelfRoom
from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core.http import HttpClient
from kameng.core.problems import Problem, StrOrPromise

logger = logging.getLogger(__name__)

#: To check a configuration with: it calls nobody.
_no_http = HttpClient(pool=1)


@transaction.atomic
def supplier_eliminate(*, supplier_id: int, reason: str) -> None:
    """Nothing can succeed there now: ask this supplier no more until a person has looked. Says so once."""
    changed = Supplier.objects.filter(pk=supplier_id, eliminated_at__isnull=True).update(
        eliminated_at=Now(), eliminated_reason=reason[:120]
    )
    if changed:
        alert_raise("supplier.eliminated", subject=supplier_known(supplier_id).code, level=Level.URGENT, reason=reason)
        availability_refresh(supplier_ids=[supplier_id])


@transaction.atomic
def supplier_restore(*, supplier_id: int) -> None:
    """A person has put right what eliminated the supplier."""
    Supplier.objects.filter(pk=supplier_id).update(eliminated_at=None, eliminated_reason="")
    alert_end("supplier.eliminated", subject=supplier_known(supplier_id).code)
    availability_refresh(supplier_ids=[supplier_id])


class SupplierInvalid(Problem):
    """What a supplier is said to be cannot be; `fields` say why."""

    code = "supplier_invalid"
    message = gettext_lazy("这个供应商没有保存")


class SupplierTerms(TypedDict, total=False):
    """What is agreed and decided about a supplier beside its connection; as on `Supplier`, seconds for all times."""

    currency: str
    standing: str
    instructions: str
    max_concurrent: int
    max_per_minute: int
    connect_seconds: Decimal
    read_seconds: Decimal
    total_seconds: Decimal
    not_found_grace: int | None
    not_found_window: int | None
    unknown_limit: int | None
    balance_floor: Decimal | None


@transaction.atomic
def supplier_save(
    *, code: str, name: str, adapter: str, base_url: str, config: Mapping[str, str], terms: SupplierTerms | None = None
) -> Supplier:
    """Create or update a connection after checking that an adapter can use it; terms that are not named stay.

    Raises `SupplierMisconfigured` and `SupplierInvalid`.
    """
    supplier = Supplier.objects.filter(code=code).first() or Supplier(code=code)
    supplier.name, supplier.adapter, supplier.base_url = name, adapter, base_url
    for term, value in (terms or {}).items():
        setattr(supplier, term, value)
    if wrong := _terms_wrong(supplier):
        raise SupplierInvalid(fields=wrong)
    adapter_class(adapter)(
        Connection(supplier=code, base_url=base_url, config=config, stock_room=ShelfRoom(0), plan_desk=Desk()), _no_http
    )
    supplier.config = dict(config)
    supplier.save()
    forget()
    return supplier


def _terms_wrong(supplier: Supplier) -> dict[str, StrOrPromise]:
    """What the database would refuse, in words, by field."""
    wrong: dict[str, StrOrPromise] = {
        field: _("要大于 0")
        for field in ("max_concurrent", "max_per_minute", "connect_seconds", "read_seconds")
        if getattr(supplier, field) <= 0
    }
    if supplier.total_seconds < supplier.connect_seconds:
        wrong["total_seconds"] = _("总时限不能短于连接时限")
    if not (len(supplier.currency) == 3 and supplier.currency.isascii() and supplier.currency.isupper()):
        wrong["currency"] = _("写三个大写字母的币种代码，例如 CNY、USD")
    if supplier.balance_floor is not None and supplier.balance_floor < 0:
        wrong["balance_floor"] = _("不能小于 0；不想提醒就留空")
    return wrong


@transaction.atomic
def supplier_pause(*, supplier_id: int) -> None:
    """A person wants this supplier to be asked no more; attempts under way are still followed to their end."""
    Supplier.objects.filter(pk=supplier_id).update(is_active=False, updated_at=Now())
    availability_refresh(supplier_ids=[supplier_id])


@transaction.atomic
def supplier_resume(*, supplier_id: int) -> None:
    """Ask this supplier again."""
    Supplier.objects.filter(pk=supplier_id).update(is_active=True, updated_at=Now())
    availability_refresh(supplier_ids=[supplier_id])
    supplier_begins(SupplierOffer.objects.filter(supplier=supplier_id))


class OfferInvalid(Problem):
    """What a supplier is said to offer cannot be; `fields` say why."""

    code = "offer_invalid"
    message = gettext_lazy("这条报价没有保存")


@transaction.atomic
def offer_save(*, offer: SupplierOffer) -> SupplierOffer:
    """Write an offer, new or changed: rank 1 is asked first, cost in yuan, without a cost nothing is sold.

    Raises `OfferInvalid`.
    """
    if offer.cost is not None and offer.cost <= 0:
        raise OfferInvalid(fields={"cost": _("成本要大于 0；还不知道就留空")})
    if offer.rank < 1:
        raise OfferInvalid(fields={"rank": _("名次从 1 开始")})
    before = SupplierOffer.objects.filter(pk=offer.pk).values_list("cost", flat=True).first()
    typed_only = _is_typed_only(offer.supplier)
    # Where a cost is nothing but typed, whoever saves the offer has seen it and lets it stand.
    is_typed = offer.cost is not None and (typed_only or offer.cost != before)
    if is_typed:
        _typed(offer, typed_only=typed_only)
    try:
        offer.full_clean()
    except ValidationError as error:
        fields = {name: " ".join(texts) for name, texts in error.message_dict.items()}
        raise OfferInvalid(fields.get("__all__"), fields=fields) from error
    offer.save()
    if is_typed:
        price_typed(offer)
    availability_refresh(variant_ids=[offer.variant_id])
    supplier_begins(SupplierOffer.objects.filter(pk=offer.pk))
    return offer


def _is_typed_only(supplier: Supplier) -> bool:
    try:
        return is_typed_only(adapter_of(supplier).capabilities)
    except SupplierMisconfigured:
        return False


def _typed(offer: SupplierOffer, *, typed_only: bool) -> None:
    """A person's word about the cost holds until the list is read again; in another currency it follows its rate. Where
    there is no list to read it holds for so long (`TYPED_COST_MAX_AGE_DAYS`), and is kept as the listed price."""
    offer.proposed_price = None
    if typed_only:
        offer.synced_at = timezone.now()
    if offer.supplier.currency == YUAN:
        offer.list_price = offer.cost if typed_only else None
        return
    rate = yuan_per_unit(offer.supplier.currency)
    if rate is None:
        text = _("%(currency)s 没有有效的汇率，先录入汇率") % {"currency": offer.supplier.currency}
        raise OfferInvalid(fields={"cost": text})
    offer.list_price = ((offer.cost or 0) / rate).quantize(COST_PLACES)
