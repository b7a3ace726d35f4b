"""Changing many prices at once: foreseen, applied as foreseen or not at all, and taken back."""

from decimal import Decimal

import pytest
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.exceptions import PriceRuleInvalid, PricesMoved
from catalog.listings.models import Listing, PriceRule, Repricing
from catalog.listings.plans import Ask, Plan, Skip
from catalog.listings.repricing import repricing_apply, repricing_foresee, repricing_undo
from catalog.listings.selectors import priced_goods
from catalog.listings.services import products_feature, products_to_front
from catalog.listings.shelf import shelf_now
from catalog.models import Category, Revision, Variant
from resellers.models import Reseller
from tests.factories import ProductFactory, on_sale
from tests.staff import owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")


def _apply(shop: Reseller, ask: Ask, foreseen: Plan, key: str = "k") -> Repricing:
    return repricing_apply(shop=shop, ask=ask, scope_name="", digest=foreseen.digest, key=key, actor="staff:owner")


def _prices(shop: Reseller) -> dict[str, Decimal]:
    with schema_context(shop.schema_name):
        return {sku: found.price for sku, (_product, found) in shelf_now(shop)[0].by_sku.items()}


def test_a_category_is_changed_as_foreseen_once_and_put_back(shop: Reseller) -> None:
    product = ProductFactory()
    plain, own = on_sale(product=product, sku="plain"), on_sale(product=product, sku="own")
    on_sale(sku="elsewhere")
    Listing.objects.create(variant=own, price=Decimal("59.00"))
    ask = Ask("category", "percent", Decimal(10), "yuan", whose=product.category_id)
    foreseen = repricing_foresee(shop=shop, ask=ask)
    assert {(row.variant.sku, row.new.amount, row.skip) for row in foreseen.rows} == {
        ("plain", Decimal("63.00"), None), ("own", Decimal("59.00"), Skip.BY_HAND),
    }  # fmt: skip
    assert (foreseen.changed, foreseen.skipped) == (1, 1)
    done = _apply(shop, ask, foreseen)
    assert _apply(shop, ask, foreseen) == done
    assert (Repricing.objects.count(), PriceRule.objects.count()) == (1, 1)
    assert _prices(shop) == {"plain": Decimal("63.00"), "own": Decimal("59.00"), "elsewhere": Decimal("60.00")}
    repricing_undo(shop=shop, repricing_id=done.pk, actor="staff:owner")
    assert _prices(shop) == {"plain": Decimal("60.00"), "own": Decimal("59.00"), "elsewhere": Decimal("60.00")}
    assert (PriceRule.objects.count(), plain.pk in Listing.objects.values_list("variant", flat=True)) == (0, False)


def test_nothing_is_applied_once_anything_has_moved(shop: Reseller) -> None:
    variant = on_sale()
    ask = Ask("shop", "fixed", Decimal(1))
    foreseen = repricing_foresee(shop=shop, ask=ask)
    Variant.objects.filter(pk=variant.pk).update(supply_price=Decimal("57.50"))
    Revision.bump()
    with pytest.raises(PricesMoved):
        _apply(shop, ask, foreseen)
    assert not PriceRule.objects.exists()
    assert not Repricing.objects.exists()
    assert _apply(shop, ask, repricing_foresee(shop=shop, ask=ask)).changed == 1


def test_chosen_variants_get_a_price_each_or_are_skipped_with_the_reason(shop: Reseller) -> None:
    dear = on_sale(sku="dear", official_price=Decimal(90), supply_price=Decimal(80))
    cheap = on_sale(sku="cheap", official_price=Decimal(30), supply_price=Decimal(28))
    own, fits = on_sale(sku="own"), on_sale(sku="fits")
    stood = Listing.objects.create(variant=own, price=Decimal("58.00"), name="特惠").updated_at
    chosen = frozenset(one.pk for one in (dear, cheap, own, fits))
    ask = Ask("chosen", "price", Decimal("66.60"), chosen=chosen)
    foreseen = repricing_foresee(shop=shop, ask=ask)
    assert {row.variant.sku: row.skip for row in foreseen.rows} == {
        "dear": Skip.BELOW_FLOOR, "cheap": Skip.ABOVE_CAP, "own": Skip.BY_HAND, "fits": None,
    }  # fmt: skip
    over = Ask("chosen", "price", Decimal("66.60"), chosen=chosen, over=True)
    done = _apply(shop, over, repricing_foresee(shop=shop, ask=over))
    assert {sku: price for sku, price in _prices(shop).items() if price == Decimal("66.60")}.keys() == {"own", "fits"}
    # Changed since by hand: left alone, and said; the other is as it was, and as old as it was.
    Listing.objects.filter(variant=fits).update(price=Decimal("61.00"))
    undone = repricing_undo(shop=shop, repricing_id=done.pk, actor="staff:owner")
    assert undone.left == [{"level": "own", "whose": fits.pk}]
    assert set(Listing.objects.values_list("variant__sku", "price", "name")) == {
        ("fits", Decimal("61.00"), ""), ("own", Decimal("58.00"), "特惠"),
    }  # fmt: skip
    assert Listing.objects.get(variant=own).updated_at == stood


def test_resetting_takes_narrower_wishes_away_where_that_is_wanted(shop: Reseller) -> None:
    variant = on_sale()
    Listing.objects.create(variant=variant, price=Decimal("58.00"))
    PriceRule.objects.create(product=variant.product, kind="fixed", value=Decimal(2))
    ask = Ask("shop", "inherit", over=True)
    _apply(shop, ask, repricing_foresee(shop=shop, ask=ask))
    assert (Listing.objects.count(), PriceRule.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "ask",
    [
        Ask("shop", "percent"),
        Ask("shop", "percent", Decimal("100.01")),
        Ask("shop", "fixed", Decimal(-1)),
        Ask("shop", "fixed", Decimal("NaN")),
        Ask("shop", "gift", Decimal(1)),
        Ask("chosen", "percent", Decimal(1)),
        Ask("category", "percent", Decimal(1), whose=0),
    ],
)
def test_what_can_never_be_is_refused(shop: Reseller, ask: Ask) -> None:
    on_sale()
    with pytest.raises(PriceRuleInvalid):
        repricing_foresee(shop=shop, ask=ask)


def test_a_category_has_a_cap_of_its_own(shop: Reseller) -> None:
    variant = on_sale()
    Category.objects.filter(pk=variant.product.category_id).update(price_cap_percent=105)
    Revision.bump()
    PriceRule.objects.create(kind="percent", value=Decimal(20))
    own = priced_goods(shop).variants[0]
    assert (own.price, own.cap, own.lowered, own.breach) == (Decimal("63.00"), Decimal("63.00"), True, None)


def test_an_owner_sees_what_needs_another_price_and_puts_it_right_in_a_browser(shop: Reseller) -> None:
    below, thin, fine = on_sale(sku="below"), on_sale(sku="thin"), on_sale(sku="fine")
    Listing.objects.create(variant=below, price=Decimal("50.00"))
    Listing.objects.create(variant=thin, price=Decimal("57.10"))
    variant = Variant.objects.get(pk=thin.pk)
    variant.supply_raised_at = Listing.objects.get(variant=thin).updated_at.replace(year=2099)
    variant.save(update_fields=["supply_raised_at"])
    Revision.bump()
    client = owner_of(shop)
    home = client.get("/manage/").content.decode()
    assert "1 个面额的售价超出允许范围，已自动隐藏" in home
    assert "1 个面额的供货价涨了，毛利太低" in home
    wish = {"state": "alarming", "mode": "percent", "value": "10", "rounding": "none", "over": "1"}
    page = client.get("/manage/prices/", {**wish, "preview": "1"})
    assert "会改 2 个，跳过 0 个" in page.content.decode()
    context = page.context
    form = {
        "scope": "chosen", "v": context["chosen"], "mode": "percent", "value": "10", "rounding": "none", "over": "1",
        "digest": context["plan"].digest, "key": context["key"],
    }  # fmt: skip
    assert client.post("/manage/prices/", {**form, "digest": "0" * 64}).status_code == 409
    assert client.post("/manage/prices/", form)["Location"] == "/manage/price-changes/"
    assert _prices(shop) == {"below": Decimal("62.70"), "thin": Decimal("62.70"), "fine": Decimal("60.00")}
    with schema_context(shop.schema_name):
        done = Repricing.objects.get()
    assert "改了 2 个" in client.get("/manage/price-changes/").content.decode()
    client.post(f"/manage/price-changes/{done.pk}/undo/")
    assert "below" not in _prices(shop)
    for act, says in (("hide", {"fine": False}), ("show", {"fine": True})):
        client.post("/manage/goods/", {"v": str(fine.pk), "act": act})
        assert {sku: sku in _prices(shop) for sku in says} == says
    client.post("/manage/goods/", {"v": str(fine.pk), "act": "feature"})
    client.post("/manage/goods/", {"v": str(fine.pk), "act": "front"})
    with schema_context(shop.schema_name):
        shelf = shelf_now(shop)[0]
    assert (shelf.products[0].slug, [one.slug for one in shelf.featured]) == (fine.product.slug, [fine.product.slug])
    assert "本店推荐" in Client().get("/", headers={"host": "one.test"}).content.decode()


def test_what_the_platform_keeps_off_sale_is_locked_with_the_reason(shop: Reseller) -> None:
    on_sale(sku="sold")
    Variant.objects.filter(pk=on_sale(sku="off").pk).update(is_active=False)
    Revision.bump()
    page = owner_of(shop).get("/manage/goods/", {"state": "locked"}).content.decode()
    assert ("主站下架了这个面额" in page, ">off<" in page, ">sold<" in page) == (True, True, False)


def _changes(shop: Reseller) -> list[Repricing]:
    with schema_context(shop.schema_name):
        return list(Repricing.objects.order_by("pk"))


def _says(shop: Reseller, variant: Variant) -> tuple[Decimal | None, str, bool] | None:
    with schema_context(shop.schema_name):
        return Listing.objects.filter(variant_id=variant.pk).values_list("price", "name", "is_visible").first()


def test_what_an_owner_changes_by_hand_is_kept_and_taken_back_field_by_field(shop: Reseller) -> None:
    variant, other = on_sale(), on_sale()
    client = owner_of(shop)
    client.post(f"/manage/goods/{variant.pk}/", {"price": "58", "name": "特惠"})
    with schema_context(shop.schema_name):
        stood = Listing.objects.get().updated_at
    client.post(f"/manage/goods/{variant.pk}/", {"price": "59", "name": "特惠"})
    client.post(f"/manage/goods/{variant.pk}/", {"price": "59", "name": "特惠"})
    first, second = _changes(shop)
    page = client.get("/manage/price-changes/").content.decode()
    for words in (
        f"{variant.product.name} 600 点券", "自定售价：按规则 → ¥58.00", "名称：默认 → 特惠", "展示 → 隐藏",
        "自定售价：¥58.00 → ¥59.00", "owner",
    ):  # fmt: skip
        assert words in page, words
    client.post(f"/manage/price-changes/{first.pk}/undo/")
    assert _changes(shop)[0].left == [{"level": "own", "whose": variant.pk}]
    assert _says(shop, variant) == (Decimal("59.00"), "", True)
    client.post(f"/manage/price-changes/{second.pk}/undo/")
    assert _says(shop, variant) == (Decimal("58.00"), "", True)
    with schema_context(shop.schema_name):
        assert Listing.objects.get().updated_at == stood
    client.post(f"/manage/goods/{variant.pk}/", {"reset": "1"})
    client.post("/manage/goods/", {"v": [str(variant.pk), str(other.pk)], "act": "hide"})
    reset, hidden = _changes(shop)[2:]
    assert (hidden.changed, hidden.entries[0]["level"], _says(shop, other)) == (2, "visible", (None, "", False))
    client.post(f"/manage/price-changes/{hidden.pk}/undo/")
    assert (_says(shop, variant), _says(shop, other)) == (None, None)
    client.post(f"/manage/price-changes/{reset.pk}/undo/")
    assert _says(shop, variant) == (Decimal("58.00"), "", True)


def test_a_name_that_may_not_be_any_more_does_not_come_back(shop: Reseller) -> None:
    variant = on_sale()
    Listing.objects.create(variant=variant, name="王者荣耀外挂 自动瞄准")
    client = owner_of(shop)
    client.post(f"/manage/goods/{variant.pk}/", {"price": "58", "name": "", "is_visible": "on"})
    (change,) = _changes(shop)
    answer = client.post(f"/manage/price-changes/{change.pk}/undo/", follow=True)
    assert "“外挂”" in answer.content.decode()
    assert (_says(shop, variant), _changes(shop)[0].undone_at) == ((Decimal("58.00"), "", True), None)


def test_an_owners_order_of_products_goes_back_to_the_platforms(shop: Reseller) -> None:
    first, second, third = on_sale(), on_sale(), on_sale()
    products_feature(shop_id=shop.pk, product_ids=[third.product_id], is_featured=True)
    products_to_front(shop_id=shop.pk, product_ids=[third.product_id])
    client = owner_of(shop)
    assert "恢复默认顺序" in client.get("/manage/goods/").content.decode()
    ticked = client.post("/manage/goods/", {"act": "reprice", "v": [str(first.pk), str(third.pk)]})
    assert ticked["Location"] == f"/manage/prices/?v={first.pk}%2C{third.pk}"
    came_from = "http://one.test/manage/goods/?state=own"
    answer = client.post("/manage/goods/", {"act": "unplace"}, headers={"referer": came_from})
    assert answer["Location"] == came_from
    with schema_context(shop.schema_name):
        shelf = shelf_now(shop)[0]
    assert [one.id for one in shelf.products] == [one.product_id for one in (first, second, third)]
    assert [one.id for one in shelf.featured] == [third.product_id]
    assert "恢复默认顺序" not in client.get("/manage/goods/").content.decode()
