"""Scores of all offers, from what happened in all shops."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Variant
from fulfillment.suppliers.models import (
    AfterSalesRequest,
    RankingWeights,
    Supplier,
    SupplierIncident,
    SupplierOffer,
    SupplierResult,
)
from fulfillment.suppliers.results import result_record
from fulfillment.suppliers.scores import dependence_watch, scores_refresh
from kameng.alerts.models import Alert
from resellers.models import Reseller
from tests.factories import on_sale

pytestmark = pytest.mark.usefixtures("supplier_double")


def results(
    code: str, variant: Variant, *, good: int = 0, bad: int = 0, hours_ago: float = 1, **fields: object
) -> None:
    """So many attempts that ended so long ago."""
    supplier = Supplier.objects.get(code=code)
    begun = SupplierResult.objects.count()
    given = {"code": "", "quantity": 1, "cost": Decimal("55"), "seconds": 3.0, "schema_name": "shop_one", **fields}
    rows = SupplierResult.objects.bulk_create(
        SupplierResult(
            supplier=supplier, variant=variant, category_id=variant.product.category_id,
            reference=f"R{begun + number:018}", status="succeeded" if number < good else "rejected", **given,
        )
        for number in range(good + bad)
    )  # fmt: skip
    SupplierResult.objects.filter(pk__in=[row.pk for row in rows]).update(
        created_at=timezone.now() - timedelta(hours=hours_ago)
    )


def order_of(variant: Variant) -> list[str]:
    """Codes of the suppliers by score."""
    scores_refresh()
    return list(
        SupplierOffer.objects.filter(variant=variant).order_by("-score").values_list("supplier__code", flat=True)
    )


def part(code: str, name: str) -> dict[str, object]:
    """One part of a supplier's only score."""
    parts = SupplierOffer.objects.get(supplier__code=code).score_parts["parts"]
    found: dict[str, object] = next(part for part in parts if part["name"] == name)
    return found


def test_who_delivers_comes_before_who_does_not(shop: Reseller) -> None:
    variant = on_sale()
    results("first", variant, good=20, bad=30)
    results("second", variant, good=50)
    assert order_of(variant) == ["second", "first"]
    figures = part("second", "success")["figures"]
    assert isinstance(figures, dict)
    assert (figures["attempts"], figures["rate"], figures["incidents"]) == (50, 1.0, 0.0)
    assert 0.94 < figures["lower"] < 0.98


def test_yesterday_counts_less_than_today(shop: Reseller) -> None:
    variant = on_sale()
    results("first", variant, good=50, hours_ago=1)
    results("first", variant, bad=50, hours_ago=96)
    results("second", variant, good=50, hours_ago=96)
    results("second", variant, bad=50, hours_ago=1)
    assert order_of(variant) == ["first", "second"]


def test_what_is_about_the_order_says_nothing(shop: Reseller) -> None:
    variant = on_sale()
    results("first", variant, bad=60, is_about_order=True)
    results("first", variant, good=50)
    results("second", variant, good=50, bad=5)
    assert order_of(variant) == ["first", "second"]


def test_an_incident_counts_once_however_many_ran_into_it(shop: Reseller) -> None:
    variant = on_sale()
    results("first", variant, good=100, hours_ago=3)
    results("second", variant, good=100, bad=12, hours_ago=3)
    results("first", variant, bad=300, hours_ago=1)
    now = timezone.now()
    assert order_of(variant) == ["second", "first"]
    SupplierIncident.objects.create(
        supplier=Supplier.objects.get(code="first"), reason="x",
        started_at=now - timedelta(hours=1.1), ended_at=now - timedelta(hours=0.9),
    )  # fmt: skip
    assert order_of(variant) == ["first", "second"]
    assert part("first", "success")["figures"]["attempts"] == 100  # type: ignore[index]


def test_a_variant_is_judged_by_itself_once_there_is_enough_of_it(shop: Reseller) -> None:
    variant, other = on_sale(), None
    other = Variant.objects.create(
        product=variant.product, sku="other-1", name="x", official_price=60, supply_price=57, position=9
    )
    results("first", other, good=200)
    results("first", variant, bad=29)
    scores_refresh()
    offer = SupplierOffer.objects.get(supplier__code="first")
    assert offer.score_parts["scope"] == "category"
    results("first", variant, bad=1)
    scores_refresh()
    offer.refresh_from_db()
    assert offer.score_parts["scope"] == "variant"


def test_open_questions_count_with_their_age(shop: Reseller) -> None:
    variant = on_sale()
    for code in ("first", "second"):
        results(code, variant, good=50)
        AfterSalesRequest.objects.create(
            supplier=Supplier.objects.get(code=code), schema_name="shop_one", reference=f"Q{code}", question="?"
        )
    AfterSalesRequest.objects.filter(supplier__code="first").update(asked_at=timezone.now() - timedelta(hours=48))
    assert order_of(variant) == ["second", "first"]
    assert part("first", "after_sales")["figures"] == {"hours": 48.0}


def test_weights_are_the_categorys_or_everybodys(shop: Reseller) -> None:
    variant = on_sale()
    SupplierOffer.objects.filter(supplier__code="second").update(cost=Decimal("54"))
    results("first", variant, good=50)
    results("second", variant, good=40, bad=10)
    assert order_of(variant) == ["first", "second"]
    RankingWeights.objects.create(category=variant.product.category, success=0, speed=0, after_sales=0, standing=0)
    assert order_of(variant) == ["second", "first"]


def test_it_takes_as_many_statements_for_many_offers(
    shop: Reseller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        results("first", on_sale(sku=f"v-{number}", suppliers=("first", "second")), good=3, bad=1)
    with django_assert_max_num_queries(10):
        assert scores_refresh() == 24
    assert SupplierOffer.objects.filter(score__isnull=False).count() == 24


def test_a_result_is_kept_once_and_corrected_when_it_is_reversed(shop: Reseller) -> None:
    variant = on_sale()
    for status in (SupplierResult.Status.SUCCEEDED, SupplierResult.Status.REVERSED):
        result_record(
            supplier_id=Supplier.objects.get(code="first").pk,
            variant_id=variant.pk,
            reference="R1",
            status=status,
            code="",
            quantity=1,
            cost=Decimal("55"),
            begun_at=timezone.now() - timedelta(seconds=4),
            is_exploration=False,
        )
    kept = SupplierResult.objects.get()
    assert (kept.status, kept.schema_name, kept.category) == ("reversed", "shop_one", variant.product.category)
    assert kept.seconds == pytest.approx(4, abs=2)


def test_a_category_that_leans_on_one_supplier_is_told(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first", "second", "third"))
    results("first", variant, good=14)
    results("second", variant, good=5)
    dependence_watch()
    assert not Alert.objects.exists()  # too few to say
    results("first", variant, good=4)
    dependence_watch()
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject) == ("supplier.dependence", variant.product.category.slug)
    assert alert.data == {"supplier": "first", "share": 0.783, "alternatives": ["second", "third"]}
    results("second", variant, good=12)
    dependence_watch()
    alert.refresh_from_db()
    assert alert.closed_at is not None
