"""Figures, the goals they are held against, and how both are printed. Nothing here measures anything."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A limit on one figure: `bound` must be reached, `beyond` is what we would like."""

    bound: float
    beyond: float | None = None
    #: True where small is good.
    at_most: bool = True

    def met(self, value: float, bound: float | None) -> bool:
        """Whether `value` is on the right side of `bound`."""
        if bound is None or math.isnan(value):
            return False
        return value <= bound if self.at_most else value >= bound

    def text(self, bound: float | None) -> str:
        """`≤ 350`, or nothing."""
        return "" if bound is None else f"{'≤' if self.at_most else '≥'} {number(bound)}"


def at_most(bound: float, beyond: float | None = None) -> Goal:
    """Small is good."""
    return Goal(bound, beyond)


def at_least(bound: float, beyond: float | None = None) -> Goal:
    """Much is good."""
    return Goal(bound, beyond, at_most=False)


@dataclass(frozen=True)
class Judged:
    """One figure that has a goal."""

    what: str
    value: float
    unit: str
    goal: Goal

    @property
    def verdict(self) -> str:
        """`beyond`, `met` or `MISSED`."""
        if not self.goal.met(self.value, self.goal.bound):
            return "MISSED"
        return "beyond" if self.goal.met(self.value, self.goal.beyond) else "met"


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers under one heading each."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]


@dataclass
class Report:
    """What one workload found."""

    name: str
    tables: list[Table] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    #: What was wrong: a wrong result is no figure, and no speed makes up for it.
    broken: list[str] = field(default_factory=list)

    def judge(self, what: str, value: float, unit: str, goal: Goal) -> None:
        """Hold a figure against its goal."""
        self.judged.append(Judged(what, value, unit, goal))

    @property
    def missed(self) -> list[Judged]:
        """The figures that are not good enough."""
        return [figure for figure in self.judged if figure.verdict == "MISSED"]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all do not exceed (nearest rank); NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(seconds: Sequence[float], share: float) -> float:
    """A percentile of durations, in ms."""
    return percentile(seconds, share) * 1000


def number(value: float) -> str:
    """Three significant digits, whole from 100 on, with thousands apart."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def width(text: str) -> int:
    """Columns of a terminal: Chinese takes two each."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def table_text(table: Table) -> str:
    """The table with its numbers to the right."""
    cells = [list(table.columns)] + [[_cell(cell) for cell in row] for row in table.rows]
    widths = [max(width(row[place]) for row in cells) for place in range(len(table.columns))]
    to_the_right = [
        all(not isinstance(row[place], str) or not row[place] for row in table.rows)
        for place in range(len(table.columns))
    ]
    lines = [table.title]
    for row in cells:
        padded = [
            " " * (wide - width(cell)) + cell if right else cell + " " * (wide - width(cell))
            for cell, wide, right in zip(row, widths, to_the_right, strict=True)
        ]
        lines.append("  " + "  ".join(padded).rstrip())
    return "\n".join(lines)


def judged_table(reports: Iterable[Report]) -> Table:
    """Every figure that has a goal."""
    rows = [
        (
            f"{report.name}: {figure.what}", figure.value, figure.unit,
            figure.goal.text(figure.goal.bound), figure.goal.text(figure.goal.beyond), figure.verdict,
        )
        for report in reports
        for figure in report.judged
    ]  # fmt: skip
    return Table("goals", ("what", "measured", "unit", "goal", "beyond", "verdict"), rows)


def verdict(reports: Sequence[Report]) -> tuple[bool, str]:
    """Whether every goal was met and everything was right, and the one line that says so."""
    judged = [figure for report in reports for figure in report.judged]
    broken = [f"{report.name}: {what}" for report in reports for what in report.broken]
    missed = [
        f"{report.name}: {figure.what} {number(figure.value)} {figure.unit} ({figure.goal.text(figure.goal.bound)})"
        for report in reports
        for figure in report.missed
    ]
    beyond = sum(figure.verdict == "beyond" for figure in judged)
    met = f"{len(judged) - len(missed)} of {len(judged)} goals met, {beyond} beyond"
    if not missed and not broken:
        return True, f"verdict: well, {met}"
    wrong = "".join(f"; WRONG {what}" for what in broken) + "".join(f"; missed {what}" for what in missed)
    return False, f"verdict: not good enough, {met}{wrong}"


def as_json(report: Report) -> dict[str, Any]:
    """A workload's findings for a program."""
    return {
        "name": report.name,
        "tables": [
            {
                "title": table.title,
                "rows": [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows],
            }
            for table in report.tables
        ],
        "judged": [
            {
                "what": figure.what,
                "value": _plain(figure.value),
                "unit": figure.unit,
                "goal": figure.goal.bound,
                "beyond": figure.goal.beyond,
                "verdict": figure.verdict,
            }
            for figure in report.judged
        ],
        "broken": report.broken,
    }


def _cell(cell: str | float) -> str:
    return cell if isinstance(cell, str) else number(cell)


def _plain(value: str | float) -> str | float | None:
    """JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
