"""Changing many prices for a shop's owner: a preview, the same applied, and a list of changes with a way back."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import pricing
from catalog.listings.edits import Said, listings_edit_visible
from catalog.listings.exceptions import PricesMoved
from catalog.listings.faces import name_of
from catalog.listings.models import Placement, PriceRule, Repricing
from catalog.listings.plans import Ask, Mode, Plan, Scope, Skip
from catalog.listings.product_names import LONGEST_NAME, product_rename
from catalog.listings.repricing import MOST_CHOSEN, repricing_apply, repricing_foresee, repricing_undo
from catalog.listings.selectors import goods_of, priced_goods
from catalog.listings.services import products_feature, products_to_front, products_unplace
from catalog.models import Product
from compliance.gate.models import SubjectKind
from compliance.gate.selectors import case_words, cases_telling
from compliance.gate.subjects import Standing
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.templatetags.staff import yuan

GROUP = pgettext_lazy("多个", "商品")
_SKIPS = {
    Skip.BY_HAND: gettext_lazy("单独定过价，不动"),
    Skip.BELOW_FLOOR: gettext_lazy("低于供货价"),
    Skip.ABOVE_CAP: gettext_lazy("高于平台的最高售价"),
    Skip.NO_ROOM: gettext_lazy("供货价已经高过最高售价，不能卖"),
}
#: As many rows of a preview are drawn; the counts are of all.
ROWS_SHOWN = 300


def _chosen(texts: Iterable[str]) -> frozenset[int]:
    parts = [part for text in texts for part in text.split(",")][: MOST_CHOSEN + 1]
    return frozenset(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)


def _value(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip()) if len(text) <= 20 else None
    except InvalidOperation:
        return None


def _ask(request: HttpRequest) -> Ask:
    """What the form says; a link from the list of things to do names a state instead of variants."""
    said = request.POST if request.method == "POST" else request.GET
    scope, whose = said.get("scope", ""), said.get("whose", "")
    chosen = _chosen(said.getlist("v"))
    if said.get("state") == "alarming":
        goods = priced_goods(request.shop).variants  # type: ignore[attr-defined]
        chosen = frozenset([variant.id for variant in goods if variant.is_alarming][:MOST_CHOSEN])
    if scope not in Scope:
        kind, _colon, number = scope.partition(":")
        scope, whose = (kind, number) if kind in Scope else (Scope.CHOSEN if chosen else Scope.SHOP, "")
    return Ask(
        scope=str(scope),
        mode=said.get("mode", Mode.PERCENT.value),
        value=_value(said.get("value", "")) if said.get("mode") != Mode.INHERIT else None,
        rounding=said.get("rounding", PriceRule.Rounding.NONE.value),
        whose=int(whose) if whose.isascii() and whose.isdigit() and len(whose) < 10 else 0,
        chosen=chosen if scope == Scope.CHOSEN else frozenset(),
        over="over" in said,
    )


@shop_site.page("prices/", name="prices", nav=Nav(GROUP, gettext_lazy("批量改价"), "percent", 21))
@require_http_methods(["GET", "HEAD", "POST"])
def prices(request: HttpRequest) -> HttpResponse:
    """Say what is to change, look at what would come of it, and do that."""
    shop = request.shop  # type: ignore[attr-defined]
    ask = _ask(request)
    products, categories = goods_of(shop)
    scopes = [("shop", _("全店")), *((f"category:{one.id}", name_of(one)) for one in categories)]
    scopes += [(f"product:{one.id}", f"· {name_of(one)}") for one in products]
    scope = ask.scope if ask.scope in (Scope.SHOP, Scope.CHOSEN) else f"{ask.scope}:{ask.whose}"
    scope_name = "" if ask.scope in (Scope.SHOP, Scope.CHOSEN) else dict(scopes).get(scope, "").removeprefix("· ")
    foreseen: Plan | None = None
    errors: list[str] = []
    status = 200
    try:
        if request.method == "POST":
            done = repricing_apply(
                shop=shop, ask=ask, scope_name=scope_name, digest=request.POST.get("digest", ""),
                key=request.POST.get("key", "")[:32] or random_id(20), actor=actor_of(request),
            )  # fmt: skip
            write_down(request, done, CHANGE, _("批量改价 %(count)s 个面额") % {"count": done.changed})
            messages.success(
                request, _("改好了 %(count)s 个面额，店铺页面一秒内更新；不对可以撤销") % {"count": done.changed}
            )
            return redirect("manage:price_changes")
        if "preview" in request.GET:
            foreseen = repricing_foresee(shop=shop, ask=ask)
    except PricesMoved as moved:
        errors, status = [str(moved)], moved.status
        foreseen = repricing_foresee(shop=shop, ask=ask)
    except Problem as refused:
        errors, status = [str(text) for text in refused.fields.values()] or [str(refused)], 422
    said = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {
        "title": _("批量改价"),
        "ask": ask,
        "scope": scope,
        "scopes": scopes,
        "chosen": ",".join(map(str, sorted(ask.chosen))),
        "value": said.get("value", "")[:20],
        "modes": Mode.choices,
        "roundings": PriceRule.Rounding.choices,
        "errors": errors,
        "plan": foreseen,
        "rows": _rows(foreseen) if foreseen else [],
        "unchanged": len(foreseen.rows) - foreseen.changed - foreseen.skipped if foreseen else 0,
        "key": random_id(20),
    }
    return shop_site.render(request, "staff/bulk_prices.html", context, status=status)


def _rows(foreseen: Plan) -> list[dict[str, Any]]:
    told = [row for row in foreseen.rows if row.is_changed or row.skip]
    return [
        {
            "name": f"{name_of(row.product)} {name_of(row.variant)}",
            "old": row.old,
            "new": row.new,
            "percent": row.new.margin * 100 / row.new.supply,
            "skip": _SKIPS[row.skip] if row.skip else "",
        }
        for row in told[:ROWS_SHOWN]
    ]


@shop_site.page("price-changes/", name="price_changes", nav=Nav(GROUP, gettext_lazy("改价记录"), "history", 23))
@require_safe
def price_changes(request: HttpRequest) -> HttpResponse:
    """Who changed which prices when, newest first."""
    shown = Paginator(Repricing.objects.order_by("-pk"), PER_PAGE).get_page(request.GET.get("page"))
    changes = [
        {
            "change": change,
            "value": "" if change.value is None else markup_text(change.mode, change.value),
            "edits": _edits(change),
        }
        for change in shown
    ]
    context = {"title": _("改价记录"), "page_obj": shown, "changes": changes}
    return shop_site.render(request, "staff/price_changes.html", context)


def markup_text(kind: str, value: Decimal) -> str:
    """`+6%`, `+¥0.50`, `¥58.00`."""
    if kind == pricing.Kind.PRICE:
        return yuan(value)
    number = f"{value.normalize():f}"
    return f"+{number}%" if kind == pricing.Kind.PERCENT else f"+{yuan(value)}"


def _edits(change: Repricing) -> list[str]:
    """What was changed by hand, in words; the same words for many goods once."""
    if change.mode != Repricing.BY_HAND:
        return []
    return list(dict.fromkeys(map(_edit, change.entries)))


def _edit(entry: dict[str, Any]) -> str:
    before, after = entry["before"], entry["after"]
    if entry["level"] == Said.VISIBLE:
        return _("隐藏 → 展示") if after else _("展示 → 隐藏")
    if entry["level"] == Said.NAME:
        names = {"before": before or _("默认"), "after": after or _("默认")}
        return _("名称：%(before)s → %(after)s") % names
    prices = {
        name: yuan(Decimal(said)) if said else _("按规则") for name, said in (("before", before), ("after", after))
    }
    return _("自定售价：%(before)s → %(after)s") % prices


@shop_site.page("price-changes/<int:repricing_id>/undo/", name="price_change_undo")
@require_POST
def price_change_undo(request: HttpRequest, repricing_id: int) -> HttpResponse:
    """Put back what stood before; what may not be so any more stays, and the page says why."""
    try:
        done = repricing_undo(
            shop=request.shop,  # type: ignore[attr-defined]
            repricing_id=repricing_id,
            actor=actor_of(request),
        )
    except Repricing.DoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, "；".join(map(str, refused.fields.values())) or str(refused))
        return redirect("manage:price_changes")
    write_down(request, Repricing.objects.get(pk=repricing_id), CHANGE, _("撤销改价"))
    if done.left:
        text = _("已撤销；有 %(count)s 处后来又改过，保持现在的样子")
        messages.warning(request, text % {"count": len(done.left)})
    else:
        messages.success(request, _("已撤销，和改之前一样"))
    return redirect("manage:price_changes")


#: What is done to what was ticked, as the list of changes says it, and how many of it are named there.
_ACTS = {
    "show": gettext_lazy("展示"),
    "hide": gettext_lazy("隐藏"),
    "feature": gettext_lazy("首页推荐"),
    "unfeature": gettext_lazy("取消首页推荐"),
    "front": gettext_lazy("排到最前"),
    "unplace": gettext_lazy("恢复默认排序"),
}
NAMED = 3


def goods_many(request: HttpRequest) -> HttpResponse:
    """Show, hide, recommend, move or price what was ticked in the list; or forget the owner's order of products. An act
    that names a product (`feature:7`) is for that one, whatever is ticked.
    """
    shop = request.shop  # type: ignore[attr-defined]
    chosen = _chosen(request.POST.getlist("v"))
    act, is_one, product = request.POST.get("act", "").partition(":")
    ticked = [
        variant
        for variant in priced_goods(shop).variants
        if (str(variant.product_id) == product if is_one else variant.id in chosen)
    ]
    products = list(dict.fromkeys(variant.product_id for variant in ticked))
    if act == "unplace":
        products_unplace(shop_id=shop.pk)
    elif not ticked:
        messages.error(request, _("先勾选要改的面额"))
    elif act == "reprice":
        query = urlencode({"v": ",".join(str(pk) for pk in sorted(one.id for one in ticked))})
        return redirect(f"{reverse('manage:prices')}?{query}")
    elif act in ("show", "hide"):
        listings_edit_visible(
            shop_id=shop.pk, variant_ids=[one.id for one in ticked], is_visible=act == "show", actor=actor_of(request)
        )
    elif act in ("feature", "unfeature"):
        products_feature(shop_id=shop.pk, product_ids=products, is_featured=act == "feature")
    elif act == "front":
        products_to_front(shop_id=shop.pk, product_ids=products)
    else:
        raise Http404
    if ticked or act == "unplace":
        names = "、".join(list(dict.fromkeys(one.product_name for one in ticked))[:NAMED])
        said = {"act": _ACTS[act], "names": names, "count": len(ticked)}
        about = Product.objects.get(pk=products[0]) if ticked else shop
        write_down(
            request, about, CHANGE, _("%(act)s：%(names)s 等 %(count)s 个面额") % said if ticked else str(_ACTS[act])
        )
        messages.success(request, _("已保存，店铺页面一秒内更新"))
    return redirect(list_it_came_from(request))


class ProductNameForm(StaffForm):
    """What the shop calls a product."""

    name = forms.CharField(
        label=gettext_lazy("店里的商品名"), max_length=LONGEST_NAME, required=False,
        help_text=gettext_lazy("留空就用主站的名称。店铺、搜索和新订单都用这个名称；要审核的，通过之前显示主站的名称"),
    )  # fmt: skip


@shop_site.page("products/<int:product_id>/", name="product_name")
@require_http_methods(["GET", "HEAD", "POST"])
def product_name(request: HttpRequest, product_id: int) -> HttpResponse:
    """Call a whole product otherwise than the platform does."""
    shop = request.shop  # type: ignore[attr-defined]
    product = next((one for one in goods_of(shop)[0] if one.id == product_id), None)
    if product is None:
        raise Http404
    placement = Placement.objects.filter(product_id=product_id).first() or Placement(product_id=product_id)
    form = ProductNameForm(request.POST if request.method == "POST" else None, initial={"name": placement.name})
    form.fields["name"].widget.attrs["placeholder"] = name_of(product)
    if form.is_valid():
        try:
            standing = product_rename(shop_id=shop.pk, product_id=product_id, name=form.cleaned_data["name"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            called = {"product": product.name, "name": form.cleaned_data["name"] or product.name}
            row = Product.objects.get(pk=product_id)
            write_down(request, row, CHANGE, _("%(product)s 在店里叫：%(name)s") % called)
            if standing == Standing.CLEAR:
                messages.success(request, _("已保存，店铺页面一秒内更新"))
            else:
                messages.warning(request, _("已保存，等平台审核；通过之前店里显示主站的名称"))
            return redirect("manage:product_name", product_id)
    is_held = placement.standing != Standing.CLEAR
    cases = cases_telling(SubjectKind.PLACEMENT, shop.schema_name, [product_id]) if is_held else {}
    context = {
        "title": _("商品名"),
        "up_url": reverse("manage:goods"),
        "up_title": _("商品与售价"),
        "product_name": name_of(product),
        "form": form,
        "is_held": is_held,
        "told": [sentence for case in cases.values() for sentence in case_words(case)],
    }
    return shop_site.render(request, "staff/product_name.html", context, status=422 if form.errors else 200)


def list_it_came_from(request: HttpRequest) -> str:
    """The list of goods as it was, if the browser says where that was on this host."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()}):
        return came_from
    return reverse("manage:goods")
