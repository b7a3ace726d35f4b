"""A shop's goods for its owner: every variant of the platform with its price and why, markups, and its range."""

import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE, DELETION
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from catalog import pricing
from catalog.listings import prices_admin
from catalog.listings.edits import listing_edit, listing_edit_reset
from catalog.listings.exceptions import ListingInvalid
from catalog.listings.faces import name_of
from catalog.listings.models import PriceRule
from catalog.listings.prices_admin import list_it_came_from, markup_text
from catalog.listings.selectors import Lock, PricedGoods, PricedVariant, locked_goods, priced_goods
from catalog.listings.services import price_rule_delete, price_rule_save
from catalog.models import Category, Product, Variant
from compliance.gate.models import SubjectKind
from compliance.gate.selectors import case_words, cases_telling
from kameng.admin.bases import PER_PAGE, ServiceAdmin, actor_of, write_down
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, shop_site
from kameng.core.money import parse_yuan
from kameng.core.problems import Problem
from kameng.templatetags.staff import yuan
from resellers.models import Reseller
from resellers.services import ShopInvalid, shop_look_save

GROUP = pgettext_lazy("多个", "商品")
_BECAUSE = {
    pricing.Because.OWN_PRICE: gettext_lazy("自定售价"),
    pricing.Because.VARIANT: gettext_lazy("面额规则"),
    pricing.Because.PRODUCT: gettext_lazy("商品规则"),
    pricing.Because.CATEGORY: gettext_lazy("类目规则"),
    pricing.Because.SHOP: gettext_lazy("全店规则"),
    pricing.Because.PLATFORM: gettext_lazy("官方价"),
}
#: What the list can be narrowed to, and how a variant belongs there.
_STATES: dict[str, tuple[Any, Callable[[PricedVariant], bool]]] = {
    "own": (gettext_lazy("我改过的"), lambda variant: variant.is_overridden),
    "hidden": (gettext_lazy("已隐藏"), lambda variant: not variant.is_visible),
    "raised": (gettext_lazy("价格被抬高"), lambda variant: variant.raised),
    "outdated": (gettext_lazy("供货价涨了"), lambda variant: variant.is_outdated),
    "dear": (gettext_lazy("成本涨了，已停售"), lambda variant: variant.is_too_dear),
    "alarming": (gettext_lazy("要改价"), lambda variant: variant.is_alarming),
    "held": (gettext_lazy("未过审核"), lambda variant: variant.is_held),
    "lacking": (gettext_lazy("缺证照"), lambda variant: bool(variant.lacks)),
    "empty": (gettext_lazy("暂时无货"), lambda variant: not variant.is_available),
}


_LOCKS = {
    Lock.VARIANT_OFF: gettext_lazy("主站下架了这个面额"),
    Lock.PRODUCT_OFF: gettext_lazy("主站下架了这个商品"),
    Lock.CATEGORY_OFF: gettext_lazy("主站停用了这个类目"),
    Lock.IN_REVIEW: gettext_lazy("平台还在审核"),
    Lock.TAKEN_DOWN: gettext_lazy("未通过平台审核，不能卖"),
}


def why(variant: PricedVariant) -> str:
    """Whose wish decided the price, in a few words."""
    words = str(_BECAUSE[variant.because])
    return f"{words} {markup_text(variant.rule.kind, variant.rule.value)}" if variant.rule else words


def _row(
    variant: PricedVariant,
    told: dict[int, list[str]],
    *,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A variant with what its form shows: what is stored, or what was typed and refused; and why it is kept from sale,
    if it is."""
    stored = {
        "price": "" if variant.own_price is None else f"{variant.own_price:.2f}",
        "name": variant.own_name,
        "is_visible": variant.is_visible,
    }
    words = {"why": why(variant), "told": told.get(variant.id, [])}
    return {"variant": variant, **words, "form": typed or stored, "errors": errors or {}}


def _locked(shop: Any) -> list[dict[str, Any]]:
    """What the platform keeps off sale, with the reason."""
    return [{"variant": variant, "reason": _LOCKS[variant.reason]} for variant in locked_goods(shop)]


def _told(shop: Any, variants: Iterable[PricedVariant]) -> dict[int, list[str]]:
    """What the gate says of those that it keeps from sale, in sentences, by their ids."""
    held = [variant.id for variant in variants if variant.is_held]
    cases = cases_telling(SubjectKind.LISTING, shop.schema_name, held) if held else {}
    return {variant_id: case_words(case) for variant_id, case in cases.items()}


@shop_site.page("goods/", name="goods", nav=Nav(GROUP, gettext_lazy("商品与售价"), "sell", 20, is_tab=True))
@require_http_methods(["GET", "HEAD", "POST"])
def goods(request: HttpRequest) -> HttpResponse:
    """Every variant that the shop may sell; what was ticked of them is shown, hidden, recommended or moved."""
    if request.method == "POST":
        return prices_admin.goods_many(request)
    found = priced_goods(request.shop)  # type: ignore[attr-defined]
    query = request.GET.get("q", "")[:60]
    category, state = request.GET.get("category", ""), request.GET.get("state", "")
    variants = found.find(query) if query.strip() else list(found.variants)
    if category:
        variants = [variant for variant in variants if variant.category == category]
    counts = {name: sum(map(belongs, variants)) for name, (_label, belongs) in _STATES.items()}
    total = len(variants)
    if state in _STATES:
        variants = [variant for variant in variants if _STATES[state][1](variant)]
    page = Paginator(variants, PER_PAGE).get_page(request.GET.get("page"))
    told = _told(request.shop, page)  # type: ignore[attr-defined]
    return shop_site.render(
        request,
        "staff/goods.html",
        {
            "title": _("商品与售价"),
            "rows": [_row(variant, told) for variant in page],
            "page_obj": page,
            "query": query,
            "category": category,
            "state": state,
            "total": total,
            "states": [(name, label, counts[name]) for name, (label, _belongs) in _STATES.items()],
            "categories": found.categories,
            "is_placed": found.is_placed,
            "locked": _locked(request.shop) if state == "locked" else [],  # type: ignore[attr-defined]
        },
    )


@shop_site.page("goods/<int:variant_id>/", name="goods_save")
@require_POST
def goods_save(request: HttpRequest, variant_id: int) -> HttpResponse:
    """Write, or reset, what the owner overrides for one variant; the answer is its row, or the list it came from."""
    shop = request.shop  # type: ignore[attr-defined]
    if _variant_of(priced_goods(shop), variant_id) is None:
        raise Http404
    typed: dict[str, Any] = {
        "price": request.POST.get("price", "")[:20],
        "name": request.POST.get("name", "")[:200],
        "is_visible": "is_visible" in request.POST,
    }
    errors: dict[str, str] = {}
    try:
        if "reset" in request.POST:
            listing_edit_reset(shop_id=shop.pk, variant_id=variant_id, actor=actor_of(request))
        else:
            listing_edit(
                shop_id=shop.pk,
                variant_id=variant_id,
                price=_price(typed["price"]),
                name=typed["name"],
                is_visible=typed["is_visible"],
                actor=actor_of(request),
            )
    except Problem as refused:
        errors = {name: str(text) for name, text in refused.fields.items()} or {"price": str(refused)}
    variant = _variant_of(priced_goods(shop), variant_id)
    if variant is None:
        raise Http404
    if not errors:
        _log(request, variant, is_reset="reset" in request.POST)
    if request.headers.get("HX-Request"):
        row = _row(variant, _told(shop, [variant]), typed=typed if errors else None, errors=errors)
        context = {"row": row, "saved": not errors}
        return shop_site.render(request, "staff/_goods_row.html", context, status=422 if errors else 200)
    for text in errors.values():
        messages.error(request, f"{variant.product_name} {variant.name}：{text}")
    told = _told(shop, [variant]).get(variant.id, [])
    for sentence in told if not errors else ():
        messages.warning(request, sentence)
    if not errors and not told:
        messages.success(request, _("已保存：%(name)s") % {"name": f"{variant.product_name} {variant.name}"})
    return redirect(list_it_came_from(request))


def _price(text: str) -> Decimal | None:
    """What was typed as yuan; nothing typed is no price. Raises `ListingInvalid`."""
    plain = unicodedata.normalize("NFKC", text).replace("¥", "").replace(",", "").strip()
    try:
        return parse_yuan(plain) if plain else None
    except ValueError as error:
        raise ListingInvalid(fields={"price": _("售价要写成 57 或 57.00 这样")}) from error


def _variant_of(found: PricedGoods, variant_id: int) -> PricedVariant | None:
    return next((variant for variant in found.variants if variant.id == variant_id), None)


def _log(request: HttpRequest, variant: PricedVariant, *, is_reset: bool) -> None:
    row = Variant.objects.get(pk=variant.id)
    if is_reset:
        write_down(request, row, DELETION, _("恢复默认，售价 %(price)s") % {"price": yuan(variant.price)})
        return
    shown = _("展示") if variant.is_visible else _("隐藏")
    write_down(request, row, CHANGE, _("售价 %(price)s，%(shown)s") % {"price": yuan(variant.price), "shown": shown})


def _shelves() -> QuerySet[Category]:
    """Those that stand in shops; what the platform sells to owners stands in none."""
    return Category.objects.filter(is_active=True).exclude(products__is_on_shelves=False)


class RangeForm(forms.Form):
    """Which categories the shop trades in; none means all of them."""

    categories = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["categories"].choices = [(one.slug, name_of(one)) for one in _shelves()]  # type: ignore[attr-defined]


@shop_site.page("range/", name="range", nav=Nav(GROUP, gettext_lazy("经营类目"), "category", 24))
@require_http_methods(["GET", "HEAD", "POST"])
def trade_range(request: HttpRequest) -> HttpResponse:
    """What the shop trades in."""
    shop = request.shop  # type: ignore[attr-defined]
    form = RangeForm(request.POST if request.method == "POST" else None, initial={"categories": shop.categories})
    if request.method == "POST" and form.is_valid():
        everything = len(form.cleaned_data["categories"]) == len(form.fields["categories"].choices)  # type: ignore[attr-defined]
        chosen = [] if everything else form.cleaned_data["categories"]
        try:
            shop_look_save(shop_id=shop.pk, categories=chosen)
        except ShopInvalid as refused:
            # The whole row is looked at: what is wrong with it may be about something else.
            for name, text in refused.fields.items():
                label = Reseller._meta.get_field(name).verbose_name
                form.add_error(name if name in form.fields else None, f"{label}：{text}")
        else:
            write_down(request, shop, CHANGE, _("经营类目：%(chosen)s") % {"chosen": "、".join(chosen) or _("全部")})
            messages.success(request, _("已保存，店铺页面一秒内更新"))
            return redirect("manage:range")
    context = {"title": _("经营类目"), "form": form, "all": not shop.categories}
    return shop_site.render(request, "staff/range.html", context, status=422 if form.errors else 200)


def _variant_name(variant: Variant) -> str:
    return f"{name_of(variant.product)} {name_of(variant)}"


class PriceRuleForm(ServiceForm):
    """A markup, or a price, and what it covers."""

    category = forms.ModelChoiceField(
        Category.objects.none(),
        label=gettext_lazy("类目"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    product = forms.ModelChoiceField(
        Product.objects.filter(is_active=True, is_on_shelves=True, owner=None),
        label=gettext_lazy("商品"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    variant = forms.ModelChoiceField(
        Variant.objects.filter(
            is_active=True, product__is_active=True, product__is_on_shelves=True, product__owner=None
        ).select_related("product"),
        label=gettext_lazy("面额"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = PriceRule
        fields = ("category", "product", "variant", "kind", "value", "rounding")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["category"].queryset = _shelves()
        fields["category"].label_from_instance = fields["product"].label_from_instance = name_of
        fields["variant"].label_from_instance = _variant_name

    def validate_unique(self) -> None:
        """Left to the service, which says what to do about it."""


class PriceRuleAdmin(ServiceAdmin):
    """Markups and prices, widest first."""

    form = PriceRuleForm
    can_delete = True
    nav = Nav(GROUP, gettext_lazy("定价规则"), "percent", 22)
    list_display = ("scope", "markup", "rounding")
    list_before_template = "staff/_rules_hint.html"
    list_select_related = ("category", "product", "variant__product")
    fieldsets = (
        (
            gettext_lazy("管哪些商品"),
            {
                "fields": ("category", "product", "variant"),
                "description": gettext_lazy("只选一个；都不选就是全店。范围小的规则优先：面额 → 商品 → 类目 → 全店"),
            },
        ),
        (
            gettext_lazy("怎么定价"),
            {
                "fields": ("kind", "value", "rounding"),
                "description": gettext_lazy(
                    "加百分比：在供货价上加百分之几，0 到 100。加固定金额：在供货价上加几元，不超过范围里最低的供货价。"
                    "一口价：数值就是售价，供货价变了也不跟着变，要对范围里的每个面额都合适。取整只会往上，不会低于供货价"
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceRule]:
        """The whole shop's first, then by how much they cover."""
        found: QuerySet[PriceRule] = super().get_queryset(request)
        first = [F(name).asc(nulls_first=True) for name in ("variant_id", "product_id", "category_id")]
        return found.order_by(*first)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        saved = price_rule_save(
            shop_id=request.shop.pk,  # type: ignore[attr-defined]
            rule_id=obj.pk if change else None,
            category_id=obj.category_id,
            product_id=obj.product_id,
            variant_id=obj.variant_id,
            kind=obj.kind,
            value=obj.value,
            rounding=obj.rounding,
        )
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """By the service."""
        price_rule_delete(shop_id=request.shop.pk, rule_id=obj.pk)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("范围"))
    def scope(self, rule: PriceRule) -> SafeString:
        """What it covers."""
        if rule.variant_id:
            kind, name = _("面额"), _variant_name(rule.variant)
        elif rule.product_id:
            kind, name = _("商品"), name_of(rule.product)
        elif rule.category_id:
            kind, name = _("类目"), name_of(rule.category)
        else:
            kind, name = _("默认"), _("全店")
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub">{}</span></span>', name, kind
        )

    @display(description=gettext_lazy("定价"))
    def markup(self, rule: PriceRule) -> SafeString:
        """How much on top, or the price itself."""
        return format_html('<span class="k-num k-strong">{}</span>', markup_text(rule.kind, rule.value))


shop_site.register(PriceRule, PriceRuleAdmin)
