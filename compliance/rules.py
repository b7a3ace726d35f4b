"""Rules of the screening in the database: as values, compiled, and brought up to what the software comes with.

With them the groups of words that they have in common; `word_groups.py` has what operators do to those.
"""

from collections.abc import Iterable
from dataclasses import asdict
from threading import Lock

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _

from compliance.models import Rule, WordGroup
from compliance.screening import rules as pure
from compliance.screening.book import Book, built_in_book
from compliance.screening.checking import check
from compliance.screening.labelled import built_in_likeness
from compliance.screening.rules import Category, Severity, built_in_group_notes, built_in_groups, built_in_rules
from compliance.trail.services import entry_append
from kameng.core.problems import Invalid
from kameng.outbox.services import publish

_WORDS = ("terms", "sounds", "exact", "but_not", "near", "also", "unless", "hits", "misses")
#: What the trail keeps of a rule.
_SAID = (*_WORDS, "note", "severity", "window", "is_weak", "is_active")
#: The rules that this process has compiled, by how many they were, of which versions, and when one changed last. The
#: ones before stay for those whose transaction still sees them.
_kept: dict[tuple[object, ...], Book] = {}
_KEPT_BOOKS = 2
#: One thread compiles, the others wait for what it makes: a book takes megabytes, and more while it is made.
_compiling = Lock()


def screening_book() -> Book | None:
    """The active rules, compiled once for each change; nothing where there are no rules in the database."""
    return _book_and_version()[0]


def book_now() -> tuple[Book, int]:
    """The rules to screen by, those of the software where the database has none, and the version that they are.

    The version grows with every change to a rule or a group of words, because none is ever deleted; 0 is the
    software's own.
    """
    kept, version = _book_and_version()
    return kept or built_in_book(), version


def _book_and_version() -> tuple[Book | None, int]:
    active = Count("pk", filter=Q(is_active=True))
    seen = _with_groups().aggregate(
        count=Count("pk"), active=active, versions=Sum("version"), last=Max("changed_at"), groups=Max("of_groups"),
        regrouped=Max("regrouped_at"),
    )  # fmt: skip
    if not seen["count"]:
        return None, 0
    key = tuple(seen.values())
    book = _kept.get(key)
    if book is None:
        with _compiling:
            book = _kept.get(key) or _compiled(key)
    return book, int(seen["versions"]) + int(seen["groups"])


def _compiled(key: tuple[object, ...]) -> Book:
    rules = [rule_of(row) for row in Rule.objects.filter(is_active=True)]
    book = Book(rules, groups_now(), built_in_likeness())
    for former in list(_kept)[: 1 - _KEPT_BOOKS or None]:
        _kept.pop(former, None)
    _kept[key] = book
    return book


def _with_groups() -> "QuerySet[Rule]":
    """Rules, with the sum of all groups' versions beside each: one question for both."""
    all_groups = WordGroup.objects.order_by().values(all=Value(1))
    return Rule.objects.annotate(
        of_groups=Coalesce(Subquery(all_groups.annotate(sum=Sum("version")).values("sum")), 0),
        regrouped_at=Subquery(all_groups.annotate(last=Max("changed_at")).values("last")),
    )


def groups_now() -> pure.Groups:
    """The groups of words that rules may name: those of the database, over those of the software."""
    return groups_of(WordGroup.objects.all())


def groups_of(rows: Iterable[WordGroup]) -> pure.Groups:
    """The words that count, by the group's code."""
    return {**built_in_groups(), **{row.code: row.current for row in rows}}


def rule_of(row: Rule) -> pure.Rule:
    """A row as the screening's own value."""
    words = {name: tuple(getattr(row, name)) for name in _WORDS}
    return pure.Rule(
        code=row.code,
        category=Category(row.category),
        severity=Severity(row.severity),
        window=row.window,
        weak=row.is_weak,
        note=row.note,
        **words,
    )


@transaction.atomic
def rule_save(*, rule: Rule, actor: str) -> Rule:
    """Keep a rule as it stands there, new or changed, once it finds its examples and lets the others go.

    Raises `Invalid` with what is wrong at each field.
    """
    if rule.pk is None and Rule.objects.filter(category=rule.category, code=rule.code).exists():
        raise Invalid(fields={"code": _("这个类别里已经有这个代码")})
    if problems := check(rule_of(rule), groups_now()):
        raise Invalid(fields={name: " ".join(map(str, texts)) for name, texts in problems.items()})
    former = Rule.objects.select_for_update().filter(pk=rule.pk).first()
    if former is not None:
        rule.version = former.version + 1
    rule.changed_by, rule.changed_at = actor, Now()
    rule.save()
    rule.refresh_from_db(fields=["changed_at"])
    before, after = _said(former) if former is not None else {}, _said(rule)
    changed = [name for name in _SAID if former is None or before[name] != after[name]]
    changed_say()
    entry_append(
        actor=actor,
        subject=f"rule:{_name(rule)}",
        action="rule.added" if former is None else "rule.changed",
        data={
            "version": rule.version,
            "before": {name: before[name] for name in changed if name in before},
            "after": {name: after[name] for name in changed},
        },
    )
    return rule


@transaction.atomic
def rules_load() -> int:
    """Bring the rules that nobody has changed, and the groups' own words, to what the software comes with; how many
    were added or changed.

    A rule that the software no longer has is switched off. Those that operators have made their own stay as they are,
    and so does what they put into a group or took out of it.
    """
    regrouped = _groups_load()
    known = {(row.category, row.code): row for row in Rule.objects.select_for_update()}
    added, renewed, switched_off = [], [], []
    for rule in built_in_rules():
        row = known.pop((rule.category, rule.code), None)
        if row is None:
            Rule.objects.create(**fields_of(rule))
            added.append(_name(rule))
        elif row.changed_by or (row.is_active and rule_of(row) == rule):
            continue
        else:
            Rule.objects.filter(pk=row.pk).update(
                **fields_of(rule), is_active=True, version=row.version + 1, changed_at=Now()
            )
            renewed.append(_name(rule))
    for row in known.values():
        if row.is_active and not row.changed_by:
            Rule.objects.filter(pk=row.pk).update(is_active=False, version=row.version + 1, changed_at=Now())
            switched_off.append(_name(row))
    changed = {"added": added, "renewed": renewed, "switched_off": switched_off, "groups": regrouped}
    if any(changed.values()):
        changed_say()
        entry_append(actor="system", subject="rules:software", action="rules.renewed", data=changed)
    return sum(map(len, changed.values()))


def _groups_load() -> list[str]:
    known = {row.code: row for row in WordGroup.objects.select_for_update()}
    changed = []
    for code, words in built_in_groups().items():
        row = known.get(code)
        if row is None:
            WordGroup.objects.create(code=code, note=built_in_group_notes()[code], words=words)
        elif tuple(row.words) != words:
            # What the software has by now need not be put in, and what it no longer has need not be taken out.
            WordGroup.objects.filter(pk=row.pk).update(
                words=list(words), retired=[word for word in row.retired if word in words],
                added=[word for word in row.added if word not in words], version=row.version + 1, changed_at=Now(),
            )  # fmt: skip
        else:
            continue
        changed.append(f"@{code}")
    return changed


def changed_say() -> None:
    """Whoever screens looks at everything again."""
    publish("rules.changed", rules_version=_book_and_version()[1])


def _name(rule: Rule | pure.Rule) -> str:
    return f"{rule.category}/{rule.code}"


def _said(rule: Rule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in _SAID}


def fields_of(rule: pure.Rule) -> dict[str, object]:
    """The columns that a rule of the software fills."""
    plain = asdict(rule)
    plain["is_weak"] = plain.pop("weak")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
