"""What a coupon takes off, whatever it is of and whatever it is for."""

import doctest
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.coupons import discount
from customers.coupons.discount import Discount, Goods, Terms, discount_of

FEN = Decimal("0.01")
yuan = st.integers(1, 50_000).map(lambda fen: fen * FEN)


@st.composite
def goods(draw: st.DrawFn) -> Goods:
    amount = draw(yuan)
    margin = draw(st.integers(0, int(amount / FEN))) * FEN
    return Goods(amount, margin, category_id=draw(st.integers(1, 2)), product_id=draw(st.integers(1, 3)))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    is_percent = draw(st.booleans())
    scope = draw(st.sampled_from([{}, {"category_id": 1}, {"product_id": 2}]))
    return Terms(
        is_percent=is_percent,
        value=draw(st.integers(1, 9_999)) * FEN if is_percent else draw(yuan),
        threshold=draw(st.one_of(st.just(Decimal(0)), yuan)),
        cap=draw(st.one_of(st.none(), yuan)) if is_percent else None,
        within_margin=draw(st.booleans()),
        **scope,
    )


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(discount).failed == 0


@given(terms(), st.lists(goods(), max_size=4))
def test_never_more_than_the_goods_cost_nor_than_it_says(terms: Terms, goods: list[Goods]) -> None:
    found = discount_of(terms, goods)
    meant = [
        one
        for one in goods
        if terms.product_id in (None, one.product_id) and terms.category_id in (None, one.category_id)
    ]
    amount = sum((one.amount for one in meant), Decimal(0))
    margin = sum((one.margin for one in meant), Decimal(0))
    assert 0 <= found.amount <= amount
    assert found.amount == found.amount.quantize(FEN)
    assert not (found.amount and found.missing)
    if found.amount:
        assert amount >= terms.threshold
        assert found.amount <= (margin if terms.within_margin else amount)
        assert found.amount <= (terms.cap if terms.cap is not None else amount)
        assert found.amount <= (amount * terms.value / 100 if terms.is_percent else terms.value)
    if found.missing:
        assert amount + found.missing == terms.threshold


@given(terms(), st.lists(goods(), min_size=1, max_size=3))
def test_an_owner_is_never_left_with_less_than_the_goods_cost_them(terms: Terms, goods: list[Goods]) -> None:
    found = discount_of(replace(terms, within_margin=True), goods)
    assert found.amount <= sum((one.margin for one in goods), Decimal(0))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (Terms(is_percent=True, value=Decimal(10)), "5.75"),
        (Terms(is_percent=True, value=Decimal("33.33")), "19.18"),
        (Terms(is_percent=True, value=Decimal(10), cap=Decimal(3)), "3.00"),
        (Terms(is_percent=False, value=Decimal(90)), "57.57"),
        (Terms(is_percent=False, value=Decimal(3), within_margin=True), "3.00"),
        (Terms(is_percent=False, value=Decimal("3.01"), within_margin=True), "0"),
        (Terms(is_percent=False, value=Decimal(3), category_id=1), "3.00"),
        (Terms(is_percent=False, value=Decimal(3), category_id=2), "0"),
        (Terms(is_percent=False, value=Decimal(3), product_id=8), "0"),
    ],
)
def test_what_comes_off_of_57_57_of_which_3_are_earned(terms: Terms, expected: str) -> None:
    one = Goods(Decimal("57.57"), Decimal("3.00"), category_id=1, product_id=7)
    assert discount_of(terms, [one]) == Discount(amount=Decimal(expected))


def test_who_tries_thresholds_does_not_learn_what_shops_pay() -> None:
    over = Terms(is_percent=False, value=Decimal(5), threshold=Decimal(100), within_margin=True)
    assert discount_of(over, [Goods(Decimal(57), Decimal(3))]) == Discount()
