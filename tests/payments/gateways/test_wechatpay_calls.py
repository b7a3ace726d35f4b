import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from payments.gateways.base import (
    Channel,
    ChargeResult,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    RefundStatus,
)
from payments.gateways.wechatpay.gateway import WechatpayGateway
from tests.payments.gateways.platforms import NOW, PAYMENT, REFUND, payload

NATIVE, H5 = "POST /v3/pay/transactions/native", "POST /v3/pay/transactions/h5"
QUERY = f"GET /v3/pay/transactions/out-trade-no/{PAYMENT}?mchid=1623456789"
CLOSE = f"POST /v3/pay/transactions/out-trade-no/{PAYMENT}/close"
REFUND_CALL, REFUND_QUERY = "POST /v3/refund/domestic/refunds", f"GET /v3/refund/domestic/refunds/{REFUND}"
TRANSACTION = "4200002464202611221234567890"
CALLS = [NATIVE, H5, QUERY, CLOSE, REFUND_CALL, REFUND_QUERY]
SUCCESSES = {
    NATIVE: "native_success",
    H5: "h5_success",
    QUERY: "query_success",
    REFUND_CALL: "refund_processing",
    REFUND_QUERY: "refund_success",
}


@pytest.fixture
def calls(wechatpay, wechatpay_platform, charge_request, refund_request):
    """Every call that asks WeChat Pay, and what an error without a signature means for it."""
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay"))  # closing asks first
    return {
        NATIVE: (lambda: wechatpay.charge(charge_request), GatewayUnavailable),
        H5: (lambda: wechatpay.charge(replace(charge_request, channel=Channel.H5)), GatewayUnavailable),
        QUERY: (lambda: wechatpay.query(PAYMENT), GatewayUnknown),
        CLOSE: (lambda: wechatpay.close(PAYMENT), GatewayUnknown),
        REFUND_CALL: (lambda: wechatpay.refund(refund_request), GatewayUnknown),
        REFUND_QUERY: (lambda: wechatpay.refund_query(payment=PAYMENT, refund=REFUND), GatewayUnknown),
    }


def asked(platform) -> list[str]:
    return [f"{request.method} {request.url.raw_path.decode()}" for request in platform.requests]


def test_a_qr_code_is_asked_for_with_an_absolute_expiry(wechatpay, wechatpay_platform, charge_request):
    wechatpay_platform.answer(NATIVE, payload("wechatpay", "native_success"))
    assert wechatpay.charge(charge_request) == ChargeResult(qr="weixin://wxpay/bizpayurl?pr=JyC91EIz1")
    (request,) = wechatpay_platform.requests
    assert json.loads(request.content) == {
        "appid": "wx8888888888888888",
        "mchid": "1623456789",
        "description": "王者荣耀 60 点券",
        "out_trade_no": PAYMENT,
        "time_expire": "2026-11-22T16:01:00+08:00",
        "notify_url": charge_request.notify_url,
        "amount": {"total": 5700, "currency": "CNY"},
    }
    assert request.headers["accept"] == "application/json"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["wechatpay-serial"] == "PUB_KEY_ID_0116234567892024112600111100000000"
    assert 'mchid="1623456789"' in request.headers["authorization"]
    assert f'timestamp="{NOW}"' in request.headers["authorization"]


def test_a_phone_is_sent_to_a_page_that_comes_back(wechatpay, wechatpay_platform, charge_request):
    wechatpay_platform.answer(H5, payload("wechatpay", "h5_success"))
    result = wechatpay.charge(replace(charge_request, channel=Channel.H5))
    assert result == ChargeResult(
        url="https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2026112215410342d9d2bb1c1234567890"
        "&package=2150917749&redirect_url=https%3A%2F%2Fshop.example%2Forders%2FK7%2F%3Ftoken%3Da%26b%3Dc"
    )
    body = json.loads(wechatpay_platform.requests[0].content)
    assert body["scene_info"] == {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}


@pytest.mark.parametrize("channel", [Channel.PAGE, Channel.JSAPI])
def test_other_channels_are_not_offered(wechatpay, wechatpay_platform, charge_request, channel):
    with pytest.raises(ValueError, match="channel"):
        wechatpay.charge(replace(charge_request, channel=channel))
    assert wechatpay_platform.requests == []


@pytest.mark.parametrize(("amount", "fen"), [("0.01", 1), ("57", 5700), ("19.99", 1999), ("1000000", 100_000_000)])
def test_amounts_are_sent_in_fen(wechatpay, wechatpay_platform, charge_request, amount, fen):
    wechatpay_platform.answer(NATIVE, payload("wechatpay", "native_success"))
    wechatpay.charge(replace(charge_request, amount=Decimal(amount)))
    assert json.loads(wechatpay_platform.requests[0].content)["amount"]["total"] == fen


def test_half_a_fen_is_never_rounded(wechatpay, wechatpay_platform, charge_request, refund_request):
    for call, request in ((wechatpay.charge, charge_request), (wechatpay.refund, refund_request)):
        with pytest.raises(ValueError, match="fraction of a fen"):
            call(replace(request, amount=Decimal("57.005")))
    assert wechatpay_platform.requests == []


def test_a_long_description_is_cut_between_characters(wechatpay, wechatpay_platform, charge_request):
    wechatpay_platform.answer(NATIVE, payload("wechatpay", "native_success"))
    wechatpay.charge(replace(charge_request, subject="券" * 100))
    assert json.loads(wechatpay_platform.requests[0].content)["description"] == "券" * 42


def test_the_path_that_is_signed_is_the_path_that_is_sent_below_a_prefix(wechatpay_config, wechatpay_platform, http):
    gateway = WechatpayGateway(
        wechatpay_config | {"base_url": "https://api.mch.weixin.qq.com/proxy/wx/"}, http, clock=lambda: NOW
    )
    call = f"GET /proxy/wx/v3/pay/transactions/out-trade-no/{PAYMENT}?mchid=1623456789"
    wechatpay_platform.answer(call, payload("wechatpay", "query_notpay"))
    assert gateway.query(PAYMENT).status is GatewayStatus.PENDING


@pytest.mark.parametrize("number", ["a|b*c-d_e1", "a/../b?c=d#e", "空 格"])
def test_a_number_cannot_leave_its_place_in_the_path(wechatpay, wechatpay_platform, number):
    document = payload("wechatpay", "query_notpay") | {"out_trade_no": number}
    wechatpay_platform.answers = _Anything(lambda _: wechatpay_platform.reply(document))
    assert wechatpay.query(number).payment == number
    (request,) = wechatpay_platform.requests
    assert request.url.raw_path.count(b"/") == 5
    assert request.url.query == b"mchid=1623456789"


class _Anything(dict):
    def __init__(self, answer):
        self.answer = answer

    def __getitem__(self, call):
        return self.answer


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("NOTPAY", GatewayStatus.PENDING),
        ("USERPAYING", GatewayStatus.PENDING),
        ("PAYERROR", GatewayStatus.PENDING),
        ("CLOSED", GatewayStatus.CLOSED),
        ("REVOKED", GatewayStatus.CLOSED),
    ],
)
def test_a_query_tells_the_state_of_what_is_not_paid(wechatpay, wechatpay_platform, state, status):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay") | {"trade_state": state})
    result = wechatpay.query(PAYMENT)
    assert (result.payment, result.status, result.reference) == (PAYMENT, status, "")
    assert (result.amount, result.currency, result.paid_at) == (Decimal("57.00"), "CNY", None)
    assert (result.merchant, result.app) == ("1623456789", "wx8888888888888888")


def test_before_payment_a_query_may_tell_no_amount(wechatpay, wechatpay_platform):
    document = payload("wechatpay", "query_notpay")
    del document["amount"]
    wechatpay_platform.answer(QUERY, document)
    assert wechatpay.query(PAYMENT).amount is None


@pytest.mark.parametrize("name", ["query_success", "query_refund"])
def test_a_query_tells_every_field_that_must_match(wechatpay, wechatpay_platform, name):
    wechatpay_platform.answer(QUERY, payload("wechatpay", name))
    result = wechatpay.query(PAYMENT)
    assert (result.payment, result.status, result.reference) == (PAYMENT, GatewayStatus.CONFIRMED, TRANSACTION)
    assert (result.amount, result.currency) == (Decimal("57.00"), "CNY")
    assert (result.merchant, result.app) == ("1623456789", "wx8888888888888888")
    assert result.paid_at == datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)
    assert result.raw == payload("wechatpay", name)
    assert wechatpay_platform.requests[0].content == b""


def test_other_parties_are_told_as_they_are(wechatpay, wechatpay_platform):
    document = payload("wechatpay", "query_success") | {"mchid": "1", "appid": "wx1"}
    document["amount"]["currency"] = "USD"
    wechatpay_platform.answer(QUERY, document)
    result = wechatpay.query(PAYMENT)
    assert (result.merchant, result.app, result.currency) == ("1", "wx1", "USD")


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST"])
def test_an_order_that_is_not_there_is_missing(wechatpay, wechatpay_platform, code):
    wechatpay_platform.answer(QUERY, {"code": code, "message": "订单不存在"}, status=404)
    assert wechatpay.query(PAYMENT).status is GatewayStatus.MISSING


@pytest.mark.parametrize(
    "change",
    [
        {"out_trade_no": "ANOTHER"},
        {"out_trade_no": None},
        {"transaction_id": None},
        {"trade_state": "ACCEPT"},
        {"trade_state": None},
        {"mchid": None},
        {"appid": 7},
        {"amount": None},
        {"amount": 5700},
        {"amount": {"currency": "CNY"}},
        {"amount": {"total": 5700}},
        {"amount": {"total": 5700.0, "currency": "CNY"}},
        {"amount": {"total": True, "currency": "CNY"}},
        {"amount": {"total": "5700", "currency": "CNY"}},
        {"amount": {"total": -5700, "currency": "CNY"}},
        {"amount": {"total": 10**40, "currency": "CNY"}},
    ],
)
def test_a_signed_query_that_is_malformed_or_of_another_order_is_no_result(wechatpay, wechatpay_platform, change):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_success") | change)
    with pytest.raises(GatewayUnknown):
        wechatpay.query(PAYMENT)


@pytest.mark.parametrize("time", ["yesterday", "2026-11-22T15:45:57", 7, None])
def test_a_time_that_cannot_be_read_does_not_lose_the_payment(wechatpay, wechatpay_platform, time):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_success") | {"success_time": time})
    result = wechatpay.query(PAYMENT)
    assert (result.status, result.paid_at) == (GatewayStatus.CONFIRMED, None)


def test_closing_asks_first_and_then_closes(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay"))
    wechatpay_platform.answer(CLOSE, None, status=204)
    assert wechatpay.close(PAYMENT).status is GatewayStatus.CLOSED
    assert asked(wechatpay_platform) == [QUERY, CLOSE]
    assert json.loads(wechatpay_platform.requests[1].content) == {"mchid": "1623456789"}


@pytest.mark.parametrize(
    ("name", "status"), [("query_success", GatewayStatus.CONFIRMED), ("query_closed", GatewayStatus.CLOSED)]
)
def test_closing_what_is_over_only_says_so(wechatpay, wechatpay_platform, name, status):
    wechatpay_platform.answer(QUERY, payload("wechatpay", name))
    assert wechatpay.close(PAYMENT).status is status
    assert asked(wechatpay_platform) == [QUERY]


def test_closing_what_is_not_there_leaves_it_missing(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "error_order_not_exist"), status=404)
    assert wechatpay.close(PAYMENT).status is GatewayStatus.MISSING


def test_money_that_came_between_query_and_close_is_found(wechatpay, wechatpay_platform):
    answers = iter(["query_notpay", "query_success"])
    wechatpay_platform.answers[QUERY] = lambda _: wechatpay_platform.reply(payload("wechatpay", next(answers)))
    wechatpay_platform.answer(CLOSE, payload("wechatpay", "error_order_paid"), status=400)
    result = wechatpay.close(PAYMENT)
    assert (result.status, result.amount) == (GatewayStatus.CONFIRMED, Decimal("57.00"))
    assert asked(wechatpay_platform) == [QUERY, CLOSE, QUERY]


def test_closing_that_is_refused_while_still_payable_stays_refused(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay"))
    wechatpay_platform.answer(CLOSE, payload("wechatpay", "error_param"), status=400)
    with pytest.raises(GatewayRefused) as refused:
        wechatpay.close(PAYMENT)
    assert refused.value.code == "PARAM_ERROR"
    assert asked(wechatpay_platform) == [QUERY, CLOSE, QUERY]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("refund_processing", RefundStatus.PENDING, ""),
        ("refund_success", RefundStatus.SUCCEEDED, ""),
        ("refund_closed", RefundStatus.FAILED, "CLOSED"),
        ("refund_abnormal", RefundStatus.FAILED, "ABNORMAL"),
    ],
)
def test_a_refund_and_its_query_tell_the_same(wechatpay, wechatpay_platform, refund_request, name, status, code):
    wechatpay_platform.answer(REFUND_CALL, payload("wechatpay", name))
    wechatpay_platform.answer(REFUND_QUERY, payload("wechatpay", name))
    result = wechatpay.refund(refund_request)
    assert (result.refund, result.payment, result.status, result.code) == (REFUND, PAYMENT, status, code)
    assert (result.amount, result.reference) == (Decimal("57.00"), "50300005432026112212345678901")
    assert wechatpay.refund_query(payment=PAYMENT, refund=REFUND) == result
    assert json.loads(wechatpay_platform.requests[0].content) == {
        "out_trade_no": PAYMENT,
        "out_refund_no": REFUND,
        "amount": {"refund": 5700, "total": 5700, "currency": "CNY"},
        "reason": "所有供应商均无法发货"[:26],
        "notify_url": refund_request.notify_url,
    }


def test_a_refund_leaves_out_what_is_empty(wechatpay, wechatpay_platform, refund_request):
    wechatpay_platform.answer(REFUND_CALL, payload("wechatpay", "refund_processing"))
    wechatpay.refund(replace(refund_request, amount=Decimal("20"), reason="", notify_url=""))
    assert json.loads(wechatpay_platform.requests[0].content) == {
        "out_trade_no": PAYMENT,
        "out_refund_no": REFUND,
        "amount": {"refund": 2000, "total": 5700, "currency": "CNY"},
    }


def test_a_refund_that_is_not_there_is_missing(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(REFUND_QUERY, payload("wechatpay", "error_refund_not_exist"), status=404)
    result = wechatpay.refund_query(payment=PAYMENT, refund=REFUND)
    assert (result.status, result.refund, result.payment) == (RefundStatus.MISSING, REFUND, PAYMENT)


@pytest.mark.parametrize(
    "change",
    [
        {"out_refund_no": "ANOTHER"},
        {"out_trade_no": "ANOTHER"},
        {"status": "DONE"},
        {"status": None},
        {"refund_id": None},
        {"amount": {}},
        {"amount": {"refund": 57.0}},
        {"amount": {"refund": 5700, "currency": "USD"}},
    ],
)
def test_a_signed_refund_that_is_malformed_or_another_is_no_result(
    wechatpay, wechatpay_platform, refund_request, change
):
    document = payload("wechatpay", "refund_success") | change
    wechatpay_platform.answer(REFUND_CALL, document)
    wechatpay_platform.answer(REFUND_QUERY, document)
    with pytest.raises(GatewayUnknown):
        wechatpay.refund(refund_request)
    with pytest.raises(GatewayUnknown):
        wechatpay.refund_query(payment=PAYMENT, refund=REFUND)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("error_param", 400, "PARAM_ERROR"),
        ("error_out_trade_no_used", 403, "OUT_TRADE_NO_USED"),
        ("error_not_enough", 403, "NOT_ENOUGH"),
    ],
)
def test_a_signed_refusal_is_definite(calls, wechatpay_platform, call, name, status, code):
    wechatpay_platform.answer(call, payload("wechatpay", name), status=status)
    with pytest.raises(GatewayRefused) as refused:
        calls[call][0]()
    assert refused.value.code == code


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_of_wechat_pays_own_systems_is_unknown(calls, wechatpay_platform, call, status):
    wechatpay_platform.answer(call, payload("wechatpay", "error_system"), status=status)
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [500, 502])
def test_a_failure_on_the_way_is_unknown_for_a_charge_too(calls, wechatpay_platform, call, status):
    wechatpay_platform.answers[call] = lambda _: httpx.Response(status, text="<html>Bad Gateway</html>")
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
def test_a_system_error_under_any_status_is_unknown(calls, wechatpay_platform, call):
    wechatpay_platform.answer(call, payload("wechatpay", "error_system"), status=400)
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
def test_merely_accepted_is_unknown(calls, wechatpay_platform, call):
    wechatpay_platform.answer(call, {}, status=202)
    with pytest.raises(GatewayUnknown, match="202"):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
def test_too_many_calls_means_later(calls, wechatpay_platform, call):
    wechatpay_platform.answer(call, payload("wechatpay", "error_frequency"), status=429)
    with pytest.raises(GatewayUnavailable):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("name", "status"), [("error_sign", 401), ("error_frequency", 429), ("error_order_not_exist", 404)]
)
def test_an_error_without_a_signature_is_never_a_refusal(calls, wechatpay_platform, call, name, status):
    wechatpay_platform.answers[call] = lambda _: httpx.Response(status, json=payload("wechatpay", name))
    ask, meaning = calls[call]
    with pytest.raises(meaning) as raised:
        ask()
    assert type(raised.value) is meaning


@pytest.mark.parametrize("call", SUCCESSES)
def test_a_success_without_a_signature_is_unknown(calls, wechatpay_platform, call):
    document = payload("wechatpay", SUCCESSES[call])
    wechatpay_platform.answers[call] = lambda _: httpx.Response(200, json=document)
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


def test_an_empty_reply_without_a_signature_closes_nothing(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay"))
    wechatpay_platform.answers[CLOSE] = lambda _: httpx.Response(204)
    with pytest.raises(GatewayUnknown):
        wechatpay.close(PAYMENT)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_wrongly_signed_reply_is_unknown(calls, wechatpay_platform, keys, call, status):
    document = payload("wechatpay", SUCCESSES.get(call, "error_order_paid") if status == 200 else "error_order_paid")
    wechatpay_platform.answers[call] = lambda _: wechatpay_platform.reply(document, status=status, key=keys.stranger)
    with pytest.raises(GatewayUnknown, match="wrong signature"):
        calls[call][0]()


@pytest.mark.parametrize(("seconds", "trusted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_reply_is_trusted_for_five_minutes(wechatpay, wechatpay_platform, seconds, trusted):
    document = payload("wechatpay", "query_success")
    wechatpay_platform.answers[QUERY] = lambda _: wechatpay_platform.reply(document, timestamp=str(NOW + seconds))
    if trusted:
        assert wechatpay.query(PAYMENT).status is GatewayStatus.CONFIRMED
    else:
        with pytest.raises(GatewayUnknown, match="300 s"):
            wechatpay.query(PAYMENT)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("wechatpay-serial", "PUB_KEY_ID_0000000000000000000000000000000000"),
        ("wechatpay-serial", ""),
        ("wechatpay-nonce", ""),
        ("wechatpay-nonce", "another"),
        ("wechatpay-timestamp", "soon"),
        ("wechatpay-signature", "WECHATPAY/SIGNTEST/AAAA"),
        ("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3"),
    ],
)
def test_a_reply_with_one_wrong_header_is_unknown(wechatpay, wechatpay_platform, header, value):
    genuine = wechatpay_platform.reply(payload("wechatpay", "query_success"))
    wechatpay_platform.answers[QUERY] = lambda _: httpx.Response(
        200, content=genuine.content, headers=dict(genuine.headers) | {header: value}
    )
    with pytest.raises(GatewayUnknown):
        wechatpay.query(PAYMENT)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"{", b"\xff\xfe{}", b"[" * 100_000], ids=len)
@pytest.mark.parametrize("status", [200, 302, 400])
def test_a_signed_reply_that_is_no_document_is_unknown(calls, wechatpay_platform, call, body, status):
    wechatpay_platform.answers[call] = lambda _: httpx.Response(
        status, content=body, headers=wechatpay_platform.headers(body)
    )
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


@pytest.mark.parametrize("call", [NATIVE, H5])
@pytest.mark.parametrize("document", [{}, {"code_url": "", "h5_url": ""}, {"code_url": 7, "h5_url": None}])
def test_a_signed_reply_without_a_place_to_pay_is_unknown(calls, wechatpay_platform, call, document):
    wechatpay_platform.answer(call, document)
    with pytest.raises(GatewayUnknown):
        calls[call][0]()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (httpx.ConnectError("refused"), GatewayUnavailable),
        (httpx.ConnectTimeout("connect"), GatewayUnavailable),
        (httpx.ReadTimeout("read"), GatewayUnknown),
        (httpx.ReadError("reset"), GatewayUnknown),
        (httpx.RemoteProtocolError("cut"), GatewayUnknown),
    ],
)
def test_no_reply_is_unknown_unless_nothing_was_sent(calls, wechatpay_platform, call, failure, meaning):
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    wechatpay_platform.answers[call] = fail
    with pytest.raises(meaning):
        calls[call][0]()


def test_with_certificates_the_newest_is_asked_for(wechatpay_config, wechatpay_platform, http):
    (serial,) = wechatpay_config["platform_certificates"]
    config = wechatpay_config | {"public_key_id": "", "public_key": ""}
    gateway = WechatpayGateway(config, http, clock=lambda: NOW)
    wechatpay_platform.serial = serial
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_success"))
    assert gateway.query(PAYMENT).status is GatewayStatus.CONFIRMED
    assert wechatpay_platform.requests[0].headers["wechatpay-serial"] == serial


def test_while_moving_to_the_public_key_both_are_understood(wechatpay, wechatpay_platform):
    for serial in wechatpay_platform.keys:
        wechatpay_platform.serial = serial
        wechatpay_platform.answer(QUERY, payload("wechatpay", "query_success"))
        assert wechatpay.query(PAYMENT).status is GatewayStatus.CONFIRMED
    assert {r.headers["wechatpay-serial"] for r in wechatpay_platform.requests} == {
        "PUB_KEY_ID_0116234567892024112600111100000000"
    }


def test_every_request_has_a_nonce_of_its_own(wechatpay, wechatpay_platform):
    wechatpay_platform.answer(QUERY, payload("wechatpay", "query_notpay"))
    for _ in range(3):
        wechatpay.query(PAYMENT)
    assert len({request.headers["authorization"] for request in wechatpay_platform.requests}) == 3
