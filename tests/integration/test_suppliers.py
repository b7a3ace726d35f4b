"""Suppliers that misbehave: what was charged once is delivered once, and nobody else is asked while that is unknown."""

import time
from contextlib import suppress

import pytest

from tests.live.buying import buy
from tests.live.platform import Good, Platform
from tests.live.shopper import Refusal, Shopper

pytestmark = pytest.mark.integration

#: The first supplier of each kind.
FIRST = ("xinghe", "yunka")
UNDER_WAY = ("queued", "buying", "verifying")


@pytest.mark.parametrize(
    ("mode", "details"),
    [
        ("charge_then_500", {}),
        ("charge_then_reset", {}),
        ("callback_first", {}),
        ("async", {"latency_ms": 1500}),
        ("slow", {"latency_ms": 1500}),
    ],
)
def test_what_the_first_supplier_charged_for_it_delivers(
    platform: Platform, mode: str, details: dict[str, int]
) -> None:
    platform.suppliers(mode, *FIRST, **details)
    for bought in [buy(platform, kind, quantity=quantity) for kind, quantity in (("topup", 1), ("code", 2))]:
        bought.delivered_by(1)
        assert bought.charged == (1, 0)


@pytest.mark.parametrize("variant", ["html", "truncated", "empty"])
def test_while_replies_cannot_be_read_nobody_else_is_asked(platform: Platform, variant: str) -> None:
    platform.suppliers("malformed", *FIRST, variant=variant, callbacks="lost")
    purchases = [buy(platform, kind) for kind in ("topup", "code")]
    for bought in purchases:
        bought.shopper.wait_for_line(bought.number, "verifying")
    time.sleep(1.5)  # it is asked again meanwhile
    for bought in purchases:
        assert (bought.charged, bought.line) == ((1, 0), "verifying")
    platform.suppliers("ok", *FIRST)
    for bought in purchases:
        bought.delivered_by(1)
        assert bought.charged == (1, 0)


def test_too_few_codes_are_no_delivery_and_no_reason_to_buy_elsewhere(platform: Platform) -> None:
    platform.suppliers("malformed", "yunka", variant="few")
    bought = buy(platform, "code", quantity=2)
    line = bought.shopper.wait_for_line(bought.number, "verifying", "manual")
    platform.suppliers("ok", "yunka")
    time.sleep(1.5)
    assert bought.line in {line, "verifying", "manual"}
    assert bought.charged == (1, 0)
    assert "line.delivered" not in bought.shopper.happened(bought.number)


def test_a_code_that_somebody_owns_already_is_bought_elsewhere(platform: Platform) -> None:
    earlier = buy(platform, "code")
    earlier.delivered_by(1)
    platform.suppliers("dup_code", "yunka")
    bought = buy(platform, "code")
    bought.delivered_by(2)
    assert bought.charged == (1, 1)
    assert set(bought.shopper.reveal(bought.number)).isdisjoint(earlier.shopper.reveal(earlier.number))


def test_a_supplier_that_refuses_connections_is_left_at_once(platform: Platform) -> None:
    platform.suppliers("down", *FIRST)
    for bought in [buy(platform, kind) for kind in ("topup", "code")]:
        bought.delivered_by(2, limit=5)
        assert bought.charged == (0, 1)


@pytest.mark.parametrize("mode", ["ok", "charge_then_reset"])
def test_phone_credit_comes_from_the_third_supplier_when_two_refuse(platform: Platform, mode: str) -> None:
    platform.suppliers("reject", "xinghe", "lantian")
    platform.suppliers(mode, "tongxin")
    bought = buy(platform, "phone")
    assert bought.wait().status == "fulfilled"
    (row,) = platform.booked("tongxin", bought.good)
    assert (row["times"], row["state"]) == (1, "succeeded")
    assert [platform.charged(code, bought.good) for code in ("xinghe", "lantian")] == [0, 0]


def test_a_supplier_that_says_nothing_is_asked_until_it_is_clear_that_it_did_nothing(platform: Platform) -> None:
    platform.suppliers("hang", *FIRST)
    topup, code = (buy(platform, kind) for kind in ("topup", "code"))
    for bought in (topup, code):
        bought.shopper.wait_for_line(bought.number, "buying")
    platform.suppliers("ok", *FIRST)
    for bought in (topup, code):
        bought.shopper.wait_for_line(bought.number, "verifying", "delivered")
        assert bought.charged[1] == 0
    # This protocol has no question but the same order again, and the same order again is safe.
    code.delivered_by(1)
    assert code.charged == (1, 0)
    # The other one says that there is no such order, which is believed after ten minutes, when it is said twice.
    assert topup.line == "verifying"
    assert topup.charged == (0, 0)
    platform.pass_time(601)
    topup.delivered_by(2)
    assert topup.charged == (0, 1)


def test_forged_callbacks_and_lost_ones_change_nothing(platform: Platform) -> None:
    purchases = []
    for callbacks in ("forged", "lost", "twice"):
        platform.suppliers("ok", *FIRST, callbacks=callbacks)
        purchases += [buy(platform, kind) for kind in ("topup", "code")]
    for bought in purchases:
        bought.delivered_by(1)
        assert bought.charged == (1, 0)


def _ordered_for_nobody(platform: Platform) -> tuple[Good, Shopper, str]:
    """An order for an account that the suppliers do not know; of a game whose numbers may look like it."""
    while True:
        good = platform.good("topup")
        shopper = platform.shopper(good.host)
        wrong = {
            name: "1000000001" if value.isdigit() and len(value) > 5 else value for name, value in good.account.items()
        }
        with suppress(Refusal):
            return good, shopper, shopper.place(good.sku, wrong)


def test_an_account_that_does_not_exist_is_found_out_by_both_and_refunded(platform: Platform) -> None:
    good, shopper, number = _ordered_for_nobody(platform)
    payment = shopper.open(number)
    platform.pay("alipay", payment.number)
    assert shopper.wait(number).status == "refunded"
    for supplier in ("xinghe", "lantian"):
        (row,) = platform.booked(supplier, good)
        assert (row["state"], row["times"]) == ("failed", 0)
    trade = platform.trade("alipay", payment.number)
    assert trade["refunded"] == trade["amount"]
