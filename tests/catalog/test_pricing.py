import doctest
from decimal import Decimal
from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import pricing
from catalog.pricing import Because, Breach, Kind, Price, PriceRule, Rounding, Rules, price_cap, round_up, selling_price

VARIANT, PRODUCT, CATEGORY = 41, 9, 3

yuan = st.decimals(min_value=0, max_value=99_999, places=2)
costs = st.none() | st.decimals(min_value=0, max_value=99_999, places=4)
markups = st.decimals(min_value=-200, max_value=1_000, places=2)
rule = st.builds(PriceRule, kind=st.sampled_from(Kind), value=markups, rounding=st.sampled_from(Rounding))


def price_of(rules: Rules, *, official="60.00", supply="57.00", cost=None, own_price=None, cap=None) -> Price:
    def amount(text):
        return None if text is None else Decimal(text)

    return selling_price(
        rules,
        variant=VARIANT,
        product=PRODUCT,
        category=CATEGORY,
        official=Decimal(official),
        supply=Decimal(supply),
        cost=amount(cost),
        own_price=amount(own_price),
        cap=amount(cap),
    )


def percent(value: str, rounding: Rounding = Rounding.NONE) -> PriceRule:
    return PriceRule(Kind.PERCENT, Decimal(value), rounding)


def fixed(value: str, rounding: Rounding = Rounding.NONE) -> PriceRule:
    return PriceRule(Kind.FIXED, Decimal(value), rounding)


def on_grid(amount: Decimal, rounding: Rounding) -> bool:
    fen = int(amount * 100)
    return {
        Rounding.NONE: True,
        Rounding.JIAO: fen % 10 == 0,
        Rounding.HALF: fen % 50 == 0,
        Rounding.YUAN: fen % 100 == 0,
        Rounding.NINE: fen % 100 == 90,
    }[rounding]


def test_the_examples_in_the_module_hold():
    assert doctest.testmod(pricing).failed == 0
    assert doctest.testmod(pricing).attempted >= 8


def test_a_shop_without_rules_sells_at_the_official_price():
    assert price_of(Rules()) == Price(
        amount=Decimal("60.00"), official=Decimal("60.00"), supply=Decimal("57.00"), because=Because.PLATFORM
    )


def test_the_official_price_gives_way_to_a_higher_supply_price():
    price = price_of(Rules(), official="56.00")
    assert (price.amount, price.margin, price.raised) == (Decimal("57.00"), Decimal("0.00"), True)
    assert price.breach is None


@pytest.mark.parametrize(
    ("rules", "own_price", "because", "amount"),
    [
        (Rules(shop=fixed("1")), None, Because.SHOP, "58.00"),
        (Rules(shop=fixed("1"), by_category={CATEGORY: fixed("2")}), None, Because.CATEGORY, "59.00"),
        (Rules(by_category={CATEGORY: fixed("2")}, by_product={PRODUCT: fixed("3")}), None, Because.PRODUCT, "60.00"),
        (Rules(by_product={PRODUCT: fixed("3")}, by_variant={VARIANT: fixed("4")}), None, Because.VARIANT, "61.00"),
        (Rules(by_variant={VARIANT: fixed("4")}), "57.77", Because.OWN_PRICE, "57.77"),
        (Rules(shop=fixed("1"), by_variant={VARIANT + 1: fixed("4")}), None, Because.SHOP, "58.00"),
    ],
)
def test_the_narrowest_wish_decides(rules, own_price, because, amount):
    price = price_of(rules, own_price=own_price)
    assert (price.because, price.amount) == (because, Decimal(amount))


def test_a_markup_of_nothing_still_decides():
    assert price_of(Rules(shop=fixed("9"), by_category={CATEGORY: percent("0")})).amount == Decimal("57.00")


@pytest.mark.parametrize(
    ("rounding", "amount"),
    [
        (Rounding.NONE, "58.43"),
        (Rounding.JIAO, "58.50"),
        (Rounding.HALF, "58.50"),
        (Rounding.YUAN, "59.00"),
        (Rounding.NINE, "58.90"),
    ],
)
def test_a_price_is_rounded_up_to_its_grid(rounding, amount):
    assert price_of(Rules(shop=percent("2.5", rounding))).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "rounding", "rounded"),
    [
        ("0", Rounding.NINE, "0.90"),
        ("0.91", Rounding.NINE, "1.90"),
        ("9.90", Rounding.NINE, "9.90"),
        ("9.9001", Rounding.NINE, "10.90"),
        ("0.0001", Rounding.NONE, "0.01"),
        ("5.01", Rounding.JIAO, "5.10"),
    ],
)
def test_rounding_up_stops_at_the_first_price_of_the_grid(amount, rounding, rounded):
    assert round_up(Decimal(amount), rounding) == Decimal(rounded)


def test_a_negative_markup_ends_at_the_supply_price():
    price = price_of(Rules(shop=fixed("-10")))
    assert (price.amount, price.margin, price.raised) == (Decimal("57.00"), Decimal("0.00"), True)


def test_an_own_price_below_the_supply_price_is_raised():
    price = price_of(Rules(), own_price="0.01")
    assert (price.amount, price.because, price.raised) == (Decimal("57.00"), Because.OWN_PRICE, True)


def test_a_cost_above_the_supply_price_raises_the_floor_and_what_the_shop_owes():
    price = price_of(Rules(), cost="60.0101")
    assert (price.amount, price.supply, price.raised) == (Decimal("60.02"), Decimal("60.02"), True)


def test_a_markup_counts_from_a_cost_above_the_supply_price():
    assert price_of(Rules(shop=fixed("1")), cost="60.00").amount == Decimal("61.00")


def test_a_cost_below_the_supply_price_changes_nothing():
    assert price_of(Rules(shop=fixed("1")), cost="40.1234") == price_of(Rules(shop=fixed("1")))


@pytest.mark.parametrize("field", ["official", "supply", "cost", "own_price"])
@pytest.mark.parametrize("amount", ["-0.01", "NaN", "Infinity"])
def test_an_amount_that_is_no_price_is_refused(field, amount):
    with pytest.raises(ValueError, match="not a price"):
        price_of(Rules(), **{field: amount})


@pytest.mark.parametrize("value", ["NaN", "sNaN", "-Infinity"])
def test_a_markup_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        percent(value)


@given(st.none() | rule, yuan, yuan, costs, st.none() | yuan)
def test_no_price_is_below_supply_or_cost(shop_rule, official, supply, cost, own_price):
    price = price_of(Rules(shop=shop_rule), official=official, supply=supply, cost=cost, own_price=own_price)
    assert price.amount >= supply
    assert cost is None or price.amount >= cost
    assert price.margin >= 0
    assert price.amount == price.amount.quantize(Decimal("0.01"))


@given(rule, yuan, yuan, costs)
def test_every_price_by_rule_lies_on_its_grid(shop_rule, official, supply, cost):
    price = price_of(Rules(shop=shop_rule), official=official, supply=supply, cost=cost)
    assert on_grid(price.amount, shop_rule.rounding)


@given(rule, yuan, costs)
def test_no_grid_adds_more_than_one_step(shop_rule, supply, cost):
    plain = PriceRule(shop_rule.kind, shop_rule.value)
    step = {"none": "0", "jiao": "0.10", "half": "0.50", "yuan": "1", "nine": "1"}[shop_rule.rounding]
    added = price_of(Rules(shop=shop_rule), supply=supply, cost=cost).amount
    added -= price_of(Rules(shop=plain), supply=supply, cost=cost).amount
    assert Decimal(0) <= added < Decimal(step) + Decimal("0.01")


@given(rule, yuan, yuan, costs)
def test_a_price_named_as_own_price_stays_as_it_is(shop_rule, official, supply, cost):
    amount = price_of(Rules(shop=shop_rule), official=official, supply=supply, cost=cost).amount
    again = price_of(Rules(shop=shop_rule), official=official, supply=supply, cost=cost, own_price=amount)
    assert (again.amount, again.raised) == (amount, False)


@given(st.sampled_from(Rounding), yuan)
def test_rounding_twice_is_rounding_once(rounding, amount):
    assert round_up(round_up(amount, rounding), rounding) == round_up(amount, rounding)


@given(rule, yuan, yuan, markups.filter(lambda value: value >= 0))
def test_a_dearer_supply_or_a_higher_markup_never_makes_a_price_lower(shop_rule, supply, more, extra):
    higher = PriceRule(shop_rule.kind, shop_rule.value + extra, shop_rule.rounding)
    price = price_of(Rules(shop=shop_rule), supply=supply).amount
    assert price <= price_of(Rules(shop=shop_rule), supply=supply + more).amount
    assert price <= price_of(Rules(shop=higher), supply=supply).amount


def test_every_kind_and_rounding_of_the_stored_words_is_known():
    built = [PriceRule(Kind(kind), Decimal(1), Rounding(rounding)) for kind, rounding in pairs(Kind, Rounding)]
    assert len(built) == 15


# --- red lines ----------------------------------------------------------------------------------------


def named(value: str) -> PriceRule:
    return PriceRule(Kind.PRICE, Decimal(value))


@pytest.mark.parametrize(
    ("rules", "own_price", "amount", "breach"),
    [
        (Rules(), "56.99", "57.00", Breach.BELOW_FLOOR),
        (Rules(), "57.00", "57.00", None),
        (Rules(), "70.00", "70.00", None),
        (Rules(), "70.01", "70.01", Breach.ABOVE_CAP),
        (Rules(by_product={PRODUCT: named("56.99")}), None, "57.00", Breach.BELOW_FLOOR),
        (Rules(by_product={PRODUCT: named("70")}), None, "70.00", None),
        (Rules(by_category={CATEGORY: named("70.01")}), None, "70.01", Breach.ABOVE_CAP),
        (Rules(by_variant={VARIANT: named("61")}, by_product={PRODUCT: fixed("1")}), None, "61.00", None),
        # What nobody has named is held between the lines, and sold.
        (Rules(shop=percent("100")), None, "70.00", None),
        (Rules(shop=fixed("-9")), None, "57.00", None),
    ],
)
def test_a_named_price_outside_the_lines_is_in_breach_and_a_markup_is_held_between_them(
    rules, own_price, amount, breach
):
    price = price_of(rules, own_price=own_price, cap="70.00")
    assert (price.amount, price.breach) == (Decimal(amount), breach)


def test_rounding_never_reaches_above_the_cap():
    price = price_of(Rules(shop=percent("1", Rounding.YUAN)), cap="57.80")
    assert (price.amount, price.lowered, price.breach) == (Decimal("57.80"), True, None)


def test_what_costs_more_than_the_cap_has_no_price():
    for wishes in ({}, {"own_price": "57.00"}):
        assert price_of(Rules(shop=percent("5")), cap="56.99", **wishes).breach is Breach.NO_ROOM


def test_the_cap_is_a_share_of_the_official_price_and_never_rounded_up():
    assert price_cap(Decimal("0.33"), 250) == Decimal("0.82")


level_rules = st.none() | rule


@given(level_rules, level_rules, level_rules, level_rules, yuan, yuan, costs, st.none() | yuan, yuan)
def test_whatever_is_sold_is_sold_between_the_lines(
    shop_rule, category_rule, product_rule, variant_rule, official, supply, cost, own_price, cap
):
    rules = Rules(
        shop_rule,
        {CATEGORY: category_rule} if category_rule else {},
        {PRODUCT: product_rule} if product_rule else {},
        {VARIANT: variant_rule} if variant_rule else {},
    )
    price = price_of(rules, official=official, supply=supply, cost=cost, own_price=own_price, cap=cap)
    assert (price.breach is Breach.NO_ROOM) == (price.supply > cap)
    assert price.breach or supply <= price.supply <= price.amount <= cap
    assert (
        price.breach in (None, Breach.NO_ROOM)
        or own_price is not None
        or Kind.PRICE in {one.kind for one in (shop_rule, category_rule, product_rule, variant_rule) if one}
    )


@given(rule, level_rules, yuan, yuan, costs)
def test_a_level_that_says_nothing_inherits(wide, narrow, official, supply, cost):
    amounts = {"official": official, "supply": supply, "cost": cost}
    inherited = price_of(Rules(by_category={CATEGORY: wide}), **amounts)
    said = price_of(Rules(wide, by_category={CATEGORY: narrow} if narrow else {}), **amounts)
    alone = price_of(Rules(by_category={CATEGORY: narrow or wide}), **amounts)
    assert said.amount == alone.amount
    assert narrow or (said.amount, said.because) == (inherited.amount, Because.SHOP)
