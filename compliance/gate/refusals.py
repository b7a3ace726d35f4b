"""Edits that were refused leave a record, though the transactions in which they were written are rolled back.

Whoever refuses notes it; what was noted is written once the doorway is through with its work, whatever came of that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from compliance.gate.models import Refusal
from compliance.gate.subjects import Subject

_LONGEST_TITLE = 160


@dataclass(frozen=True, slots=True)
class _Noted:
    subject: Subject
    title: str
    findings: tuple[dict[str, Any], ...]
    rules_version: int


_noted: ContextVar[list[_Noted] | None] = ContextVar("refusals", default=None)


def refusal_note(*, subject: Subject, title: str, findings: tuple[dict[str, Any], ...], rules_version: int) -> None:
    """An edit is about to be refused. The same one twice is noted once; outside of a doorway it is not noted at all."""
    noted, new = _noted.get(), _Noted(subject, title, findings, rules_version)
    if noted is not None and new not in noted:
        noted.append(new)


@contextmanager
def refusals_kept(*, actor: Callable[[], str], schema_name: str) -> Iterator[None]:
    """Write down what is refused inside. `schema_name` is where whoever writes has signed in; they are asked for only
    where something was refused."""
    noted: list[_Noted] = []
    token = _noted.set(noted)
    try:
        yield
    finally:
        _noted.reset(token)
        if noted:
            by = actor()
            Refusal.objects.bulk_create(
                Refusal(
                    subject_kind=one.subject.kind,
                    schema_name=one.subject.schema_name,
                    subject_id=one.subject.id,
                    title=one.title[:_LONGEST_TITLE],
                    findings=list(one.findings),
                    rules_version=one.rules_version,
                    by=by,
                    is_owners=one.subject.schema_name == schema_name,
                )
                for one in noted
            )
