"""Rules of the screening in the database: as values, compiled, and brought up to what the software comes with."""

from dataclasses import asdict

from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from compliance.models import Rule
from compliance.screening import rules as pure
from compliance.screening.book import Book, built_in_book
from compliance.screening.checking import check
from compliance.screening.labelled import built_in_likeness
from compliance.screening.rules import Category, Severity, built_in_groups, built_in_rules
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


def screening_book() -> Book | None:
    """The active rules, compiled once for each change; nothing where there are no rules in the database."""
    return _book_and_version()[0]


def book_now() -> tuple[Book, int]:
    """The rules to screen by, those of the software where the database has none, and the version that they are.

    The version grows with every change to a rule, because rules are never deleted; 0 is the software's own.
    """
    kept, version = _book_and_version()
    return kept or built_in_book(), version


def _book_and_version() -> tuple[Book | None, int]:
    active = Count("pk", filter=Q(is_active=True))
    seen = Rule.objects.aggregate(count=Count("pk"), active=active, versions=Sum("version"), last=Max("changed_at"))
    if not seen["count"]:
        return None, 0
    key = (seen["count"], seen["active"], seen["versions"], seen["last"])
    book = _kept.get(key)
    if book is None:
        rules = [rule_of(row) for row in Rule.objects.filter(is_active=True)]
        book = Book(rules, built_in_groups(), built_in_likeness())
        for former in list(_kept)[: 1 - _KEPT_BOOKS or None]:
            _kept.pop(former, None)
        _kept[key] = book
    return book, int(seen["versions"])


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
    if problems := check(rule_of(rule), built_in_groups()):
        raise Invalid(fields={name: " ".join(map(str, texts)) for name, texts in problems.items()})
    former = Rule.objects.select_for_update().filter(pk=rule.pk).first()
    if former is not None:
        rule.version = former.version + 1
    rule.changed_by, rule.changed_at = actor, Now()
    rule.save()
    rule.refresh_from_db(fields=["changed_at"])
    before, after = _said(former) if former is not None else {}, _said(rule)
    changed = [name for name in _SAID if former is None or before[name] != after[name]]
    _say_changed()
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
    """Bring the rules that nobody has changed to what the software comes with; how many were added or changed.

    One that the software no longer has is switched off. Those that operators have made their own stay as they are.
    """
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
    changed = {"added": added, "renewed": renewed, "switched_off": switched_off}
    if any(changed.values()):
        _say_changed()
        entry_append(actor="system", subject="rules:software", action="rules.renewed", data=changed)
    return sum(map(len, changed.values()))


def _say_changed() -> None:
    """Whoever screens looks at everything again."""
    publish("rules.changed", rules_version=Rule.objects.aggregate(versions=Sum("version"))["versions"])


def _name(rule: Rule | pure.Rule) -> str:
    return f"{rule.category}/{rule.code}"


def _said(rule: Rule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in _SAID}


def fields_of(rule: pure.Rule) -> dict[str, object]:
    """The columns that a rule of the software fills."""
    plain = asdict(rule)
    plain["is_weak"] = plain.pop("weak")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
