"""Who should be asked first: a score from 0 to 100 out of five parts, from plain figures. Pure.

Success is the lower end of Wilson's interval (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", JASA 22, 1927), so that few attempts prove little, whether they went well or not. A supplier of
which nothing is known starts with a prior: neither first nor last.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

#: 80 % of the interval lies between its ends: an operator wants to act on tendencies, not on proofs.
Z = 1.2816
#: What a newcomer brings along: so many attempts that went as the trade's usual ones do.
PRIOR_ATTEMPTS, PRIOR_RATE = 8.0, 0.95
#: An incident counts as so many failed attempts, however many ran into it.
INCIDENT_FAILURES = 4.0
#: Seconds until delivery, hours until an answer, at which a part is worth one half.
HALF_SECONDS, HALF_HOURS = 60.0, 6.0
#: So much dearer than the cheapest is worth nothing.
DEAREST = Decimal("0.10")
UNKNOWN_VALUE = 0.6
STANDINGS: Mapping[str, float] = {"official": 1.0, "agent": 0.7, "reseller": 0.4}
#: A variant is judged by itself from so many attempts on, and by its category before.
ENOUGH_ATTEMPTS = 30


@dataclass(frozen=True)
class Weights:
    """How much each part counts; only the proportions matter. They must not all be 0."""

    success: int = 45
    speed: int = 20
    cost: int = 20
    after_sales: int = 10
    standing: int = 5


@dataclass(frozen=True)
class Figures:
    """What is known of one supplier in one scope. Attempts are decayed with time; `counted` is how many there were.

    What was about the order (a wrong account), or happened during an incident, is not among them. Times in seconds,
    `after_sales_hours` from asking to answer, costs in yuan for one piece.
    """

    attempts: float = 0.0
    succeeded: float = 0.0
    counted: int = 0
    incidents: float = 0.0
    p50: float | None = None
    p90: float | None = None
    cost: Decimal | None = None
    cheapest: Decimal | None = None
    after_sales_hours: float | None = None
    standing: str = "reseller"
    is_licensed: bool = True


@dataclass(frozen=True)
class Part:
    """One part of a score: `value` from 0 to 1, worth `points` of 100, and the figures that it rests on."""

    name: str
    weight: int
    value: float
    points: float
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """`total` from 0 to 100; `scope` says whose figures they are: `variant`, `category` or `prior`."""

    total: float
    scope: str
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        """As `SupplierOffer.score_parts` keeps it."""
        return {
            "scope": self.scope,
            "parts": [
                {
                    "name": part.name,
                    "weight": part.weight,
                    "value": round(part.value, 4),
                    "points": round(part.points, 2),
                    "figures": dict(part.figures),
                }
                for part in self.parts
            ],
        }


def wilson_lower(succeeded: float, attempts: float, z: float = Z) -> float:
    """The lower end of Wilson's interval for a share; 0 without attempts."""
    if attempts <= 0:
        return 0.0
    share = min(max(succeeded / attempts, 0.0), 1.0)
    center = share + z * z / (2 * attempts)
    spread = z * math.sqrt(share * (1 - share) / attempts + z * z / (4 * attempts * attempts))
    return max(0.0, (center - spread) / (1 + z * z / attempts))


def score(figures: Figures, weights: Weights, *, scope: str) -> Score:
    """The score of one supplier in one scope. Raises `ValueError` where no part has any weight."""
    values = {
        "success": _success(figures),
        "speed": _speed(figures),
        "cost": _cost(figures),
        "after_sales": _after_sales(figures),
        "standing": _standing(figures),
    }
    given = {name: getattr(weights, name) for name in values}
    whole = sum(given.values())
    if whole <= 0:
        raise ValueError("no part of the score has any weight")
    parts = tuple(
        Part(name, given[name], value, 100 * value * given[name] / whole, shown)
        for name, (value, shown) in values.items()
    )
    is_new = figures.counted == 0
    return Score(round(sum(part.points for part in parts), 2), "prior" if is_new else scope, parts)


_Value = tuple[float, dict[str, Any]]


def _success(figures: Figures) -> _Value:
    failures = INCIDENT_FAILURES * figures.incidents
    attempts = figures.attempts + PRIOR_ATTEMPTS + failures
    lower = wilson_lower(figures.succeeded + PRIOR_ATTEMPTS * PRIOR_RATE, attempts)
    rate = round(figures.succeeded / figures.attempts, 4) if figures.attempts else None
    return lower, {
        "attempts": figures.counted,
        "rate": rate,
        "lower": round(lower, 4),
        "incidents": round(figures.incidents, 2),
    }


def _speed(figures: Figures) -> _Value:
    if figures.p50 is None or figures.p90 is None:
        return UNKNOWN_VALUE, {"p50": None, "p90": None}
    seconds = (figures.p50 + figures.p90) / 2
    return 1 / (1 + max(seconds, 0.0) / HALF_SECONDS), {"p50": round(figures.p50, 1), "p90": round(figures.p90, 1)}


def _cost(figures: Figures) -> _Value:
    if figures.cost is None or not figures.cheapest:
        return 0.0, {"cost": None, "cheapest": None}
    dearer = (figures.cost - figures.cheapest) / figures.cheapest
    value = float(max(Decimal(0), 1 - max(dearer, Decimal(0)) / DEAREST))
    return value, {"cost": f"{figures.cost:.4f}", "cheapest": f"{figures.cheapest:.4f}"}


def _after_sales(figures: Figures) -> _Value:
    if figures.after_sales_hours is None:
        return UNKNOWN_VALUE, {"hours": None}
    return 1 / (1 + max(figures.after_sales_hours, 0.0) / HALF_HOURS), {"hours": round(figures.after_sales_hours, 1)}


def _standing(figures: Figures) -> _Value:
    value = STANDINGS.get(figures.standing, 0.0) if figures.is_licensed else 0.0
    return value, {"standing": figures.standing, "licensed": figures.is_licensed}
