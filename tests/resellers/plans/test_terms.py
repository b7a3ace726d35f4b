"""Time, money and names of plans, and which steps of the set-up are done: all of it pure."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import pricing
from catalog.supply_discount import discounted
from kameng.manage.checklist import Facts, done_of
from resellers.plans.models import Tenure
from resellers.plans.services import end_of_year_from
from resellers.plans.standing import Standing, days_left, standing
from resellers.plans.subdomains import Refusal, refusal_of
from resellers.plans.terms import told, upgrade_price, year_after

MONEY = st.decimals(0, 100_000, places=2)
NOON = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


@given(fee=MONEY, more_fee=MONEY, rent=MONEY, more_rent=MONEY, days=st.integers(0, 800))
def test_an_upgrade_costs_the_difference_for_the_days_that_are_left(
    fee: Decimal, more_fee: Decimal, rent: Decimal, more_rent: Decimal, days: int
) -> None:
    price = upgrade_price(fees=(fee, fee + more_fee), rents=(rent, rent + more_rent), days_left=days)
    exact = more_fee + more_rent * days / 365
    assert abs(price - exact) <= Decimal("0.005")
    assert price == price.quantize(Decimal("0.01")) >= more_fee
    # Two steps on the same day cost what one does, but for the rounding; and a day less never costs more.
    half = (rent + rent + more_rent) / 2
    steps = [
        upgrade_price(fees=(fee, fee), rents=(rent, half), days_left=days),
        upgrade_price(fees=(fee, fee + more_fee), rents=(half, rent + more_rent), days_left=days),
    ]
    assert abs(sum(steps) - price) <= Decimal("0.02")
    if days:
        assert upgrade_price(fees=(fee, fee + more_fee), rents=(rent, rent + more_rent), days_left=days - 1) <= price


def test_half_a_fen_goes_up_and_nothing_is_given_back() -> None:
    assert upgrade_price(fees=(Decimal(0),) * 2, rents=(Decimal(0), Decimal("3.65")), days_left=1) == Decimal("0.01")
    assert upgrade_price(fees=(Decimal(0),) * 2, rents=(Decimal(0), Decimal("1.825")), days_left=1) == Decimal("0.01")
    assert upgrade_price(fees=(Decimal(500), Decimal(0)), rents=(Decimal(99), Decimal(9)), days_left=365) == 0
    with pytest.raises(ValueError, match="days"):
        upgrade_price(fees=(Decimal(0),) * 2, rents=(Decimal(0),) * 2, days_left=-1)


def test_a_year_ends_with_its_last_day_and_the_next_one_follows_it() -> None:
    first = end_of_year_from(NOON)
    assert first == datetime(2027, 11, 29, 16, 0, tzinfo=UTC)
    assert days_left(first, NOON) == 365
    assert end_of_year_from(NOON, first) == datetime(2028, 11, 29, 16, 0, tzinfo=UTC)
    # What ended long ago is not paid for after the fact.
    assert end_of_year_from(NOON, NOON - timedelta(days=90)) == first - timedelta(days=1)
    assert year_after(date(2028, 2, 29)) == date(2029, 2, 28)


@pytest.mark.parametrize(("days", "at"), [(31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0, 1)])
def test_an_owner_is_told_thirty_seven_and_one_days_before(days: int, at: int | None) -> None:
    assert told(days) == at


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("qinghe", None), ("shop2", None), ("ab", Refusal.MALFORMED), ("2abc", Refusal.MALFORMED),
        ("青禾店铺", Refusal.MALFORMED), ("a-b-c", Refusal.MALFORMED), ("www", Refusal.RESERVED),
        ("api", Refusal.RESERVED), ("0ps", Refusal.MALFORMED), ("adm1n", Refusal.LOOKS_ALIKE),
        ("kameng", Refusal.LOOKS_ALIKE),
        ("karneng", Refusal.LOOKS_ALIKE), ("mykam3ng", Refusal.LOOKS_ALIKE), ("a1ipay", Refusal.LOOKS_ALIKE),
        ("vvechat", Refusal.LOOKS_ALIKE), ("main", Refusal.RESERVED), ("rnain", Refusal.LOOKS_ALIKE),
    ],
)  # fmt: skip
def test_no_name_is_the_platforms_or_looks_like_it(name: str, refusal: Refusal | None) -> None:
    assert refusal_of(name, {"main"}) is refusal


@given(
    supply=st.decimals("0.01", 10_000, places=2),
    percent=st.decimals(0, 20, places=2),
    cost=st.decimals("0.0001", 10_000, places=4),
)
def test_a_discount_never_reaches_below_the_live_cost(supply: Decimal, percent: Decimal, cost: Decimal) -> None:
    less = discounted(supply, percent)
    assert Decimal("0.01") <= less <= supply
    assert abs(less - supply * (100 - percent) / 100) <= Decimal("0.01")
    price = pricing.selling_price(
        pricing.Rules(), variant=1, product=1, category=1, official=supply, supply=less, cost=cost
    )
    assert price.supply >= cost
    assert price.supply in (less, pricing.round_up(cost, pricing.Rounding.NONE))


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ({}, Standing.OPEN),
        ({"paid_until": NOON + timedelta(seconds=1)}, Standing.OPEN),
        ({"paid_until": NOON}, Standing.EXPIRED),
        ({"paid_until": NOON, "suspended_at": NOON}, Standing.SUSPENDED),
        ({"suspended_at": NOON, "closed_at": NOON}, Standing.CLOSED),
    ],
)
def test_a_shop_stands_by_its_time_and_by_what_was_decided(how: dict[str, Any], state: Standing) -> None:
    assert standing(Tenure(**how), NOON) is state
    assert standing(None, NOON) is Standing.OPEN


def test_the_steps_of_the_set_up_follow_from_the_shop() -> None:
    fresh = Facts("abc", "abc", "", "", "#0B62D6", "", ["abc.localhost"], False, False, frozenset())
    assert set(done_of(fresh).values()) == {False}
    ready = replace(
        fresh, name="阿贝", tagline="游戏", color="#d9480f", support="a@b.example",
        hosts=["abc.localhost", "abc.example"], has_prices=True, is_open=True,
    )  # fmt: skip
    assert set(done_of(ready).values()) == {True}
    kept = replace(fresh, kept=frozenset({"color", "domain", "prices"}))
    assert [code for code, is_done in done_of(kept).items() if is_done] == ["color", "domain", "prices"]
