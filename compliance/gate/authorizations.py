"""Whose license of a brand lets whom use that brand's name: what the gate tells the screening beside the texts.

A seller's counts for what that shop says. A supplier's counts for what it calls the goods that are bought from it, and
for what the platform calls them; so does the platform's own, which is recorded for its house shop. When one begins or
ends, what stood on it is screened again.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from compliance.gate.models import SubjectKind
from compliance.models import License
from compliance.rules import book_now
from compliance.selectors import papers_of, papers_of_sellers
from compliance.validity import Paper
from kameng.outbox.services import publish
from resellers.models import Reseller


@dataclass(frozen=True, slots=True)
class Authorizations:
    """The papers of one holder."""

    papers: tuple[Paper, ...] = ()

    def cover(self, category: str, brand: str) -> bool:
        """Whether one of them lets the holder use a brand's name in a category today, both by slug."""
        today = timezone.localdate()
        return any(paper.authorizes(category, brand, today) for paper in self.papers)

    def brands(self) -> frozenset[str]:
        """The brands, by slug, that are covered today whatever the category."""
        today = timezone.localdate()
        return frozenset(
            brand
            for paper in self.papers
            if not paper.categories
            for brand in paper.brands
            if paper.authorizes("", brand, today)
        )


def authorizations_of_shop(schema_name: str) -> Authorizations:
    """What a shop may call things by."""
    slug = Reseller.objects.filter(schema_name=schema_name).values_list("slug", flat=True).first() or ""
    return Authorizations(tuple(papers_of_sellers([slug])[slug]))


def authorizations_of_platform() -> Authorizations:
    """What the platform may call things by, whoever it buys them from: the papers of its house shop."""
    houses = list(Reseller.objects.filter(is_house=True).values_list("slug", flat=True))
    return Authorizations(tuple(paper for papers in papers_of_sellers(houses).values() for paper in papers))


def authorizations_of_suppliers(codes: Collection[str]) -> dict[str, Authorizations]:
    """The same of suppliers, by code."""
    papers = papers_of(codes)
    return {code: Authorizations(tuple(papers[code])) for code in codes}


#: Where owners call things by names of their own, or show pictures.
_NAMED_BY_OWNERS = (
    SubjectKind.LISTING,
    SubjectKind.PLACEMENT,
    SubjectKind.SHOP,
    SubjectKind.OWN_GOOD,
    SubjectKind.PICTURE,
)


def authorizations_changed(*, holder_kind: str, holder: str) -> None:
    """A license of a brand began, ended or was changed: look again at what may stand on it."""
    rules_version = book_now()[1]
    if holder_kind == License.Holder.SUPPLIER:
        places = [(kind, get_public_schema_name()) for kind in (SubjectKind.OFFER, SubjectKind.PRODUCT)]
    else:
        shops = Reseller.objects.filter(slug=holder)
        places = [(kind, shop.schema_name) for shop in shops for kind in _NAMED_BY_OWNERS]
        if any(shop.is_house for shop in shops):
            places.append((SubjectKind.PRODUCT, get_public_schema_name()))
    for kind, schema_name in places:
        publish("subjects.rescreen", kind=kind, shop=schema_name, after=0, rules_version=rules_version)
