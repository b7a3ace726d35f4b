"""Who is asked first, and why: scores in parts, weights, pins and exclusions, for operators."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Category, Variant
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.admin.score import LABELS, parts_shown
from fulfillment.suppliers.admin.strip import strip
from fulfillment.suppliers.choosing import offers_order
from fulfillment.suppliers.health import Health, health_of
from fulfillment.suppliers.licensed import IS_LICENSED, lacking_of
from fulfillment.suppliers.models import RankingRule, RankingWeights, Supplier, SupplierBreaker, SupplierOffer
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

#: How long a pin holds: name and label.
_UNTIL = (("hour", gettext_lazy("1 小时")), ("today", gettext_lazy("到今天结束")), ("week", gettext_lazy("7 天")))


def _until(name: str) -> datetime:
    now = timezone.localtime()
    if name == "hour":
        return now + timedelta(hours=1)
    if name == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now + timedelta(days=7)


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


class RuleForm(StaffForm):
    """A word against the score: first, or not at all."""

    kind = forms.ChoiceField(label=gettext_lazy("动作"), choices=RankingRule.Kind.choices)
    where = forms.ChoiceField(
        label=gettext_lazy("范围"),
        choices=(("variant", gettext_lazy("只这个面额")), ("category", gettext_lazy("整个类目"))),
    )
    until = forms.ChoiceField(
        label=gettext_lazy("多久"),
        choices=_UNTIL,
        help_text=gettext_lazy("置顶到时自动结束；排除一直到有人撤回"),
        required=False,
    )
    reason = forms.CharField(label=gettext_lazy("理由"), max_length=200)


def _why_out(
    offer: SupplierOffer, excluded: Mapping[int, RankingRule], breaker: SupplierBreaker | None, lacks: Sequence[str]
) -> list[str]:
    """Everything that keeps a purchase away from an offer now, in words; empty where nothing does."""
    supplier = offer.supplier
    rule = excluded.get(supplier.pk)
    is_open = breaker is not None and breaker.state == SupplierBreaker.State.OPEN
    reasons = (
        (supplier.eliminated_at is not None, _("自动停用：%(reason)s") % {"reason": supplier.eliminated_reason}),
        (not supplier.is_active, _("供应商暂停")),
        (not offer.is_active, _("报价停用")),
        (rule is not None, _("人工排除：%(reason)s") % {"reason": rule.reason if rule else ""}),
        (bool(lacks), _("缺少有效证照：%(kinds)s") % {"kinds": "、".join(lacks)}),
        (is_open, _("熔断：%(reason)s") % {"reason": _(breaker.reason) if breaker and breaker.reason else ""}),
        (offer.cost is None, _("成本不明")),
        (
            offer.cost is not None and offer.cost > offer.variant.supply_price,
            _("成本高过供货价，卖一件亏一件"),
        ),
        (not offer.is_listed, _("对方下架了")),
        (offer.stock == 0, _("对方没货")),
    )
    return [words for applies, words in reasons if applies]


def _asked_in_order(variant: Variant, price: Decimal) -> list[int]:
    """The offers that an order at this price would be bought at, first to last, by the very services that buy."""
    return offers_order(variant_id=variant.pk, highest_cost=price)


def _row(
    offer: SupplierOffer,
    place: int | None,
    rules: Sequence[RankingRule],
    health: Health,
    variant: Variant | None,
    lacks: Sequence[str],
) -> dict[str, Any]:
    """One supplier as the page shows it; `place` is None for one that is not asked."""
    breaker = getattr(offer.supplier, "breaker", None)
    own = [rule for rule in rules if rule.supplier_id == offer.supplier_id]
    excluded = {rule.supplier_id: rule for rule in own if rule.kind == RankingRule.Kind.EXCLUDE}
    return {
        "offer": offer,
        "place": place,
        "score": parts_shown(offer.score_parts),
        "total": "–" if offer.score is None else f"{offer.score:.1f}",
        "out": _why_out(offer, excluded, breaker, lacks) if place is None else [],
        "breaker": breaker,
        "pin": next((rule for rule in own if rule.kind == RankingRule.Kind.PIN), None),
        "strip": strip(health),
        "form": RuleForm(auto_id=f"id_{offer.supplier_id}_%s") if variant is not None else None,
    }


def _told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who would get an order now, and why, in sentences."""
    asked = [row for row in rows if row["place"] is not None]
    if not asked:
        return [_("现在没有人能供：下单会立刻全额退款，所以这个面额不在售。")]
    first, others = asked[0], asked[1:]
    name = {"name": first["offer"].supplier.name}
    if first["pin"] is not None:
        told = [_("现在会先问 %(name)s：人工置顶。") % name]
    elif not others:
        told = [_("现在只会问 %(name)s：只有它能供。") % name]
    elif first["offer"].score is not None:
        told = [_("现在会先问 %(name)s：得分最高，%(total)s 分。") % {**name, "total": first["total"]}]
    else:
        told = [_("现在会先问 %(name)s：还没有得分，按名次。") % name]
    if others:
        names = "、".join(row["offer"].supplier.name for row in others)
        told.append(_("它明确没买成，才依次问：%(names)s。结果不明时不会换。") % {"names": names})
        told.append(_("少数订单（不超过百分之五）会先问名次靠后的，看它们现在怎样。"))
    else:
        told.append(_("它明确没买成就全额退款。"))
    return told


def _gap(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the second lacks to be the first: the part in which it is furthest behind."""
    asked = [row for row in rows if row["place"] is not None and row["score"]["parts"]]
    if len(asked) < 2 or asked[0]["pin"] is not None:
        return ""
    first, second = asked[0], asked[1]
    theirs = {part["name"]: part["size"] for part in second["score"]["parts"]}
    behind = {part["label"]: part["size"] - theirs.get(part["name"], 0.0) for part in first["score"]["parts"]}
    label, points = max(behind.items(), key=lambda item: item[1])
    if points <= 0:
        return ""
    told = {"name": second["offer"].supplier.name, "label": label, "points": f"{points:.1f}"}
    return _("%(name)s差在%(label)s：少 %(points)s 分。") % told


def _variant_rows(variant: Variant, price: Decimal, rules: Sequence[RankingRule]) -> list[dict[str, Any]]:
    """Every supplier that offers a variant: those that would be asked in their order, then the others."""
    offers: list[Any] = list(
        SupplierOffer.objects.filter(variant=variant)
        .select_related("supplier__breaker", "variant__product__category", "variant__product__brand")
        .annotate(is_licensed=IS_LICENSED)
        .order_by("rank", "pk")
    )
    order = _asked_in_order(variant, price)
    health = health_of([offer.supplier for offer in offers], with_alerts=False)
    lacks = lacking_of([offer for offer in offers if not offer.is_licensed])
    places = {pk: place for place, pk in enumerate(order, start=1)}
    offers.sort(key=lambda offer: (places.get(offer.pk, len(offers) + 1), -(offer.score or 0.0)))
    return [
        _row(offer, places.get(offer.pk), rules, health[offer.supplier_id], variant, lacks.get(offer.pk, []))
        for offer in offers
    ]


def _category_rows(category: Category) -> list[dict[str, Any]]:
    """The suppliers of a category by the mean of their scores there."""
    offers = list(
        SupplierOffer.objects.filter(variant__product__category=category, is_active=True)
        .select_related("supplier__breaker")
        .order_by("supplier__name", "pk")
    )
    by_supplier: dict[int, list[SupplierOffer]] = {}
    for offer in offers:
        by_supplier.setdefault(offer.supplier_id, []).append(offer)
    suppliers = [own[0].supplier for own in by_supplier.values()]
    health = health_of(suppliers, with_alerts=False)
    rows: list[dict[str, Any]] = []
    for supplier in suppliers:
        own = by_supplier[supplier.pk]
        scored = [offer for offer in own if offer.score is not None]
        mean = sum(offer.score or 0.0 for offer in scored) / len(scored) if scored else None
        rows.append(
            {
                "supplier": supplier,
                "mean": mean,
                "total": "–" if mean is None else f"{mean:.1f}",
                "score": parts_shown(_mean_parts(scored)),
                "offers": len(own),
                "scored": len(scored),
                "strip": strip(health[supplier.pk]),
                "breaker": getattr(supplier, "breaker", None),
            }
        )
    rows.sort(key=lambda row: -(row["mean"] if row["mean"] is not None else -1.0))
    return rows


def _mean_parts(offers: Sequence[SupplierOffer]) -> dict[str, Any]:
    """The parts of several scores as one, each with the mean of its points; the figures are those of the first."""
    parts = [part for offer in offers for part in offer.score_parts.get("parts", [])]
    if not parts:
        return {}
    first = offers[0].score_parts
    merged = []
    for part in first.get("parts", []):
        points = [float(other.get("points") or 0) for other in parts if other.get("name") == part.get("name")]
        merged.append({**part, "points": sum(points) / len(points)})
    return {**first, "parts": merged}


def _variants(category: Q) -> list[Variant]:
    """The offered variants of a category, as they are listed in a shop, each with its product and category."""
    found = Variant.objects.filter(product__category__in=Category.objects.filter(category), offers__isnull=False)
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
            context["rows"] = _category_rows(category)
        else:
            price = _price(request, variant)
            rows = _variant_rows(variant, price, rules)
            for row in rows:
                if rule_form is not None and row["offer"].supplier_id == rule_form[0]:
                    row["form"] = rule_form[1]
            context |= {"rows": rows, "price": price, "told": _told(rows), "gap": _gap(rows)}
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
                expires_at=_until(told["until"]) if is_pin else None,
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
