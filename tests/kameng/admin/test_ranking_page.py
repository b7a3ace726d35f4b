"""Who is asked first, and why: the page, its weights, pins and exclusions."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Variant
from fulfillment.suppliers.models import RankingRule, RankingWeights, Supplier, SupplierBreaker, SupplierOffer
from tests.doubles import ScriptedSupplier
from tests.factories import CategoryFactory, on_sale
from tests.staff import operator

PAGE = "/admin/ranking/"
FIGURES: dict[str, dict[str, Any]] = {
    "success": {"rate": 0.972, "attempts": 241, "lower": 0.941},
    "speed": {"p50": 12, "p90": 41},
    "cost": {"cost": "55.00", "cheapest": "50.00"},
    "after_sales": {"hours": 1.5},
    "standing": {"standing": "agent", "licensed": False},
}
WEIGHTS = {"success": 45, "speed": 20, "cost": 20, "after_sales": 10, "standing": 5}


@pytest.fixture(autouse=True)
def _in_public(db: None, supplier_double: type[ScriptedSupplier]) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


@pytest.fixture
def variant(_in_public: None) -> Variant:
    """Offered by two, of which the first has a score."""
    found = on_sale(sku="hok-600", product__category=CategoryFactory.create(slug="games", name="手机游戏"))
    _score(SupplierOffer.objects.get(supplier__code="first"), 0.8)
    return found


def _score(offer: SupplierOffer, value: float) -> None:
    parts = [
        {"name": name, "weight": weight, "value": value, "points": weight * value, "figures": FIGURES[name]}
        for name, weight in WEIGHTS.items()
    ]
    scores = {"scope": "category", "parts": parts}
    SupplierOffer.objects.filter(pk=offer.pk).update(score=100 * value, score_parts=scores, scored_at=timezone.now())


def test_a_score_is_shown_in_parts_with_what_each_rests_on(variant: Variant) -> None:
    shown = operator().get(PAGE, {"variant": "hok-600"}).content.decode()
    for text in (
        "成功率 97.2%（241 次，下限 94.1%）", "一半在 12 秒 内，九成在 41 秒 内", "¥55.00，比最低的贵 10.0%",
        "答复一般要 1 小时 30 分", "一级代理，证照不全或过期", "36.0 / 45", "按整个类目的结果", "80.0",
        "现在会先问 first",
    ):  # fmt: skip
        assert text in shown, text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cost": None}, "成本不明"),
        ({"cost": Decimal(58)}, "成本高过供货价"),
        ({"is_active": False}, "报价停用"),
        ({"supplier": {"is_active": False}}, "供应商暂停"),
        (
            {"supplier": {"eliminated_at": "2026-01-01T00:00Z", "eliminated_reason": "no_balance"}},
            "自动停用：no_balance",
        ),
    ],
)
def test_who_is_not_asked_is_told_with_the_reason(variant: Variant, change: dict[str, Any], said: str) -> None:
    Supplier.objects.filter(code="first").update(**change.pop("supplier", {}))
    if change:
        SupplierOffer.objects.filter(supplier__code="first").update(**change)
    shown = operator().get(PAGE, {"variant": "hok-600"}).content.decode()
    assert said in shown
    assert "不会问它" in shown
    assert "现在只会问 second" in shown


def test_the_simulated_price_decides_who_is_too_dear(variant: Variant) -> None:
    client = operator()
    SupplierOffer.objects.filter(supplier__code="first").update(cost=Decimal("56.5"))
    assert "不会问它" not in client.get(PAGE, {"variant": "hok-600"}).content.decode()
    shown = client.get(PAGE, {"variant": "hok-600", "price": "56"}).content.decode()
    assert "现在只会问 second" in shown
    assert "现在没有人能供" in client.get(PAGE, {"variant": "hok-600", "price": "1"}).content.decode()
    for nonsense in ("x", "NaN", "-1", "1e99"):
        assert client.get(PAGE, {"variant": "hok-600", "price": nonsense}).status_code == 200


def test_a_category_shows_its_suppliers_by_the_mean_of_their_scores(variant: Variant) -> None:
    other = on_sale(product__category=variant.product.category)
    _score(SupplierOffer.objects.get(supplier__code="first", variant=other), 0.4)
    _score(SupplierOffer.objects.get(supplier__code="second", variant=other), 0.7)
    shown = operator().get(PAGE, {"category": "games"}).content.decode()
    assert "2 个报价，1 个有得分" in shown
    assert shown.index("70.0") < shown.index("60.0")


def test_weights_are_set_for_the_category_and_dropped_again(variant: Variant) -> None:
    client = operator()
    address = f"{PAGE}?category=games"
    for wrong, said in (
        ({"success": "101"}, "小于或等于"),
        ({"success": ""}, "必填"),
        (dict.fromkeys(WEIGHTS, "0"), "至少有一项"),
    ):
        answer = client.post(address, {**WEIGHTS, **wrong, "act": "weights"})
        assert (answer.status_code, said in answer.content.decode()) == (422, True), said
    assert not RankingWeights.objects.exists()
    assert client.post(address, {**WEIGHTS, "cost": "70", "act": "weights"}).status_code == 302
    saved = RankingWeights.objects.get()
    assert (saved.category, saved.success, saved.cost) == (variant.product.category, 45, 70)
    assert "成本 70" in LogEntry.objects.get().change_message
    assert 'value="70"' in client.get(address).content.decode()
    assert client.post(address, {"act": "default_weights"}).status_code == 302
    assert not RankingWeights.objects.exists()


@pytest.mark.parametrize(
    ("until", "at_most"), [("hour", timedelta(hours=1)), ("today", timedelta(days=1)), ("week", timedelta(days=7))]
)
def test_a_pin_has_a_reason_and_an_end_and_is_taken_back(variant: Variant, until: str, at_most: timedelta) -> None:
    client = operator()
    second = Supplier.objects.get(code="second")
    address = f"{PAGE}?category=games&variant=hok-600"
    form = {
        "act": "rule",
        "supplier": second.pk,
        "kind": "pin",
        "where": "variant",
        "until": until,
        "reason": "甲通维护，预热",
    }
    assert client.post(address, {**form, "reason": "短"}).status_code == 422
    assert client.post(address, form).status_code == 302
    rule = RankingRule.objects.get()
    assert (rule.kind, rule.supplier, rule.variant, rule.category, rule.actor) == (
        "pin", second, variant, None, "staff:operator",
    )  # fmt: skip
    assert rule.expires_at is not None
    assert timedelta(0) < rule.expires_at - timezone.now() <= at_most
    shown = client.get(address).content.decode()
    assert "甲通维护，预热" in shown
    assert "已撤回" in client.post(address, {"act": "end_rule", "rule": rule.pk}, follow=True).content.decode()
    assert "已经不在了" in client.post(address, {"act": "end_rule", "rule": rule.pk}, follow=True).content.decode()
    assert not RankingRule.objects.exists()
    assert LogEntry.objects.count() == 2


def test_there_is_one_pin_in_a_place_and_one_word_about_a_supplier(variant: Variant) -> None:
    client = operator()
    first, second = Supplier.objects.order_by("code")
    form = {"act": "rule", "kind": "pin", "where": "category", "until": "hour", "reason": "先试一小时"}
    for supplier in (first, second):
        client.post(f"{PAGE}?variant=hok-600", {**form, "supplier": supplier.pk})
    assert RankingRule.objects.get().supplier == second
    client.post(f"{PAGE}?variant=hok-600", {**form, "supplier": second.pk, "kind": "exclude"})
    rule = RankingRule.objects.get()
    assert (rule.kind, rule.category, rule.expires_at) == ("exclude", variant.product.category, None)
    client.post(f"{PAGE}?variant=hok-600", {**form, "supplier": first.pk})
    assert RankingRule.objects.count() == 2


def test_what_is_not_there_is_not_there(variant: Variant) -> None:
    client = operator()
    for form in ({"act": "rule", "supplier": "0"}, {"act": "rule", "supplier": "x"}, {"act": "nonsense"}):
        assert client.post(f"{PAGE}?variant=hok-600", form).status_code == 404
    assert client.post(f"{PAGE}?variant=nothing", {"act": "weights"}).status_code == 404
    for chosen in ({}, {"variant": "nothing"}, {"category": "nothing"}):
        assert client.get(PAGE, chosen).status_code == 200


def test_fifty_suppliers_take_few_queries(
    variant: Variant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    on_sale(variant, suppliers=[f"more-{place}" for place in range(48)])
    now = timezone.now()
    for offer in SupplierOffer.objects.all():
        _score(offer, 0.5)
        SupplierBreaker.objects.create(supplier=offer.supplier, state="half_open", opened_at=now, retry_at=now)
    client = operator()
    client.get(PAGE, {"variant": "hok-600"})
    for chosen in ({"variant": "hok-600"}, {"category": "games"}):
        with django_assert_max_num_queries(12):
            shown = client.get(PAGE, chosen).content.decode()
        assert shown.count("k-scorebar") == 50
