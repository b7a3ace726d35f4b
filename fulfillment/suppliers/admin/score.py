"""A score in parts: as a bar, and each part in words with what it rests on."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.models import Supplier
from kameng.templatetags.staff import seconds, share

LABELS: Mapping[str, Promise] = {
    "success": gettext_lazy("成功率"),
    "speed": gettext_lazy("速度"),
    "cost": gettext_lazy("成本"),
    "after_sales": gettext_lazy("售后"),
    "standing": gettext_lazy("资质"),
}
SCOPES: Mapping[str, Promise] = {
    "variant": gettext_lazy("按这个面额自己的结果"),
    "category": gettext_lazy("这个面额结果太少，按整个类目的结果"),
    "prior": gettext_lazy("结果太少，按新供应商的起点"),
}
FULL = 100.0


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _success(figures: Mapping[str, Any]) -> str:
    if not figures.get("attempts"):
        return _("还没有结果，下限 %(floor)s") % {"floor": share(_number(figures.get("lower")))}
    return _("成功率 %(rate)s（%(count)s 次，下限 %(floor)s）") % {
        "rate": share(_number(figures.get("rate"))),
        "count": figures.get("attempts", 0),
        "floor": share(_number(figures.get("lower"))),
    }


def _speed(figures: Mapping[str, Any]) -> str:
    if figures.get("p90") is None:
        return _("还没有到账的，按中等算")
    told = {"p50": seconds(_number(figures.get("p50"))), "p90": seconds(_number(figures.get("p90")))}
    return _("一半在 %(p50)s 内，九成在 %(p90)s 内") % told


def _cost(figures: Mapping[str, Any]) -> str:
    cost, best = _number(figures.get("cost")), _number(figures.get("cheapest"))
    if cost is None:
        return _("成本不明")
    if best is None or cost <= best:
        return _("¥%(cost)s，最低") % {"cost": f"{cost:,.2f}"}
    more = {"cost": f"{cost:,.2f}", "more": f"{(cost / best - 1) * 100:.1f}"}
    return _("¥%(cost)s，比最低的贵 %(more)s%%") % more


def _after_sales(figures: Mapping[str, Any]) -> str:
    hours = _number(figures.get("hours"))
    if hours is None:
        return _("还没有问过它，按中等算")
    return _("答复一般要 %(time)s") % {"time": seconds(hours * 3600)}


def _standing(figures: Mapping[str, Any]) -> str:
    known = {str(value): str(label) for value, label in Supplier.Standing.choices}
    standing = known.get(str(figures.get("standing", "")), "–")
    return standing if figures.get("licensed", True) else _("%(standing)s，证照不全或过期") % {"standing": standing}


_WORDS = {"success": _success, "speed": _speed, "cost": _cost, "after_sales": _after_sales, "standing": _standing}


def parts_shown(score: Mapping[str, Any]) -> dict[str, Any]:
    """A score's parts for a page: `parts` with label, points of the most there could be, and words; the `bar`; the
    `scope` in words. Takes what `SupplierOffer.score_parts` or `SupplierOrder.choice` holds, which may be nothing.
    """
    stored = score.get("parts")
    given = [part for part in stored if part.get("name") in LABELS] if isinstance(stored, list) else []
    weights = sum(_number(part.get("weight")) or 0 for part in given)
    parts = []
    for place, part in enumerate(given, start=1):
        weight, points = _number(part.get("weight")) or 0, _number(part.get("points")) or 0
        parts.append(
            {
                "name": part["name"],
                "place": place,
                "label": LABELS[part["name"]],
                "points": f"{points:.1f}",
                "size": max(points, 0.0),
                "most": f"{FULL * weight / weights:.0f}" if weights else "0",
                "words": _WORDS[part["name"]](part.get("figures") or {}),
            }
        )
    return {"parts": parts, "bar": _bar(parts), "scope": SCOPES.get(str(score.get("scope", "")), "")}


def _bar(parts: list[dict[str, Any]]) -> SafeString:
    """All parts side by side, as long as their points; the rest of the hundred is left empty."""
    told = _("、").join(f"{part['label']} {part['points']}" for part in parts)
    rects, left = [], 0.0
    for part in parts:
        # A hair between parts, so that neighbors stay apart in any light.
        rects.append((f"{left:.2f}", f"{max(part['size'] - 0.4, 0):.2f}", part["place"]))
        left += part["size"]
    return format_html(
        '<svg class="k-scorebar" role="img" aria-label="{}" viewBox="0 0 100 10" preserveAspectRatio="none">'
        '<rect class="k-track" width="100" height="10"></rect>{}</svg>',
        told,
        format_html_join("", '<rect x="{}" width="{}" height="10" class="k-part-{}"></rect>', rects),
    )
