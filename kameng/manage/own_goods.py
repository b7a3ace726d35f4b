"""An owner's own goods: the list, and what is done to one with a button. Its words are written in `own_good`."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.fees import fee_of
from catalog.listings.faces import minutes_words, name_of
from catalog.listings.models import Placement
from catalog.listings.services import products_feature, products_to_front
from catalog.models import Product, Variant
from compliance.gate.models import SubjectKind
from compliance.gate.selectors import case_words, cases_telling
from compliance.gate.subjects import Standing
from compliance.models import Kind
from compliance.selectors import permits_of_own_goods
from compliance.validity import Permits
from fulfillment.suppliers.own_goods import (
    fee_changed,
    fee_seen,
    goods_of_owner,
    own_good_show,
)
from fulfillment.suppliers.stock_imports import stock_counts
from kameng.admin.bases import write_down
from kameng.admin.sites import Nav, shop_site
from kameng.templatetags.staff import yuan
from resellers.models import Reseller

GROUP = pgettext_lazy("多个", "商品")
#: What is done to one good, as the list of changes says it, and what is said afterwards.
_ACTS: Mapping[str, tuple[Any, Any]] = {
    "show": (gettext_lazy("上架"), gettext_lazy("已上架：%(name)s")),
    "hide": (gettext_lazy("下架"), gettext_lazy("已下架：%(name)s；已付款的照常交付")),
    "feature": (gettext_lazy("首页推荐"), gettext_lazy("已推荐到首页：%(name)s")),
    "unfeature": (gettext_lazy("取消首页推荐"), gettext_lazy("首页不再推荐：%(name)s")),
    "front": (gettext_lazy("排到最前"), gettext_lazy("已排到最前：%(name)s")),
}


@shop_site.page("own/", name="own_goods", nav=Nav(GROUP, gettext_lazy("自有商品"), "inventory_2", 26))
@require_http_methods(["GET", "HEAD", "POST"])
def own_goods(request: HttpRequest) -> HttpResponse:
    """All of them, and how each stands; a POST takes one off sale, or puts it back."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if request.method == "POST":
        return _fee_seen(request, shop) if request.POST.get("act") == "fee_seen" else _one_done(request, shop)
    goods = list(goods_of_owner(shop))
    context = {
        "title": _("自有商品"),
        "rows": _rows(shop, goods),
        "is_house": shop.is_house,
        "fee": fee_of(Decimal(100)),
        "fee_changed": fee_changed(shop),
    }
    return shop_site.render(request, "staff/own_goods.html", context)


def _fee_seen(request: HttpRequest, shop: Reseller) -> HttpResponse:
    if fee_seen(shop=shop):
        told = {"fee": yuan(fee_of(Decimal(100)))}
        write_down(request, shop, CHANGE, _("知道了新的平台服务费：每 ¥100 收 %(fee)s") % told)
    return redirect("manage:own_goods")


def _one_done(request: HttpRequest, shop: Reseller) -> HttpResponse:
    """What a button of one good asks for. Raises `Http404` for what no button does."""
    product, act = own_good_of(shop, request.POST.get("row", "")), request.POST.get("act", "")
    done, said = _ACTS.get(act, ("", ""))
    if not done:
        raise Http404
    if act in ("show", "hide"):
        own_good_show(shop=shop, product_id=product.pk, is_active=act == "show")
    elif act == "front":
        products_to_front(shop_id=shop.pk, product_ids=[product.pk])
    else:
        products_feature(shop_id=shop.pk, product_ids=[product.pk], is_featured=act == "feature")
    write_down(request, product, CHANGE, str(done))
    messages.success(request, str(said) % {"name": product.name})
    return redirect("manage:own_goods")


def own_good_of(shop: Reseller, text: object) -> Product:
    """One of the shop's own. Raises `Http404`."""
    number = str(text)
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise Http404
    product = goods_of_owner(shop).filter(pk=int(number)).first()
    if product is None:
        raise Http404
    return product


def _rows(shop: Reseller, goods: Iterable[Product]) -> list[dict[str, Any]]:
    goods = list(goods)
    permits = permits_of_own_goods(shop)
    free = stock_counts([one.pk for product in goods for one in product.variants.all()])
    held = [product.pk for product in goods if product.standing != Standing.CLEAR]
    cases = cases_telling(SubjectKind.OWN_GOOD, shop.schema_name, held) if held else {}
    placed = Placement.objects.filter(product__in=[product.pk for product in goods], is_featured=True)
    featured = set(placed.values_list("product_id", flat=True))
    rows = []
    for product in goods:
        variants = [one for one in product.variants.all() if one.is_active]
        lacks = lacks_of(permits, product)
        tone, word = _state(product, variants, free, lacks)
        rows.append(
            {
                "product": product,
                "variants": [(one, free.get(one.pk, 0)) for one in variants],
                "category": name_of(product.category),
                "how": how_of(product),
                "tone": tone,
                "word": word,
                "lacks": "、".join(lacks),
                "told": case_words(cases[product.pk]) if product.pk in cases else [],
                "has_stock": product.hand_minutes is None,
                "is_featured": product.pk in featured,
            }
        )
    return rows


def lacks_of(permits: Permits, product: Product) -> list[str]:
    """Papers that the shop needs for its category and does not have."""
    kinds = permits.lacking(product.category.slug, "", on=timezone.localdate())
    return [str(Kind(kind).label) for kind in kinds]


def _state(product: Product, variants: Iterable[Variant], free: Mapping[int, int], lacks: list[str]) -> tuple[str, str]:
    """In one word, whether shoppers can buy it."""
    if product.standing == Standing.FLAGGED:
        return "warn", _("待审核")
    if product.standing != Standing.CLEAR:
        return "bad", _("不能卖")
    if not product.is_active:
        return "neutral", _("已下架")
    if lacks:
        return "warn", _("缺证照")
    if any(one.is_available for one in variants):
        return "ok", _("在售")
    if product.hand_minutes is None and not any(free.get(one.pk) for one in variants):
        return "warn", _("没有库存")
    return "warn", _("暂时停售")


def how_of(product: Product) -> str:
    """How it is delivered, in a few words."""
    if product.hand_minutes is None:
        return _("自动发卡密")
    told = {"time": minutes_words(product.hand_minutes)}
    if product.hand_in_hours:
        return _("手工，客服时间内 %(time)s") % told
    return _("手工，%(time)s内") % told
