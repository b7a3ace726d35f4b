"""The yrapi family's own ways: a table of numbers for each installation, part of a credit, words for refusals."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from fulfillment.suppliers.base import (
    AccountVerdict,
    Attempt,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierMisconfigured,
    SupplierProduct,
    SupplierSilent,
)
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.yrapi.adapter import YrapiAdapter
from fulfillment.suppliers.yrapi.signing import signature, signed
from fulfillment.suppliers.yrapi.states import State, state_map
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_yrapi import BOYANYUN, CHAYUE, LXTC, YrapiSide
from tests.fulfillment.suppliers.sides import CALLBACK_URL, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Server

SIDE = YrapiSide()


def form(server: Server) -> dict[str, str]:
    """The only request's fields."""
    (asked,) = server.asked
    return dict(parse_qsl(asked.body.decode(), keep_blank_values=True))


def submitted(server: Server, http: HttpClient, attempt: Attempt) -> dict[str, str]:
    server.answers.append(SIDE.accepted())
    SIDE.adapter(server.url, http).submit(attempt)
    return form(server)


# The digests were made with `md5sum` from the text that the documentation describes.
def test_the_signature_is_over_the_sorted_query_without_escapes() -> None:
    request = {
        "out_trade_num": "GG5822222266",
        "product_id": "68",
        "mobile": "18866667777",
        "notify_url": "http://www.abc.com",
        "userid": "10001",
    }
    assert signature(request, "aaaaaaaaaaaaaaaaaaa") == "1A4996CFBB04B10E32180E0DEA567EBD"
    callback = payload("yrapi", "callback")
    assert signed(callback, "85F5C86BE67B2563DAD40FCC651BD1AF", "aaaaaaaaaaaaaaaaaaa")
    assert not signed(callback | {"state": "2"}, "85F5C86BE67B2563DAD40FCC651BD1AF", "aaaaaaaaaaaaaaaaaaa")


def test_an_order_is_a_signed_form_with_the_highest_cost(server: Server, http: HttpClient) -> None:
    sent = submitted(server, http, SIDE.attempt())
    sign = sent.pop("sign")
    assert sign == SIDE.sign(sent)
    assert sent == {
        "out_trade_num": REFERENCE,
        "product_id": "68",
        "mobile": PHONE,
        "notify_url": CALLBACK_URL,
        "price": "97.5000",
        "userid": SIDE.userid,
    }
    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/yrapi.php/index/recharge")
    assert server.asked[0].headers["content-type"].startswith("application/x-www-form-urlencoded")


def test_without_a_limit_no_price_is_named(server: Server, http: HttpClient) -> None:
    assert "price" not in submitted(server, http, replace(SIDE.attempt(), max_cost=None))


@pytest.mark.parametrize("limit", ["0", "0.00004", "-1"])
def test_a_limit_that_they_would_read_as_none_is_not_sent(server: Server, http: HttpClient, limit: str) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), max_cost=Decimal(limit)))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.PRICE_ABOVE_LIMIT)
    assert server.asked == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": {}}, Reason.MISSING_ACCOUNT),
        ({"account": {"phone": "  ", "carrier": "移动"}}, Reason.MISSING_ACCOUNT),
        ({"quantity": 2}, Reason.WRONG_KIND),
        ({"wants_codes": True}, Reason.WRONG_KIND),
    ],
)
def test_what_is_not_one_top_up_of_one_number_is_not_sent(
    server: Server, http: HttpClient, changes: dict[str, Any], reason: Reason
) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), **changes))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, reason)
    assert server.asked == []


def test_other_accounts_than_phones_are_charged_too(server: Server, http: HttpClient) -> None:
    assert submitted(server, http, replace(SIDE.attempt(), account={"account": "10001000"}))["mobile"] == "10001000"


@pytest.mark.parametrize("errno", [0, "0"])
def test_taken_means_accepted_and_tells_the_cost(server: Server, http: HttpClient, errno: object) -> None:
    server.answers.append(answer(json.loads(SIDE.accepted().body) | {"errno": errno}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.cost) == (OutcomeKind.ACCEPTED, Decimal("94.8"))
    assert outcome.supplier_reference == SIDE.order_id


@pytest.mark.parametrize("changes", [{"mobile": "13900000000"}, {"product_id": 69}, {"order_number": ""}])
def test_an_acceptance_of_something_else_is_unknown(
    server: Server, http: HttpClient, changes: Mapping[str, Any]
) -> None:
    server.answers.append(SIDE.told("recharge", **changes))
    assert SIDE.adapter(server.url, http).submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


def test_a_number_that_comes_back_masked_is_no_other_number(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("recharge", mobile="138****5678"))
    assert SIDE.adapter(server.url, http).submit(SIDE.attempt()).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize(
    ("errno", "message"),
    [(1, "已经存在相同商户订单号的订单"), (208, "提交失败"), (1, f"已经存在相同商户订单号的订单    {REFERENCE}    3")],
)
def test_a_number_used_before_is_asked_about(server: Server, http: HttpClient, errno: int, message: str) -> None:
    server.answers.append(answer({"errno": errno, "errmsg": message, "data": ""}))
    server.answers.append(SIDE.told("check_delivered"))
    adapter = SIDE.adapter(server.url, http)
    outcome = adapter.submit(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.DUPLICATE)
    assert adapter.query(SIDE.attempt()).kind is OutcomeKind.DELIVERED


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("签名错误", Reason.BAD_CREDENTIALS),
        ("未开通的商户ID,请联系客服开通", Reason.BAD_CREDENTIALS),
        ("账户不可用,请联系客服", Reason.BAD_CREDENTIALS),
        ("请将ip加入接口白名单", Reason.BAD_CREDENTIALS),
        ("余额不足", Reason.NO_BALANCE),
        ("成本限制，提单不通过！", Reason.PRICE_ABOVE_LIMIT),
        ("产品库存不足", Reason.OUT_OF_STOCK),
        ("未找到相关产品(产品ID不正确或已下架)", Reason.PRODUCT_UNAVAILABLE),
        ("要充值的产品还没有准备好，请联系平台！", Reason.PRODUCT_UNAVAILABLE),
        ("手机号格式不正确", Reason.BAD_ACCOUNT),
        ("该号码无法充值", Reason.BAD_ACCOUNT),
        ("该账号检测状态不正常，请核实后再提交订单", Reason.BAD_ACCOUNT),
        ("暂不支持该运营商", Reason.BAD_ACCOUNT),
        ("参数错误或请求方式错误，请使用http-post表单", Reason.BAD_REQUEST),
    ],
)
def test_refusals_are_known_by_their_words(server: Server, http: HttpClient, message: str, reason: Reason) -> None:
    server.answers.append(answer({"errno": 1, "errmsg": message, "data": ""}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, reason)
    assert outcome.eliminates == (reason in {Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})


@pytest.mark.parametrize(
    "message",
    [
        *(
            "",
            "下单失败，请重试！",
            "当前号码已经存在订单",
            "系统繁忙，库存不足",
            "扣款超时，余额不足",
            "提交成功，余额不足",
        ),
        *("操作异常", "订单处理中", "unknown"),
    ],
)
def test_a_refusal_with_a_doubt_in_it_is_unknown(server: Server, http: HttpClient, message: str) -> None:
    server.answers.append(answer({"errno": 1, "errmsg": message, "data": ""}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE, False)


A, D, P, F = OutcomeKind.ACCEPTED, OutcomeKind.DELIVERED, OutcomeKind.PARTIAL, OutcomeKind.FAILED
UNKNOWN = OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("states", "ends"),
    [
        (BOYANYUN, {0: A, 1: D, 2: F, 3: P, -1: F, 4: UNKNOWN, 9: UNKNOWN}),
        (LXTC, {0: A, 1: D, 2: P, -1: F, 3: UNKNOWN}),
        (CHAYUE, {1: A, 2: A, 3: A, 4: D, 5: F, 6: UNKNOWN, 0: UNKNOWN}),
        ({**CHAYUE, "6": "reversed"}, {6: OutcomeKind.REVERSED}),
        ({**CHAYUE, "6": "failed"}, {6: F}),
    ],
    ids=["boyanyun", "lxtc", "chayue", "chayue-6-reversed", "chayue-6-failed"],
)
def test_each_installation_has_numbers_of_its_own(
    server: Server, http: HttpClient, states: Mapping[str, str], ends: Mapping[int, OutcomeKind]
) -> None:
    adapter = SIDE.adapter(server.url, http, states=states)
    field = states.get("field", "state")
    other = "status" if field == "state" else "state"
    for number, kind in ends.items():
        for written in (number, str(number)):
            server.answers.append(SIDE.told("check_charging", **{field: written, other: 1}))
            outcome = adapter.query(SIDE.attempt(asked=True))
            assert outcome.kind is kind, (number, outcome)
            assert (outcome.code == Reason.UNKNOWN_STATE) == (kind is UNKNOWN)


@pytest.mark.parametrize("state", ["", None, "success", 1.0, True, [1], {"1": 1}, " 1x", "１"])
def test_what_is_no_number_is_no_state(server: Server, http: HttpClient, state: object) -> None:
    server.answers.append(SIDE.told("check_delivered", state=state))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


def test_a_part_of_the_credit_cannot_be_told_in_units(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("check_partial"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.done, outcome.items) == (OutcomeKind.PARTIAL, None, ())
    assert '"charge_amount":"50.00"' in outcome.evidence


@pytest.mark.parametrize("state", [2, -1])
@pytest.mark.parametrize("field", ["charge_amount", "charge_face"])
def test_a_failure_that_charged_something_is_partial(server: Server, http: HttpClient, state: int, field: str) -> None:
    server.answers.append(SIDE.told("check_failed", state=state, **{"charge_amount": "", field: "30.00"}))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.PARTIAL


def test_canceled_by_them_is_an_end_without_goods(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("check_canceled"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, Reason.CANCELED)


def test_an_empty_list_is_no_such_order(server: Server, http: HttpClient) -> None:
    server.answers.append(answer(payload("yrapi", "check_none")))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_FOUND, Reason.NO_SUCH_ORDER)
    assert form(server)["out_trade_nums"] == REFERENCE


@pytest.mark.parametrize("data", [None, "", {}, "[]", 0, False, [[]], [None], ["GG5822222266"]])
def test_anything_but_a_list_of_orders_says_nothing(server: Server, http: HttpClient, data: object) -> None:
    server.answers.append(answer({"errno": 0, "errmsg": "ok", "data": data}))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


def test_two_orders_under_one_number_are_for_a_person(server: Server, http: HttpClient) -> None:
    fields = json.loads(SIDE.told("check_failed").body)
    fields["data"] *= 2
    server.answers.append(answer(fields))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


def test_another_order_under_our_number_is_not_ours(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("check_failed", order_number="CZH999"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


def test_balance_prices_and_goods_are_told(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers.append(answer(payload("yrapi", "user")))
    assert adapter.balance() == Decimal("8123.45")
    for _ in range(4):
        server.answers.append(answer(payload("yrapi", "product")))
    page = adapter.products("")
    assert page.next_cursor == ""
    assert page.products == (
        SupplierProduct("68", "全国移动话费100元", Decimal("94.80")),
        SupplierProduct("69", "全国移动话费50元", None, is_available=False),
        SupplierProduct("70", "全国电信话费100元", Decimal("96.10")),
    )
    assert adapter.price("70") == Decimal("96.10")
    assert adapter.price("69") is None
    assert adapter.price("71") is None
    assert adapter.products("1").products == ()
    assert adapter.check_account("68", {"phone": PHONE}).verdict is AccountVerdict.UNAVAILABLE


@pytest.mark.parametrize(
    "fields",
    [
        {"errno": 1, "errmsg": "签名错误", "data": ""},
        {"errno": 0, "errmsg": "ok", "data": None},
        {"errno": 0, "errmsg": "ok", "data": [{"id": "68", "name": "x", "price": "1.00"}]},
        {"errno": 0, "errmsg": "ok", "data": [{"products": [{"name": "x", "price": "1.00"}]}]},
        {"errmsg": "ok", "data": []},
    ],
)
def test_a_price_list_that_cannot_be_read_is_silence(
    server: Server, http: HttpClient, fields: Mapping[str, Any]
) -> None:
    adapter = SIDE.adapter(server.url, http)
    for _ in range(3):
        server.answers.append(answer(fields))
    with pytest.raises(SupplierSilent) as silent:
        adapter.products("")
    assert SIDE.apikey not in str(silent.value)
    with pytest.raises(SupplierSilent):
        adapter.price("68")
    assert adapter.balance() is None


def test_nothing_is_taken_back(server: Server, http: HttpClient) -> None:
    outcome = SIDE.adapter(server.url, http).cancel(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NOT_SUPPORTED)
    assert server.asked == []
    assert Capability.CANCEL not in YrapiAdapter.capabilities


def test_a_delivery_is_believed_as_it_is_signed(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    claim = adapter.parse_callback(headers={}, body=SIDE.notice())
    assert claim.reference == REFERENCE
    assert claim.outcome is not None
    assert (claim.outcome.kind, claim.outcome.items) == (OutcomeKind.DELIVERED, ())
    assert claim.outcome.supplier_reference == SIDE.order_id
    kept = claim.outcome.evidence + repr(claim)
    assert not any(secret in kept for secret in (PHONE, SIDE.apikey, SIDE.userid))
    assert claim == adapter.parse_callback(headers={}, body=SIDE.notice())


@pytest.mark.parametrize("state", ["0", "2", "3", "-1", "9", "", "success", None])
def test_any_other_state_rings_and_is_asked_about(http: HttpClient, state: str | None) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    claim = adapter.parse_callback(headers={}, body=SIDE.notice(state=state))
    assert (claim.reference, claim.outcome) == (REFERENCE, None)
    assert claim.event_id != adapter.parse_callback(headers={}, body=SIDE.notice()).event_id


def test_a_callback_without_the_field_of_the_map_is_asked_about(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http, states=CHAYUE)
    assert adapter.parse_callback(headers={}, body=SIDE.notice()).outcome is None
    claim = adapter.parse_callback(headers={}, body=SIDE.notice(status="4"))
    assert claim.outcome is not None


def test_fields_that_were_added_are_signed_too(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    assert adapter.parse_callback(headers={}, body=SIDE.notice(zz_new="新 字段+1%")).outcome is not None
    with pytest.raises(CallbackRefused, match="signature"):
        adapter.parse_callback(headers={}, body=SIDE.notice() + b"&zz_new=1")


def _moved(what: str) -> bytes:
    """A genuine text whose fields were cut elsewhere: `remark` held `x&state=1&t=`, and now says so on its own."""
    remark = "x&state=1&t="
    fields = payload("yrapi", "callback") | {"userid": SIDE.userid, "out_trade_num": REFERENCE, "state": "2"}
    sign = SIDE.sign(fields | {"remark": remark})
    if what == "as signed":
        return urlencode(fields | {"remark": remark, "sign": sign}).encode()
    return urlencode(fields | {"remark": "x", "state": "1", "t": "&state=2", "sign": sign}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"success",
        b"{}",
        b"\xff\xfe",
        b"a=%FF%FE",
        SIDE.notice().replace(b"state=1", b"state=2"),
        SIDE.notice(state="2").replace(b"state=2", b"state=1"),
        SIDE.notice().replace(REFERENCE.encode(), REFERENCE[::-1].encode()),
        SIDE.notice().replace(b"charge_amount=100.00", b"charge_amount=50.00"),
        SIDE.notice().replace(b"sign=", b"sign=0"),
        SIDE.notice().replace(b"sign=", b"sing="),
        SIDE.notice().partition(b"&")[2],
        b"sign=&" + SIDE.notice().partition(b"&")[2],
        SIDE.notice() + b"&state=1",
        SIDE.notice() + b"&sign=" + b"0" * 32,
        SIDE.notice() + b"&extra=1",
        SIDE.notice()[:-20],
        SIDE.notice(apikey="f" * 32),
        SIDE.notice(userid="10002"),
        SIDE.notice(userid=None),
        SIDE.notice(out_trade_num=""),
        SIDE.notice(out_trade_num="../1"),
        SIDE.notice(out_trade_num=None),
        SIDE.notice(order_number="\0"),
        SIDE.notice(order_number=None),
        _moved("as signed"),
        _moved("cut elsewhere"),
        urlencode({"sign": SIDE.sign({})}).encode(),
        "&".join(f"f{number}=1" for number in range(60)).encode(),
        json.dumps(dict(parse_qsl(SIDE.notice().decode()))).encode(),
    ],
)
def test_forged_and_malformed_callbacks_are_refused(http: HttpClient, body: bytes) -> None:
    with pytest.raises(CallbackRefused) as refused:
        SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=body)
    assert SIDE.apikey not in str(refused.value)


def test_a_signature_in_lower_case_or_of_an_empty_key_is_none(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    fields = dict(parse_qsl(SIDE.notice().decode(), keep_blank_values=True))
    sign = fields.pop("sign")
    empty = signature(fields, "")
    for wrong in (sign.lower(), empty, "签" * 32, sign + " "):
        with pytest.raises(CallbackRefused, match="signature"):
            adapter.parse_callback(headers={}, body=urlencode(fields | {"sign": wrong}).encode())


def test_they_stop_at_success(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    assert adapter.callback_reply(accepted=True) == (200, "text/plain", b"success")
    assert adapter.callback_reply(accepted=False)[0] == 400


def test_a_table_of_states_says_which_field_holds_the_number() -> None:
    assert state_map(json.dumps(BOYANYUN)).field == "state"
    known = state_map(json.dumps(CHAYUE))
    assert (known.field, known.of({"state": 4, "status": "5"})) == ("status", State.FAILED)


@pytest.mark.parametrize(
    "states",
    [
        "{",
        "[]",
        "1",
        '"state"',
        "{}",
        '{"0":"accepted"}',
        '{"1":"delivered"}',
        '{"0":"accepted","1":"delivered","2":"lost"}',
        '{"0":"accepted","1":"delivered","2":5}',
        '{"0":"accepted","1":"delivered","two":"failed"}',
        '{"0":"accepted","1":"delivered","01":"failed"}',
        '{"0":"accepted","1":"delivered","1":"failed"}',
        '{"0":"accepted","1":"delivered","field":""}',
        '{"0":"accepted","1":"delivered","field":["state"]}',
        '{"0":"accepted","1":"delivered","field":"a b"}',
    ],
)
def test_a_table_of_states_that_cannot_be_used_is_refused(http: HttpClient, states: str) -> None:
    config = {"userid": SIDE.userid, "apikey": SIDE.apikey, "states": states}
    with pytest.raises(SupplierMisconfigured, match="states: "):
        YrapiAdapter(Connection("tongxin", "https://hf.example/yrapi.php", config), http)
