"""Paying inside Alipay: what its browser is handed, and who the shopper is."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kameng.core.http import HttpClient
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import (
    Channel,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    InApp,
)
from tests.payments.gateways.platforms import NOW, PAYMENT, AlipayPlatform, payload

CREATE, TOKEN = "alipay.trade.create", "alipay.system.oauth.token"
OPEN_ID, USER_ID = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", "2088722545315134"
CODE = "4b203fe6c11548bcabd8da5bb087a83b"


@pytest.fixture
def inside(alipay_config: dict[str, object], http: HttpClient) -> AlipayGateway:
    gateway = AlipayGateway(alipay_config | {"jsapi": True}, http, clock=lambda: NOW)
    assert isinstance(gateway, InApp)
    return gateway


@pytest.mark.parametrize(("payer", "buyer"), [(OPEN_ID, "buyer_open_id"), (USER_ID, "buyer_id")])
def test_a_trade_is_made_for_the_payer_and_its_number_is_what_the_page_calls(
    inside: AlipayGateway, alipay_platform: AlipayPlatform, charge_request: Any, payer: str, buyer: str
) -> None:
    alipay_platform.answer(CREATE, payload("alipay", "create_success"))
    charged = inside.charge(replace(charge_request, channel=Channel.JSAPI, payer=payer))
    assert (charged.qr, charged.url, charged.call) == ("", "", {"tradeNO": "2026112222001419871412345678"})
    (sent,) = alipay_platform.requests
    assert json.loads(sent["biz_content"]) == {
        "out_trade_no": PAYMENT,
        "total_amount": "57.00",
        "subject": "王者荣耀 60 点券",
        "time_expire": "2026-11-22 16:01:00",
        "product_code": "JSAPI_PAY",
        buyer: payer,
    }
    assert (sent["method"], sent["notify_url"]) == (CREATE, charge_request.notify_url)


def test_without_a_contract_or_a_payer_nobody_pays_inside(
    inside: AlipayGateway, alipay: AlipayGateway, alipay_config: dict[str, object], charge_request: Any
) -> None:
    assert inside.channels - alipay.channels == {Channel.JSAPI}
    with pytest.raises(ValueError, match="nobody to pay"):
        inside.charge(replace(charge_request, channel=Channel.JSAPI))
    with pytest.raises(GatewayMisconfigured):
        alipay.login_url(return_url="https://shop.example/", state="5tate")
    assert inside.is_payer(OPEN_ID)
    assert inside.is_payer(USER_ID)
    assert not any(inside.is_payer(wrong) for wrong in ("", "short", "o" * 129, "o\n12345", "<script>"))
    for wrong in ({"jsapi": "true"}, {"jsapi": True, "authorize_url": "http://openauth.alipay.com/a"}):
        with pytest.raises(GatewayMisconfigured):
            AlipayGateway(alipay_config | wrong, alipay._http)


def test_the_shopper_is_sent_to_alipay_without_being_asked_anything(inside: AlipayGateway) -> None:
    address = inside.login_url(return_url="https://shop.example/pay/K7/login/?a=b", state="5tate")
    parts = urlsplit(address)
    assert (parts.scheme, parts.hostname, parts.path) == (
        "https", "openauth.alipay.com", "/oauth2/publicAppAuthorize.htm"
    )  # fmt: skip
    assert parse_qs(parts.query) == {
        "app_id": ["2021004123456789"],
        "scope": ["auth_base"],
        "redirect_uri": ["https://shop.example/pay/K7/login/?a=b"],
        "state": ["5tate"],
    }


@pytest.mark.parametrize(("name", "payer"), [("login_success", OPEN_ID), ("login_user_id", USER_ID)])
def test_a_code_names_the_shopper(
    inside: AlipayGateway, alipay_platform: AlipayPlatform, name: str, payer: str
) -> None:
    alipay_platform.answer(TOKEN, payload("alipay", name))
    assert inside.payer_of(CODE) == payer
    (sent,) = alipay_platform.requests
    assert (sent["method"], sent["grant_type"], sent["code"]) == (TOKEN, "authorization_code", CODE)
    assert "biz_content" not in sent


def test_what_is_no_code_is_not_asked_about(inside: AlipayGateway, alipay_platform: AlipayPlatform) -> None:
    for wrong in ("", "c" * 129, "c&method=x"):
        with pytest.raises(GatewayRefused):
            inside.payer_of(wrong)
    assert alipay_platform.requests == []


GOOD = payload("alipay", "login_success")
USED = payload("alipay", "login_code_used")


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (USED, GatewayRefused),
        ({**GOOD, "open_id": "<b>"}, GatewayUnknown),
        ({"access_token": "a"}, GatewayUnknown),
        (payload("alipay", "system_error"), GatewayUnknown),
        (httpx.Response(200, json={"error_response": USED}), GatewayUnavailable),
        (httpx.Response(200, json={"alipay_system_oauth_token_response": GOOD}), GatewayUnknown),
        (httpx.Response(200, json={"alipay_system_oauth_token_response": GOOD, "sign": "AAAA"}), GatewayUnknown),
        (httpx.Response(200, text="<html>"), GatewayUnknown),
        (httpx.Response(502, text="<html>"), GatewayUnknown),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_signed_name_is_no_name(
    inside: AlipayGateway, alipay_platform: AlipayPlatform, reply: Any, meaning: type[GatewayError]
) -> None:
    answer = reply if isinstance(reply, httpx.Response) else alipay_platform.reply(TOKEN, reply)
    alipay_platform.answers[TOKEN] = lambda _: answer
    with pytest.raises(GatewayError) as raised:
        inside.payer_of(CODE)
    assert type(raised.value) is meaning
