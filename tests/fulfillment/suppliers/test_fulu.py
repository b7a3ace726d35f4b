"""Fulu's own ways: three methods, a weak signature, sealed cards, and error codes that are known by their words."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import (
    Attempt,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierMisconfigured,
)
from fulfillment.suppliers.fulu.adapter import FuluAdapter
from fulfillment.suppliers.fulu.signing import compact, decrypted, signed
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CODES, PHONE, REFERENCE, FuluSide, answer, payload
from tests.fulfillment.suppliers.wire import Server

SIDE = FuluSide()


def sent(server: Server) -> tuple[dict[str, Any], dict[str, Any]]:
    """The envelope and the business part of the only request."""
    (asked,) = server.asked
    envelope = json.loads(asked.body)
    return envelope, json.loads(envelope["biz_content"])


def submitted(server: Server, http: HttpClient, attempt: Attempt) -> dict[str, Any]:
    server.answers.append(SIDE.told("direct_add"))
    SIDE.adapter(server.url, http).submit(attempt)
    envelope, biz = sent(server)
    return {"method": envelope["method"], **biz}


def test_the_published_signatures_hold() -> None:
    notice, user = payload("fulu", "callback"), payload("fulu", "user_info")
    sign = notice.pop("sign")
    assert signed(compact(notice), sign, SIDE.secret)
    assert signed(user["result"], user["sign"], SIDE.secret)
    assert not signed(user["result"] + " ", user["sign"], SIDE.secret)
    assert not signed(user["result"], "", SIDE.secret)
    assert not signed(user["result"], None, SIDE.secret)


def test_the_published_cards_open() -> None:
    (card,) = payload("fulu", "order_cards")["result"]["cards"]
    assert decrypted(card["card_number"], SIDE.secret) == "CD1000250201906121742434441"
    assert decrypted(card["card_pwd"], SIDE.secret) == "CP1000250201906121742434441"


def test_a_request_is_signed_over_its_characters(server: Server, http: HttpClient) -> None:
    submitted(server, http, SIDE.attempt())
    envelope, _ = sent(server)
    sign = envelope.pop("sign")
    text = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    assert sign == hashlib.md5(("".join(sorted(text)) + SIDE.secret).encode()).hexdigest()
    assert {
        key: envelope[key] for key in ("app_key", "version", "format", "charset", "sign_type", "app_auth_token")
    } == {
        "app_key": SIDE.key,
        "version": "2.0",
        "format": "json",
        "charset": "utf-8",
        "sign_type": "md5",
        "app_auth_token": "",
    }
    assert server.asked[0].path == "/api/getway"


def test_direct_charge_names_account_region_server_and_role(server: Server, http: HttpClient) -> None:
    attempt = replace(SIDE.attempt(), quantity=3, account={**SIDE.account, "qq": "10001", "phone": PHONE})
    assert submitted(server, http, attempt) == {
        "method": "fulu.order.direct.add",
        "customer_order_no": REFERENCE,
        "product_id": 10000586,
        "buy_num": 3,
        "customer_price": 19.0,
        "charge_account": "482019375",
        "charge_game_region": "微信区安卓",
        "charge_game_srv": "手Q一百二十区",
        "charge_game_role": "常山赵子龙",
        "contact_qq": "10001",
        "contact_tel": PHONE,
    }


@pytest.mark.parametrize(
    ("account", "charged"),
    [
        ({"account": "a@example.com", "uid": "77"}, "a@example.com"),
        ({"uid": "77", "phone": PHONE}, "77"),
        ({"phone": PHONE, "email": "a@example.com"}, PHONE),
        ({"email": "a@example.com"}, "a@example.com"),
        ({"charge_account": "raw", "uid": "77"}, "raw"),
    ],
)
def test_the_charged_account_is_the_first_that_was_asked_for(
    server: Server, http: HttpClient, account: Mapping[str, str], charged: str
) -> None:
    assert submitted(server, http, replace(SIDE.attempt(), account=account))["charge_account"] == charged


@pytest.mark.parametrize("account", [{}, {"server": "1"}, {"uid": "  "}, {"nickname": "x"}])
def test_without_an_account_nothing_is_charged(server: Server, http: HttpClient, account: Mapping[str, str]) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), account=account))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.MISSING_ACCOUNT)
    assert server.asked == []


def test_phone_credit_is_a_face_value_and_no_product(server: Server, http: HttpClient) -> None:
    attempt = replace(SIDE.attempt(), sku="mobile:50", quantity=2, account={"phone": PHONE}, max_cost=Decimal("99.2"))
    assert submitted(server, http, attempt) == {
        "method": "fulu.order.mobile.add",
        "customer_order_no": REFERENCE,
        "charge_phone": PHONE,
        "charge_value": 100,
        "customer_price": 99.2,
    }


def test_phone_credit_is_followed_under_the_number_they_chose(server: Server, http: HttpClient) -> None:
    attempt = replace(SIDE.attempt(), sku="mobile:50", account={"phone": PHONE})
    server.answers.append(SIDE.told("mobile_add"))
    server.answers.append(SIDE.told("order_success", product_id=18221081, product_name="联通话费", order_price=46.3))
    adapter = SIDE.adapter(server.url, http)
    assert adapter.submit(attempt).kind is OutcomeKind.ACCEPTED
    outcome = adapter.query(attempt)
    assert (outcome.kind, outcome.cost) == (OutcomeKind.DELIVERED, Decimal("46.3"))


@pytest.mark.parametrize(("sku", "account"), [("mobile:50", {"uid": "1"}), ("mobile:50", {})])
def test_phone_credit_needs_a_phone(server: Server, http: HttpClient, sku: str, account: Mapping[str, str]) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), sku=sku, account=account))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.MISSING_ACCOUNT)
    assert server.asked == []


def test_phone_credit_is_no_code(server: Server, http: HttpClient) -> None:
    attempt = replace(SIDE.attempt(codes=1), sku="mobile:50", account={"phone": PHONE})
    assert SIDE.adapter(server.url, http).submit(attempt).code == Reason.WRONG_KIND
    assert server.asked == []


def test_cards_are_ordered_by_product(server: Server, http: HttpClient) -> None:
    assert submitted(server, http, SIDE.attempt(codes=2)) == {
        "method": "fulu.order.card.add",
        "customer_order_no": REFERENCE,
        "product_id": 10000587,
        "buy_num": 2,
        "customer_price": 28.5,
    }


def test_without_a_limit_no_price_is_named(server: Server, http: HttpClient) -> None:
    assert "customer_price" not in submitted(server, http, replace(SIDE.attempt(), max_cost=None))


def test_the_limit_for_a_piece_is_rounded_down(server: Server, http: HttpClient) -> None:
    attempt = replace(SIDE.attempt(), quantity=3, max_cost=Decimal("10"))
    assert submitted(server, http, attempt)["customer_price"] == 3.3333


def test_code_zero_is_accepted_even_if_the_order_is_said_to_be_done(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("direct_add", order_state="success"))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.cost) == (OutcomeKind.ACCEPTED, Decimal("49.875"))


def test_a_card_with_a_number_is_given_with_it(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("order_cards"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1))
    assert outcome.items == ("CD1000250201906121742434441 CP1000250201906121742434441",)
    assert "CP1000250201906121742434441" not in repr(outcome) + outcome.evidence
    assert payload("fulu", "order_cards")["result"]["cards"][0]["card_pwd"] not in outcome.evidence


@pytest.mark.parametrize("number", ["", None, "-", "--", CODES[0]])
def test_a_card_number_that_is_none_is_left_out(server: Server, http: HttpClient, number: str | None) -> None:
    card = {"card_number": SIDE.seal(number) if number else number, "card_pwd": SIDE.seal(CODES[0])}
    server.answers.append(SIDE.told("order_cards", cards=[card]))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1)).items == (CODES[0],)


@pytest.mark.parametrize(
    "cards",
    [
        None,
        [],
        {},
        "12345678",
        ["12345678"],
        [None],
        [{}],
        [{"card_number": "", "card_pwd": ""}],
        [{"card_number": FuluSide.seal(CODES[0]), "card_pwd": None}],
        [{"card_number": "", "card_pwd": CODES[0]}],
        [{"card_number": "", "card_pwd": "bm90IGEgYmxvY2s="}],
        [{"card_number": "", "card_pwd": "AAAAAAAAAAAAAAAAAAAAAA=="}],
        [{"card_number": "", "card_pwd": 12345678}],
        [{"card_number": "", "card_pwd": FuluSide.seal("")}],
        [{"card_number": FuluSide.seal("1"), "card_pwd": FuluSide.seal("请联系客服")}],
    ],
)
def test_cards_that_do_not_open_are_no_delivery(server: Server, http: HttpClient, cards: object) -> None:
    server.answers.append(SIDE.told("order_cards", cards=cards))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())


def test_a_failed_order_that_shows_cards_is_unknown(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("order_cards", order_state="failed"))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1)).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("state", ["untreated", "processing"])
def test_an_open_order_is_waited_for(server: Server, http: HttpClient, state: str) -> None:
    server.answers.append(SIDE.told("order_processing", order_state=state))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("state", ["", None, "Success", "SUCCESS", "refund", 1, ["success"], {"success": True}])
def test_only_the_documented_states_count(server: Server, http: HttpClient, state: object) -> None:
    server.answers.append(SIDE.told("order_processing", order_state=state))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("changes", [{"buy_num": 2}, {"product_id": 10000999}, {"order_id": ""}, {"order_id": None}])
def test_an_order_of_other_goods_is_not_ours(server: Server, http: HttpClient, changes: Mapping[str, Any]) -> None:
    server.answers.append(SIDE.told("order_success", **changes))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("message", ["订单不存在", "该单号不存在", "未查询到订单信息", "查无此订单"])
def test_no_such_order_is_not_found(server: Server, http: HttpClient, message: str) -> None:
    server.answers.append(answer({"code": 3010, "message": message, "result": None, "sign": ""}))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_FOUND, Reason.NO_SUCH_ORDER)


@pytest.mark.parametrize("tamper", ["result", "sign", "missing sign", "empty sign", "other secret"])
def test_a_result_without_its_signature_proves_nothing(server: Server, http: HttpClient, tamper: str) -> None:
    fields = json.loads(SIDE.told("order_success").body)
    match tamper:
        case "result":
            fields["result"] = fields["result"].replace("46.3", "46.4")
        case "sign":
            fields["sign"] = "0" * 32
        case "missing sign":
            del fields["sign"]
        case "empty sign":
            fields["sign"] = ""
        case _:
            text = "".join(sorted(fields["result"])) + "f" * 32
            fields["sign"] = hashlib.md5(text.encode()).hexdigest()
    server.answers.append(answer(fields))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (2004, "商户余额不足", Reason.NO_BALANCE),
        (1005, "签名错误", Reason.BAD_CREDENTIALS),
        (1001, "app_key不存在", Reason.BAD_CREDENTIALS),
        (1007, "IP不在白名单内", Reason.BAD_CREDENTIALS),
        (3004, "商品库存不足", Reason.OUT_OF_STOCK),
        (3001, "商品已下架", Reason.PRODUCT_UNAVAILABLE),
        (3002, "商品维护中", Reason.PRODUCT_UNAVAILABLE),
        (1006, "商品未授权", Reason.PRODUCT_UNAVAILABLE),
        (1006, "接口未授权", Reason.BAD_CREDENTIALS),
        (3009, "销售价低于进价", Reason.PRICE_ABOVE_LIMIT),
        (3011, "充值账号格式错误", Reason.BAD_ACCOUNT),
        (3011, "手机号不正确", Reason.BAD_ACCOUNT),
        (1002, "参数错误：buy_num", Reason.BAD_REQUEST),
        (3008, "", Reason.PRODUCT_UNAVAILABLE),
    ],
)
def test_refusals_are_known_by_their_words(
    server: Server, http: HttpClient, code: int, message: str, reason: Reason
) -> None:
    server.answers.append(answer({"code": code, "message": message, "result": None, "sign": ""}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, reason)
    assert outcome.eliminates == (reason in {Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (3000, "外部订单号已存在"),
        (3004, "订单重复，商品库存不足"),
        (-1, "系统异常"),
        (9999, "系统繁忙，请稍后再试"),
        (3001, "订单处理中"),
        (2004, "扣款超时，余额不足"),
        (3004, "下单成功，库存不足"),
        (500, "unknown error"),
        (1, ""),
        (3010, "订单不存在"),
        (3012, "该账号本月额度不足"),
    ],
)
def test_a_refusal_with_a_doubt_in_it_is_unknown(server: Server, http: HttpClient, code: int, message: str) -> None:
    server.answers.append(answer({"code": code, "message": message, "result": None, "sign": ""}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.eliminates) == (OutcomeKind.UNKNOWN, False)
    assert (outcome.code == Reason.DUPLICATE) == (code == 3000 or "重复" in message)


def test_credentials_refused_to_a_question_say_so_and_decide_nothing(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("refused_signature"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.UNKNOWN, Reason.BAD_CREDENTIALS, True)


def test_the_balance_is_asked_for(server: Server, http: HttpClient) -> None:
    server.answers.append(answer(payload("fulu", "user_info")))
    assert SIDE.adapter(server.url, http).balance() == Decimal("344283.1608")
    assert sent(server)[0]["method"] == "fulu.user.info.get"


def test_there_is_no_cancel(server: Server, http: HttpClient) -> None:
    outcome = SIDE.adapter(server.url, http).cancel(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NOT_SUPPORTED)
    assert server.asked == []
    assert Capability.CANCEL not in FuluAdapter.capabilities


def notice(**changes: str) -> bytes:
    """A signed notice about our order."""
    fields = payload("fulu", "callback") | {"customer_order_no": REFERENCE} | changes
    del fields["sign"]
    fields["sign"] = SIDE.sign(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))
    return json.dumps(fields, ensure_ascii=False).encode()


def test_a_notice_rings_and_decides_nothing(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    claim = adapter.parse_callback(headers={}, body=notice())
    assert (claim.reference, claim.outcome) == (REFERENCE, None)
    assert claim == adapter.parse_callback(headers={}, body=notice())
    assert claim.event_id != adapter.parse_callback(headers={}, body=notice(order_status="failed")).event_id
    assert Capability.CALLBACK_COVERS_RESULT not in adapter.capabilities


def test_the_published_notice_is_accepted(http: HttpClient) -> None:
    body = json.dumps(payload("fulu", "callback"), ensure_ascii=False).encode()
    assert SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=body).reference == "123456"


def test_slashes_may_be_signed_as_php_writes_them(http: HttpClient) -> None:
    fields = payload("fulu", "callback") | {"recharge_description": "成功 1/1"}
    del fields["sign"]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    body = json.dumps(fields | {"sign": SIDE.sign(text)}).encode()
    assert SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=body).reference == "123456"


def test_a_notice_with_permuted_digits_passes_and_still_decides_nothing(http: HttpClient) -> None:
    swapped = notice().replace(REFERENCE.encode(), REFERENCE[::-1].encode())
    claim = SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=swapped)
    assert (claim.reference, claim.outcome) == (REFERENCE[::-1], None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"success",
        '{"message":"成功"}'.encode("gbk"),
        notice().replace(b'"success"', b'"failed"'),
        notice().replace(b"50.0000", b"51.0000"),
        notice().replace(b'"sign": "', b'"sign": "0'),
        json.dumps({k: v for k, v in json.loads(notice()).items() if k != "sign"}).encode(),
        json.dumps(json.loads(notice()) | {"sign": ""}).encode(),
        json.dumps(json.loads(notice()) | {"sign": None}).encode(),
        json.dumps(json.loads(notice()) | {"sign": ["x"]}).encode(),
        json.dumps(json.loads(notice()) | {"sign": "签" * 32}).encode(),
        json.dumps(json.loads(notice()) | {"extra": "1"}).encode(),
        notice()[:-10],
        notice().replace(b'{"order_id"', b'{"order_id":"1","order_id"'),
        json.dumps({"sign": SIDE.sign("{}")}).encode(),
        notice(customer_order_no=""),
        notice(order_id=" "),
        json.dumps(json.loads(notice()) | {"extra": [1.5, {"a": 1e400}]}).replace("Infinity", "1e400").encode(),
        notice().replace(b"--", b"\\ud800"),
        notice().replace(b"--", b"\\u0000"),
    ],
)
def test_forged_and_malformed_notices_are_refused(http: HttpClient, body: bytes) -> None:
    with pytest.raises(CallbackRefused) as refused:
        SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=body)
    assert SIDE.secret not in str(refused.value)


def test_a_notice_signed_with_an_empty_secret_is_refused(http: HttpClient) -> None:
    fields = payload("fulu", "callback")
    del fields["sign"]
    text = "".join(sorted(json.dumps(fields, ensure_ascii=False, separators=(",", ":"))))
    body = json.dumps(fields | {"sign": hashlib.md5(text.encode()).hexdigest()}).encode()
    with pytest.raises(CallbackRefused, match="signature"):
        SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=body)


def test_they_stop_at_success(http: HttpClient) -> None:
    adapter = SIDE.adapter("http://127.0.0.1:1", http)
    assert adapter.callback_reply(accepted=True) == (200, "text/plain", b"success")
    assert adapter.callback_reply(accepted=False)[0] == 400


def test_a_secret_that_cannot_open_cards_is_refused(http: HttpClient) -> None:
    config = {"app_key": SIDE.key, "app_secret": "too-short"}
    with pytest.raises(SupplierMisconfigured, match="32"):
        FuluAdapter(Connection("xinghe", "https://openapi.fulu.com/api/getway", config), http)
