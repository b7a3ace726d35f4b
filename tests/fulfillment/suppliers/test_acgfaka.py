"""What is the protocol's own: PHP's brackets in the signature, sentences as refusals, promises in place of goods."""

import hashlib
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from fulfillment.suppliers.acgfaka.adapter import AcgFakaAdapter
from fulfillment.suppliers.acgfaka.signing import signature
from fulfillment.suppliers.base import (
    AccountVerdict,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierProduct,
    SupplierSilent,
)
from fulfillment.suppliers.calling import sent_by
from fulfillment.suppliers.reasons import Reason
from kameng.core.deadlines import awake
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_acgfaka import ACGFAKA as SIDE
from tests.fulfillment.suppliers.sides import CODES, REFERENCE, answer
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

SKU = "4F1A9C2E7B3D8A60"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("fields", "key", "text"),
    [
        ({"b": "2", "a": "1"}, "K", "a=1&b=2&key=K"),
        ({"a": "1", "sign": "old"}, "K", "a=1&key=K"),
        ({"a": "", "b": "0"}, "K", "b=0&key=K"),
        ({"B": "1", "a": "2"}, "K", "B=1&a=2&key=K"),
        ({"a": "1+1=2&c", "b": "50%41"}, "K", "a=1+1=2&c&b=50%41&key=K"),
        ({"a": "区服 一"}, "K", "a=区服 一&key=K"),
        ({"sku": {"区服": "国服", "b": "x"}, "num": "1"}, "K", "num=1&sku[区服]=国服&sku[b]=x&key=K"),
        ({"sku": {}, "a": "1"}, "K", "a=1&key=K"),
        ({"a": "1"}, "K+%41", "a=1&key=K A"),
        ({}, "K", "&key=K"),
    ],
)
def test_the_text_that_is_signed(fields: dict[str, Any], key: str, text: str) -> None:
    assert signature(fields, key) == md5(text)


def test_a_purchase_is_a_signed_form(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("trade"))
    attempt = replace(SIDE.attempt(codes=1), sku=f"{SKU}:月卡:区服=国服", account={"qq": "10001", "app_key": "mine"})
    outcome = SIDE.adapter(server.url, http).submit(attempt)
    assert (outcome.kind, outcome.items, outcome.cost) == (OutcomeKind.DELIVERED, CODES[:1], Decimal("9.60"))
    (asked,) = server.asked
    form = {name: value[0] for name, value in parse_qs(asked.body.decode(), keep_blank_values=True).items()}
    assert (asked.method, asked.path) == ("POST", "/shared/commodity/trade")
    assert form.pop("sign") == SIDE.sign(asked.body)
    assert form == {
        "app_id": SIDE.app_id,
        "app_key": SIDE.key,
        "shared_code": SKU,
        "race": "月卡",
        "sku[区服]": "国服",
        "num": "1",
        "request_no": REFERENCE,
        "contact": "-",
        "card_id": "0",
        "device": "0",
        "password": "",
        "qq": "10001",
    }
    assert SIDE.key not in outcome.evidence


def test_our_number_is_as_long_as_theirs_may_be() -> None:
    assert len(REFERENCE) == 19


@pytest.mark.parametrize(
    ("sentence", "reason", "eliminates"),
    [
        ("库存不足", Reason.OUT_OF_STOCK, False),
        ("<b>库存不足</b>！", Reason.OUT_OF_STOCK, False),
        ("商品不存在", Reason.PRODUCT_UNAVAILABLE, False),
        ("商品不存在#0", Reason.PRODUCT_UNAVAILABLE, False),
        ("当前商品已停售", Reason.PRODUCT_UNAVAILABLE, False),
        ("该商品未开放对接", Reason.PRODUCT_UNAVAILABLE, False),
        ("抢购已结束", Reason.PRODUCT_UNAVAILABLE, False),
        ("余额不足", Reason.NO_BALANCE, True),
        ("商户ID不存在", Reason.BAD_CREDENTIALS, True),
        ("密钥错误", Reason.BAD_CREDENTIALS, True),
        ("You have been banned", Reason.BAD_CREDENTIALS, True),
        ("本商品最少购买5个", Reason.BAD_REQUEST, False),
        ("本商品单次最多购买2个", Reason.BAD_REQUEST, False),
        ("该商品每人只能购买1件", Reason.BAD_REQUEST, False),
        ("请选择商品种类", Reason.BAD_REQUEST, False),
    ],
)
def test_a_sentence_on_the_list_is_a_refusal(
    server: Server, http: HttpClient, sentence: str, reason: Reason, eliminates: bool
) -> None:
    server.answers.append(answer({"code": 0, "msg": sentence}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, reason, eliminates)


@pytest.mark.parametrize(
    "sentence",
    [
        "连接失败",
        "连接失败#0",
        "上游提示：库存不足",
        "库存不足，但已扣款",
        "余额不足以外的错误",
        "系统繁忙",
        "",
        "支付方式未部署成功",
    ],
)
def test_any_other_sentence_proves_nothing(server: Server, http: HttpClient, sentence: str) -> None:
    server.answers.append(answer({"code": 0, "msg": sentence}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE)


@pytest.mark.parametrize(
    "sentence", ["The request ID already exists", "the request id already exists.", "请求号已存在"]
)
def test_a_number_used_before_means_that_the_first_one_went_through(
    server: Server, http: HttpClient, sentence: str
) -> None:
    server.answers.append(answer({"code": 0, "msg": sentence}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.UNKNOWN, Reason.DUPLICATE, False)


@pytest.mark.parametrize("code", [1, 201, 500, "success", None, True, "200x"])
def test_only_200_is_a_success(server: Server, http: HttpClient, code: object) -> None:
    server.answers.append(answer({"code": code, "msg": "success", "data": {"tradeNo": "1", "secret": CODES[0]}}))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())


def test_goods_served_by_hand_are_accepted_and_never_delivered(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("trade_by_hand"), SIDE.told("query_by_hand")]
    adapter = SIDE.adapter(server.url, http)
    submitted, asked = adapter.submit(SIDE.attempt(codes=1)), adapter.query(SIDE.attempt(codes=1, asked=True))
    for outcome in (submitted, asked):
        assert (outcome.kind, outcome.items, outcome.supplier_reference) == (
            OutcomeKind.ACCEPTED,
            (),
            SIDE.trade_no,
        )


@pytest.mark.parametrize("secret", ["请加QQ群领取，24小时内联系客服发货", "下单后人工充值，请等待", "", None, "  \n "])
def test_another_promise_of_goods_is_unknown_and_keeps_their_number(
    server: Server, http: HttpClient, secret: str | None
) -> None:
    server.answers.append(SIDE.told("trade", secret=secret))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.items, outcome.supplier_reference) == (OutcomeKind.UNKNOWN, (), SIDE.trade_no)


def test_the_apology_of_an_empty_pool_is_no_code(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("trade_snatched"))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.PLACEHOLDER, ())


@pytest.mark.parametrize("changes", [{"tradeNo": None}, {"tradeNo": ""}, {"tradeNo": "1/2"}, {"secret": ["x"]}])
def test_a_success_without_its_fields_is_unknown(server: Server, http: HttpClient, changes: dict[str, Any]) -> None:
    server.answers.append(SIDE.told("trade", **changes))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS, ())


def test_nothing_can_be_asked_by_our_number(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    outcome = adapter.query(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NO_REFERENCE)
    assert server.asked == []
    assert adapter.capabilities == {Capability.BALANCE, Capability.CATALOG, Capability.PRICE}


@pytest.mark.parametrize("status", [0, 2, "paid", None])
def test_an_order_in_any_other_state_than_paid_is_unknown(server: Server, http: HttpClient, status: object) -> None:
    server.answers.append(SIDE.told("query", status=status))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE, ())


def test_goods_for_an_account_are_not_bought_here(server: Server, http: HttpClient) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), wants_codes=False))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.WRONG_KIND)
    assert server.asked == []


@pytest.mark.parametrize("sku", [f"{SKU}:", f"{SKU}:a:b", f"{SKU}:a:b=", f"{SKU}:a[b]", f"{SKU}:a&b", f"{SKU}:a:b=c=d"])
def test_a_kind_or_specification_that_cannot_be_sent_is_not(server: Server, http: HttpClient, sku: str) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(codes=1), sku=sku))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.BAD_SKU)
    assert server.asked == []


def test_a_redirect_is_not_followed_with_the_key_in_hand(server: Server, http: HttpClient) -> None:
    elsewhere = Server()
    server.answers.append(Answer(307, b"", (("Location", f"{elsewhere.url}/shared/commodity/trade"),)))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.HTTP_STATUS)
    assert elsewhere.asked == []
    elsewhere.close()


def test_the_balance_is_told_or_not(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("connect"), SIDE.told("refused_signature"), answer({"code": 200, "data": []})]
    adapter = SIDE.adapter(server.url, http)
    assert [adapter.balance() for _ in range(3)] == [Decimal("1288.5"), None, None]
    assert server.asked[0].path == "/shared/authentication/connect"


def test_a_missing_cost_is_never_zero(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("items"))
    assert SIDE.adapter(server.url, http).products("").products == (
        SupplierProduct("4F1A9C2E7B3D8A60", "音乐会员", Decimal("9.6"), 41, True),
        SupplierProduct("7C0D5E2A9B4F1E83:月卡", "视频会员 月卡", Decimal("16.50"), None, True),
        SupplierProduct("7C0D5E2A9B4F1E83:季卡", "视频会员 季卡", None, None, True),
        SupplierProduct("A9B8C7D6E5F40312", "点卡 100", None, 0, True),
        SupplierProduct("B0A1928374655647", "点卡 50", None, None, False),
    )


@pytest.mark.parametrize("data", [None, {}, "items", 3])
def test_a_list_that_is_none_is_silence(server: Server, http: HttpClient, data: object) -> None:
    server.answers.append(answer({"code": 200, "data": data}))
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).products("")


@pytest.mark.parametrize(
    ("data", "price"),
    [
        ({"price": "9.60", "currency_code": "CNY"}, Decimal("9.60")),
        ({"price": 9.6}, Decimal("9.6")),
        ({"price": "9.60", "currency_code": "USD"}, None),
        ({"price": 0, "currency_code": "CNY"}, None),
        ({"price": "-1"}, None),
        ({"currency_code": "CNY"}, None),
        ([], None),
    ],
)
def test_a_price_is_what_one_piece_costs_in_our_currency(
    server: Server, http: HttpClient, data: object, price: Decimal | None
) -> None:
    server.answers.append(answer({"code": 200, "msg": "success", "data": data}))
    assert SIDE.adapter(server.url, http).price(SKU) == price
    form = parse_qs(server.asked[0].body.decode())
    assert (form["code"], form["num"]) == ([SKU], ["1"])


def test_what_is_not_sold_has_no_price_and_who_does_not_answer_is_silent(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers += [SIDE.told("refused_product"), SIDE.unauthorized(), Answer(502, b"")]
    assert adapter.price(SKU) is None
    for reason in (Reason.BAD_CREDENTIALS, Reason.HTTP_STATUS):
        with pytest.raises(SupplierSilent, match=reason):
            adapter.price(SKU)
    assert adapter.price("a/b") is None


def test_nobody_calls_back_nothing_is_taken_back_and_no_account_is_checked(http: HttpClient) -> None:
    adapter = AcgFakaAdapter(Connection("huayu", "https://them.example", {"app_id": "1", "app_key": "k"}), http)
    with pytest.raises(CallbackRefused):
        adapter.parse_callback(headers={}, body=b"tradeNo=1")
    assert adapter.callback_reply(accepted=False)[0] == 404
    assert adapter.cancel(SIDE.attempt(asked=True)).kind is OutcomeKind.UNKNOWN
    assert adapter.check_account(SKU, {"uid": "1"}).verdict is AccountVerdict.UNAVAILABLE


# --- what it costs, right before it is bought -----------------------------------------------------------------------

LIMITED = replace(SIDE.attempt(codes=1), quantity=2, max_cost=Decimal("20.00"))


@pytest.mark.parametrize("price", ["19.99", "20.00", "20"])
def test_a_purchase_within_the_limit_is_made(server: Server, http: HttpClient, price: str) -> None:
    server.answers.extend([SIDE.valued(price), SIDE.told("trade", secret="\n".join(CODES[:2]))])
    assert SIDE.adapter(server.url, http).submit(LIMITED).kind == OutcomeKind.DELIVERED
    assert [asked.path for asked in server.asked] == ["/shared/commodity/valuation", "/shared/commodity/trade"]
    assert b"num=2" in server.asked[0].body


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        (SIDE.valued("20.01"), OutcomeKind.REFUSED, Reason.PRICE_ABOVE_LIMIT),
        (SIDE.valued("0"), OutcomeKind.NOT_SENT, Reason.COST_UNKNOWN),
        (SIDE.valued("dear"), OutcomeKind.NOT_SENT, Reason.COST_UNKNOWN),
        (
            answer({"code": 200, "data": {"price": "1", "currency_code": "USD"}}),
            OutcomeKind.NOT_SENT,
            Reason.COST_UNKNOWN,
        ),
        (answer({"code": 0, "msg": "库存不足"}), OutcomeKind.REFUSED, Reason.OUT_OF_STOCK),
        (answer({"code": 0, "msg": "?"}), OutcomeKind.NOT_SENT, Reason.COST_UNKNOWN),
        (Answer(500, b"oops"), OutcomeKind.NOT_SENT, Reason.HTTP_STATUS),
        (Silence(), OutcomeKind.NOT_SENT, Reason.NO_ANSWER),
        (Reset(), OutcomeKind.NOT_SENT, Reason.NO_ANSWER),
    ],
)
def test_nothing_is_bought_at_a_price_that_is_too_high_or_unknown(
    server: Server, http: HttpClient, said: Any, kind: OutcomeKind, reason: Reason
) -> None:
    server.answers.append(said)
    outcome = SIDE.adapter(server.url, http).submit(LIMITED)
    assert (outcome.kind, outcome.code) == (kind, reason)
    assert [asked.path for asked in server.asked] == ["/shared/commodity/valuation"]
    assert SIDE.key not in outcome.evidence


def test_a_question_that_was_held_up_frees_nothing(server: Server, http: HttpClient) -> None:
    with sent_by(awake() - 1):
        outcome = SIDE.adapter(server.url, http).submit(LIMITED)
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.HELD_UP)
    assert server.asked == []
