"""Whose a Chinese mobile number was when it was given out: its carrier and province, from the first seven digits. Pure.

The carriers are those of the numbering plan of the Ministry of Industry and Information Technology (《电信网编号计划》
and the allocations published since: 192 for China Broadnet, 162 165 167 170 171 for virtual operators). Provinces come
from the package `phone` (BSD; 499,527 blocks as of December 2023), which is also asked about the parts of a prefix that
were handed on. A number keeps its digits when it moves to another carrier, so all of this is a hint, and never a
refusal.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from phone import Phone

#: As many digits as say where a number comes from; nobody is ever asked about more of it.
PREFIX_DIGITS = 7
CARRIER_FIELD = "carrier"
#: Kinds of goods that go to a phone number.
FOR_PHONES = frozenset({"phone", "data"})


class Carrier(StrEnum):
    """Who runs a number, by the short name that suppliers use too. `VIRTUAL` is anybody without a network."""

    MOBILE = "移动"
    UNICOM = "联通"
    TELECOM = "电信"
    BROADNET = "广电"
    VIRTUAL = "虚拟"


#: What people call them.
NAMES = {
    Carrier.MOBILE: ("中国移动", "China Mobile"),
    Carrier.UNICOM: ("中国联通", "China Unicom"),
    Carrier.TELECOM: ("中国电信", "China Telecom"),
    Carrier.BROADNET: ("中国广电", "China Broadnet"),
    Carrier.VIRTUAL: ("虚拟运营商", "a virtual operator"),
}
#: The longest prefix that fits counts: 1349 and 174 are China Telecom's satellites.
PREFIXES = {
    prefix: carrier
    for carrier, prefixes in {
        Carrier.MOBILE: (
            "134 135 136 137 138 139 147 148 150 151 152 157 158 159 172 178 182 183 184 187 188 195 197 198"
        ),
        Carrier.UNICOM: "130 131 132 145 146 155 156 166 175 176 185 186 196",
        Carrier.TELECOM: "133 1349 149 153 173 174 177 180 181 189 190 191 193 199",
        Carrier.BROADNET: "192",
        Carrier.VIRTUAL: "162 165 167 170 171",
    }.items()
    for prefix in prefixes.split()
}
#: The package's own words for parts of a prefix that its carrier leased out.
_LEASED = frozenset({"电信虚拟运营商", "联通虚拟运营商", "移动虚拟运营商", "广电虚拟运营商"})

PROVINCES_EN = {
    "北京": "Beijing",
    "天津": "Tianjin",
    "上海": "Shanghai",
    "重庆": "Chongqing",
    "河北": "Hebei",
    "山西": "Shanxi",
    "辽宁": "Liaoning",
    "吉林": "Jilin",
    "黑龙江": "Heilongjiang",
    "江苏": "Jiangsu",
    "浙江": "Zhejiang",
    "安徽": "Anhui",
    "福建": "Fujian",
    "江西": "Jiangxi",
    "山东": "Shandong",
    "河南": "Henan",
    "湖北": "Hubei",
    "湖南": "Hunan",
    "广东": "Guangdong",
    "广西": "Guangxi",
    "海南": "Hainan",
    "四川": "Sichuan",
    "贵州": "Guizhou",
    "云南": "Yunnan",
    "西藏": "Tibet",
    "陕西": "Shaanxi",
    "甘肃": "Gansu",
    "青海": "Qinghai",
    "宁夏": "Ningxia",
    "新疆": "Xinjiang",
    "内蒙古": "Inner Mongolia",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number comes from: no carrier for a prefix that nobody has, no province where it is not known."""

    carrier: Carrier | None
    province: str = ""

    def text(self, *, english: bool) -> str:
        """`中国移动 · 浙江`; empty where nothing is known."""
        place = PROVINCES_EN.get(self.province, self.province) if english else self.province
        return " · ".join(filter(None, (NAMES[self.carrier][english] if self.carrier else "", place)))


def origin_of(number: str) -> Origin:
    """Where a number comes from, told from its first seven digits. Raises `ValueError` for what has not got them."""
    prefix = number[:PREFIX_DIGITS]
    if not re.fullmatch(r"1[3-9][0-9]{5}", prefix):
        raise ValueError("not the beginning of a mobile number")
    block = _table().find(prefix) or {}
    carrier = PREFIXES.get(prefix[:4]) or PREFIXES.get(prefix[:3])
    if carrier is not None and block.get("phone_type") in _LEASED and prefix[:4] not in PREFIXES:
        carrier = Carrier.VIRTUAL
    return Origin(carrier, str(block.get("province", "")))


@cache
def _table() -> Phone:
    """Four and a half megabytes, read when first needed."""
    return Phone()


def with_carrier(kind: str, fields: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The account form of goods of this kind: where a phone is charged, its owner may say who runs it now."""
    asked = {field["name"] for field in fields}
    if kind in FOR_PHONES and CARRIER_FIELD not in asked and any(field["type"] == "tel" for field in fields):
        return (*fields, _CARRIER)
    return tuple(fields)


_CARRIER: Mapping[str, Any] = {
    "name": CARRIER_FIELD,
    "type": "select",
    "required": False,
    "label": "实际运营商",
    "label_en": "Carrier now",
    "pattern": "",
    "example": Carrier.MOBILE.value,
    "help": "",
    "help_en": "",
    "choices": [
        {"value": carrier.value, "label": name, "label_en": name_en[:1].upper() + name_en[1:]}
        for carrier, (name, name_en) in NAMES.items()
    ],
}
