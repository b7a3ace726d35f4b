"""Why an attempt went to the supplier it went to, in words."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

#: Why somebody else did not get the attempt, by the code word that `SupplierOrder.choice` keeps.
_PASSED_OVER: Mapping[str, Promise] = {
    "asked_before": gettext_lazy("前面问过，明确没成"),
    "tried": gettext_lazy("前面问过，明确没成"),
    "explored": gettext_lazy("这一单用来试探"),
    "pinned": gettext_lazy("这一家被人工置顶"),
    "inactive": gettext_lazy("报价停用"),
    "supplier_inactive": gettext_lazy("供应商暂停"),
    "eliminated": gettext_lazy("自动停用"),
    "excluded": gettext_lazy("人工排除"),
    "unlicensed": gettext_lazy("缺少有效证照"),
    "unscreened": gettext_lazy("对方名称没有通过审核"),
    "taken_down": gettext_lazy("平台已下架"),
    "unlisted": gettext_lazy("对方下架了"),
    "out_of_stock": gettext_lazy("对方没货"),
    "unknown_cost": gettext_lazy("成本不明"),
    "loss": gettext_lazy("成本太高，会亏"),
    "breaker_open": gettext_lazy("熔断"),
    "probe_taken": gettext_lazy("熔断，正在试探"),
}


def choice_words(choice: Mapping[str, Any]) -> str:
    """A sentence for what `SupplierOrder.choice` says; empty for attempts from before choices were kept."""
    by = choice.get("by", "")
    told = {
        "place": choice.get("place", "–"),
        "of": choice.get("of", "–"),
        "score": f"{float(choice['score']):.1f}" if choice.get("score") is not None else "–",
    }
    if by == "pin":
        words = _("人工置顶")
    elif by == "only":
        words = _("只有这一家能供")
    elif by == "explore":
        words = _("试探：少量订单分给名次靠后的，看它现在怎样（第 %(place)s 名，共 %(of)s 家）") % told
    elif by == "probe":
        words = _("熔断后的试探单：成了就恢复")
    elif by == "score" and choice.get("score") is not None:
        words = _("按得分：第 %(place)s 名，共 %(of)s 家，%(score)s 分") % told
    elif by:
        words = _("按名次：第 %(place)s 名，共 %(of)s 家") % told
    else:
        return ""
    return words


def passed_over(choice: Mapping[str, Any]) -> str:
    """Who did not get the attempt, each with the reason; empty where there was nobody, or nothing was kept."""
    others = choice.get("instead_of")
    if not isinstance(others, list):
        return ""
    told = [
        _("%(name)s（%(reason)s）")
        % {"name": other["name"], "reason": _PASSED_OVER.get(other["reason"], other["reason"])}
        for other in others
        if isinstance(other, dict) and "name" in other and "reason" in other
    ]
    return "、".join(told)
