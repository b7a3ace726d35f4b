"""Whether a rule that somebody has written may be kept: its words, and what it finds in its own examples. Pure."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from compliance.screening.book import Book
from compliance.screening.engine import screen
from compliance.screening.listing import Subject
from compliance.screening.rules import Groups, Rule, problems_of


def check(rule: Rule, groups: Groups) -> dict[str, list[Promise | str]]:
    """What is wrong with a rule, by field; nothing where it may be kept. Examples come after the words."""
    found = problems_of(rule, groups)
    if found:
        return found
    book = Book([rule], groups)
    for field, examples, wanted in (("hits", rule.hits, True), ("misses", rule.misses, False)):
        for example in examples:
            if bool(screen(Subject(title=example), book).findings) is not wanted:
                text = _("应当命中，却没有命中：%(example)s") if wanted else _("不应命中，却命中了：%(example)s")
                found.setdefault(field, []).append(text % {"example": example})
    return found
