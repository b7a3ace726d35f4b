"""Money that comes twice, too late, too little, or without a word."""

import time
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pytest

from tests.live.buying import Purchase, buy, order
from tests.live.platform import OPERATIONS, Platform
from tests.live.shopper import Address, Payment, until
from tests.live.visitor import Visitor

pytestmark = pytest.mark.integration

#: An open payment is asked about that often while nobody looks.
SCHEDULE_SECONDS = 10
EXPIRES_SECONDS = 6


@pytest.fixture(scope="module")
def hasty(platform_process: Platform) -> int:
    """The port of a web server whose orders expire after a few seconds."""
    return platform_process.second_web(ORDER_EXPIRES_SECONDS=str(EXPIRES_SECONDS))


@dataclass(frozen=True)
class Hasty:
    """Orders that expire, placed before the other tests here so that they do so meanwhile."""

    late: list[Purchase]
    unpaid: Purchase


@pytest.fixture(scope="module", autouse=True)
def expiring(platform_process: Platform, accident: object, hasty: int) -> Hasty:
    """Two are paid for in time, but the notice comes after the end; one is not paid for."""
    ways = (("topup", "alipay"), ("code", "wechatpay"))
    late = [order(platform_process, kind, gateway, port=hasty) for kind, gateway in ways]
    for bought in late:
        bought.pay(notify="late", delay=EXPIRES_SECONDS + 3)
    return Hasty(late, order(platform_process, "topup", "wechatpay", port=hasty))


def test_a_lost_notice_is_found_in_ten_seconds_where_somebody_waits_and_soon_where_nobody_does(
    platform: Platform,
) -> None:
    nobody = [order(platform, "topup", gateway) for gateway in ("alipay", "wechatpay")]
    waiting = []
    for gateway in ("alipay", "wechatpay"):
        visitor = Visitor(platform.shopper())
        waiting.append((visitor, gateway, *visitor.cashier(platform.good("code"), gateway)))
    for bought in nobody:
        bought.pay(notify="lost")
    for _, gateway, _, payment in waiting:
        platform.pay(gateway, payment, notify="lost")
    begun = time.monotonic()
    for visitor, _, number, _ in waiting:
        until(partial(visitor.was_told, number), limit=10)
    assert time.monotonic() - begun < 10
    for bought in nobody:
        bought.delivered_by(1, limit=2 * SCHEDULE_SECONDS)
        assert bought.charged == (1, 0)
        assert platform.inbox(bought.payment.number) == []


@pytest.mark.parametrize("both_at_once", [False, True])
def test_of_two_payments_for_one_order_one_goes_back(platform: Platform, both_at_once: bool) -> None:
    bought = order(platform, "topup", "alipay")
    other = bought.shopper.open(bought.number, "wechatpay")
    bought.pay()
    if not both_at_once:
        bought.wait("paid", "fulfilled")
    platform.pay("wechatpay", other.number)
    assert bought.wait().status == "fulfilled"
    kept, returned = until(partial(_returned, platform, bought.payment, other))
    assert both_at_once or returned == other
    assert platform.trade(kept.gateway, kept.number)["refunded"] == "0.00"
    assert bought.charged == (1, 0)
    refund = (returned.number, "succeeded", returned.amount)
    until(lambda: bought.shopper.read(bought.number).refunds == (refund,))


def _returned(platform: Platform, *payments: Payment) -> list[Payment]:
    """The payment that was kept and the one that went back, as soon as one did."""
    refunded = {payment: Decimal(platform.trade(payment.gateway, payment.number)["refunded"]) for payment in payments}
    return sorted(payments, key=lambda payment: refunded[payment]) if any(refunded.values()) else []


def test_a_wrong_amount_buys_nothing_and_is_shown_to_operators(platform: Platform) -> None:
    before = _refused(platform)
    purchases = [order(platform, "code", gateway).pay(amount="0.01") for gateway in ("alipay", "wechatpay")]
    for bought in purchases:
        ((verdict, reason),) = until(partial(platform.inbox, bought.payment.number))
        assert verdict == "refused"
        assert reason == f"amount 0.01 ≠ {bought.payment.amount}"
        assert bought.shopper.read(bought.number).status == "pending"
        assert "payment.refused" in bought.shopper.happened(bought.number)
        assert bought.charged == (0, 0)
        assert bought.trade["amount"] == "0.01"
    assert _refused(platform) == before + 2


def _refused(platform: Platform) -> int:
    """What operators are shown."""
    _, said = Address(platform.port, OPERATIONS, "127.0.0.1").send("GET", "/metrics")
    (line,) = [line for line in said.decode().splitlines() if line.startswith("kameng_inbox_refused ")]
    return int(line.split()[1])


def test_money_that_is_heard_of_after_the_order_expired_is_delivered(platform: Platform, expiring: Hasty) -> None:
    for bought in expiring.late:
        bought.delivered_by(1)
        assert bought.charged == (1, 0)
        assert "order.expired" in bought.shopper.happened(bought.number)
        until(partial(platform.inbox, bought.payment.number))
        assert platform.inbox(bought.payment.number) == [("accepted", "")]
        happened = bought.shopper.happened(bought.number)
        assert [happened.count(name) for name in ("payment.confirmed", "order.paid", "line.delivered")] == [1, 1, 1]


def test_money_paid_after_the_order_expired_is_delivered_or_goes_back(platform: Platform, hasty: int) -> None:
    lucky, unlucky = order(platform, "topup", port=hasty), order(platform, "code", "wechatpay", port=hasty)
    for gateway in ("alipay", "wechatpay"):
        platform.sandbox.steer(f"gateways/{gateway}", mode="error")  # so that nothing can be closed in time
    for bought in (lucky, unlucky):
        bought.wait("expired", limit=EXPIRES_SECONDS + 10)
    platform.suppliers("reject", "yunka", "baihe")
    for bought in (lucky, unlucky):
        bought.pay()
    for gateway in ("alipay", "wechatpay"):
        platform.sandbox.steer(f"gateways/{gateway}", mode="ok")
    lucky.delivered_by(1)
    unlucky.refunded()


def test_an_order_that_expired_unpaid_closes_what_was_open_at_the_gateway(expiring: Hasty) -> None:
    bought = expiring.unpaid
    bought.wait("expired", limit=EXPIRES_SECONDS + 10)
    until(lambda: bought.trade["state"] == "closed")
    assert bought.charged == (0, 0)


def test_a_gateway_that_is_away_for_a_moment_loses_no_refund(platform: Platform) -> None:
    platform.suppliers("reject")
    purchases = [order(platform, "topup", gateway) for gateway in ("alipay", "wechatpay")]
    for gateway in ("alipay", "wechatpay"):
        platform.sandbox.steer(f"gateways/{gateway}", mode="error")
    for bought in purchases:
        bought.pay()
        bought.shopper.wait_for_line(bought.number, "failed")
    time.sleep(1)
    for gateway in ("alipay", "wechatpay"):
        platform.sandbox.steer(f"gateways/{gateway}", mode="ok")
    for bought in purchases:
        bought.refunded()
        assert len(bought.trade["refunds"]) == 1


def test_a_notice_that_comes_twice_at_once_pays_once(platform: Platform) -> None:
    for bought in [buy(platform, "topup", gateway) for gateway in ("alipay", "wechatpay")]:
        bought.delivered_by(1)
    bought = order(platform, "code").pay(notify="twice")
    bought.delivered_by(1)
    assert bought.shopper.happened(bought.number).count("payment.confirmed") == 1
