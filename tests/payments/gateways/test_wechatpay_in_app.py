"""Paying inside WeChat: what its browser is handed, and who the shopper is."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import respx
from wechatpayv3 import WeChatPay, WeChatPayType

from kameng.core.http import HttpClient
from payments.gateways.base import (
    Channel,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    InApp,
)
from payments.gateways.wechatpay.gateway import WechatpayGateway
from tests.payments.gateways.platforms import NOW, payload, private_pem, public_pem

JSAPI = "POST /v3/pay/transactions/jsapi"
SECRET, OPENID = "app-secret-of-this-account", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture
def inside(wechatpay_config: dict[str, object], http: HttpClient) -> WechatpayGateway:
    gateway = WechatpayGateway(wechatpay_config | {"app_secret": SECRET}, http, clock=lambda: NOW)
    assert isinstance(gateway, InApp)
    return gateway


def test_the_page_is_handed_what_the_sdk_would_sign(
    inside: WechatpayGateway, wechatpay_platform: Any, wechatpay_config: dict[str, Any], keys: Any, charge_request: Any
) -> None:
    wechatpay_platform.answer(JSAPI, payload("wechatpay", "jsapi_success"))
    charged = inside.charge(replace(charge_request, channel=Channel.JSAPI, payer=OPENID))
    assert json.loads(wechatpay_platform.requests[0].content)["payer"] == {"openid": OPENID}
    assert (charged.qr, charged.url) == ("", "")
    call = dict(charged.call)
    signature, nonce = call.pop("paySign"), call.pop("nonceStr")
    assert call == {
        "appId": "wx8888888888888888",
        "timeStamp": str(NOW),
        "package": "prepay_id=wx201410272009395522657a690389285100",
        "signType": "RSA",
    }
    sdk = WeChatPay(
        wechatpay_type=WeChatPayType.JSAPI,
        mchid=wechatpay_config["mchid"],
        private_key=private_pem(keys.merchant),
        cert_serial_no=wechatpay_config["merchant_serial"],
        appid=wechatpay_config["appid"],
        apiv3_key=wechatpay_config["apiv3_key"],
        public_key=public_pem(keys.platform),
        public_key_id=wechatpay_config["public_key_id"],
    )
    assert signature == sdk.sign([call["appId"], call["timeStamp"], nonce, call["package"]])


def test_without_an_application_or_a_payer_nobody_pays_inside(
    inside: WechatpayGateway, wechatpay: WechatpayGateway, charge_request: Any
) -> None:
    assert inside.channels - wechatpay.channels == {Channel.JSAPI}
    with pytest.raises(ValueError, match="nobody to pay"):
        inside.charge(replace(charge_request, channel=Channel.JSAPI))
    with pytest.raises(GatewayMisconfigured):
        wechatpay.payer_of("code")
    assert inside.is_payer(OPENID)
    assert not any(inside.is_payer(wrong) for wrong in ("", "short", "o" * 129, "o\n12345", "<script>"))


def test_the_shopper_is_sent_to_wechat_without_being_asked_anything(inside: WechatpayGateway) -> None:
    address = inside.login_url(return_url="https://shop.example/pay/K7/login/?a=b", state="5tate")
    parts = urlsplit(address)
    assert (parts.hostname, parts.path, parts.fragment) == (
        "open.weixin.qq.com", "/connect/oauth2/authorize", "wechat_redirect"
    )  # fmt: skip
    assert parse_qs(parts.query) == {
        "appid": ["wx8888888888888888"],
        "redirect_uri": ["https://shop.example/pay/K7/login/?a=b"],
        "response_type": ["code"],
        "scope": ["snsapi_base"],
        "state": ["5tate"],
    }


def test_a_code_names_the_shopper(inside: WechatpayGateway, network: respx.MockRouter) -> None:
    route = network.get("https://api.weixin.qq.com/sns/oauth2/access_token").respond(
        json=payload("wechatpay", "login_success")
    )
    assert inside.payer_of("0611") == OPENID
    asked = route.calls.last.request.url.params
    assert dict(asked) == {
        "appid": "wx8888888888888888", "secret": SECRET, "code": "0611", "grant_type": "authorization_code"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (httpx.Response(200, json=payload("wechatpay", "login_code_used")), GatewayRefused),
        (httpx.Response(200, json={"errcode": -1, "errmsg": "system error"}), GatewayUnavailable),
        (httpx.Response(200, json={"openid": "<b>"}), GatewayUnknown),
        (httpx.Response(200, json=[]), GatewayUnknown),
        (httpx.Response(200, text="<html>"), GatewayUnknown),
        (httpx.Response(502, text="<html>"), GatewayUnknown),
        (httpx.ConnectError("refused"), GatewayUnavailable),
        (httpx.ReadTimeout("slow"), GatewayUnavailable),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_name_is_no_name_and_no_reason_tells_our_secret(
    inside: WechatpayGateway, network: respx.MockRouter, reply: Any, meaning: type[GatewayError]
) -> None:
    network.get("https://api.weixin.qq.com/sns/oauth2/access_token").mock(side_effect=[reply])
    with pytest.raises(GatewayError) as raised:
        inside.payer_of("0611")
    assert type(raised.value) is meaning
    assert SECRET not in f"{raised.value!r} {raised.value.__cause__!r}"


@pytest.mark.parametrize("name", ["authorize_url", "login_url"])
def test_a_secret_goes_nowhere_but_over_https(wechatpay_config: dict[str, object], http: HttpClient, name: str) -> None:
    with pytest.raises(GatewayMisconfigured, match=name):
        WechatpayGateway(wechatpay_config | {"app_secret": SECRET, name: "http://api.weixin.qq.com"}, http)
