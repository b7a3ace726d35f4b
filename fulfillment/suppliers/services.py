"""Suppliers as the rest of fulfillment sees them: who can be asked for what, in which order, by which adapter."""

import logging
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from threading import Lock
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Revision
from fulfillment.suppliers.base import Connection, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.registry import adapter_class
from fulfillment.suppliers.stock_room import ShelfRoom
from kameng.core import sql
from kameng.core.encryption import Unreadable
from kameng.core.http import HttpClient
from kameng.core.problems import Problem, StrOrPromise
from kameng.core.remembered import Remembered

logger = logging.getLogger(__name__)

_http = HttpClient()
_adapters: dict[int, tuple[object, SupplierAdapter]] = {}
_lock = Lock()
_by_id: Remembered[int, Supplier] = Remembered()
_by_code: Remembered[str, Supplier | None] = Remembered()


def adapter_of(supplier: Supplier) -> SupplierAdapter:
    """The adapter over a supplier's connection, kept by the process until the connection changes.

    Raises `SupplierMisconfigured`, also for an adapter that does not exist.
    """
    known = _adapters.get(supplier.pk)
    if known is not None and known[0] == supplier.updated_at:
        return known[1]
    try:
        config = supplier.config
    except Unreadable as error:
        raise SupplierMisconfigured(f"{supplier.code}: the configuration cannot be decrypted") from error
    link = Connection(
        supplier=supplier.code,
        base_url=supplier.base_url,
        config=config,
        stock_room=ShelfRoom(supplier.pk),
    )
    adapter: SupplierAdapter = adapter_class(supplier.adapter)(link, _http)
    with _lock:
        _adapters[supplier.pk] = (supplier.updated_at, adapter)
    return adapter


def supplier_known(supplier_id: int) -> Supplier:
    """A supplier's connection as it was a second ago at most. Raises `Supplier.DoesNotExist`."""
    return _by_id.get(supplier_id, lambda: Supplier.objects.get(pk=supplier_id))


def supplier_named(code: str) -> Supplier | None:
    """The supplier of that code, as it was a second ago at most."""
    return _by_code.get(code, lambda: Supplier.objects.filter(code=code).first())


def offers_ranked(*, variant_id: int, highest_cost: Decimal, tried: Collection[int]) -> list[SupplierOffer]:
    """Whom to ask for a variant, best first: no unknown cost, no loss, nobody that was tried for this line before.

    `highest_cost` in yuan for one piece: what the shopper paid for it.
    """
    offers = sql.instances(SupplierOffer, _RANKED, [variant_id, highest_cost, list(tried)])
    for offer in offers:
        offer.supplier = supplier_known(offer.supplier_id)
    return offers


_RANKED = f"""
SELECT {sql.columns(SupplierOffer, of="offer")}
  FROM public.suppliers_supplieroffer AS offer
  JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
 WHERE offer.variant_id = %s AND offer.is_active AND offer.cost <= %s AND NOT offer.supplier_id = ANY(%s::bigint[])
   AND supplier.is_active AND supplier.eliminated_at IS NULL
 ORDER BY offer.rank, offer.cost, offer.id
"""


@transaction.atomic
def supplier_eliminate(*, supplier_id: int, reason: str) -> None:
    """Nothing can succeed there now: ask this supplier no more until a person has looked. Says so once."""
    changed = Supplier.objects.filter(pk=supplier_id, eliminated_at__isnull=True).update(
        eliminated_at=Now(), eliminated_reason=reason[:120]
    )
    if changed:
        logger.error("supplier #%s eliminated: %s", supplier_id, reason)
        availability_refresh(supplier_ids=[supplier_id])


@transaction.atomic
def supplier_restore(*, supplier_id: int) -> None:
    """A person has put right what eliminated the supplier."""
    Supplier.objects.filter(pk=supplier_id).update(eliminated_at=None, eliminated_reason="")
    availability_refresh(supplier_ids=[supplier_id])


_REFRESH = """
WITH wanted AS (
    SELECT id FROM public.catalog_variant WHERE {which}
), best AS (
    SELECT DISTINCT ON (offer.variant_id) offer.variant_id, offer.cost
      FROM public.suppliers_supplieroffer AS offer
      JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
     WHERE offer.is_active AND offer.cost IS NOT NULL AND supplier.is_active AND supplier.eliminated_at IS NULL
       AND (supplier.adapter <> 'stock' OR EXISTS (
            SELECT 1 FROM public.suppliers_stockcode AS code
             WHERE code.variant_id = offer.variant_id AND code.supplier_id = supplier.id AND code.reference = ''))
       AND offer.variant_id IN (SELECT id FROM wanted)
     ORDER BY offer.variant_id, offer.rank, offer.cost
)
UPDATE public.catalog_variant AS variant
   SET is_available = best.variant_id IS NOT NULL, cost = COALESCE(best.cost, variant.cost)
  FROM wanted LEFT JOIN best ON best.variant_id = wanted.id
 WHERE variant.id = wanted.id
   AND (variant.is_available, variant.cost) IS DISTINCT FROM (best.variant_id IS NOT NULL, COALESCE(best.cost,
   variant.cost))
"""


@transaction.atomic
def availability_refresh(*, variant_ids: Iterable[int] | None = None, supplier_ids: Iterable[int] | None = None) -> int:
    """Tell the catalogue what can be bought and what the first-ranked offer costs; for everything if nothing is named.

    Returns how many variants changed; pages are rebuilt only then.
    """
    which, parameters = "TRUE", []
    if variant_ids is not None:
        which, parameters = "id = ANY(%s)", [list(variant_ids)]
    elif supplier_ids is not None:
        which = "id IN (SELECT variant_id FROM public.suppliers_supplieroffer WHERE supplier_id = ANY(%s))"
        parameters = [list(supplier_ids)]
    with connection.cursor() as cursor:
        cursor.execute(_REFRESH.format(which=which), parameters)
        changed: int = cursor.rowcount
    if changed:
        Revision.bump()
    return changed


class SupplierInvalid(Problem):
    """What a supplier is said to be cannot be; `fields` say why."""

    code = "supplier_invalid"
    message = _("这个供应商没有保存")


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
    adapter_class(adapter)(Connection(supplier=code, base_url=base_url, config=config, stock_room=ShelfRoom(0)), _http)
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


class OfferInvalid(Problem):
    """What a supplier is said to offer cannot be; `fields` say why."""

    code = "offer_invalid"
    message = _("这条报价没有保存")


@transaction.atomic
def offer_save(*, offer: SupplierOffer) -> SupplierOffer:
    """Write an offer, new or changed: rank 1 is asked first, cost in yuan, without a cost nothing is sold.

    Raises `OfferInvalid`.
    """
    if offer.cost is not None and offer.cost <= 0:
        raise OfferInvalid(fields={"cost": _("成本要大于 0；还不知道就留空")})
    if offer.rank < 1:
        raise OfferInvalid(fields={"rank": _("名次从 1 开始")})
    try:
        offer.full_clean()
    except ValidationError as error:
        fields = {name: " ".join(texts) for name, texts in error.message_dict.items()}
        raise OfferInvalid(fields.get("__all__"), fields=fields) from error
    offer.save()
    availability_refresh(variant_ids=[offer.variant_id])
    return offer


def forget() -> None:
    """Drop suppliers and adapters: for tests, and for the process that has just changed one."""
    with _lock:
        _adapters.clear()
    _by_id.forget()
    _by_code.forget()
