"""Scores from plain figures."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.suppliers.ranking import Figures, Weights, score, wilson_lower

GOOD = Figures(
    attempts=200, succeeded=196, counted=240, p50=3.0, p90=8.0, cost=Decimal("55"), cheapest=Decimal("55"),
    after_sales_hours=2.0, standing="agent",
)  # fmt: skip


def total(figures: Figures, weights: Weights = Weights()) -> float:  # noqa: B008 - frozen
    """The whole score."""
    return score(figures, weights, scope="category").total


@pytest.mark.parametrize(
    ("succeeded", "attempts", "lower"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
    [(81, 263, 0.2553), (15, 148, 0.0624), (0, 20, 0.0), (1, 29, 0.0061)],
)
def test_the_lower_end_is_wilsons(succeeded: int, attempts: int, lower: float) -> None:
    assert wilson_lower(succeeded, attempts, z=1.959964) == pytest.approx(lower, abs=5e-5)


def test_nothing_proves_nothing() -> None:
    assert wilson_lower(0, 0) == 0.0


def test_a_newcomer_is_neither_first_nor_last() -> None:
    newcomer = Figures(cost=Decimal("55"), cheapest=Decimal("55"), standing="agent")
    failing = replace(GOOD, succeeded=100)
    assert total(failing) < total(newcomer) < total(GOOD)
    assert score(newcomer, Weights(), scope="category").scope == "prior"


def test_more_of_the_same_proves_more() -> None:
    few = replace(GOOD, attempts=10, succeeded=9.8, counted=10)
    assert total(few) < total(GOOD)


@pytest.mark.parametrize(
    "worse",
    [
        {"succeeded": 150.0},
        {"p50": 60.0, "p90": 300.0},
        {"cost": Decimal("57")},
        {"after_sales_hours": 30.0},
        {"standing": "reseller"},
        {"is_licensed": False},
        {"incidents": 2.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_figure_counts(worse: dict[str, object]) -> None:
    assert total(replace(GOOD, **worse)) < total(GOOD)  # type: ignore[arg-type]


def test_one_incident_does_not_bury_a_supplier() -> None:
    """Five hundred orders ran into it; the next supplier is a little dearer, and has never failed."""
    recovered = replace(GOOD, attempts=500, succeeded=500, counted=500, incidents=1.0)
    spotless = replace(recovered, incidents=0.0, cost=Decimal("56.10"))
    assert total(recovered) > total(spotless)


def test_without_weight_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="weight"):
        score(GOOD, Weights(0, 0, 0, 0, 0), scope="category")


def test_only_proportions_matter() -> None:
    assert total(GOOD, Weights(90, 40, 40, 20, 10)) == pytest.approx(total(GOOD, Weights(45, 20, 20, 10, 5)), abs=0.01)


FIGURES = st.builds(
    Figures,
    attempts=st.floats(0, 1e6),
    succeeded=st.floats(0, 1e6),
    counted=st.integers(0, 10**6),
    incidents=st.floats(0, 100),
    p50=st.none() | st.floats(0, 1e6),
    p90=st.none() | st.floats(0, 1e6),
    cost=st.none() | st.decimals("0.0001", "1000000", places=4),
    cheapest=st.none() | st.decimals("0.0001", "1000000", places=4),
    after_sales_hours=st.none() | st.floats(0, 1e5),
    standing=st.sampled_from(["official", "agent", "reseller", "unheard of"]),
    is_licensed=st.booleans(),
)


@given(FIGURES, st.tuples(*[st.integers(0, 100)] * 5).filter(any))
def test_a_score_is_the_sum_of_its_parts_and_within_bounds(figures: Figures, weights: tuple[int, ...]) -> None:
    found = score(figures, Weights(*weights), scope="category")
    assert 0 <= found.total <= 100.01
    assert found.total == pytest.approx(sum(part.points for part in found.parts), abs=0.01)
    assert all(0 <= part.value <= 1 for part in found.parts)
    assert [part["name"] for part in found.as_json()["parts"]] == [
        "success", "speed", "cost", "after_sales", "standing",
    ]  # fmt: skip
