"""Notices that are forged, repeated, out of order, or somebody else's; and fifty at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kameng.sandbox.post import Outgoing
from tests.live.buying import Purchase, buy, order
from tests.live.notices import Signer
from tests.live.platform import OPERATIONS, Platform
from tests.live.shopper import Address, Reply

pytestmark = pytest.mark.integration

ACCEPTED = {"alipay": (200, b"success"), "wechatpay": (204, b"")}


def _post(platform: Platform, notice: Outgoing, *, account: str) -> Reply:
    address = Address(platform.port, OPERATIONS, "127.0.0.1")
    return address.send("POST", f"/webhooks/payments/{account}/", body=notice.body, headers=notice.headers)


def _state(bought: Purchase) -> tuple[object, ...]:
    """Everything that a bad notice must leave alone."""
    ordered = bought.shopper.read(bought.number)
    moved = [name for name in bought.shopper.happened(bought.number) if name != "payment.refused"]
    return ordered, moved, bought.trade, bought.charged


@pytest.fixture
def sold(platform: Platform) -> dict[str, Purchase]:
    """One finished purchase through each gateway: their notices are what the others are made of."""
    purchases = {gateway: buy(platform, "topup", gateway) for gateway in ("alipay", "wechatpay")}
    for bought in purchases.values():
        bought.delivered_by(1)
    return purchases


def test_fifty_notices_at_once_are_one_payment(platform: Platform, signer: Signer, sold: dict[str, Purchase]) -> None:
    bought = order(platform, "code")
    reference = platform.pay("alipay", bought.payment.number, notify="lost")["reference"]
    _, template = platform.kept_notice(sold["alipay"].payment.number)
    notices = [
        signer.alipay(
            template,
            {
                "out_trade_no": bought.payment.number,
                "trade_no": reference,
                "total_amount": bought.payment.amount,
            },
        )
        for _ in range(5)
    ]
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda place: _post(platform, notices[place % 5], account="alipay"), range(50)))
    assert set(replies) == {(200, b"success")}
    bought.delivered_by(1)
    assert bought.charged == (1, 0)
    happened = bought.shopper.happened(bought.number)
    assert [happened.count(name) for name in ("payment.confirmed", "order.paid", "line.delivered")] == [1, 1, 1]
    assert platform.inbox(bought.payment.number) == [("accepted", "")] * 5


def test_forged_and_foreign_notices_move_nothing(platform: Platform, signer: Signer, sold: dict[str, Purchase]) -> None:
    bought = order(platform, "topup", "alipay")
    _, template = platform.kept_notice(sold["alipay"].payment.number)
    right = {
        "out_trade_no": bought.payment.number,
        "trade_no": "2026112222001400000000000001",
        "total_amount": bought.payment.amount,
    }
    before = _state(bought)
    bad = {
        "signature": signer.alipay(template, right, forged=True),
        "application": signer.alipay(template, {**right, "app_id": "2021000000000000"}),
        "merchant": signer.alipay(template, {**right, "seller_id": "2088000000000000"}),
        "amount": signer.alipay(template, {**right, "total_amount": "0.01"}),
        "order": signer.alipay(template, {"out_trade_no": bought.payment.number}),
        "reference": signer.alipay(template, {**right, "trade_no": sold["alipay"].trade["reference"]}),
        "number": signer.alipay(template, {**right, "out_trade_no": "000" + "Z" * 21}),
        "waiting": signer.alipay(template, {**right, "trade_status": "WAIT_BUYER_PAY"}),
    }
    replies = {what: _post(platform, notice, account="alipay") for what, notice in bad.items()}
    assert _state(bought) == before
    assert {what: reply.body for what, reply in replies.items()} == {
        what: b"success" if what == "waiting" else b"fail" for what in bad
    }
    assert _post(platform, bad["waiting"], account="wechatpay").status >= 400
    assert _post(platform, bad["waiting"], account="nobody").status == 404
    assert _state(bought) == before
    bought.pay().delivered_by(1)


def test_forged_and_foreign_notices_of_the_other_gateway_move_nothing(
    platform: Platform, signer: Signer, sold: dict[str, Purchase]
) -> None:
    bought = order(platform, "topup", "wechatpay")
    _, template = platform.kept_notice(sold["wechatpay"].payment.number)
    fen = int(bought.payment.amount.replace(".", ""))
    amount = {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"}
    right = {
        "out_trade_no": bought.payment.number,
        "transaction_id": "4200000000202611220000000001",
        "amount": amount,
    }
    before = _state(bought)
    bad = {
        "signature": signer.wechatpay(template, right, forged=True),
        "application": signer.wechatpay(template, {**right, "appid": "wx0000000000000000"}),
        "merchant": signer.wechatpay(template, {**right, "mchid": "1600000000"}),
        "amount": signer.wechatpay(template, {**right, "amount": {**amount, "total": 1}}),
        "currency": signer.wechatpay(template, {**right, "amount": {**amount, "currency": "USD"}}),
        "order": signer.wechatpay(template, {"out_trade_no": bought.payment.number}),
        "number": signer.wechatpay(template, {**right, "out_trade_no": "000" + "Z" * 21}),
    }
    replies = {what: _post(platform, notice, account="wechatpay") for what, notice in bad.items()}
    assert _state(bought) == before
    assert {what: reply.status >= 400 for what, reply in replies.items()} == dict.fromkeys(bad, True)
    bought.pay().delivered_by(1)


def test_replayed_and_reordered_notices_change_nothing(
    platform: Platform, signer: Signer, sold: dict[str, Purchase]
) -> None:
    before = {gateway: _state(bought) for gateway, bought in sold.items()}
    for gateway, bought in sold.items():
        headers, body = platform.kept_notice(bought.payment.number)
        for _ in range(3):
            reply = _post(platform, Outgoing("", body, headers), account=gateway)
            assert reply == ACCEPTED[gateway]
    _, template = platform.kept_notice(sold["alipay"].payment.number)
    for earlier in ("WAIT_BUYER_PAY", "TRADE_CLOSED", "TRADE_FINISHED"):
        reply = _post(platform, signer.alipay(template, {"trade_status": earlier}), account="alipay")
        assert reply == (200, b"success")
    assert {gateway: _state(bought) for gateway, bought in sold.items()} == before
