"""The schema of an account form, as an operator may write it: which fields there can be, what each must say. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from catalog.safe_patterns import SAFE_PATTERN

TYPES = ("text", "tel", "email", "select")
MOST_FIELDS = 8
MOST_CHOICES = 200
_NAME = re.compile(r"[a-z][a-z_]{0,19}", re.ASCII)
_TEXTS = ("label", "label_en", "pattern", "example", "help", "help_en")
#: Every key of a field, in the order in which people read them.
KEYS = ("name", "type", "required", *_TEXTS, "choices")


class SchemaInvalid(ValueError):
    """The text says which field is wrong and why, for people."""


def clean_schema(raw: Any) -> list[dict[str, Any]]:
    """A schema in its stored form, every key present. Raises `SchemaInvalid`."""
    if not isinstance(raw, list) or len(raw) > MOST_FIELDS:
        raise SchemaInvalid(_("账号表单应是列表，最多 %(limit)s 项") % {"limit": MOST_FIELDS})
    fields = [_field(place, field) for place, field in enumerate(raw, start=1)]
    names = [field["name"] for field in fields]
    if len(set(names)) != len(names):
        raise SchemaInvalid(_("账号表单里有两项同名"))
    return fields


def _field(place: int, raw: Any) -> dict[str, Any]:
    def require(holds: bool, complaint: str) -> None:
        if not holds:
            raise SchemaInvalid(_("第 %(place)s 项：%(complaint)s") % {"place": place, "complaint": complaint})

    require(isinstance(raw, Mapping), _("应是对象"))
    for unknown in sorted(set(raw) - set(KEYS)):
        require(False, _("没有 %(name)s 这个键") % {"name": str(unknown)[:40]})
    require(bool(_NAME.fullmatch(str(raw.get("name", "")))), _("name 只能用小写字母和下划线"))
    require(raw.get("type") in TYPES, _("type 只能是 %(types)s") % {"types": "、".join(TYPES)})
    require(isinstance(raw.get("required", True), bool), _("required 只能是 true 或 false"))
    texts = {name: raw.get(name) or "" for name in _TEXTS}
    require(all(isinstance(text, str) and len(text) <= 200 for text in texts.values()), _("文字太长，或不是文字"))
    require(bool(texts["label"]), _("缺少 label"))
    choices = [_choice(choice) for choice in raw.get("choices") or ()]
    require(len(choices) <= MOST_CHOICES and None not in choices, _("choices 里每一项都要有 value 和 label"))
    if raw["type"] == "select":
        values = [choice["value"] for choice in choices if choice]
        require(len(values) >= 2 and len(set(values)) == len(values), _("至少要有两个不同的选项"))
        require(texts["example"] in values, _("example 应是其中一个选项"))
        require(not texts["pattern"], _("有选项就不能再有 pattern"))
    else:
        require(not choices, _("只有 select 才有选项"))
        require(bool(SAFE_PATTERN.fullmatch(texts["pattern"])), _("缺少 pattern，或用了不支持的写法（不能有括号和 *）"))
        _compile(texts["pattern"], require)
        require(bool(re.fullmatch(texts["pattern"], texts["example"])), _("example 不符合 pattern"))
    return {
        "name": raw["name"],
        "type": raw["type"],
        "required": raw.get("required", True),
        **texts,
        "choices": choices,
    }


def _compile(pattern: str, require: Any) -> None:
    try:
        re.compile(pattern)
    except re.error:
        require(False, _("pattern 不是正则表达式"))


def _choice(raw: Any) -> dict[str, str] | None:
    if not isinstance(raw, Mapping):
        return None
    value, label = raw.get("value"), raw.get("label")
    if not (isinstance(value, str) and isinstance(label, str) and value and label):
        return None
    return {"value": value[:80], "label": label[:80], "label_en": str(raw.get("label_en") or label)[:80]}
