import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from payments.gateways.base import (
    Channel,
    ChargeResult,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    PaymentResult,
    RefundStatus,
)
from payments.gateways.epay.gateway import EpayGateway
from tests.payments.gateways.epay_platform import KEY
from tests.payments.gateways.platforms import NOW, PAYMENT, REFUND, payload, public_pem

TRADE = "20261122154600123456"
MISSING = {"code": -1, "msg": "订单号不存在"}


def opened(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query, strict_parsing=True))


@pytest.mark.parametrize("channel", [Channel.H5, Channel.PAGE])
def test_a_page_is_a_signed_address(epay, epay_platform, charge_request, channel):
    address, sent = opened(epay.charge(replace(charge_request, channel=channel)).url)
    epay_platform.check("/submit.php", sent)
    assert address == "https://pay.example.com/submit.php"
    assert KEY not in str(sent)
    assert {name: sent[name] for name in sent if name not in {"sign", "sign_type"}} == {
        "pid": "1001",
        "type": "alipay",
        "out_trade_no": PAYMENT,
        "notify_url": charge_request.notify_url,
        "return_url": charge_request.return_url,
        "name": "王者荣耀 60 点券",
        "money": "57.00",
    }
    assert epay_platform.requests == []


def test_a_page_of_version_2_is_signed_with_rsa_and_a_time(epay_v2, epay_platform, charge_request):
    address, sent = opened(epay_v2.charge(replace(charge_request, channel=Channel.PAGE)).url)
    epay_platform.check("/api/pay/submit", sent)
    assert (address, sent["timestamp"]) == ("https://pay.example.com/api/pay/submit", str(NOW))


def test_a_code_is_asked_for(epay, epay_platform, charge_request):
    epay_platform.answer("/mapi.php", {"code": 1, "trade_no": TRADE, "qrcode": "https://qr.alipay.com/bax0"})
    assert epay.charge(charge_request) == ChargeResult(qr="https://qr.alipay.com/bax0")
    ((verb, path, sent),) = epay_platform.requests
    assert (verb, path, sent["clientip"], sent["device"]) == ("POST", "/mapi.php", "203.0.113.9", "pc")


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({"payurl": "https://pay.example.com/pay/1/"}, ChargeResult(url="https://pay.example.com/pay/1/")),
        ({"urlscheme": "weixin://dl/business/?t=x"}, ChargeResult(url="weixin://dl/business/?t=x")),
    ],
)
def test_an_installation_may_answer_with_a_page_or_a_wallet(epay, epay_platform, charge_request, answer, place):
    epay_platform.answer("/mapi.php", {"code": "1", **answer})
    assert epay.charge(charge_request) == place


@pytest.mark.parametrize(
    "answer",
    [
        {"payurl": "javascript:alert(1)"},
        {"payurl": "http://pay.example.com/"},
        {"payurl": "//evil"},
        {"payurl": "weixin://x"},
        {"payurl": "https:///x"},
        {"urlscheme": "intent://x"},
        {"urlscheme": "data:text/html,x"},
        {"payurl": "https://[x"},
        {"qrcode": "x" * 513},
        {"qrcode": "a\nb"},
        {},
    ],
)
def test_a_place_that_leads_elsewhere_is_not_shown(epay, epay_platform, charge_request, answer):
    epay_platform.answer("/mapi.php", {"code": 1, **answer})
    with pytest.raises(GatewayUnknown):
        epay.charge(charge_request)


@pytest.mark.parametrize(
    ("kind", "info", "place"),
    [
        ("qrcode", "weixin://wxpay/1", ChargeResult(qr="weixin://wxpay/1")),
        ("jump", "https://pay.example.com/p", ChargeResult(url="https://pay.example.com/p")),
        ("urlscheme", "alipays://p", ChargeResult(url="alipays://p")),
    ],
)
def test_version_2_answers_what_its_signature_covers(epay_v2, epay_platform, charge_request, kind, info, place):
    told = {"code": 0, "trade_no": TRADE, "pay_type": kind, "pay_info": info, "timestamp": str(NOW)}
    epay_platform.answer("/api/pay/create", epay_platform.signed(told))
    assert epay_v2.charge(charge_request) == place
    epay_platform.answer("/api/pay/create", epay_platform.signed(told) | {"pay_info": info + "x"})
    with pytest.raises(GatewayUnknown, match="wrong signature"):
        epay_v2.charge(charge_request)


@pytest.mark.parametrize("kind", ["html", "jsapi", "", "scan"])
def test_what_no_page_of_ours_can_show_is_unknown(epay_v2, epay_platform, charge_request, kind):
    told = {"code": 0, "pay_type": kind, "pay_info": "<script>", "timestamp": str(NOW)}
    epay_platform.answer("/api/pay/create", epay_platform.signed(told))
    with pytest.raises(GatewayUnknown, match="pay_type"):
        epay_v2.charge(charge_request)


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("券" * 60, "券" * 42),
        ("x" * 126 + "券", "x" * 126),
        ("a&money=1", "a money 1"),
        ("&", "-"),
        ("👍" * 32, "👍" * 31),
    ],
)
def test_a_name_is_cut_on_the_border_of_a_character(epay, charge_request, subject, name):
    _, sent = opened(epay.charge(replace(charge_request, channel=Channel.PAGE, subject=subject)).url)
    assert sent["name"] == name
    assert len(name.encode()) <= 127


@pytest.mark.parametrize("amount", [Decimal("57"), Decimal("57.0"), Decimal("57.000")])
def test_money_has_two_decimals(epay, charge_request, amount):
    _, sent = opened(epay.charge(replace(charge_request, channel=Channel.PAGE, amount=amount)).url)
    assert sent["money"] == "57.00"


def test_a_fraction_of_a_fen_is_not_charged(epay, charge_request):
    with pytest.raises(ValueError, match="fraction"):
        epay.charge(replace(charge_request, amount=Decimal("57.001")))


@pytest.mark.parametrize(
    ("types", "channels"),
    [
        ("alipay", {Channel.QR, Channel.H5, Channel.PAGE}),
        ("wxpay", {Channel.QR, Channel.H5, Channel.PAGE, Channel.JSAPI}),
        ("alipay, wxpay,qqpay", {Channel.H5, Channel.PAGE, Channel.JSAPI}),
    ],
)
def test_the_channels_follow_from_the_payment_types(epay_config, http, charge_request, types, channels):
    gateway = EpayGateway(epay_config | {"types": types}, http)
    assert gateway.channels == channels
    _, sent = opened(gateway.charge(replace(charge_request, channel=Channel.H5)).url)
    assert sent.get("type") == (None if "," in types else types)


def test_version_1_is_asked_with_its_key(epay, epay_platform):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid"))
    result = epay.query(PAYMENT)
    assert epay_platform.requests == [
        ("GET", "/api.php", {"act": "order", "pid": "1001", "key": KEY, "out_trade_no": PAYMENT})
    ]
    assert replace(result, raw={}) == PaymentResult(
        payment=PAYMENT,
        status=GatewayStatus.CONFIRMED,
        reference=TRADE,
        amount=Decimal("57.00"),
        currency="CNY",
        merchant="1001",
        method="alipay",
        paid_at=datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC),
    )


def test_version_2_says_the_same(epay, epay_v2, epay_platform):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid"))
    epay_platform.answer("/api/pay/query", epay_platform.signed(payload("epay", "v2_order_paid")))
    assert replace(epay_v2.query(PAYMENT), raw={}) == replace(epay.query(PAYMENT), raw={})


@pytest.mark.parametrize(
    ("status", "meaning"), [(0, GatewayStatus.PENDING), ("0", GatewayStatus.PENDING), (2, GatewayStatus.CLOSED)]
)
def test_what_is_not_paid_is_not_confirmed(epay, epay_platform, status, meaning):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid") | {"status": status})
    assert epay.query(PAYMENT).status is meaning


def test_an_order_that_no_browser_has_opened_is_missing(epay, epay_v2, epay_platform):
    epay_platform.answer("/api.php", MISSING)
    epay_platform.answer("/api/pay/query", MISSING)
    for gateway in (epay, epay_v2):
        assert gateway.query(PAYMENT).status is GatewayStatus.MISSING


@pytest.mark.parametrize("status", [0, 2, 1])
def test_nothing_can_be_closed_and_nothing_is_said_to_be(epay, epay_platform, status):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid") | {"status": status})
    wanted = {0: GatewayStatus.MISSING, 1: GatewayStatus.CONFIRMED, 2: GatewayStatus.CLOSED}
    assert epay.close(PAYMENT).status is wanted[status]


@pytest.mark.parametrize(
    "change",
    [
        {"status": 3},
        {"status": ""},
        {"status": True},
        {"out_trade_no": "another"},
        {"type": "wxpay"},
        {"type": ""},
        {"trade_no": ""},
        {"trade_no": "1" * 65},
        {"money": "57.001"},
        {"money": "-57.00"},
        {"money": "5.7e1"},
        {"money": "５７"},
        {"money": 57.5},
        {"money": ""},
        {"money": None},
    ],
    ids=str,
)
def test_an_answer_that_does_not_hold_is_unknown(epay, epay_platform, change):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid") | change)
    with pytest.raises(GatewayUnknown):
        epay.query(PAYMENT)


@pytest.mark.parametrize("money", ["57", "57.0", "57.00", "57.000"])
def test_the_same_money_may_be_written_in_several_ways(epay, epay_platform, money):
    epay_platform.answer("/api.php", payload("epay", "v1_order_paid") | {"money": money})
    assert epay.query(PAYMENT).amount == Decimal("57.00")


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{", '{"code":1.0}', '{"msg":"ok"}', '{"code":true}', "null"])
@pytest.mark.parametrize("status", [200, 301, 302, 404, 500])
def test_a_reply_that_is_none_is_unknown(epay, epay_v2, epay_platform, body, status):
    for gateway, path in ((epay, "/api.php"), (epay_v2, "/api/pay/query")):
        epay_platform.answer(path, body, status=status)
        with pytest.raises(GatewayUnknown):
            gateway.query(PAYMENT)


def test_a_redirect_is_not_followed(epay, epay_platform, network):
    thief = network.route(host="thief.example.com").mock(return_value=httpx.Response(200))
    away = {"location": f"https://thief.example.com/?key={KEY}"}
    epay_platform.answers["/api.php"] = lambda _: httpx.Response(302, headers=away)
    with pytest.raises(GatewayUnknown, match="HTTP 302"):
        epay.query(PAYMENT)
    assert not thief.called


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError(f"to https://pay.example.com/api.php?key={KEY}"), GatewayUnavailable),
        (httpx.ReadTimeout(f"of https://pay.example.com/api.php?key={KEY}"), GatewayUnknown),
        (httpx.RemoteProtocolError(KEY), GatewayUnknown),
    ],
)
def test_a_call_that_fails_never_tells_the_key(epay, network, refund_request, caplog, failure, kind):
    caplog.set_level(logging.DEBUG)
    network.route(host="pay.example.com").mock(side_effect=failure)
    for call in (lambda: epay.query(PAYMENT), lambda: epay.close(PAYMENT), lambda: epay.refund(refund_request)):
        with pytest.raises(kind) as raised:
            call()
        assert KEY not in str(raised.value)
        assert raised.value.__suppress_context__
    assert KEY not in "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))


def test_a_reply_of_version_2_must_be_signed_and_of_now(epay_v2, epay_platform, keys):
    told = payload("epay", "v2_order_paid")
    stale = epay_platform.signed(told | {"timestamp": str(NOW - 301)})
    early = epay_platform.signed(told | {"timestamp": str(NOW + 301)})
    timeless = epay_platform.signed({name: value for name, value in told.items() if name != "timestamp"})
    ambiguous = epay_platform.signed(told | {"name": "x&status=0"})
    hashed = epay_platform.signed(told) | {"sign_type": "MD5"}
    for reply in (told, stale, early, timeless, ambiguous, hashed):
        epay_platform.answer("/api/pay/query", reply)
        with pytest.raises(GatewayUnknown):
            epay_v2.query(PAYMENT)
    epay_platform.key = keys.stranger
    epay_platform.answer("/api/pay/query", epay_platform.signed(told))
    with pytest.raises(GatewayUnknown, match="wrong signature"):
        epay_v2.query(PAYMENT)


def test_version_1_returns_money_and_cannot_be_asked_about_it(epay, epay_platform, refund_request):
    epay_platform.answer("/api.php", {"code": 1, "msg": "退款成功"})
    result = epay.refund(refund_request)
    assert (result.status, result.refund, result.amount) == (RefundStatus.SUCCEEDED, REFUND, None)
    ((verb, _, sent),) = epay_platform.requests
    assert verb == "POST"
    assert sent == {
        "act": "refund",
        "pid": "1001",
        "key": KEY,
        "out_trade_no": PAYMENT,
        "trade_no": refund_request.reference,
        "money": "57.00",
    }
    assert not epay.refund_repeats
    with pytest.raises(GatewayUnknown):
        epay.refund_query(payment=PAYMENT, refund=REFUND)


def test_a_refusal_to_return_money_is_definite(epay, epay_v2, epay_platform, refund_request):
    for path in ("/api.php", "/api/pay/refund"):
        epay_platform.answer(path, {"code": -1, "msg": "商户余额不足"})
    for gateway in (epay, epay_v2):
        with pytest.raises(GatewayRefused, match="余额不足"):
            gateway.refund(refund_request)


def test_where_there_is_no_refund_call_nothing_is_asked(epay_config, http, epay_platform, refund_request):
    gateway = EpayGateway({**epay_config, "can_refund": False}, http)
    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(refund_request)
    assert (refused.value.code, epay_platform.requests) == ("no_refund_call", [])


def test_version_2_returns_money_under_our_number(epay_v2, epay_platform, refund_request):
    told = {"code": 0, "out_refund_no": REFUND, "refund_no": "R1", "money": "57.00", "timestamp": str(NOW)}
    epay_platform.answer("/api/pay/refund", epay_platform.signed(told))
    result = epay_v2.refund(refund_request)
    assert (result.status, result.amount, result.reference) == (RefundStatus.PENDING, Decimal("57.00"), "R1")
    assert epay_platform.requests[0][2]["out_refund_no"] == REFUND
    assert epay_v2.refund_repeats
    for status, meaning in ((1, RefundStatus.SUCCEEDED), (0, RefundStatus.FAILED)):
        epay_platform.answer("/api/pay/refundquery", epay_platform.signed(told | {"status": status}))
        assert epay_v2.refund_query(payment=PAYMENT, refund=REFUND).status is meaning
    epay_platform.answer("/api/pay/refundquery", {"code": -1, "msg": "退款记录不存在"})
    assert epay_v2.refund_query(payment=PAYMENT, refund=REFUND).status is RefundStatus.MISSING
    epay_platform.answer("/api/pay/refundquery", {"code": -1, "msg": "退款处理中"})
    with pytest.raises(GatewayUnknown):
        epay_v2.refund_query(payment=PAYMENT, refund=REFUND)
    for change in ({"status": 2}, {"out_refund_no": "another", "status": 1}, {"money": "x", "status": 1}):
        epay_platform.answer("/api/pay/refundquery", epay_platform.signed(told | change))
        with pytest.raises(GatewayUnknown):
            epay_v2.refund_query(payment=PAYMENT, refund=REFUND)


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "  "},
        {"key": None},
        {"version": "3"},
        {"version": 1},
        {"version": "2"},
        {"types": ""},
        {"types": "alipay,"},
        {"types": "支付宝"},
        {"can_refund": "yes"},
        {"can_query": 0},
        {"can_query": False},
        {"base_url": "http://pay.example.com"},
    ],
    ids=str,
)
def test_an_account_that_could_be_forged_or_overheard_is_refused(epay_config, http, change):
    with pytest.raises(GatewayMisconfigured):
        EpayGateway(epay_config | change, http)


@pytest.mark.parametrize("name", ["merchant_private_key", "platform_public_key"])
@pytest.mark.parametrize("value", ["", "MIIsecret"])
def test_version_2_needs_both_keys(epay_v2_config, keys, http, name, value):
    with pytest.raises(GatewayMisconfigured) as raised:
        EpayGateway(epay_v2_config | {name: value, "key": KEY}, http)
    assert "MIIsecret" not in str(raised.value)
    with pytest.raises(GatewayMisconfigured, match="our own"):
        EpayGateway(epay_v2_config | {"platform_public_key": public_pem(keys.merchant)}, http)


def test_notices_alone_bring_money_only_where_somebody_has_accepted_that(epay, epay_config, http):
    assert not epay.notice_is_proof
    blind = EpayGateway({**epay_config, "can_query": False, "trust_notices": True}, http)
    assert blind.notice_is_proof
    with pytest.raises(GatewayError, match="cannot be asked"):
        blind.query(PAYMENT)
    assert blind.close(PAYMENT).status is GatewayStatus.MISSING
    assert not EpayGateway({**epay_config, "trust_notices": True}, http).notice_is_proof
