"""What the gate says to whoever writes: which words were caught, for which category, and what to change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from compliance.screening.pictures import SAME_COLORS
from compliance.screening.rules import Category

HISTORY = "seller-history"
#: What signs beside the words of a rule mean.
EXPLAINED: Mapping[str, str | Promise] = {
    HISTORY: gettext_lazy("店铺 90 天内多次被下架或拦下，新写的文字先由人看过再展示。"),
    "price-far-below-official": gettext_lazy("供货价远低于官方价，正规货源一般做不到。"),
    "brand-imitated": gettext_lazy("和受保护的品牌名很像但不一样，可能是仿冒。"),
    "kind-mismatch": gettext_lazy("类型是充到买家自己的账号，面额却写着给别人的账号。"),
    "reads-unlawful": gettext_lazy("没有命中具体的词，但整句很像违规商品的写法。"),
}

#: Of a caught passage, and of passages, so much is quoted.
LONGEST, MOST = 24, 6


def category_label(code: str) -> str:
    """What a category of findings is called."""
    known = next((category for category in Category if category == code), None)
    return str(known.label) if known is not None else code


def meaning_of(finding: Mapping[str, Any]) -> str:
    """What a sign beside the words of a rule means; of a picture, how like the reference it is. Empty for words."""
    alike = finding.get("alike")
    if alike is None:
        return str(EXPLAINED.get(finding["rule"], ""))
    told = {"name": alike["name"], "shape": round(100 * alike["shape"]), "colors": round(100 * alike["colors"])}
    if alike["colors"] >= SAME_COLORS:
        return (
            _("很像“%(name)s”的标志：形状 %(shape)s%% 相同，颜色 %(colors)s%% 相同。店铺没有这个品牌的授权证照。")
            % told
        )
    return (
        _("很像“%(name)s”的标志：形状 %(shape)s%% 相同，颜色换过（%(colors)s%% 相同）。店铺没有这个品牌的授权证照。")
        % told
    )


def quoted(findings: Iterable[Mapping[str, Any]]) -> str:
    """The caught passages, each once: “外挂”、“辅助”."""
    texts = dict.fromkeys(finding["text"][:LONGEST] for finding in findings if finding["text"])
    return "、".join(f"“{text}”" for text in list(texts)[:MOST])


def caught_by(findings: Sequence[Mapping[str, Any]]) -> str:
    """In a row of the queue: the caught passages, or whose logo a picture is like."""
    brands = dict.fromkeys(finding["alike"]["name"] for finding in findings if "alike" in finding)
    return _("像“%(brands)s”的标志") % {"brands": "、".join(brands)} if brands else quoted(findings)


def reasons(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each category that was found: what it is, and what to change."""
    by_category: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        by_category.setdefault(finding["category"], []).append(finding)
    return [_reason(category, found) for category, found in by_category.items()]


def by_field(findings: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The same for each field of a form; findings without a place have the field `""`."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        found.setdefault(finding["field"], []).append(finding)
    return {field: " ".join(reasons(ones)) for field, ones in found.items()}


def _reason(category: str, found: list[Mapping[str, Any]]) -> str:
    label = category_label(category)
    if caught := quoted(found):
        return _("%(caught)s 属于“%(category)s”，请删掉或换一种说法。") % {"caught": caught, "category": label}
    if brands := dict.fromkeys(finding["alike"]["name"] for finding in found if "alike" in finding):
        told = {"brands": "、".join(brands)}
        return (
            _("图片很像“%(brands)s”的标志。请换一张自己的图；有授权的话，先在“证照”提交品牌授权，核对后自动展示。")
            % told
        )
    if all(finding["rule"] == HISTORY for finding in found):
        return str(EXPLAINED[HISTORY])
    return _("价格或面额像是“%(category)s”，请核对官方价和售价。") % {"category": label}
