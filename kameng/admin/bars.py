"""Sums over time as bars from zero; `staff/_bars.html` draws them, without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

#: The drawing's own units; it scales to the page.
WIDTH, HEIGHT, GROUND = 700, 190, 160
#: What is left above the highest bar.
HEADROOM = 24
#: About so many of the bars are named below them.
LABELS = 7


@dataclass(frozen=True, slots=True)
class Bar:
    """One sum, in yuan; positions in the drawing's units."""

    label: str
    value: Decimal
    left: float
    top: float
    width: float
    height: float
    middle: float
    is_last: bool
    has_label: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """The whole drawing, oldest first."""

    bars: tuple[Bar, ...]
    width: int = WIDTH
    height: int = HEIGHT
    ground: int = GROUND


def bars(course: Sequence[tuple[str, Decimal]]) -> Bars:
    """What each is called and how much it is; the most fills the height. Nothing, or less, has no bar."""
    step = WIDTH / max(len(course), 1)
    highest = max((value for _, value in course), default=Decimal(0))
    every = max(1, -(-len(course) // LABELS))
    drawn = []
    for place, (label, value) in enumerate(course):
        share = float(value / highest) if highest > 0 else 0.0
        height = max(share, 0.0) * (GROUND - HEADROOM)
        drawn.append(
            Bar(
                label=label,
                value=value,
                left=round((place + 0.1) * step, 1),
                top=round(GROUND - height, 1),
                width=round(step * 0.8, 1),
                height=round(height, 1),
                middle=round((place + 0.5) * step, 1),
                is_last=place == len(course) - 1,
                has_label=(len(course) - 1 - place) % every == every // 2,
            )
        )
    return Bars(tuple(drawn))
