"""wechatpayv3 as the other side: what the platform signs both accept, what we sign it signs the same."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import wechatpayv3.utils
from wechatpayv3 import WeChatPay, WeChatPayType

from payments.gateways.base import Channel
from tests.payments.gateways.platforms import PAYMENT, REFUND, payload, private_pem, public_pem


@pytest.fixture
def sdk(keys, wechatpay_config) -> WeChatPay:
    """The SDK with a public key: so it needs no network to start."""
    return WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=wechatpay_config["mchid"],
        private_key=private_pem(keys.merchant),
        cert_serial_no=wechatpay_config["merchant_serial"],
        appid=wechatpay_config["appid"],
        apiv3_key=wechatpay_config["apiv3_key"],
        public_key=public_pem(keys.platform),
        public_key_id=wechatpay_config["public_key_id"],
    )


@pytest.mark.parametrize(
    "name",
    ["notice_transaction_success", "notice_refund_success", "notice_refund_abnormal", "notice_refund_closed"],
)
def test_a_notice_that_the_sdk_accepts_is_read_the_same_by_us(wechatpay, wechatpay_platform, sdk, name):
    body = json.dumps(wechatpay_platform.envelope(payload("wechatpay", name)), ensure_ascii=False).encode()
    headers = wechatpay_platform.headers(body)
    theirs = sdk.callback(headers, body)
    ours = wechatpay.verify_notice(headers=headers, body=body)
    assert ours.event_id == theirs["id"]
    assert (ours.payment or ours.refund).raw == theirs["resource"]


def test_our_requests_are_signed_as_the_sdk_signs_them(
    wechatpay, wechatpay_platform, wechatpay_config, keys, charge_request, refund_request, monkeypatch
):
    replies = {
        "POST /v3/pay/transactions/native": "native_success",
        "POST /v3/pay/transactions/h5": "h5_success",
        f"GET /v3/pay/transactions/out-trade-no/{PAYMENT}?mchid=1623456789": "query_notpay",
        "POST /v3/refund/domestic/refunds": "refund_processing",
        f"GET /v3/refund/domestic/refunds/{REFUND}": "refund_success",
    }
    for call, name in replies.items():
        wechatpay_platform.answer(call, payload("wechatpay", name))
    wechatpay_platform.answer(f"POST /v3/pay/transactions/out-trade-no/{PAYMENT}/close", None, status=204)
    wechatpay.charge(charge_request)
    wechatpay.charge(replace(charge_request, channel=Channel.H5))
    wechatpay.close(PAYMENT)
    wechatpay.refund(refund_request)
    wechatpay.refund_query(payment=PAYMENT, refund=REFUND)
    assert len(wechatpay_platform.requests) == 6

    for request in wechatpay_platform.requests:
        ours = request.headers["authorization"]
        said = dict(re.findall(r'(\w+)="([^"]*)"', ours))
        monkeypatch.setattr(wechatpayv3.utils, "time", SimpleNamespace(time=lambda said=said: int(said["timestamp"])))
        theirs = wechatpayv3.utils.build_authorization(
            path=request.url.raw_path.decode(),
            method=request.method,
            mchid=wechatpay_config["mchid"],
            serial_no=wechatpay_config["merchant_serial"],
            private_key=keys.merchant,
            data=request.content.decode(),
            nonce_str=said["nonce_str"],
        )
        assert ours == theirs
