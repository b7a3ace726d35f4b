"""A described supplier: what is sent, how it is signed, how each reply is read."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from fulfillment.suppliers.base import (
    AccountVerdict,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierProduct,
    SupplierSilent,
)
from fulfillment.suppliers.generic.adapter import WHEN_UNCLEAR, GenericAdapter
from fulfillment.suppliers.generic.reader import Place
from fulfillment.suppliers.generic.signing import recipe
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_generic import GENERIC as SIDE
from tests.fulfillment.suppliers.side_generic import MERCHANT, changed, described
from tests.fulfillment.suppliers.sides import CALLBACK_URL, CODES, NOW, REFERENCE, answer
from tests.fulfillment.suppliers.wire import Answer, Server

FIELDS = {"b": "2", "a": "1", "empty": "", "sign": "old"}


def hexed(name: str, text: str, key: str = "") -> str:
    if key:
        return hmac.new(key.encode(), text.encode(), name).hexdigest()
    return hashlib.new(name, text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"algorithm": "md5"}, hexed("md5", "a=1&b=2S")),
        ({"algorithm": "md5", "secret_name": "key"}, hexed("md5", "a=1&b=2&key=S")),
        ({"algorithm": "md5", "secret_name": "key", "case": "upper"}, hexed("md5", "a=1&b=2&key=S").upper()),
        ({"algorithm": "md5", "secret_place": "prepend"}, hexed("md5", "Sa=1&b=2")),
        ({"algorithm": "md5", "secret_place": "prepend", "secret_name": "k"}, hexed("md5", "k=S&a=1&b=2")),
        ({"algorithm": "md5", "secret_place": "both"}, hexed("md5", "Sa=1&b=2S")),
        ({"algorithm": "sha256", "skip_empty": False}, hexed("sha256", "a=1&b=2&empty=S")),
        ({"algorithm": "sha256", "join": "values", "separator": ""}, hexed("sha256", "12S")),
        ({"algorithm": "md5", "fields": ["b", "a"], "join": "values", "separator": "|"}, hexed("md5", "2|1S")),
        ({"algorithm": "hmac-sha256"}, hexed("sha256", "a=1&b=2", "S")),
        ({"algorithm": "hmac-md5", "case": "upper"}, hexed("md5", "a=1&b=2", "S").upper()),
        ({"algorithm": "hmac-sha256", "secret_place": "append"}, hexed("sha256", "a=1&b=2S", "S")),
    ],
)
def test_each_recipe(how: dict[str, Any], expected: str) -> None:
    made = recipe(Place({"field": "sign", **how}, "signature"))
    assert made.sign(FIELDS, "S") == expected
    assert made.signed(FIELDS, expected.swapcase(), "S")
    assert not made.signed({**FIELDS, "a": "2"}, expected, "S")
    assert not made.signed(FIELDS, expected, "T")


def test_a_purchase_as_the_supplier_sees_it(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.accepted())
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    (asked,) = server.asked
    form = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
    assert (asked.method, asked.path) == ("POST", "/api/v2/order/create")
    assert form.pop("sign") == SIDE.sign(form)
    assert form == {
        "mch_id": MERCHANT,
        "out_order_no": REFERENCE,
        "goods_id": "10001",
        "num": "1",
        "account": "482019375",
        "region": "手Q一百二十区",
        "role": "常山赵子龙",
        "max_amount": "5700",
        "notify_url": CALLBACK_URL,
        "timestamp": str(NOW),
    }
    assert (outcome.kind, outcome.cost) == (OutcomeKind.ACCEPTED, Decimal("56"))


def test_json_keeps_numbers_where_they_are_asked_for(server: Server, http: HttpClient) -> None:
    mapping = changed("encoding", "json")
    submit = mapping["operations"]["submit"]
    submit["parameters"] |= {"goods_id": {"number": "{sku}"}, "num": {"number": "{quantity}"}, "version": 2}
    submit["headers"] = {"X-Nonce": "{nonce}", "X-Time": "{timestamp}"}
    mapping["signature"] |= {"algorithm": "hmac-sha256", "secret_place": "none", "header": "X-Sign"}
    for key in ("field", "secret_name"):
        del mapping["signature"][key]
    server.answers.append(SIDE.accepted())
    SIDE.speaking(mapping, server.url, http).submit(SIDE.attempt())
    (asked,) = server.asked
    sent = json.loads(asked.body)
    assert (sent["goods_id"], sent["num"], sent["version"], sent["account"]) == (10001, 1, 2, "482019375")
    assert asked.headers["content-type"] == "application/json; charset=utf-8"
    assert (len(asked.headers["x-nonce"]), asked.headers["x-time"]) == (16, str(NOW))
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if sent[name] != "")
    assert asked.headers["x-sign"] == hexed("sha256", text, SIDE.secret).upper()


def test_a_sku_that_is_no_number_is_not_sent_where_one_is_asked_for(server: Server, http: HttpClient) -> None:
    mapping = changed("encoding", "json")
    mapping["operations"]["submit"]["parameters"]["goods_id"] = {"number": "{sku}"}
    outcome = SIDE.speaking(mapping, server.url, http).submit(replace(SIDE.attempt(), sku="gold-60"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.BAD_SKU)
    assert server.asked == []


def test_a_get_puts_everything_into_the_address(server: Server, http: HttpClient) -> None:
    mapping = described()
    mapping["operations"]["query"] |= {"method": "GET", "path": "/api/v2/orders/{reference}"}
    server.answers.append(SIDE.delivered())
    outcome = SIDE.speaking(mapping, server.url, http).query(SIDE.attempt(asked=True))
    assert outcome.kind is OutcomeKind.DELIVERED
    (asked,) = server.asked
    parts = urlsplit(asked.path)
    assert (asked.method, parts.path, asked.body) == ("GET", f"/api/v2/orders/{REFERENCE}", b"")
    query = {name: value[0] for name, value in parse_qs(parts.query).items()}
    assert query.pop("sign") == SIDE.sign(query)


@pytest.mark.parametrize(
    ("stamp", "written"),
    [
        ("seconds", str(NOW)),
        ("milliseconds", f"{NOW}000"),
        ("yyyy-MM-dd HH:mm:ss", "2026-11-22 15:46:00"),
        ("yyyyMMddHHmmss", "20261122154600"),
    ],
)
def test_the_time_is_written_as_they_read_it(server: Server, http: HttpClient, stamp: str, written: str) -> None:
    mapping = changed("timestamp", stamp)
    if "yyyy" in stamp:
        del mapping["callback"]["time"]
    server.answers.append(SIDE.accepted())
    SIDE.speaking(mapping, server.url, http).submit(SIDE.attempt())
    assert dict(parse_qsl(server.asked[0].body.decode()))["timestamp"] == written


@pytest.mark.parametrize(
    "evil", ["{secret}", "{reference}{sku}", "%7Bsku%7D", "{0.__class__}", "a&num=99", "$(id)", "{{sku}}"]
)
def test_what_a_shopper_typed_is_text_and_nothing_else(server: Server, http: HttpClient, evil: str) -> None:
    server.answers.append(SIDE.accepted())
    SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), account={"uid": evil}))
    form = dict(parse_qsl(server.asked[0].body.decode(), keep_blank_values=True))
    assert (form["account"], form["num"]) == (evil, "1")
    assert SIDE.secret not in server.asked[0].body.decode()


@pytest.mark.parametrize(
    ("account", "sent"),
    [
        ({"account": "a@b.example"}, "a@b.example"),
        ({"uid": " ", "phone": " 13812345678 "}, "13812345678"),
        ({"phone": "13812345678", "uid": "482019375"}, "482019375"),
    ],
)
def test_the_first_name_that_is_known_is_the_account(
    server: Server, http: HttpClient, account: dict[str, str], sent: str
) -> None:
    server.answers.append(SIDE.accepted())
    SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), account=account))
    assert dict(parse_qsl(server.asked[0].body.decode()))["account"] == sent


def test_what_cannot_be_said_is_not_sent(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    nobody = adapter.submit(replace(SIDE.attempt(), account={"uid": " "}))
    without_codes = SIDE.speaking(changed("operations.query.reply.codes", ...), server.url, http)
    for_codes_only = described()
    for name in ("account", "region", "role"):
        del for_codes_only["operations"]["submit"]["parameters"][name]
    codes_only = SIDE.speaking(for_codes_only, server.url, http)
    assert (nobody.kind, nobody.code) == (OutcomeKind.NOT_SENT, Reason.MISSING_ACCOUNT)
    for outcome in (without_codes.submit(SIDE.attempt(codes=1)), codes_only.submit(SIDE.attempt())):
        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.WRONG_KIND)
    assert server.asked == []


@pytest.mark.parametrize(
    ("code", "reason", "eliminates"),
    [
        (1001, Reason.BAD_CREDENTIALS, True),
        (1002, Reason.BAD_CREDENTIALS, True),
        (2001, Reason.PRODUCT_UNAVAILABLE, False),
        (2002, Reason.BAD_ACCOUNT, False),
        (2003, Reason.OUT_OF_STOCK, False),
        (2004, Reason.PRICE_ABOVE_LIMIT, False),
        (3001, Reason.NO_BALANCE, True),
        ("2003", Reason.OUT_OF_STOCK, False),
    ],
)
def test_each_listed_code_is_a_refusal(
    server: Server, http: HttpClient, code: object, reason: Reason, eliminates: bool
) -> None:
    server.answers += [answer({"code": code, "msg": "不行"})] * 2
    adapter = SIDE.adapter(server.url, http)
    outcome, asked = adapter.submit(SIDE.attempt()), adapter.query(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, reason, eliminates)
    assert (asked.kind, asked.code) == (OutcomeKind.UNKNOWN, reason)


@pytest.mark.parametrize("code", [1, -1, 2006, 200, "0 ", None, "", [0], 0.5, 9999])
def test_no_other_code_is(server: Server, http: HttpClient, code: object) -> None:
    server.answers.append(answer({"code": code, "msg": "库存不足，余额不足"}))
    assert SIDE.adapter(server.url, http).submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


def test_a_refusal_may_have_a_status_and_spare_the_supplier(server: Server, http: HttpClient) -> None:
    mapping = changed("refusals.3001", {"reason": "no_balance", "status": 402, "eliminates": False})
    adapter = SIDE.speaking(mapping, server.url, http)
    body = SIDE.broke().body
    server.answers += [Answer(402, body), Answer(200, body)]
    refused, unclear = adapter.submit(SIDE.attempt()), adapter.submit(SIDE.attempt())
    assert (refused.kind, refused.code, refused.eliminates) == (OutcomeKind.REFUSED, Reason.NO_BALANCE, False)
    assert unclear.kind is OutcomeKind.UNKNOWN


def test_a_number_used_before_is_unknown(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.duplicate())
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.DUPLICATE)


def test_no_such_order_is_believed_with_its_code_and_status_alone(server: Server, http: HttpClient) -> None:
    missing = SIDE.told("order_missing")
    server.answers += [missing, Answer(404, missing.body)]
    adapter = SIDE.adapter(server.url, http)
    found, unclear = adapter.query(SIDE.attempt()), adapter.query(SIDE.attempt())
    assert (found.kind, found.code) == (OutcomeKind.NOT_FOUND, Reason.NO_SUCH_ORDER)
    assert unclear.kind is OutcomeKind.UNKNOWN
    assert adapter.not_found_grace == 600
    assert SIDE.speaking(changed("not_found.grace", 60), server.url, http).not_found_grace == 60


def test_no_such_order_says_nothing_to_a_number_of_theirs(server: Server, http: HttpClient) -> None:
    mapping = described()
    mapping["operations"]["query"]["parameters"] = {"order_no": "{supplier_reference}"}
    adapter = SIDE.speaking(mapping, server.url, http)
    server.answers.append(SIDE.told("order_missing"))
    assert adapter.query(SIDE.attempt(asked=True)).kind is OutcomeKind.UNKNOWN
    outcome = adapter.query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NO_REFERENCE)
    assert len(server.asked) == 1
    assert Capability.QUERY_BY_OUR_NUMBER not in adapter.capabilities


@pytest.mark.parametrize(
    ("meant", "kind", "code"),
    [
        ("accepted", OutcomeKind.ACCEPTED, ""),
        ("delivered", OutcomeKind.DELIVERED, ""),
        ("failed", OutcomeKind.FAILED, Reason.FAILED),
        ("canceled", OutcomeKind.FAILED, Reason.CANCELED),
        ("refunded", OutcomeKind.REVERSED, Reason.REFUNDED),
        ("partial", OutcomeKind.PARTIAL, ""),
    ],
)
def test_a_state_means_what_the_description_says(
    server: Server, http: HttpClient, meant: str, kind: OutcomeKind, code: str
) -> None:
    server.answers.append(SIDE.told("order_done", state="7", done=0))
    mapping = changed("states.7", meant)
    mapping["operations"]["query"]["reply"]["done"] = "data.done"
    outcome = SIDE.speaking(mapping, server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (kind, code)
    assert outcome.done == (0 if kind is OutcomeKind.PARTIAL else None)


def test_a_failure_with_codes_in_it_is_none(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("order_cards", state=3))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=2, asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE)


@pytest.mark.parametrize("changes", [{"order_no": ""}, {"order_no": "a/b"}, {"out_order_no": None}, {"state": None}])
def test_a_success_without_its_fields_is_unknown(server: Server, http: HttpClient, changes: dict[str, Any]) -> None:
    server.answers += [SIDE.told("order_done", **changes)] * 2
    adapter = SIDE.adapter(server.url, http)
    assert adapter.submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN
    assert adapter.query(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


def test_their_number_of_another_order_is_unknown(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("order_done", order_no="SH000000009999"))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


def test_codes_with_the_reply_where_the_supplier_is_fast(server: Server, http: HttpClient) -> None:
    mapping = described()
    submit = mapping["operations"]["submit"]
    del submit["reply"]["state"]
    submit |= {"success_means": "delivered", "code_fields": ["no", "pwd"], "cost_of": "piece"}
    submit["reply"]["codes"] = "data.cards"
    cards = [{"no": "N1", "pwd": CODES[0]}, {"no": None, "pwd": CODES[1]}]
    server.answers.append(SIDE.told("order_cards", cards=cards, amount=550))
    outcome = SIDE.speaking(mapping, server.url, http).submit(SIDE.attempt(codes=2))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, (f"N1 {CODES[0]}", CODES[1]))
    assert outcome.cost == Decimal("11.00")
    assert not any(code in outcome.evidence for code in CODES)


def test_delivered_without_its_codes_is_only_accepted_until_it_is_asked(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("order_done"))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.items) == (OutcomeKind.ACCEPTED, ())


@pytest.mark.parametrize("told", [f"{CODES[0]}\r\n{CODES[1]}\n", list(CODES[:2])])
def test_codes_as_lines_or_as_a_list(server: Server, http: HttpClient, told: object) -> None:
    server.answers.append(SIDE.told("order_cards", cards=told))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=2, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, CODES[:2])


@pytest.mark.parametrize(
    "told", [None, {}, [{"pwd": ""}] * 2, [{"no": "1"}] * 2, [{"pwd": 1}, {"pwd": 2}], [None, None]]
)
def test_codes_in_another_shape_are_none(server: Server, http: HttpClient, told: object) -> None:
    server.answers.append(SIDE.told("order_cards", cards=told))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=2, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())


def test_a_name_that_a_code_also_has_is_hidden_from_the_evidence(server: Server, http: HttpClient) -> None:
    mapping = described()
    mapping["operations"]["query"]["code_fields"] = ["state"]
    server.answers.append(SIDE.told("order_cards", cards=[{"state": CODES[0]}, {"state": "请联系客服"}]))
    outcome = SIDE.speaking(mapping, server.url, http).query(SIDE.attempt(codes=2, asked=True))
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert CODES[0] not in outcome.evidence


def test_nobody_can_be_asked_where_the_description_says_so(server: Server, http: HttpClient) -> None:
    mapping = changed("operations.query", "manual")
    del mapping["not_found"]
    adapter = SIDE.speaking(mapping, server.url, http)
    outcome = adapter.query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NOT_SUPPORTED)
    assert server.asked == []
    assert Capability.QUERY_BY_OUR_NUMBER not in adapter.capabilities


def test_what_a_connection_can_do_is_what_is_described(http: HttpClient) -> None:
    full = SIDE.adapter("https://them.example", http)
    assert full.capabilities == {
        Capability.QUERY_BY_OUR_NUMBER,
        Capability.COST_GUARD,
        Capability.CALLBACK_SIGNED,
        Capability.CALLBACK_COVERS_RESULT,
        Capability.CATALOG,
        Capability.PRICE,
        Capability.ACCOUNT_CHECK,
        Capability.BALANCE,
    }
    assert "不要换单号重下" in full.when_unclear
    mapping = described()
    for key in ("callback", "when_unclear"):
        del mapping[key]
    mapping["operations"] = {name: mapping["operations"][name] for name in ("submit", "query")}
    del mapping["operations"]["submit"]["parameters"]["max_amount"]
    bare = SIDE.speaking(mapping, "https://them.example", http)
    assert bare.capabilities == {Capability.QUERY_BY_OUR_NUMBER}
    assert (bare.when_unclear, bare.balance(), bare.price("1")) == (WHEN_UNCLEAR, None, None)
    assert bare.check_account("1", {"uid": "1"}).verdict is AccountVerdict.UNAVAILABLE
    with pytest.raises(SupplierSilent):
        bare.products("")
    with pytest.raises(CallbackRefused):
        bare.parse_callback(headers={}, body=SIDE.callback())
    assert bare.callback_reply(accepted=True)[0] == 404


def test_the_description_may_come_as_an_object(http: HttpClient) -> None:
    config: Mapping[str, Any] = {"mapping": described(), "secret": SIDE.secret}
    adapter = GenericAdapter(Connection("shanhe", "https://them.example", config), http)
    assert Capability.PRICE in adapter.capabilities


def test_balance_price_and_list_are_in_yuan(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers += [SIDE.told(name) for name in ("balance", "price", "goods")]
    assert adapter.balance() == Decimal("12345.67")
    server.answers.appendleft(SIDE.told("balance", balance=1_000_000_000))
    assert adapter.balance() == Decimal(10_000_000)
    assert adapter.price("10001") == Decimal("5.60")
    page = adapter.products("3")
    assert page.products == (
        SupplierProduct("10001", "王者荣耀 60 点券", Decimal("5.60"), 9999, True),
        SupplierProduct("10002", "原神 300 结晶", None, 3, True),
        SupplierProduct("10003", "停售的", Decimal("12"), 0, False),
    )
    assert page.next_cursor == "2"
    assert dict(parse_qsl(server.asked[3].body.decode()))["page"] == "3"


def test_questions_without_an_answer(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers += [
        SIDE.unauthorized(),
        Answer(502, b""),
        answer({"code": 2001, "msg": "商品不存在"}),
        SIDE.unauthorized(),
    ]
    assert adapter.balance() is None
    with pytest.raises(SupplierSilent, match=Reason.HTTP_STATUS):
        adapter.price("1")
    assert adapter.price("1") is None
    with pytest.raises(SupplierSilent, match=Reason.BAD_CREDENTIALS):
        adapter.products("")


@pytest.mark.parametrize(
    ("told", "verdict", "nickname"),
    [
        (SIDE.told("account_ok"), AccountVerdict.OK, "山河玩家75"),
        (SIDE.told("account_region"), AccountVerdict.WRONG_REGION, ""),
        (SIDE.told("account_ok", result=9), AccountVerdict.UNAVAILABLE, ""),
        (SIDE.told("account_ok", result=2), AccountVerdict.NOT_FOUND, ""),
        (answer({"code": 2002, "msg": "格式"}), AccountVerdict.NOT_FOUND, ""),
        (answer({"code": 9999, "msg": "?"}), AccountVerdict.UNAVAILABLE, ""),
        (Answer(500, b'{"code":0,"data":{"result":2}}'), AccountVerdict.UNAVAILABLE, ""),
        (Answer(200, b"<html>"), AccountVerdict.UNAVAILABLE, ""),
    ],
)
def test_what_a_check_says(
    server: Server, http: HttpClient, told: Answer, verdict: AccountVerdict, nickname: str
) -> None:
    server.answers.append(told)
    checked = SIDE.adapter(server.url, http).check_account("10001", SIDE.account)
    assert (checked.verdict, checked.nickname) == (verdict, nickname)
