"""Reading licenses and requirements."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.models import License, Requirement
from compliance.validity import Paper, Permits, State, state_of
from resellers.models import Reseller

Holder, Review = License.Holder, License.Review


def licenses_in_force() -> "QuerySet[License]":
    """Those that count, whatever their days are: confirmed, neither replaced nor revoked."""
    return License.objects.filter(replaced_by=None, revoked_at=None, review=Review.CONFIRMED)


def papers_waiting() -> "QuerySet[License]":
    """What owners have handed in and nobody has looked at, the oldest first."""
    return License.objects.filter(review=Review.WAITING, revoked_at=None).order_by("created_at", "pk")


def papers_of_seller(seller: str) -> "QuerySet[License]":
    """What the owner of a shop (by slug) should see: what waits, was sent back or revoked, and what counts or counted,
    without what a later paper stands for. The newest first."""
    found = License.objects.filter(holder_kind=Holder.SELLER, holder=seller, replaced_by=None)
    return found.exclude(~Q(review=Review.CONFIRMED), revoked_at__isnull=False).order_by("-pk")


def papers_of(suppliers: Collection[str]) -> dict[str, list[Paper]]:
    """The papers of suppliers by code, in one query."""
    return _papers(Holder.SUPPLIER, suppliers)


def papers_of_sellers(sellers: Collection[str]) -> dict[str, list[Paper]]:
    """The same of shops, by their slugs."""
    return _papers(Holder.SELLER, sellers)


def _papers(kind: License.Holder, holders: Collection[str]) -> dict[str, list[Paper]]:
    found: dict[str, list[Paper]] = defaultdict(list)
    for paper in licenses_in_force().filter(holder_kind=kind, holder__in=holders):
        found[paper.holder].append(
            Paper(
                paper.kind,
                paper.valid_from,
                paper.valid_until,
                frozenset(paper.categories),
                frozenset(paper.brands),
            )
        )
    return found


def required_kinds(of: License.Holder = Holder.SUPPLIER) -> dict[str, list[str]]:
    """What each category requires of suppliers, or of sellers, by its slug."""
    found: dict[str, list[str]] = defaultdict(list)
    for category, kind in Requirement.objects.filter(holder_kind=of).values_list("category", "kind"):
        found[category].append(kind)
    return found


def permits_of(shop: Reseller) -> Permits:
    """What categories require of a shop, with its papers. Nothing of the house shop, which is the platform itself."""
    required = {} if shop.is_house else required_kinds(Holder.SELLER)
    return Permits(required, tuple(papers_of_sellers([shop.slug])[shop.slug])) if required else Permits()


def permits_of_own_goods(shop: Reseller) -> Permits:
    """What categories require of a shop for goods of its owner's own: whoever sells their own is the supplier too."""
    required = required_kinds(Holder.SELLER)
    for category, kinds in required_kinds(Holder.SUPPLIER).items():
        required[category] = list(dict.fromkeys([*required.get(category, ()), *kinds]))
    return Permits(required, tuple(papers_of_sellers([shop.slug])[shop.slug]))


def license_state(paper: License, *, on: date | None = None) -> State:
    """How a license stands, today if no day is named."""
    if paper.replaced_by_id is not None:
        return State.REPLACED
    if paper.revoked_at is not None:
        return State.REVOKED
    if paper.review != Review.CONFIRMED:
        return State.WAITING if paper.review == Review.WAITING else State.SENT_BACK
    return state_of(paper.valid_from, paper.valid_until, on=on or timezone.localdate())
