"""What holds for every supplier that is reached over a network, whatever its protocol."""

import json

import pytest

from fulfillment.suppliers.base import Connection, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.evidence import LIMIT
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.every_side import ONE_AT_A_TIME, REFUSES_FOR, before_goods
from tests.fulfillment.suppliers.sides import CODES, NOW, REFERENCE, Side
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

HTML = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502</h1>AB12-CD34-EF56</body></html>"
JSON_TYPE = (("Content-Type", "application/json"),)

#: Ends that prove nothing, whatever was asked.
BROKEN = {
    "silence": Silence(),
    "reset": Reset(),
    "500": Answer(500, b'{"ok":false,"error_code":"internal_error","code":-1}'),
    "502 page": Answer(502, HTML),
    "503 empty": Answer(503, b""),
    "429": Answer(429, b'{"ok":false,"error_code":"too_many_requests","code":429,"message":"slow down"}'),
    "302": Answer(302, b"", (("Location", "https://elsewhere.example/"),)),
    "200 page": Answer(200, HTML),
    "empty": Answer(200, b""),
    "blank": Answer(200, b"  \n"),
    "null": Answer(200, b"null"),
    "list": Answer(200, b"[]"),
    "text": Answer(200, b'"success"'),
    "number": Answer(200, b"0"),
    "true": Answer(200, b"true"),
    "empty object": Answer(200, b"{}"),
    "nothing but ok": Answer(200, b'{"ok":true,"code":0}'),
    "ok as text": Answer(200, b'{"ok":"true","code":"0","status":"paid","order_id":101,"result":"{}"}'),
    "not a number": Answer(200, b'{"ok":true,"order_id":NaN,"code":NaN}'),
    "repeated key": Answer(200, b'{"ok":false,"ok":true,"order_id":101,"status":"paid","code":1,"code":0}'),
    "deep": Answer(200, b"[" * 60_000),
    "deep object": Answer(200, b'{"ok":' * 30_000),
    "long number": Answer(200, b'{"code":' + b"9" * 6_000 + b"}"),
    "huge exponent": Answer(200, b'{"code":1e999999999999999999999}'),
    "gbk": Answer(200, '{"code":3004,"message":"商品库存不足","ok":false}'.encode("gbk")),
    "utf-16": Answer(200, '{"code":3004,"message":"商品库存不足"}'.encode("utf-16")),
    "over a megabyte": Answer(200, b'{"ok":true,"padding":"' + b"x" * 1_100_000 + b'"}'),
    "half a surrogate": Answer(200, b'{"code":3004,"message":"\\ud800","ok":false,"error_code":"\\udfff"}'),
    "zero character": Answer(200, b'{"code":3004,"message":"\\u0000","ok":false,"error_message":"\\u0000"}'),
    "zero byte": Answer(200, b"<html><title>\x00\xed\xa0\x80</title>"),
    "php notice": Answer(200, b"<br />\n<b>Warning</b>: Undefined index\n" + b'{"code":0}'),
    "two objects": Answer(200, b'{"code":0}{"code":0}'),
}


def silent_about(outcome: Outcome, side: Side, codes: tuple[str, ...] = CODES) -> None:
    """Nothing that may be stored, shown or logged holds a secret, a code, an account, or what a database refuses."""
    kept = repr(outcome) + outcome.evidence + outcome.message + outcome.code + outcome.supplier_reference
    assert "\0" not in kept.encode().decode()
    for hidden in (*side.secrets, *codes, *side.account.values()):
        assert hidden not in kept
    assert len(outcome.evidence) <= LIMIT
    assert len(outcome.message) <= 200
    assert len(outcome.code) <= 64


def one_or(quantity: int, side: Side) -> None:
    """Pass over what the protocol cannot be asked: several pieces at a time."""
    if quantity > 1 and side.name in ONE_AT_A_TIME:
        pytest.skip("this protocol sells one piece at a time")


def test_several_pieces_are_not_sent_where_one_is_sold_at_a_time(side: Side, server: Server, http: HttpClient) -> None:
    if side.name not in ONE_AT_A_TIME:
        pytest.skip("this protocol sells several pieces at once")
    outcome = side.adapter(server.url, http).submit(side.attempt(codes=2))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.WRONG_KIND)
    assert server.asked == []


def test_a_refusal_on_the_list_is_a_refusal(side: Side, server: Server, http: HttpClient) -> None:
    server.answers.append(side.refused())
    outcome = side.adapter(server.url, http).submit(side.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, REFUSES_FOR.get(side.name, Reason.OUT_OF_STOCK))
    assert not outcome.eliminates
    assert len(server.asked) == 1
    silent_about(outcome, side)


@pytest.mark.parametrize(("what", "reason"), [("broke", Reason.NO_BALANCE), ("unauthorized", Reason.BAD_CREDENTIALS)])
def test_no_balance_and_bad_credentials_eliminate(
    side: Side, server: Server, http: HttpClient, what: str, reason: Reason
) -> None:
    server.answers.append(getattr(side, what)())
    outcome = side.adapter(server.url, http).submit(side.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, reason, True)


@pytest.mark.parametrize("what", ["refused", "broke", "unauthorized", "duplicate", "unknown_code"])
def test_a_question_is_never_answered_by_a_refusal(side: Side, server: Server, http: HttpClient, what: str) -> None:
    server.answers.append(getattr(side, what)())
    outcome = side.adapter(server.url, http).query(side.attempt())
    assert outcome.kind in {OutcomeKind.UNKNOWN, OutcomeKind.NOT_FOUND}
    assert outcome.kind is OutcomeKind.UNKNOWN or what in {"refused", "broke"}


@pytest.mark.parametrize("codes", [0, 2])
def test_an_accepted_order_tells_their_number(side: Side, server: Server, http: HttpClient, codes: int) -> None:
    one_or(codes, side)
    server.answers.append(side.accepted(codes=codes))
    attempt = side.attempt(codes=codes)
    outcome = side.adapter(server.url, http).submit(attempt)
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert outcome.supplier_reference == side.attempt(asked=True).supplier_reference
    assert outcome.items == ()
    assert REFERENCE in server.asked[0].body.decode()
    silent_about(outcome, side)


def test_goods_for_an_account_arrive(side: Side, server: Server, http: HttpClient) -> None:
    attempt = side.attempt(asked=True)
    if attempt.wants_codes:
        pytest.skip("this protocol sells codes alone")
    server.answers.append(side.delivered())
    outcome = side.adapter(server.url, http).query(attempt)
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, ())
    silent_about(outcome, side)


@pytest.mark.parametrize("quantity", [1, 3])
def test_codes_arrive_as_many_as_bought(code_side: Side, server: Server, http: HttpClient, quantity: int) -> None:
    one_or(quantity, code_side)
    codes = CODES[:quantity]
    server.answers.extend([*before_goods(code_side, quantity), code_side.delivered(codes)])
    outcome = code_side.adapter(server.url, http).query(code_side.attempt(codes=quantity, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, codes)
    silent_about(outcome, code_side)
    assert REFERENCE in outcome.evidence or code_side.attempt(asked=True).supplier_reference in outcome.evidence


def test_nobody_there_frees_a_purchase_but_not_a_question(side: Side, server: Server, http: HttpClient) -> None:
    server.close()
    adapter = side.adapter(server.url, http)
    submitted, asked = adapter.submit(side.attempt()), adapter.query(side.attempt(asked=True))
    assert (submitted.kind, submitted.code) == (OutcomeKind.NOT_SENT, Reason.NO_CONNECTION)
    assert (asked.kind, asked.code) == (OutcomeKind.UNKNOWN, Reason.NO_CONNECTION)
    assert adapter.cancel(side.attempt(asked=True)).kind is OutcomeKind.UNKNOWN
    assert adapter.balance() is None


@pytest.mark.parametrize("call", ["submit", "query", "cancel"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_end_is_unknown(
    side: Side, server: Server, http: HttpClient, broken: Answer | Reset | Silence, call: str
) -> None:
    server.answers.append(broken)
    adapter = side.adapter(server.url, http)
    outcome = getattr(adapter, call)(side.attempt(codes=1, asked=call != "submit"))
    assert (outcome.kind, outcome.items, outcome.eliminates) == (OutcomeKind.UNKNOWN, (), False)
    silent_about(outcome, side, ("AB12-CD34-EF56",))


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_reply_that_breaks_off_is_unknown(side: Side, server: Server, http: HttpClient, cut: int) -> None:
    whole = side.delivered(CODES[:1])
    shorter = Answer(200, whole.body[:-cut])
    for answer in (Answer(200, whole.body, JSON_TYPE, cut=cut), shorter):
        server.answers.extend([*before_goods(side, 1), answer])
        outcome = side.adapter(server.url, http).query(side.attempt(codes=1, asked=True))
        assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())
        silent_about(outcome, side)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ((), Reason.EMPTY_CODE),
        (CODES[:1], Reason.WRONG_COUNT),
        (CODES, Reason.WRONG_COUNT),
        ((CODES[0], CODES[0]), Reason.REPEATED_CODE),
        ((CODES[0], "x" * 1001), Reason.WRONG_COUNT),
    ],
)
def test_another_number_of_codes_than_bought_is_no_delivery(
    code_side: Side, server: Server, http: HttpClient, codes: tuple[str, ...], reason: Reason
) -> None:
    one_or(2, code_side)
    server.answers.extend([*before_goods(code_side, 2), code_side.delivered(codes, quantity=2)])
    outcome = code_side.adapter(server.url, http).query(code_side.attempt(codes=2, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())
    assert outcome.code in {reason, Reason.WRONG_COUNT}
    silent_about(outcome, code_side)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "请联系客服",
            "亲，暂时缺货，请联系客服补发",
            "该商品已售罄",
            "处理中",
            "充值处理中，请稍后查看",
            "库存不足",
            "人工发货，请等待",
        ),
        *(
            "抱歉，发货失败",
            "系统维护中",
            "待发货",
            "正在排队",
            "----",
            "****-****-****",
            "xxxx-xxxx-xxxx",
            "0000",
            "null",
            "N/A",
        ),
        *(
            "SUCCESS",
            "ok",
            "1",
            "undefined",
            "Sorry, sold out",
            "out of stock",
            "please wait",
            "order failed: contact us",
        ),
        *("<p>稍候</p>", "<div class=card></div>", "{{code}}", "${card}", "ＳＯＬＤ ＯＵＴ", "\u200b\u200b", "退款中"),
    ],
)
def test_an_apology_is_not_a_code(code_side: Side, server: Server, http: HttpClient, text: str) -> None:
    server.answers.extend([*before_goods(code_side, 1), code_side.delivered((text,))])
    outcome = code_side.adapter(server.url, http).query(code_side.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())
    silent_about(outcome, code_side)


def test_one_bad_code_among_good_ones_spoils_them_all(code_side: Side, server: Server, http: HttpClient) -> None:
    one_or(3, code_side)
    server.answers.extend([*before_goods(code_side, 3), code_side.delivered((CODES[0], "请联系客服领取", CODES[1]))])
    outcome = code_side.adapter(server.url, http).query(code_side.attempt(codes=3, asked=True))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.PLACEHOLDER, ())
    silent_about(outcome, code_side)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("pending", OutcomeKind.ACCEPTED),
        ("failed", OutcomeKind.FAILED),
        ("unknown_state", OutcomeKind.UNKNOWN),
        ("other_order", OutcomeKind.UNKNOWN),
    ],
)
def test_a_question_maps_their_states(
    side: Side, server: Server, http: HttpClient, what: str, kind: OutcomeKind
) -> None:
    told = getattr(side, what)()
    if told is None:
        pytest.skip("this protocol knows no such end")
    server.answers.append(told)
    outcome = side.adapter(server.url, http).query(side.attempt(asked=True))
    assert (outcome.kind, outcome.items) == (kind, ())
    silent_about(outcome, side)


@pytest.mark.parametrize(("what", "reason"), [("duplicate", None), ("unknown_code", Reason.UNKNOWN_CODE)])
def test_a_duplicate_or_unlisted_refusal_is_unknown(
    side: Side, server: Server, http: HttpClient, what: str, reason: Reason | None
) -> None:
    server.answers.append(getattr(side, what)())
    outcome = side.adapter(server.url, http).submit(side.attempt())
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert reason is None or outcome.code == reason


@pytest.mark.parametrize("status", [200, 201, 202, 400, 403, 404, 500, 503])
def test_an_acceptance_counts_only_with_its_own_status(
    side: Side, server: Server, http: HttpClient, status: int
) -> None:
    accepted = side.accepted()
    server.answers.append(Answer(status, accepted.body))
    outcome = side.adapter(server.url, http).submit(side.attempt())
    assert outcome.kind is (OutcomeKind.ACCEPTED if status == accepted.status else OutcomeKind.UNKNOWN)


@pytest.mark.parametrize("status", [200, 201, 301, 404, 418, 500, 503])
def test_a_refusal_counts_only_with_its_own_status(side: Side, server: Server, http: HttpClient, status: int) -> None:
    refused = side.refused()
    server.answers.append(Answer(status, refused.body))
    outcome = side.adapter(server.url, http).submit(side.attempt())
    assert (outcome.kind is OutcomeKind.REFUSED) == (status == refused.status)


def test_a_sku_that_cannot_be_theirs_is_not_sent(side: Side, server: Server, http: HttpClient) -> None:
    for sku in ("", " ", "1 OR 1=1", "１２", "-1", "../1", "a/b", "点券", "x" * 65, "1\n2"):
        attempt = side.attempt()
        outcome = side.adapter(server.url, http).submit(type(attempt)(**{**vars(attempt), "sku": sku}))
        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.BAD_SKU)
    assert server.asked == []


def test_the_evidence_shows_what_was_asked_and_answered(side: Side, server: Server, http: HttpClient) -> None:
    server.answers.append(side.refused())
    outcome = side.adapter(server.url, http).submit(side.attempt())
    asked, answered = outcome.evidence.splitlines()
    assert asked.startswith("→ ")
    assert REFERENCE in asked
    assert "****" in asked
    assert answered.startswith(f"← {side.refused().status} ")
    assert json.loads(answered.split(" ", 2)[2]).keys() == json.loads(side.refused().body).keys()


def test_a_page_instead_of_a_reply_shows_only_its_title(side: Side, server: Server, http: HttpClient) -> None:
    server.answers.append(Answer(502, HTML))
    evidence = side.adapter(server.url, http).submit(side.attempt()).evidence
    assert "← 502 " in evidence
    assert "Bad Gateway" in evidence
    assert "AB12" not in evidence


def test_what_they_echo_of_an_account_is_masked(side: Side, server: Server, http: HttpClient) -> None:
    value = next(value for value in side.account.values() if len(value) >= 4)
    fields = json.loads(side.refused().body)
    for key in ("message", "error_message"):
        fields[key] = f"{fields.get(key, '')} {value} {side.secrets[-1]}"
    server.answers.append(Answer(side.refused().status, json.dumps(fields, ensure_ascii=False).encode()))
    silent_about(side.adapter(server.url, http).submit(side.attempt()), side)


@pytest.mark.parametrize("broken", ["", " "])
def test_an_empty_secret_is_refused(side: Side, http: HttpClient, broken: str) -> None:
    adapter = side.adapter("http://127.0.0.1:1", http)
    good = dict(zip(sorted(adapter.required_config), side.secrets, strict=True))
    make = type(adapter)
    for name in good:
        with pytest.raises(SupplierMisconfigured, match=name):
            make(Connection("them", "https://them.example", {**good, name: broken}), http)
        with pytest.raises(SupplierMisconfigured, match=name):
            make(Connection("them", "https://them.example", {k: v for k, v in good.items() if k != name}), http)


@pytest.mark.parametrize(
    "address",
    [
        *("", "them.example", "ftp://them.example", "file:///etc/passwd", "http://them.example", "https://"),
        *("http://127.0.0.1.them.example", "https://u:p@them.example", "https://them.example/?a=1", "https://[::1"),
    ],
)
def test_an_address_must_be_https_or_on_this_machine(side: Side, http: HttpClient, address: str) -> None:
    adapter = side.adapter("http://127.0.0.1:1", http)
    good = dict(zip(sorted(adapter.required_config), side.secrets, strict=True))
    with pytest.raises(SupplierMisconfigured, match="base_url"):
        type(adapter)(Connection("them", address, good), http)
    type(adapter)(Connection("them", "https://them.example/api", good), http)


def test_every_request_carries_the_time_of_the_connection(timed_side: Side, server: Server, http: HttpClient) -> None:
    server.answers.append(timed_side.accepted())
    timed_side.adapter(server.url, http).submit(timed_side.attempt())
    sent = server.asked[0].body.decode() + json.dumps(server.asked[0].headers)
    assert "2026-11-22 15:46:00" in sent or str(NOW) in sent
