"""Who is asked first, and why."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.utils import timezone

from catalog.models import Variant
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.choosing import Chosen, offers_order, offers_ranked
from fulfillment.suppliers.models import RankingRule, Supplier, SupplierBreaker, SupplierOffer
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import REFUSED, TOPPED_UP, attempts, fulfill, paid

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def chosen(variant: Variant, *, draw: str = "") -> list[Chosen]:
    """Everybody who would be asked, in turn."""
    return list(offers_ranked(variant_id=variant.pk, highest_cost=Decimal(60), tried=[], draw=draw))


def codes(variant: Variant, *, draw: str = "") -> list[str]:
    """Their codes."""
    return [choice.offer.supplier.code for choice in chosen(variant, draw=draw)]


def scored(**scores: float) -> Variant:
    """A variant offered with these scores."""
    variant = on_sale(suppliers=tuple(scores))
    for code, points in scores.items():
        SupplierOffer.objects.filter(supplier__code=code).update(score=points)
    return variant


def named(code: str) -> str:
    """The name that people know a supplier by."""
    return Supplier.objects.get(code=code).name


def rule(kind: str, code: str, **scope: object) -> RankingRule:
    """An operator's word."""
    given = {"expires_at": timezone.now() + timedelta(hours=1), **scope}
    return RankingRule.objects.create(
        kind=kind, supplier=Supplier.objects.get(code=code), reason="because", actor="ops", **given
    )


def broken(code: str, state: str = "open") -> SupplierBreaker:
    """A breaker that is not closed."""
    now = timezone.now()
    return SupplierBreaker.objects.create(
        supplier=Supplier.objects.get(code=code), state=state, opened_at=now, retry_at=now
    )


def test_the_highest_score_comes_first(shop: Reseller) -> None:
    variant = scored(first=61.0, second=88.5, third=70.0)
    assert codes(variant) == ["second", "third", "first"]
    assert chosen(variant)[0].why == {"by": "score", "place": 1, "of": 3, "score": 88.5, "instead_of": []}
    assert chosen(variant)[1].why["instead_of"] == [{"name": named("second"), "reason": "asked_before"}]


@pytest.mark.parametrize("scope", ["everywhere", "category", "variant"])
def test_a_pin_comes_first_until_it_expires(shop: Reseller, scope: str) -> None:
    variant = scored(first=90.0, second=10.0)
    where = {"category": variant.product.category} if scope == "category" else {}
    pin = rule("pin", "second", **({"variant": variant} if scope == "variant" else where))
    assert codes(variant) == ["second", "first"]
    assert chosen(variant)[0].why["by"] == "pin"
    RankingRule.objects.filter(pk=pin.pk).update(expires_at=timezone.now())
    assert codes(variant) == ["first", "second"]


def test_an_exclusion_is_for_its_scope(shop: Reseller) -> None:
    variant = scored(first=90.0, second=10.0)
    other = on_sale(sku="other", suppliers=("first", "second"))
    rule("exclude", "first", variant=variant, expires_at=None)
    assert codes(variant) == ["second"]
    assert codes(other) == ["first", "second"]


def test_an_open_breaker_and_an_empty_shelf_are_left_out(shop: Reseller) -> None:
    variant = scored(first=90.0, second=80.0, third=70.0, fourth=60.0)
    broken("first")
    SupplierOffer.objects.filter(supplier__code="second").update(stock=0)
    SupplierOffer.objects.filter(supplier__code="third").update(is_listed=False)
    assert codes(variant) == ["fourth"]
    (only,) = chosen(variant)
    assert only.why["by"] == "only"
    assert only.why["instead_of"] == [
        {"name": named("first"), "reason": "breaker_open"},
        {"name": named("second"), "reason": "out_of_stock"},
        {"name": named("third"), "reason": "unlisted"},
    ]


def test_one_order_tries_a_half_open_supplier_and_the_next_does_not(shop: Reseller) -> None:
    variant = scored(first=90.0, second=80.0)
    broken("first", "half_open")
    assert codes(variant) == ["first", "second"]
    assert codes(variant) == ["second"]


def test_a_small_share_explores_always_the_same(shop: Reseller, settings: LazySettings) -> None:
    settings.SUPPLIER_EXPLORATION_PERCENT = 5
    variant = scored(first=90.0, second=80.0, third=70.0)
    draws = [f"shop_one:{number}" for number in range(2000)]
    begins = [codes(variant, draw=draw)[0] for draw in draws[:400]]
    share = 1 - begins.count("first") / len(begins)
    assert 0 < share <= 0.08
    assert {"second", "third"} <= set(begins)
    explored = next(draw for draw, code in zip(draws, begins, strict=False) if code != "first")
    assert codes(variant, draw=explored) == codes(variant, draw=explored)
    assert chosen(variant, draw=explored)[0].why["by"] == "explore"
    assert sorted(codes(variant, draw=explored)) == ["first", "second", "third"]
    rule("pin", "first")
    assert {codes(variant, draw=draw)[0] for draw in draws[:200]} == {"first"}


def test_a_purchase_remembers_why_it_went_there(shop: Reseller) -> None:
    variant = scored(first=61.0, second=88.5)
    ScriptedSupplier.on_submit("second", REFUSED)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, variant)
    fulfill(order)
    assert attempts(order) == [("second", "rejected"), ("first", "succeeded")]
    assert offers_order(variant_id=variant.pk, highest_cost=Decimal(60)) == [
        choice.offer.pk for choice in chosen(variant)
    ]
    assert [buy.choice["by"] for buy in SupplierOrder.objects.order_by("sequence")] == ["score", "only"]
