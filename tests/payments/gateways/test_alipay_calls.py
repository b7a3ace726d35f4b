import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

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
from tests.payments.gateways.platforms import PAYMENT, REFUND, payload, rsa_sign

PRECREATE, QUERY, CLOSE = "alipay.trade.precreate", "alipay.trade.query", "alipay.trade.close"
CREATE = "alipay.trade.create"
REFUND_CALL, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
TRADE = "2026112222001419871412345678"


@pytest.fixture
def calls(alipay, charge_request, refund_request):
    """Every call that asks Alipay, with the method it uses and what an error without a signature means for it."""
    inside = replace(charge_request, channel=Channel.JSAPI, payer="2088722545315134")
    return {
        CREATE: (lambda: alipay.charge(inside), GatewayUnavailable),
        PRECREATE: (lambda: alipay.charge(charge_request), GatewayUnavailable),
        QUERY: (lambda: alipay.query(PAYMENT), GatewayUnknown),
        CLOSE: (lambda: alipay.close(PAYMENT), GatewayUnknown),
        REFUND_CALL: (lambda: alipay.refund(refund_request), GatewayUnknown),
        REFUND_QUERY: (lambda: alipay.refund_query(payment=PAYMENT, refund=REFUND), GatewayUnknown),
    }


METHODS = [PRECREATE, CREATE, QUERY, CLOSE, REFUND_CALL, REFUND_QUERY]
SUCCESSES = {
    CREATE: "create_success",
    PRECREATE: "precreate_success",
    QUERY: "query_trade_success",
    CLOSE: "close_success",
    REFUND_CALL: "refund_moved",
    REFUND_QUERY: "refund_query_success",
}


def test_a_qr_code_is_asked_for_with_an_absolute_expiry(alipay, alipay_platform, charge_request):
    alipay_platform.answer(PRECREATE, payload("alipay", "precreate_success"))
    assert alipay.charge(charge_request) == ChargeResult(qr="https://qr.alipay.com/bax03431ljhokirwl38f00a7")
    (sent,) = alipay_platform.requests
    assert json.loads(sent.pop("biz_content")) == {
        "out_trade_no": PAYMENT,
        "total_amount": "57.00",
        "subject": "王者荣耀 60 点券",
        "time_expire": "2026-11-22 16:01:00",
    }
    assert sent.pop("sign")
    assert sent == {
        "app_id": "2021004123456789",
        "method": PRECREATE,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-11-22 15:46:00",
        "version": "1.0",
        "notify_url": charge_request.notify_url,
    }


@pytest.mark.parametrize(
    ("channel", "method", "extra"),
    [
        (Channel.PAGE, "alipay.trade.page.pay", {"product_code": "FAST_INSTANT_TRADE_PAY"}),
        (
            Channel.H5,
            "alipay.trade.wap.pay",
            {"product_code": "QUICK_WAP_PAY", "quit_url": "https://shop.example/orders/K7/?token=a&b=c"},
        ),
    ],
)
def test_a_page_is_a_signed_url_made_without_asking(alipay, alipay_platform, charge_request, channel, method, extra):
    result = alipay.charge(replace(charge_request, channel=channel))
    assert result.qr == ""
    address, _, query = result.url.partition("?")
    assert address == "https://openapi.alipay.com/gateway.do"
    sent = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    alipay_platform.check(sent)
    assert (sent["method"], sent["return_url"]) == (method, charge_request.return_url)
    assert (
        json.loads(sent["biz_content"])
        == {
            "out_trade_no": PAYMENT,
            "total_amount": "57.00",
            "subject": "王者荣耀 60 点券",
            "time_expire": "2026-11-22 16:01:00",
        }
        | extra
    )
    assert "timeout_express" not in result.url
    assert alipay_platform.requests == []


def test_there_is_no_payment_inside_the_app(alipay, alipay_platform, charge_request):
    with pytest.raises(ValueError, match="channel"):
        alipay.charge(replace(charge_request, channel=Channel.JSAPI))
    assert alipay_platform.requests == []


@pytest.mark.parametrize(
    ("amount", "text"), [("0.01", "0.01"), ("57", "57.00"), ("57.5", "57.50"), ("100000000.00", "100000000.00")]
)
def test_amounts_have_two_decimals(alipay, alipay_platform, charge_request, amount, text):
    alipay_platform.answer(PRECREATE, payload("alipay", "precreate_success"))
    alipay.charge(replace(charge_request, amount=Decimal(amount)))
    assert json.loads(alipay_platform.requests[0]["biz_content"])["total_amount"] == text


def test_half_a_fen_is_never_rounded(alipay, alipay_platform, charge_request, refund_request):
    for call, request in ((alipay.charge, charge_request), (alipay.refund, refund_request)):
        with pytest.raises(ValueError, match="fraction of a fen"):
            call(replace(request, amount=Decimal("57.005")))
    assert alipay_platform.requests == []


def test_the_expiry_is_the_same_moment_from_every_time_zone(alipay, alipay_platform, charge_request):
    alipay_platform.answer(PRECREATE, payload("alipay", "precreate_success"))
    for hours in (-9, 0, 8):
        there = charge_request.expires_at.astimezone(timezone(timedelta(hours=hours)))
        alipay.charge(replace(charge_request, expires_at=there))
    contents = [json.loads(sent["biz_content"]) for sent in alipay_platform.requests]
    assert [content["time_expire"] for content in contents] == ["2026-11-22 16:01:00"] * 3
    with pytest.raises(ValueError, match="naive"):
        alipay.charge(replace(charge_request, expires_at=charge_request.expires_at.replace(tzinfo=None)))


def test_a_subject_loses_what_alipay_forbids_and_what_does_not_fit(alipay, alipay_platform, charge_request):
    alipay_platform.answer(PRECREATE, payload("alipay", "precreate_success"))
    alipay.charge(replace(charge_request, subject="A/B=C&D"))
    alipay.charge(replace(charge_request, subject="券" * 100))
    subjects = [json.loads(sent["biz_content"])["subject"] for sent in alipay_platform.requests]
    assert subjects == ["A B C D", "券" * 85]


@pytest.mark.parametrize(
    ("name", "status", "paid_at"),
    [
        ("query_wait_buyer_pay", GatewayStatus.PENDING, None),
        ("query_trade_success", GatewayStatus.CONFIRMED, datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)),
        ("query_trade_finished", GatewayStatus.CONFIRMED, datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)),
        ("query_trade_closed", GatewayStatus.CLOSED, None),
    ],
)
def test_a_query_tells_every_field_that_must_match(alipay, alipay_platform, name, status, paid_at):
    alipay_platform.answer(QUERY, payload("alipay", name))
    result = alipay.query(PAYMENT)
    assert (result.payment, result.status, result.reference) == (PAYMENT, status, TRADE)
    assert (result.amount, result.currency, result.paid_at) == (Decimal("57.00"), "CNY", paid_at)
    assert (result.merchant, result.app) == (alipay.merchant, alipay.app)
    assert result.raw == payload("alipay", name)
    assert json.loads(alipay_platform.requests[0]["biz_content"]) == {"out_trade_no": PAYMENT}


def test_a_trade_that_nobody_scanned_is_missing_and_not_failed(alipay, alipay_platform):
    alipay_platform.answer(QUERY, payload("alipay", "query_trade_not_exist"))
    result = alipay.query(PAYMENT)
    assert (result.status, result.amount) == (GatewayStatus.MISSING, None)


def test_a_foreign_trade_says_so(alipay, alipay_platform):
    alipay_platform.answer(QUERY, payload("alipay", "query_trade_success") | {"trans_currency": "USD"})
    assert alipay.query(PAYMENT).currency == "USD"


@pytest.mark.parametrize(
    "change",
    [
        {"out_trade_no": "SOMEONEELSES"},
        {"out_trade_no": None},
        {"trade_no": ""},
        {"trade_status": "TRADE_PENDING"},
        {"trade_status": None},
        {"total_amount": None},
        {"total_amount": 57.0},
        {"total_amount": 57},
        {"total_amount": "-57.00"},
        {"total_amount": "57.001"},
        {"total_amount": "5.7e1"},
        {"total_amount": "57.00 "},
        {"total_amount": "9" * 60},
    ],
)
def test_a_signed_query_that_is_malformed_or_of_another_order_is_no_result(alipay, alipay_platform, change):
    alipay_platform.answer(QUERY, payload("alipay", "query_trade_success") | change)
    with pytest.raises(GatewayUnknown):
        alipay.query(PAYMENT)


def test_a_time_that_cannot_be_read_does_not_lose_the_payment(alipay, alipay_platform):
    alipay_platform.answer(QUERY, payload("alipay", "query_trade_success") | {"send_pay_date": "yesterday"})
    result = alipay.query(PAYMENT)
    assert (result.status, result.paid_at) == (GatewayStatus.CONFIRMED, None)


def test_closing_ends_an_unpaid_trade(alipay, alipay_platform):
    alipay_platform.answer(CLOSE, payload("alipay", "close_success"))
    assert alipay.close(PAYMENT).status is GatewayStatus.CLOSED
    assert [sent["method"] for sent in alipay_platform.requests] == [CLOSE]


def test_closing_what_nobody_scanned_leaves_it_payable(alipay, alipay_platform):
    alipay_platform.answer(CLOSE, payload("alipay", "close_trade_not_exist"))
    assert alipay.close(PAYMENT).status is GatewayStatus.MISSING


@pytest.mark.parametrize(
    "code", ["ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_ILLEGAL_STATUS"]
)
@pytest.mark.parametrize(
    ("name", "status"),
    [("query_trade_success", GatewayStatus.CONFIRMED), ("query_trade_closed", GatewayStatus.CLOSED)],
)
def test_closing_what_was_paid_meanwhile_asks_what_became_of_it(alipay, alipay_platform, code, name, status):
    alipay_platform.answer(CLOSE, payload("alipay", "close_not_waiting") | {"sub_code": code})
    alipay_platform.answer(QUERY, payload("alipay", name))
    assert alipay.close(PAYMENT).status is status
    assert [sent["method"] for sent in alipay_platform.requests] == [CLOSE, QUERY]


def test_closing_that_is_refused_while_still_payable_stays_refused(alipay, alipay_platform):
    alipay_platform.answer(CLOSE, payload("alipay", "close_not_waiting"))
    alipay_platform.answer(QUERY, payload("alipay", "query_wait_buyer_pay"))
    with pytest.raises(GatewayRefused) as refused:
        alipay.close(PAYMENT)
    assert refused.value.code == "ACQ.REASON_TRADE_STATUS_INVALID"


def test_a_refund_that_moved_money_succeeded(alipay, alipay_platform, refund_request):
    alipay_platform.answer(REFUND_CALL, payload("alipay", "refund_moved"))
    result = alipay.refund(refund_request)
    assert (result.refund, result.payment, result.status) == (REFUND, PAYMENT, RefundStatus.SUCCEEDED)
    assert (result.amount, result.reference) == (None, TRADE)
    assert json.loads(alipay_platform.requests[0]["biz_content"]) == {
        "out_trade_no": PAYMENT,
        "refund_amount": "57.00",
        "out_request_no": REFUND,
        "refund_reason": "所有供应商均无法发货",
    }


@pytest.mark.parametrize("fund_change", ["N", "y", "", None, True])
def test_a_refund_that_was_only_accepted_is_pending(alipay, alipay_platform, refund_request, fund_change):
    node = payload("alipay", "refund_repeated") | {"fund_change": fund_change}
    alipay_platform.answer(REFUND_CALL, node)
    assert alipay.refund(refund_request).status is RefundStatus.PENDING
    del node["fund_change"]
    alipay_platform.answer(REFUND_CALL, node)
    assert alipay.refund(refund_request).status is RefundStatus.PENDING


@pytest.mark.parametrize(
    ("name", "status", "amount"),
    [
        ("refund_query_success", RefundStatus.SUCCEEDED, Decimal("57.00")),
        ("refund_query_pending", RefundStatus.PENDING, Decimal("57.00")),
        ("refund_query_none", RefundStatus.MISSING, None),
        ("query_trade_not_exist", RefundStatus.MISSING, None),
    ],
)
def test_only_refund_success_is_success(alipay, alipay_platform, name, status, amount):
    alipay_platform.answer(REFUND_QUERY, payload("alipay", name))
    result = alipay.refund_query(payment=PAYMENT, refund=REFUND)
    assert (result.refund, result.payment, result.status, result.amount) == (REFUND, PAYMENT, status, amount)
    assert json.loads(alipay_platform.requests[0]["biz_content"]) == {
        "out_trade_no": PAYMENT,
        "out_request_no": REFUND,
    }


@pytest.mark.parametrize("word", ["REFUND_PROCESSING", "REFUND_FAIL", "refund_success", ""])
def test_every_other_word_for_a_refund_is_pending(alipay, alipay_platform, word):
    alipay_platform.answer(REFUND_QUERY, payload("alipay", "refund_query_success") | {"refund_status": word})
    assert alipay.refund_query(payment=PAYMENT, refund=REFUND).status is RefundStatus.PENDING


@pytest.mark.parametrize(
    "change",
    [
        {"out_request_no": "ANOTHER"},
        {"out_trade_no": "ANOTHER"},
        {"out_request_no": None},
        {"refund_amount": 57},
        {"refund_amount": None},
    ],
)
def test_a_signed_answer_about_another_refund_is_no_result(alipay, alipay_platform, change):
    alipay_platform.answer(REFUND_QUERY, payload("alipay", "refund_query_success") | change)
    with pytest.raises(GatewayUnknown):
        alipay.refund_query(payment=PAYMENT, refund=REFUND)


def test_a_signed_answer_about_another_payment_is_no_answer(
    alipay, alipay_platform, charge_request, refund_request, calls
):
    for method, call in (
        (CREATE, calls[CREATE][0]),
        (PRECREATE, lambda: alipay.charge(charge_request)),
        (CLOSE, lambda: alipay.close(PAYMENT)),
        (REFUND_CALL, lambda: alipay.refund(refund_request)),
    ):
        alipay_platform.answer(method, payload("alipay", SUCCESSES[method]) | {"out_trade_no": "ANOTHER"})
        with pytest.raises(GatewayUnknown, match="another out_trade_no"):
            call()


def test_a_reply_to_another_call_is_no_answer(alipay, alipay_platform):
    alipay_platform.answers[QUERY] = lambda _: alipay_platform.reply(CLOSE, payload("alipay", "query_trade_success"))
    with pytest.raises(GatewayUnknown, match="no answer"):
        alipay.query(PAYMENT)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("precreate_trade_has_success", "ACQ.TRADE_HAS_SUCCESS"),
        ("refund_balance_not_enough", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
    ],
)
def test_a_signed_refusal_is_definite(calls, alipay_platform, method, name, code):
    alipay_platform.answer(method, payload("alipay", name))
    with pytest.raises(GatewayRefused) as refused:
        calls[method][0]()
    assert refused.value.code == code


def test_a_signed_refusal_without_a_detail_is_known_by_its_code(alipay, alipay_platform):
    alipay_platform.answer(QUERY, {"code": "40006", "msg": "Insufficient Permissions"})
    with pytest.raises(GatewayRefused, match="Insufficient") as refused:
        alipay.query(PAYMENT)
    assert refused.value.code == "40006"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["system_error", "acquirer_system_error"])
def test_a_failure_of_alipays_own_systems_is_unknown(calls, alipay_platform, method, name):
    alipay_platform.answer(method, payload("alipay", name))
    with pytest.raises(GatewayUnknown):
        calls[method][0]()


@pytest.mark.parametrize(
    "sub_code", ["aop.unknow-error", "isp.unknow-error", "aop.ACQ.SYSTEM_ERROR", "isp.remote-timeout"]
)
def test_a_failure_of_the_platform_is_unknown_under_any_code(alipay, alipay_platform, refund_request, sub_code):
    alipay_platform.answer(REFUND_CALL, {"code": "40004", "msg": "Business Failed", "sub_code": sub_code})
    with pytest.raises(GatewayUnknown, match=sub_code):
        alipay.refund(refund_request)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [201, 500])
def test_a_signed_success_under_another_http_status_is_unknown(calls, alipay_platform, method, status):
    body = alipay_platform.reply(method, payload("alipay", SUCCESSES[method])).content
    alipay_platform.answers[method] = lambda _: httpx.Response(status, content=body)
    with pytest.raises(GatewayUnknown, match=f"HTTP {status}"):
        calls[method][0]()


@pytest.mark.parametrize("method", METHODS)
def test_too_many_calls_means_later(calls, alipay_platform, method):
    alipay_platform.answer(method, payload("alipay", "call_limited"))
    with pytest.raises(GatewayUnavailable):
        calls[method][0]()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrapper", ["error_response", None])
@pytest.mark.parametrize("name", ["error_invalid_signature", "refund_balance_not_enough", "query_trade_not_exist"])
def test_an_error_without_a_signature_is_never_a_refusal(calls, alipay_platform, method, wrapper, name):
    body = {wrapper or method.replace(".", "_") + "_response": payload("alipay", name)}
    alipay_platform.answers[method] = lambda _: httpx.Response(200, json=body)
    call, meaning = calls[method]
    with pytest.raises(meaning) as raised:
        call()
    assert type(raised.value) is meaning


def test_an_unsigned_system_error_is_unknown_for_a_charge_too(alipay, alipay_platform, charge_request):
    body = {"error_response": payload("alipay", "system_error")}
    alipay_platform.answers[PRECREATE] = lambda _: httpx.Response(200, json=body)
    with pytest.raises(GatewayUnknown):
        alipay.charge(charge_request)


@pytest.mark.parametrize("method", METHODS)
def test_a_success_without_a_signature_is_unknown(calls, alipay_platform, method):
    body = {method.replace(".", "_") + "_response": payload("alipay", SUCCESSES[method])}
    for unsigned in (body, body | {"sign": ""}, body | {"sign": None}):
        alipay_platform.answers[method] = lambda _, unsigned=unsigned: httpx.Response(200, json=unsigned)
        with pytest.raises(GatewayUnknown):
            calls[method][0]()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["success", "refusal"])
def test_a_wrongly_signed_reply_is_unknown(calls, alipay_platform, keys, method, name):
    node = payload("alipay", SUCCESSES[method] if name == "success" else "query_trade_not_exist")
    alipay_platform.key = keys.stranger
    alipay_platform.answer(method, node)
    with pytest.raises(GatewayUnknown, match="wrong signature"):
        calls[method][0]()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(302, headers={"location": "https://openapi.alipay.com/"}),
        httpx.Response(200, text="<html>系统维护</html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"{"),
        httpx.Response(200, content=b"\xff\xfe{}"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"error_response": {}}),
        httpx.Response(200, json={"error_response": "busy"}),
    ],
    ids=str,
)
def test_anything_that_is_no_reply_is_unknown(calls, alipay_platform, method, response):
    alipay_platform.answers[method] = lambda _: httpx.Response(
        response.status_code, headers=response.headers, content=response.content
    )
    with pytest.raises(GatewayUnknown):
        calls[method][0]()


@pytest.mark.parametrize("method", METHODS)
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
def test_no_reply_is_unknown_unless_nothing_was_sent(calls, network, method, failure, meaning):
    network.route(host="openapi.alipay.com").mock(side_effect=failure)
    with pytest.raises(meaning):
        calls[method][0]()


@pytest.mark.parametrize("value", ["1} 折", "{", "\\", '"}', "{}{{", '} \\" {'])
def test_braces_and_quotes_in_a_value_do_not_end_the_signed_text(alipay, alipay_platform, value):
    node = payload("alipay", "query_trade_success") | {"store_name": value}
    alipay_platform.answer(QUERY, node)
    assert alipay.query(PAYMENT).raw["store_name"] == value


def test_the_text_is_verified_as_it_came_with_escaped_slashes_and_spaces(alipay, alipay_platform, keys):
    node = json.dumps(payload("alipay", "query_trade_success"), indent=3, ensure_ascii=True).replace("-", "\\u002d")
    signature = rsa_sign(keys.platform, node.encode())
    body = f'\n{{ "sign" : "{signature.replace("/", chr(92) + "/")}",\n "alipay_trade_query_response" :\t{node} }}\n'
    alipay_platform.answers[QUERY] = lambda _: httpx.Response(200, content=body.encode())
    assert alipay.query(PAYMENT).status is GatewayStatus.CONFIRMED


def test_a_second_node_beside_the_signed_one_is_refused(alipay, alipay_platform, keys):
    genuine = json.dumps(payload("alipay", "query_wait_buyer_pay"))
    forged = json.dumps(payload("alipay", "query_trade_success"))
    signature = rsa_sign(keys.platform, genuine.encode())
    for first, second in ((genuine, forged), (forged, genuine)):
        body = (
            f'{{"{"alipay_trade_query_response"}":{first},"alipay_trade_query_response":{second},"sign":"{signature}"}}'
        )
        alipay_platform.answers[QUERY] = lambda _, body=body: httpx.Response(200, content=body.encode())
        with pytest.raises(GatewayUnknown, match="twice"):
            alipay.query(PAYMENT)


def test_asking_again_sends_the_same_order(alipay, alipay_platform, charge_request):
    alipay_platform.answer(PRECREATE, payload("alipay", "precreate_success"))
    assert alipay.charge(charge_request) == alipay.charge(charge_request)
    first, second = alipay_platform.requests
    assert first == second


def test_no_secret_and_no_key_is_in_an_error(alipay, alipay_platform, alipay_config, calls):
    alipay_platform.answers = {method: lambda _: httpx.Response(502) for method in METHODS}
    for call, _ in calls.values():
        with pytest.raises(GatewayUnknown) as raised:
            call()
        assert "sign" not in str(raised.value)
        assert str(alipay_config["app_id"]) not in str(raised.value)


def test_the_cashier_url_stays_below_what_browsers_take(alipay, charge_request):
    url = alipay.charge(replace(charge_request, channel=Channel.H5, subject="券" * 200)).url
    assert len(url) < 2500
    assert urlsplit(url).scheme == "https"
