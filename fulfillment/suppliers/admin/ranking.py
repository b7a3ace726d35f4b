"""Who is asked first, and why: scores in parts, weights, pins and exclusions, for operators."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Category, Variant
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.admin.ranking_rows import RuleForm, category_rows, gap, told, until, variant_rows
from fulfillment.suppliers.admin.score import LABELS
from fulfillment.suppliers.models import RankingRule, RankingWeights, Supplier
from fulfillment.suppliers.ranking_rules import (
    PARTS,
    ranking_rule_end,
    ranking_rule_set,
    ranking_weights_drop,
    ranking_weights_set,
    rules_in_force,
)
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem


class WeightsForm(StaffForm):
    """How much each part of a score counts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for part in PARTS:
            self.fields[part] = forms.IntegerField(
                label=str(LABELS[part]),
                min_value=0,
                max_value=100,
                widget=forms.NumberInput(attrs={"class": "k-input", "inputmode": "numeric"}),
            )


def _variants(category: Q) -> list[Variant]:
    """The offered variants of a category, as they are listed in a shop, each with its product and category."""
    found = Variant.objects.filter(
        product__category__in=Category.objects.filter(category), product__owner=None, offers__isnull=False
    )
    ordered = found.order_by("product__position", "product_id", "position", "pk")
    return list(ordered.select_related("product__category").distinct())


def _chosen(request: HttpRequest) -> tuple[Category | None, Variant | None, list[Variant]]:
    """What the address asks for, and what else there is in its category; a variant brings its category with it."""
    sku, slug = request.GET.get("variant", ""), request.GET.get("category", "")
    if not sku and not slug:
        return None, None, []
    variants = _variants(Q(slug=slug) if slug else Q(products__variants__sku=sku))
    if not variants:
        return None, None, []
    variant = next((found for found in variants if found.sku == sku), None)
    return variants[0].product.category, variant, variants


def _price(request: HttpRequest, variant: Variant) -> Decimal:
    """What the shopper of the simulated order pays for one piece."""
    try:
        typed = Decimal(request.GET.get("price", ""))
    except InvalidOperation:
        return variant.supply_price
    return typed if typed.is_finite() and 0 < typed < 1_000_000 else variant.supply_price


def _page(
    request: HttpRequest, *, weights_form: WeightsForm | None = None, rule_form: tuple[int, RuleForm] | None = None
) -> HttpResponse:
    category, variant, variants = _chosen(request)
    categories = list(
        Category.objects.annotate(count=Count("products__variants", filter=Q(products__variants__offers__isnull=False)))
        .filter(count__gt=0)
        .order_by("position", "pk")
    )
    if category is None and categories:
        category, variants = categories[0], _variants(Q(pk=categories[0].pk))
    context: dict[str, Any] = {
        "title": _("渠道排名"),
        "categories": categories,
        "category": category,
        "variant": variant,
        "here": f"{reverse('operations:ranking')}?{_query(category, variant)}",
    }
    if category is not None:
        weights = {
            row.category_id: row for row in RankingWeights.objects.filter(Q(category=category) | Q(category=None))
        }
        used = weights.get(category.pk) or weights.get(None) or RankingWeights()
        rules = list(rules_in_force(category_id=category.pk, variant_id=variant.pk if variant else None))
        context |= {
            "variants": variants,
            "weights": weights_form or WeightsForm(initial={part: getattr(used, part) for part in PARTS}),
            "has_own_weights": category.pk in weights,
            "rules": rules,
        }
        if variant is None:
            context["rows"] = category_rows(category)
        else:
            price = _price(request, variant)
            rows = variant_rows(variant, price, rules)
            for row in rows:
                if rule_form is not None and row["offer"].supplier_id == rule_form[0]:
                    row["form"] = rule_form[1]
            context |= {"rows": rows, "price": price, "told": told(rows), "gap": gap(rows)}
    is_refused = weights_form is not None or rule_form is not None
    return operations_site.render(request, "staff/ranking.html", context, status=422 if is_refused else 200)


def _query(category: Category | None, variant: Variant | None) -> str:
    chosen = {"category": category.slug if category else "", "variant": variant.sku if variant else ""}
    return urlencode({name: value for name, value in chosen.items() if value})


@operations_site.page("ranking/", name="ranking", nav=Nav(GROUP, gettext_lazy("渠道排名"), "bar_chart", 41))
@require_http_methods(["GET", "HEAD", "POST"])
def ranking(request: HttpRequest) -> HttpResponse:
    """Who is asked first in a category, or for one variant, and why; a POST decides something about it."""
    if request.method != "POST":
        return _page(request)
    category, variant, _others = _chosen(request)
    act = request.POST.get("act", "")
    if category is None or act not in _ACTS:
        raise Http404
    refused = _ACTS[act](request, category, variant)
    if refused is not None:
        return refused
    return redirect(f"{reverse('operations:ranking')}?{_query(category, variant)}")


def _set_weights(request: HttpRequest, category: Category, variant: Variant | None) -> HttpResponse | None:
    form = WeightsForm(request.POST)
    if form.is_valid():
        try:
            saved = ranking_weights_set(category_id=category.pk, weights=form.cleaned_data)
        except Problem as refusal:
            add_problem(form, refusal)
        else:
            told = "，".join(f"{LABELS[part]} {form.cleaned_data[part]}" for part in PARTS)
            write_down(request, saved, CHANGE, told)
            messages.success(request, _("%(name)s 的权重已保存，得分几分钟内按它重算") % {"name": category})
            return None
    return _page(request, weights_form=form)


def _drop_weights(request: HttpRequest, category: Category, variant: Variant | None) -> HttpResponse | None:
    if ranking_weights_drop(category_id=category.pk):
        write_down(request, category, CHANGE, _("权重恢复默认"))
    messages.success(request, _("%(name)s 改用默认权重") % {"name": category})
    return None


def _set_rule(request: HttpRequest, category: Category, variant: Variant | None) -> HttpResponse | None:
    typed: QueryDict = request.POST
    supplier_id = typed.get("supplier", "")
    supplier = Supplier.objects.filter(pk=supplier_id).first() if supplier_id.isdecimal() else None
    if supplier is None or variant is None:
        raise Http404
    form = RuleForm(typed, auto_id=f"id_{supplier.pk}_%s")
    if form.is_valid():
        told = form.cleaned_data
        is_pin = told["kind"] == RankingRule.Kind.PIN
        in_category = told["where"] == "category"
        try:
            saved = ranking_rule_set(
                kind=told["kind"],
                supplier_id=supplier.pk,
                category_id=category.pk if in_category else None,
                variant_id=None if in_category else variant.pk,
                reason=told["reason"],
                expires_at=until(told["until"]) if is_pin else None,
                actor=actor_of(request),
            )
        except Problem as refusal:
            add_problem(form, refusal)
        else:
            write_down(request, saved, ADDITION, f"{category if in_category else variant}：{saved.reason}")
            messages.success(request, _("%(rule)s：已生效") % {"rule": saved})
            return None
    return _page(request, rule_form=(supplier.pk, form))


def _end_rule(request: HttpRequest, category: Category, variant: Variant | None) -> HttpResponse | None:
    rule_id = request.POST.get("rule", "")
    rule = RankingRule.objects.select_related("supplier").filter(pk=rule_id).first() if rule_id.isdecimal() else None
    if rule is not None and ranking_rule_end(rule_id=rule.pk):
        write_down(request, rule, DELETION, rule.reason)
        messages.success(request, _("%(rule)s：已撤回") % {"rule": rule})
    else:
        messages.info(request, _("这一条已经不在了"))
    return None


_ACTS: dict[str, Callable[[HttpRequest, Category, Variant | None], HttpResponse | None]] = {
    "weights": _set_weights,
    "default_weights": _drop_weights,
    "rule": _set_rule,
    "end_rule": _end_rule,
}
