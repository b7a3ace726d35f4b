"""What a rule is, and what is wrong with one that somebody has written. Pure.

A rule names terms, and says what has to stand near them, what around them makes another word of them, and what in the
listing clears them. There are no regular expressions: every rule costs what its length costs, and can be read.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from compliance.screening.readings import sound_of, sounds_of
from compliance.screening.text import fold

#: The group of words that an honest shop writes.
HONEST = "honest"
#: Groups of goods in whose titles one word of a rule is not enough; for works of others those that no work is.
GOODS, GOODS_OF_WORKS = "goods", "goods_of_works"
#: Words for vouchers, tickets and lessons, which name nothing that one gets for them.
PAPER = "paper"

MAX_TERMS = 400
MAX_TERM = 40
MAX_WINDOW = 200
#: Characters, between a term and what makes it a finding, that a title has room for.
WIDE = 40
_DIGITS_APART = re.compile(r"\d[^\w\s]+\d")
_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DATA = resources.files("compliance.screening") / "data" / "rules"


class Category(StrEnum):
    """What may not be sold."""

    GAME_CHEAT = "game_cheat"
    CRACKED_SOFTWARE = "cracked_software"
    VIRTUAL_CURRENCY = "virtual_currency"
    PORNOGRAPHY = "pornography"
    GAMBLING = "gambling"
    SHARED_ACCOUNT = "shared_account"
    INFRINGEMENT = "infringement"
    REAL_NAME_ACCOUNT = "real_name_account"
    PERSONAL_DATA = "personal_data"
    VPN = "vpn"
    FORGED_DOCUMENT = "forged_document"

    @property
    def label(self) -> Promise:
        """For people."""
        return _LABELS[self]


_LABELS: dict[Category, Promise] = {
    Category.GAME_CHEAT: _("游戏外挂与脚本"),
    Category.CRACKED_SOFTWARE: _("破解与盗版软件"),
    Category.VIRTUAL_CURRENCY: _("虚拟货币"),
    Category.PORNOGRAPHY: _("色情"),
    Category.GAMBLING: _("赌博"),
    Category.SHARED_ACCOUNT: _("共享、租借与漏洞账号"),
    Category.INFRINGEMENT: _("侵权内容与私服"),
    Category.REAL_NAME_ACCOUNT: _("实名账号与电话卡买卖"),
    Category.PERSONAL_DATA: _("个人信息买卖"),
    Category.VPN: _("非法 VPN"),
    Category.FORGED_DOCUMENT: _("伪造证件与文书"),
}


class Severity(StrEnum):
    """What a finding does: `high` blocks, `medium` and `low` leave it to a person, `low` less urgently."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def label(self) -> Promise:
        """For people."""
        return _SEVERITIES[self]


_SEVERITIES: dict[Severity, Promise] = {
    Severity.HIGH: _("高：拦下"),
    Severity.MEDIUM: _("中：人工看"),
    Severity.LOW: _("低：人工看，不急"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason for a finding. Words that begin with @ are groups of words.

    `terms` are found as they are written, below all tricks of writing, with syllables in pinyin, and with their
    characters taken apart; `sounds` also in any other characters that sound the same; `exact` only as they are written.
    A term counts unless it lies inside one of the phrases `but_not`. If there are words `near`, one of them has to
    stand within `window` characters of it, and the same holds for `also`; in another field it counts where one of both
    fields is the title or the category, and the window is no narrower than `WIDE`. A word of `unless` in the title or
    in the same field clears it. A `weak` rule counts only in what names the goods, and not where the title as a whole
    reads lawful.
    """

    code: str
    category: Category
    severity: Severity
    terms: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    but_not: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    window: int = WIDE
    weak: bool = False
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    note: str = ""


Groups = Mapping[str, tuple[str, ...]]
_WORDS = ("terms", "sounds", "exact", "but_not", "near", "also", "unless")


def problems_of(rule: Rule, groups: Groups) -> dict[str, list[Promise | str]]:
    """What is wrong with the words of a rule, by field; nothing where it may be compiled."""
    found: dict[str, list[Promise | str]] = {}

    def wrong(field: str, text: Promise | str, **values: object) -> None:
        found.setdefault(field, []).append(text % values if values else text)

    if not _CODE.fullmatch(rule.code) or len(rule.code) > 40:
        wrong("code", _("只能用小写字母、数字和连字符，最多 40 个字符"))
    if not (rule.terms or rule.sounds or rule.exact):
        wrong("terms", _("至少要有一个词"))
    if not 1 <= rule.window <= MAX_WINDOW:
        wrong("window", _("距离在 1 到 %(most)d 之间"), most=MAX_WINDOW)
    for field in _WORDS:
        words: tuple[str, ...] = getattr(rule, field)
        plain = words
        if field in ("near", "also", "unless"):
            plain = tuple(word for word in words if not word.startswith("@"))
            for word in words:
                if word.startswith("@") and word[1:] not in groups:
                    wrong(field, _("没有这个词组：%(word)s"), word=word)
        for text in problems_of_words(plain, shortest=2 if field in ("terms", "sounds", "but_not") else 1):
            wrong(field, text)
    if not rule.hits:
        wrong("hits", _("至少要有一个应当命中的例子"))
    own = [fold(word) for word in (*rule.terms, *rule.sounds, *rule.exact)]
    for phrase in map(fold, rule.but_not):
        if not any(word in phrase or (sound_of(word) or word) in sounds_of(phrase) for word in own):
            wrong("but_not", _("“%(word)s”里没有这条规则的词，排除不了任何东西"), word=phrase)
    return found


def problems_of_words(words: Sequence[str], *, shortest: int = 1) -> list[Promise | str]:
    """What is wrong with a list of words; nothing where they may be looked for."""
    found: list[Promise | str] = []
    if len(words) > MAX_TERMS:
        found.append(_("最多 %(most)d 个词") % {"most": MAX_TERMS})
    for word in words:
        if _DIGITS_APART.search(word):
            found.append(_("“%(word)s”里数字之间的符号会被去掉，请换一种写法") % {"word": word})
        elif not shortest <= len(fold(word)) <= MAX_TERM:
            found.append(_("“%(word)s”去掉符号后太短，或超过 %(most)d 个字") % {"word": word, "most": MAX_TERM})
    return found


@lru_cache(maxsize=1)
def built_in_groups() -> Groups:
    """Groups of words that rules have in common."""
    return {name: tuple(words) for name, words in _groups_file().items() if name != "notes"}


def built_in_group_notes() -> Mapping[str, str]:
    """What each of them is, for operators."""
    notes: Mapping[str, str] = _groups_file()["notes"]
    return notes


def _groups_file() -> Mapping[str, Any]:
    return tomllib.loads((_DATA / "groups.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def built_in_rules() -> tuple[Rule, ...]:
    """The rules that come with the software, one file for each category."""
    return tuple(rule for category in Category for rule in _rules_of(category))


def _rules_of(category: Category) -> list[Rule]:
    table = tomllib.loads((_DATA / f"{category}.toml").read_text("utf-8"))
    rules = []
    for entry in table["rule"]:
        values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
        rules.append(Rule(**{**values, "category": category, "severity": Severity(entry["severity"])}))
    return rules
