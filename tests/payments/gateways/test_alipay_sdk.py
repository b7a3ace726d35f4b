"""python-alipay-sdk as the other side: what it signs we accept, what we sign it accepts."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from alipay import AliPay
from alipay.exceptions import AliPayValidationError
from alipay.utils import AliPayConfig

from payments.gateways.base import Channel, GatewayStatus
from tests.payments.gateways.platforms import PAYMENT, payload, private_pem, public_pem

QUERY = "alipay.trade.query"


def sdk(own, other) -> AliPay:
    return AliPay(
        appid="2021004123456789",
        app_notify_url=None,
        app_private_key_string=private_pem(own),
        alipay_public_key_string=public_pem(other),
        sign_type="RSA2",
        config=AliPayConfig(timeout=1),
    )


@pytest.fixture
def platform_sdk(keys) -> AliPay:
    """The SDK with Alipay's own key, to sign as Alipay does."""
    return sdk(keys.platform, keys.merchant)


@pytest.fixture
def merchant_sdk(keys) -> AliPay:
    """The SDK with our keys, to do what our adapter does."""
    return sdk(keys.merchant, keys.platform)


def text_of(sdk: AliPay, fields: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in sdk._ordered_data(dict(fields)))


@pytest.mark.parametrize(
    "name",
    ["notice_trade_success", "notice_trade_finished", "notice_trade_closed", "notice_wait_buyer_pay"],
)
def test_a_notice_that_the_sdk_signs_is_accepted_by_both(alipay, platform_sdk, merchant_sdk, name):
    fields = payload("alipay", name) | {"body": ""}
    signed = {other: value for other, value in fields.items() if other != "sign_type"}
    signature = platform_sdk._sign(text_of(platform_sdk, signed))
    body = urlencode(fields | {"sign": signature}).encode()
    assert alipay.verify_notice(headers={}, body=body).payment.payment == PAYMENT
    assert merchant_sdk.verify(dict(fields), signature)


def test_a_notice_signed_by_our_test_platform_is_accepted_by_the_sdk(alipay_platform, merchant_sdk):
    fields = dict(parse_qsl(alipay_platform.notice(payload("alipay", "notice_trade_success")).decode()))
    signature = fields.pop("sign")
    assert merchant_sdk.verify(fields, signature)


@pytest.mark.parametrize("channel", [Channel.QR, Channel.H5, Channel.PAGE])
def test_our_requests_are_signed_as_the_sdk_signs_them(
    alipay, alipay_platform, merchant_sdk, platform_sdk, charge_request, channel
):
    alipay_platform.answer("alipay.trade.precreate", payload("alipay", "precreate_success"))
    result = alipay.charge(replace(charge_request, channel=channel))
    sent = (
        alipay_platform.requests[0]
        if channel is Channel.QR
        else dict(parse_qsl(result.url.partition("?")[2], strict_parsing=True))
    )
    ours = {name: value for name, value in sent.items() if name != "sign"}
    assert platform_sdk._verify(text_of(platform_sdk, ours), sent["sign"])
    assert dict(parse_qsl(merchant_sdk.sign_data(dict(ours)), strict_parsing=True)) == sent


def reply(platform_sdk: AliPay, node: dict[str, object]) -> bytes:
    text = json.dumps(node, ensure_ascii=False).replace("/", "\\/")
    return f'{{"alipay_trade_query_response":{text},"sign":"{platform_sdk._sign(text)}"}}'.encode()


def test_a_reply_that_the_sdk_signs_is_accepted_by_both(alipay, alipay_platform, platform_sdk, merchant_sdk):
    body = reply(platform_sdk, payload("alipay", "query_trade_success"))
    alipay_platform.answers[QUERY] = lambda _: httpx.Response(200, content=body)
    assert alipay.query(PAYMENT).status is GatewayStatus.CONFIRMED
    read = merchant_sdk._verify_and_return_sync_response(body.decode(), "alipay_trade_query_response")
    assert read["trade_status"] == "TRADE_SUCCESS"


@pytest.mark.parametrize("store", ["满 50} 减 5", "{", "}{}"])
def test_a_brace_in_a_value_stops_the_sdk_but_not_us(alipay, alipay_platform, platform_sdk, merchant_sdk, store):
    body = reply(platform_sdk, payload("alipay", "query_trade_success") | {"store_name": store})
    with pytest.raises(AliPayValidationError):
        merchant_sdk._verify_and_return_sync_response(body.decode(), "alipay_trade_query_response")
    alipay_platform.answers[QUERY] = lambda _: httpx.Response(200, content=body)
    assert alipay.query(PAYMENT).raw["store_name"] == store
