"""How far each check looks when the audit looks only at what is recent.

Most look at orders, one at a time, and see those that are recent (`kameng.audit.recent`): they need no mark.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_Check = TypeVar("_Check", bound=Callable[..., Any])


class Scope(StrEnum):
    """What was looked at."""

    WHOLE = "whole"
    SINCE = "since"


@dataclass(frozen=True)
class Reach:
    """What a check looks at (nothing: it is not asked), and what it does not see."""

    scope: Scope | None
    unseen: str = ""


_REACHES: dict[Callable[..., Any], Reach] = {}
_RECENT = Reach(Scope.SINCE)


def whole(check: _Check) -> _Check:
    """It looks at everything: that costs little, or what it looks for is what nothing happened to."""
    _REACHES[check] = Reach(Scope.WHOLE)
    return check


def left_out(what: str) -> Callable[[_Check], _Check]:
    """It is right only over everything, and that costs too much: `what` is not looked at."""
    return _marked(Reach(None, what))


def unseen(what: str) -> Callable[[_Check], _Check]:
    """It sees what is recent, but for `what`."""
    return _marked(Reach(Scope.SINCE, what))


def _marked(reach: Reach) -> Callable[[_Check], _Check]:
    def mark(check: _Check) -> _Check:
        _REACHES[check] = reach
        return check

    return mark


def reach_of(check: Callable[..., Any]) -> Reach:
    """How far it looks; of a `partial`, how far what it calls does."""
    return _REACHES.get(getattr(check, "func", check), _RECENT)
