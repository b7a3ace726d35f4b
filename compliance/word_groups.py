"""Groups of words that rules have in common: what operators put in and take out, tried before it counts."""

import re
from collections.abc import Iterator, Mapping

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from compliance.models import Rule, WordGroup
from compliance.rules import changed_say, groups_of, rule_of
from compliance.screening import rules as pure
from compliance.screening.book import Book
from compliance.screening.checking import check
from compliance.screening.engine import screen
from compliance.screening.labelled import built_in_likeness
from compliance.screening.listing import Subject
from compliance.screening.rules import problems_of_words
from compliance.trail.services import entry_append
from kameng.core.problems import Invalid

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: What the trail keeps of a group.
_SAID = ("note", "added", "retired", "hits", "misses")
#: Failures of rules that are told one by one.
_TOLD = 8


def book_with(group: WordGroup) -> Book:
    """The active rules, as they would be with a group as it stands there."""
    groups = {**groups_of(WordGroup.objects.all()), group.code: group.current}
    return Book(_rules(), groups, built_in_likeness())


def group_problems(group: WordGroup) -> dict[str, str]:
    """What is wrong with a group, by field: its words, its own examples, and those of every rule that is active."""
    found: dict[str, list[object]] = {}
    if not _CODE.fullmatch(group.code):
        found["code"] = [_("只能用小写字母、数字和下划线，字母开头，最多 40 个字符")]
    for field in ("added", "retired"):
        if wrong := problems_of_words(getattr(group, field)):
            found[field] = list(wrong)
    known = set(group.words)
    if strangers := [word for word in group.retired if word not in known]:
        found.setdefault("retired", []).append(_("自带的词里没有：%(words)s") % {"words": "、".join(strangers)})
    if twice := [word for word in group.added if word in known - set(group.retired)]:
        found.setdefault("added", []).append(_("已经有了：%(words)s") % {"words": "、".join(twice)})
    if not group.current:
        found.setdefault("added", []).append(_("词组里至少要有一个词"))
    if found:
        return {name: " ".join(map(str, texts)) for name, texts in found.items()}
    return {name: " ".join(texts) for name, texts in _tried(group).items()}


def _tried(group: WordGroup) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    book = book_with(group)
    for field, wanted, text in (
        ("hits", True, _("应当命中，却没有命中：%(example)s")), ("misses", False, _("不应命中，却命中了：%(example)s")),
    ):  # fmt: skip
        for example in getattr(group, field):
            if bool(screen(Subject(title=example), book).findings) is not wanted:
                found.setdefault(field, []).append(text % {"example": example})
    # What holds without the change has to hold with it.
    groups = {**groups_of(WordGroup.objects.all()), group.code: group.current}
    broken = [(rule, problem) for rule in _rules() for problem in _failures(rule, groups)]
    if broken:
        field = "retired" if group.retired and not group.added else "added"
        found.setdefault(field, []).extend(
            _("规则 %(rule)s 的例子不对了：%(problem)s") % {"rule": f"{rule.category}/{rule.code}", "problem": problem}
            for rule, problem in broken[:_TOLD]
        )
    return found


def _failures(rule: pure.Rule, groups: pure.Groups) -> Iterator[object]:
    for texts in check(rule, groups).values():
        yield from texts


def _rules() -> list[pure.Rule]:
    return [rule_of(row) for row in Rule.objects.filter(is_active=True)]


@transaction.atomic
def group_save(*, group: WordGroup, actor: str) -> WordGroup:
    """Keep a group as it stands there, new or changed, once its examples and those of all active rules hold with it.

    Whoever screens looks at everything again. Raises `Invalid` with what is wrong at each field.
    """
    former = WordGroup.objects.select_for_update().filter(pk=group.pk).first()
    if former is None and WordGroup.objects.filter(code=group.code).exists():
        raise Invalid(fields={"code": _("已经有这个词组")})
    if former is not None:
        group.code, group.words, group.version = former.code, former.words, former.version + 1
    if problems := group_problems(group):
        raise Invalid(fields=problems)
    group.changed_by, group.changed_at = actor, Now()
    group.save()
    group.refresh_from_db(fields=["changed_at"])
    before = {name: getattr(former, name) for name in _SAID} if former is not None else {}
    after = {name: getattr(group, name) for name in _SAID}
    changed = [name for name in _SAID if former is None or before[name] != after[name]]
    changed_say()
    entry_append(
        actor=actor,
        subject=f"words:{group.code}",
        action="words.added" if former is None else "words.changed",
        data={
            "version": group.version,
            "before": {name: before[name] for name in changed if name in before},
            "after": {name: after[name] for name in changed},
        },
    )
    return group
