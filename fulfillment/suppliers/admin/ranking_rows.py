"""The suppliers of a variant or a category as the ranking page shows them: place, score, what keeps each away."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Category, Variant
from fulfillment.suppliers.admin.score import parts_shown
from fulfillment.suppliers.admin.strip import strip
from fulfillment.suppliers.choosing import offers_order
from fulfillment.suppliers.health import Health, health_of
from fulfillment.suppliers.licensed import IS_LICENSED, lacking_of
from fulfillment.suppliers.models import RankingRule, SupplierBreaker, SupplierOffer
from kameng.admin.forms import StaffForm

#: How long a pin holds: name and label.
UNTIL = (("hour", gettext_lazy("1 小时")), ("today", gettext_lazy("到今天结束")), ("week", gettext_lazy("7 天")))


def until(name: str) -> datetime:
    now = timezone.localtime()
    if name == "hour":
        return now + timedelta(hours=1)
    if name == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now + timedelta(days=7)


class RuleForm(StaffForm):
    """A word against the score: first, or not at all."""

    kind = forms.ChoiceField(label=gettext_lazy("动作"), choices=RankingRule.Kind.choices)
    where = forms.ChoiceField(
        label=gettext_lazy("范围"),
        choices=(("variant", gettext_lazy("只这个面额")), ("category", gettext_lazy("整个类目"))),
    )
    until = forms.ChoiceField(
        label=gettext_lazy("多久"),
        choices=UNTIL,
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


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
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


def gap(rows: Sequence[Mapping[str, Any]]) -> str:
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


def variant_rows(variant: Variant, price: Decimal, rules: Sequence[RankingRule]) -> list[dict[str, Any]]:
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


def category_rows(category: Category) -> list[dict[str, Any]]:
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
