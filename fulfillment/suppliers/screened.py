"""What a supplier calls the goods behind an offer, as the gate sees it: a list can turn a line into something else
overnight, and what was lawful yesterday is then bought under yesterday's name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import QuerySet
from django_tenants.utils import get_public_schema_name

from catalog.screened import licensed_names
from compliance.gate.authorizations import Authorizations, authorizations_of_suppliers
from compliance.gate.judging import judge
from compliance.gate.models import SubjectKind
from compliance.gate.services import subject_screen
from compliance.gate.subjects import Facts, NoAmends, Slot, Standing, Subject, Text
from compliance.rules import book_now
from compliance.screening.listing import Verdict
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import SupplierOffer


def offer_subject(offer_id: int) -> Subject:
    """What the gate calls an offer."""
    return Subject(SubjectKind.OFFER, get_public_schema_name(), offer_id)


def offer_facts(offer: SupplierOffer, papers: Authorizations) -> Facts:
    """What is screened of an offer of a supplier with these papers: its name for the goods, and what we sell them as
    for context."""
    product = offer.variant.product
    return Facts(
        title=f"{offer.listed_name} ← {offer.supplier.name}",
        standing=offer.standing,
        texts=(
            Text("name", Slot.TITLE, offer.listed_name),
            Text("product", Slot.DESCRIPTION, product.name, own=False),
            Text("category", Slot.CATEGORY, product.category.name, own=False),
        ),
        kind=product.kind,
        licensed=licensed_names(product, papers),
    )


def names_screen(offer_ids: Collection[int]) -> None:
    """Suppliers call these something else than before: what does not pass is bought by nobody, until a person has
    looked. The caller holds the rows, and refreshes what is available."""
    book = book_now()[0]
    for offer, facts in _with_facts(_whole().filter(pk__in=offer_ids).order_by("pk")):
        if facts.standing == Standing.CLEAR and judge(facts, book).verdict is Verdict.CLEAR:
            continue
        gated = subject_screen(subject=offer_subject(offer.pk), facts=facts, is_edit=False)
        SupplierOffer.objects.filter(pk=offer.pk).update(standing=gated.standing)


def lines_judged(names: Iterable[str]) -> list[str]:
    """What the gate would say of lines that nothing of ours stands for yet: a verdict for each name."""
    book = book_now()[0]
    facts = (Facts(name, Standing.CLEAR, (Text("name", Slot.TITLE, name),)) for name in names)
    return [judge(one, book).verdict.value for one in facts]


class Offers(NoAmends):
    """The gate's way to offers."""

    in_shops = False

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """As it stands there."""
        rows = _whole().select_for_update(of=("self",)) if lock else _whole()
        return next((facts for _offer, facts in _with_facts(rows.filter(pk=subject_id))), None)

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """Whoever buys next sees it; what is on sale follows."""
        SupplierOffer.objects.filter(pk=subject_id).update(standing=standing)
        variants = SupplierOffer.objects.filter(pk=subject_id).values_list("variant_id", flat=True)
        availability_refresh(variant_ids=list(variants))

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those that a list has a name for."""
        rows = _named(_whole()).filter(pk__gt=after).order_by("pk")[:limit]
        return [(offer.pk, facts) for offer, facts in _with_facts(rows)]

    def ids(self) -> Sequence[int]:
        """The same."""
        return list(_named(SupplierOffer.objects.order_by("pk")).values_list("pk", flat=True))


OFFERS = Offers()


def _named(rows: "QuerySet[SupplierOffer]") -> "QuerySet[SupplierOffer]":
    return rows.exclude(listed_name="")


def _whole() -> "QuerySet[SupplierOffer]":
    return SupplierOffer.objects.select_related("supplier", "variant__product__category", "variant__product__brand")


def _with_facts(rows: Iterable[SupplierOffer]) -> list[tuple[SupplierOffer, Facts]]:
    offers = list(rows)
    papers = authorizations_of_suppliers({offer.supplier.code for offer in offers}) if offers else {}
    return [(offer, offer_facts(offer, papers[offer.supplier.code])) for offer in offers]
