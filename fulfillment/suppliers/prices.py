"""Taking what a supplier says that one piece costs: believed, refused as no price at all, or held for a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from fulfillment.suppliers.costs import HIGHEST_COST, availability_refresh
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.rates import COST_PLACES, cost_in_yuan, yuan_per_unit
from kameng.alerts.services import alerts_end, alerts_raise

#: In units of the supplier's currency, whatever that is worth; beside `HIGHEST_COST`, which is in yuan.
HIGHEST_PRICE = Decimal(100_000_000)
#: A price that changed by more percent is held. Upwards it would raise supply prices; downwards it mostly means that
#: their code now names something else, which would be bought and delivered in place of what was paid for.
LARGEST_STEP_PERCENT = 50
#: Alerts about one offer (`xinghe#17`).
JUMP, ODD = "price.jump", "price.odd"


class Verdict(StrEnum):
    """What is to be thought of a price. All but the first make the cost unknown."""

    BELIEVED = "believed"
    MISSING = "missing"
    ODD = "odd"
    JUMP = "jump"


def judge(told: Decimal | None, before: Decimal | None) -> Verdict:
    """A price against the one before it, both in the same currency.

    >>> judge(Decimal("55"), Decimal("54")).value, judge(Decimal("55"), None).value, judge(None, Decimal("54")).value
    ('believed', 'believed', 'missing')
    >>> judge(Decimal("NaN"), None).value, judge(Decimal("0"), None).value, judge(Decimal("5.4"), Decimal("54")).value
    ('odd', 'odd', 'jump')
    """
    if told is None:
        return Verdict.MISSING
    if not told.is_finite() or not 0 < told <= HIGHEST_PRICE:
        return Verdict.ODD
    if before is not None and abs(told - before) * 100 > before * LARGEST_STEP_PERCENT:
        return Verdict.JUMP
    return Verdict.BELIEVED


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a told price: the offer's price before and after, as a diff shows them, empty where unknown."""

    offer: SupplierOffer
    verdict: Verdict
    before: str
    after: str

    @property
    def is_change(self) -> bool:
        """Something to tell."""
        return self.before != self.after


#: What `price_take` may have changed about an offer.
PRICE_FIELDS = ("list_price", "proposed_price", "cost")


def price_take(offer: SupplierOffer, told: Decimal | None, *, rate: Decimal | None) -> Taken:
    """Put a told price onto an offer, which the caller saves (`PRICE_FIELDS`) and tells operators about.

    `rate` is what may be reckoned with now (`yuan_per_unit`). Without a price before, the official price of what we
    sell stands in for it: a code that names another amount is found out before its first sale.
    """
    shown = offer.proposed_price or offer.list_price
    verdict = judge(told, _before(offer, rate))
    if told is not None and rate is not None and verdict != Verdict.ODD and told * rate > HIGHEST_COST:
        verdict = Verdict.ODD
    price = None if told is None or verdict == Verdict.ODD else told.quantize(COST_PLACES, rounding=ROUND_CEILING)
    if verdict == Verdict.JUMP:
        if offer.list_price is None and offer.cost is not None and rate is not None:
            # What a person typed is what later prices are compared with.
            offer.list_price = (offer.cost / rate).quantize(COST_PLACES)
        offer.proposed_price, offer.cost = price, None
    else:
        offer.list_price, offer.proposed_price = price, None
        offer.cost = None if price is None or rate is None else cost_in_yuan(price, rate)
    return Taken(offer, verdict, before=plain(shown), after=plain(price))


def _before(offer: SupplierOffer, rate: Decimal | None) -> Decimal | None:
    if offer.list_price is not None:
        return offer.list_price
    if rate is None:
        return None
    return (offer.cost or offer.variant.official_price) / rate


def plain(amount: Decimal | None) -> str:
    """An amount without needless zeros."""
    return "" if amount is None else f"{amount.normalize():f}"


def subject_of(offer: SupplierOffer) -> str:
    """What alerts about an offer are called."""
    return f"{offer.supplier.code}#{offer.pk}"


def tell_operators(taken: Iterable[Taken], *, told: dict[int, Decimal | None]) -> None:
    """Raise or end the alerts about prices that were taken; `told` by the offers' ids, as it was said."""
    jumps: dict[str, dict[str, Any]] = {}
    odd: dict[str, dict[str, Any]] = {}
    calm = []
    for one in taken:
        subject = subject_of(one.offer)
        data = {
            "offer": one.offer.pk,
            "supplier": one.offer.supplier.code,
            "sku": one.offer.variant.sku,
            "supplier_sku": one.offer.supplier_sku,
            "currency": one.offer.supplier.currency,
        }
        if one.verdict == Verdict.JUMP:
            jumps[subject] = {**data, "before": plain(one.offer.list_price), "after": one.after}
        elif one.verdict == Verdict.ODD:
            odd[subject] = {**data, "told": str(told.get(one.offer.pk))[:40]}
        else:
            calm.append(subject)
    alerts_raise(JUMP, jumps)
    alerts_raise(ODD, odd)
    alerts_end(JUMP, [*calm, *odd])
    alerts_end(ODD, [*calm, *jumps])


def _locked(offer_id: int) -> SupplierOffer:
    offers = SupplierOffer.objects.select_related("supplier", "variant").select_for_update(of=("self",))
    return offers.get(pk=offer_id)


@transaction.atomic
def offer_price_told(*, offer_id: int, price: Decimal | None) -> SupplierOffer:
    """A supplier was asked about one offer, and said this, in its currency: costs follow at once."""
    offer = _locked(offer_id)
    taken = price_take(offer, price, rate=yuan_per_unit(offer.supplier.currency))
    SupplierOffer.objects.filter(pk=offer.pk).update(
        synced_at=Now(), **{name: getattr(offer, name) for name in PRICE_FIELDS}
    )
    tell_operators([taken], told={offer.pk: price})
    availability_refresh(variant_ids=[offer.variant_id])
    return offer


@transaction.atomic
def offer_price_confirm(*, offer_id: int, price: Decimal) -> bool:
    """A person has made sure that a held price is right. False where it is not this one that is held (any more)."""
    offer = _locked(offer_id)
    if offer.proposed_price is None or offer.proposed_price != price:
        return False
    rate = yuan_per_unit(offer.supplier.currency)
    offer.list_price, offer.proposed_price = offer.proposed_price, None
    offer.cost = None if rate is None else cost_in_yuan(offer.list_price, rate)
    SupplierOffer.objects.filter(pk=offer.pk).update(**{name: getattr(offer, name) for name in PRICE_FIELDS})
    alerts_end(JUMP, [subject_of(offer)])
    availability_refresh(variant_ids=[offer.variant_id])
    return True
