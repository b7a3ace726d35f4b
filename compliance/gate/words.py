"""What the gate says to whoever writes: which words were caught, for which category, and what to change."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from compliance.screening.rules import Category

#: Of a caught passage, and of passages, so much is quoted.
LONGEST, MOST = 24, 6


def category_label(code: str) -> str:
    """What a category of findings is called."""
    known = next((category for category in Category if category == code), None)
    return str(known.label) if known is not None else code


def quoted(findings: Iterable[Mapping[str, Any]]) -> str:
    """The caught passages, each once: “外挂”、“辅助”."""
    texts = dict.fromkeys(finding["text"][:LONGEST] for finding in findings if finding["text"])
    return "、".join(f"“{text}”" for text in list(texts)[:MOST])


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
    return _("价格或面额像是“%(category)s”，请核对官方价和售价。") % {"category": label}
