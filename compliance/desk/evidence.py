"""A case's texts as whoever decides looks at them: what was caught is marked, what changed stands beside it. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

#: Texts longer than this are compared line by line, which is less exact and stays quick.
LONGEST_BY_WORD = 4000
_WORD = re.compile(r"[0-9A-Za-z]+|\s+|.", re.DOTALL)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: caught by the finding of that number (0: by none), or `added` or `removed` since."""

    text: str
    finding: int = 0
    change: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One text: as it is, and how it differs from what was approved; no changes where it is the same."""

    name: str
    pieces: tuple[Piece, ...]
    changes: tuple[Piece, ...]


def fields_of(
    texts: Mapping[str, str], findings: Sequence[Mapping[str, Any]], before: Mapping[str, str] | None
) -> list[Field]:
    """Every text, those in which something was caught first. `before` is what was approved, if anything was."""
    caught = {finding["field"] for finding in findings}
    fields = [
        Field(name, marked(text, name, findings), changed(before.get(name, ""), text) if before is not None else ())
        for name, text in texts.items()
        if text
    ]
    gone = [name for name, text in (before or {}).items() if text and not texts.get(name)]
    fields += [Field(name, (), changed((before or {})[name], "")) for name in gone]
    return sorted(fields, key=lambda field: (field.name not in caught, not field.changes))


def marked(text: str, name: str, findings: Sequence[Mapping[str, Any]]) -> tuple[Piece, ...]:
    """A text in pieces. Findings have the number of their place in the list, from 1; where two overlap, the first keeps
    what they share."""
    places = sorted(
        (finding["start"], number, finding["end"])
        for number, finding in enumerate(findings, 1)
        if finding["field"] == name
    )
    pieces: list[Piece] = []
    at = 0
    for begin, number, end in places:
        start, stop = max(begin, at), min(end, len(text))
        if start >= stop:
            continue
        if start > at:
            pieces.append(Piece(text[at:start]))
        pieces.append(Piece(text[start:stop], finding=number))
        at = stop
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return tuple(pieces)


def changed(before: str, now: str) -> tuple[Piece, ...]:
    """What was added and removed, word by word; nothing where nothing was."""
    if before == now:
        return ()
    unit = _WORD if max(len(before), len(now)) <= LONGEST_BY_WORD else _LINE
    old, new = unit.findall(before), unit.findall(now)
    pieces = []
    for step, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            pieces.append(Piece("".join(new[new_start:new_end])))
            continue
        if old_end > old_start:
            pieces.append(Piece("".join(old[old_start:old_end]), change="removed"))
        if new_end > new_start:
            pieces.append(Piece("".join(new[new_start:new_end]), change="added"))
    return tuple(pieces)
