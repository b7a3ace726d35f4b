"""Why an attempt went to the supplier it went to, in words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _


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
