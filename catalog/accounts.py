"""The account form of a product: checks what a shopper typed against the product's own schema. Pure.

A schema is a list of fields `{"name","label","type","required","pattern","choices","example",…}`; see
`docs/architecture.md`. What comes in may be anything a browser or a program can send.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from resellers.context import in_english

LONGEST_VALUE = 120


class AccountInvalid(Exception):
    """`errors` maps a field's name to what is wrong with it, in the reader's language."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = dict(errors)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def clean(schema: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[dict[str, str]]:
    """The account as it is stored: `[{"name","label","label_en","value","shown","shown_en"}]` in the schema's order.

    Full-width digits and stray spaces are forgiven, unknown fields and control characters are not. Raises
    `AccountInvalid`.
    """
    errors: dict[str, str] = {}
    entries = []
    for name in given.keys() - {field["name"] for field in schema}:
        errors[str(name)[:40]] = _("这个商品没有这一项")
    for field in schema:
        name = field["name"]
        try:
            value = _clean_field(field, given.get(name, ""))
        except ValueError as error:
            errors[name] = str(error)
            continue
        if value:
            chosen = _choice(field, value)
            entries.append(
                {
                    "name": name,
                    "label": _label(field, english=False),
                    "label_en": _label(field, english=True),
                    "value": value,
                    "shown": _label(chosen, english=False),
                    "shown_en": _label(chosen, english=True),
                }
            )
    if errors:
        raise AccountInvalid(errors)
    return entries


def _choice(field: Mapping[str, Any], value: str) -> Mapping[str, Any]:
    """What was chosen; what was typed is its own label."""
    return next((choice for choice in field.get("choices") or () if choice["value"] == value), {"label": value})


def _label(named: Mapping[str, Any], *, english: bool) -> str:
    """What a field or a choice is called."""
    return str((english and named.get("label_en")) or named["label"])


def _clean_field(field: Mapping[str, Any], raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError(_("请填写文字"))
    # Normalizing what is already too long would only cost time, and what is not may grow by it.
    value = unicodedata.normalize("NFKC", raw).strip() if len(raw) <= LONGEST_VALUE else raw
    if len(value) > LONGEST_VALUE:
        raise ValueError(_("太长了，最多 %(limit)s 个字符") % {"limit": LONGEST_VALUE})
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in value):
        raise ValueError(_("里面有看不见的字符，请重新输入"))
    if field["type"] == "tel":
        value = _phone_digits(value)
    label = _label(field, english=in_english())
    if not value:
        if field.get("required", True):
            raise ValueError(_("请填写%(label)s") % {"label": label})
        return ""
    choices = field.get("choices") or ()
    if choices:
        if value not in {choice["value"] for choice in choices}:
            raise ValueError(_("请从列表里选择%(label)s") % {"label": label})
        return value
    pattern = field.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        raise ValueError(
            _("%(label)s不对，应像 %(example)s 这样") % {"label": label, "example": field.get("example", "")}
        )
    return value


def _phone_digits(value: str) -> str:
    """`+86 138-1234-5678` as `13812345678`."""
    digits = re.sub(r"[\s\-()]", "", value)
    if digits.startswith("+86") and len(digits) == 14:
        return digits[3:]
    if digits.startswith("86") and len(digits) == 13:
        return digits[2:]
    return digits
