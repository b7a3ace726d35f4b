"""The Alipay sandbox, with a client from the registry on the other side."""

import json
import re
import time
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from alipay import AliPay
from alipay.exceptions import AliPayException

from tests.kameng.sandbox.running import RunningSandbox, Shop

AMOUNT = "57.00"


@pytest.fixture
def client(sandbox: RunningSandbox, shop: Shop) -> AliPay:
    given = sandbox.merchant("alipay")
    client = AliPay(
        appid=given["app_id"],
        app_notify_url=f"{shop.url}/notify",
        app_private_key_string=given["app_private_key"],
        alipay_public_key_string=given["alipay_public_key"],
        sign_type="RSA2",
    )
    client._gateway = given["base_url"]
    return client


def pay(sandbox: RunningSandbox, payment: str, **options: Any) -> dict[str, Any]:
    return sandbox.steer("gateways/alipay/pay", payment=payment, **options)


def form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def refusal(reply: dict[str, Any]) -> str:
    assert reply["code"] == "40004"
    return reply["sub_code"]


def test_a_precreated_trade_does_not_exist_until_it_is_scanned(client: AliPay, sandbox: RunningSandbox) -> None:
    offered = client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    assert offered["code"] == "10000"
    assert refusal(client.api_alipay_trade_query(out_trade_no="P1")) == "ACQ.TRADE_NOT_EXIST"
    assert refusal(client.api_alipay_trade_close(out_trade_no="P1")) == "ACQ.TRADE_NOT_EXIST"

    assert sandbox.client.get(offered["qr_code"]).status_code == 200
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "WAIT_BUYER_PAY"
    assert client.api_alipay_trade_close(out_trade_no="P1")["code"] == "10000"
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "TRADE_CLOSED"
    assert sandbox.client.post(offered["qr_code"]).status_code == 409
    assert sandbox.book("gateways", "alipay") == []


def test_paying_is_told_by_a_notice_that_the_client_verifies(
    client: AliPay, sandbox: RunningSandbox, shop: Shop
) -> None:
    client.api_alipay_trade_precreate(subject="点券 60", out_trade_no="P1", total_amount=AMOUNT)
    paid = pay(sandbox, "P1")
    assert (paid["payment"], paid["amount"]) == ("P1", AMOUNT)

    found = client.api_alipay_trade_query(out_trade_no="P1")
    assert (found["trade_status"], found["total_amount"]) == ("TRADE_SUCCESS", AMOUNT)
    assert found["trade_no"] == paid["reference"]
    (notice,) = shop.wait_for(1)
    fields = form(notice.body)
    assert notice.path == "/notify"
    assert fields["sign_type"] == "RSA2"
    assert client.verify(fields, fields.pop("sign"))
    given = sandbox.merchant("alipay")
    expected = {
        "app_id": given["app_id"],
        "seller_id": given["seller_id"],
        "out_trade_no": "P1",
        "trade_no": paid["reference"],
        "total_amount": AMOUNT,
        "trade_status": "TRADE_SUCCESS",
        "subject": "点券 60",
    }
    assert {name: fields[name] for name in expected} == expected
    assert "refund_fee" not in fields
    book = sandbox.book("gateways", "alipay")
    assert book == [{"payment": "P1", "amount": AMOUNT, "paid_at": paid["paid_at"], "refunded": "0.00"}]


def test_a_notice_is_repeated_with_the_same_id_until_success(
    client: AliPay, sandbox: RunningSandbox, shop: Shop
) -> None:
    shop.answers = [(500, b""), (200, b"fail"), (200, b"success")]
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    notices = shop.wait_for(3, limit=8)
    assert len({form(notice.body)["notify_id"] for notice in notices}) == 1
    time.sleep(0.3)
    assert len(notices) == 3


@pytest.mark.parametrize(("mode", "count"), [("lost", 0), ("twice", 2), ("ok", 1)])
def test_a_notice_can_be_lost_or_come_twice(
    client: AliPay, sandbox: RunningSandbox, shop: Shop, mode: str, count: int
) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1", notify=mode)
    shop.wait_for(count)
    time.sleep(0.3)
    assert len(shop.notices) == count
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "TRADE_SUCCESS"


def test_a_late_notice_waits_for_its_delay(client: AliPay, sandbox: RunningSandbox, shop: Shop) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    began = time.monotonic()
    pay(sandbox, "P1", notify="late", delay=0.5)
    (notice,) = shop.wait_for(1)
    assert notice.at - began >= 0.5


def test_a_forged_notice_does_not_verify(client: AliPay, sandbox: RunningSandbox, shop: Shop) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1", notify="forged")
    fields = form(shop.wait_for(1)[0].body)
    assert not client.verify(fields, fields.pop("sign"))


def test_a_notice_can_be_genuine_and_wrong(client: AliPay, sandbox: RunningSandbox, shop: Shop) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1", changes={"seller_id": "2088000000000000"})
    fields = form(shop.wait_for(1)[0].body)
    assert client.verify(fields, fields.pop("sign"))
    assert fields["seller_id"] == "2088000000000000"


def test_the_buyer_can_pay_another_amount(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1", amount="1.00")
    assert client.api_alipay_trade_query(out_trade_no="P1")["total_amount"] == "1.00"
    assert sandbox.book("gateways", "alipay")[0]["amount"] == "1.00"


def test_a_refund_moves_money_once_however_often_it_is_sent(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    first = client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    again = client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    assert (first["fund_change"], first["refund_fee"]) == ("Y", "7.00")
    assert (again["fund_change"], again["refund_fee"]) == ("N", "7.00")
    other = client.api_alipay_trade_refund("8.00", out_trade_no="P1", out_request_no="R1")
    assert refusal(other) == "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert sandbox.book("gateways", "alipay")[0]["refunded"] == "7.00"


def test_refunds_are_told_with_the_state_of_the_trade(client: AliPay, sandbox: RunningSandbox, shop: Shop) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    shop.wait_for(1)
    client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    partial = form(shop.wait_for(2)[1].body)
    assert (partial["trade_status"], partial["refund_fee"], partial["out_biz_no"]) == ("TRADE_SUCCESS", "7.00", "R1")
    assert client.verify(dict(partial), partial["sign"]) is False
    signature = partial.pop("sign")
    assert client.verify(partial, signature)

    rest = client.api_alipay_trade_refund("50.00", out_trade_no="P1", out_request_no="R2")
    assert rest["refund_fee"] == AMOUNT
    whole = form(shop.wait_for(3)[2].body)
    assert (whole["trade_status"], whole["refund_fee"]) == ("TRADE_CLOSED", AMOUNT)
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "TRADE_CLOSED"


def test_more_than_was_paid_is_not_returned(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    assert refusal(client.api_alipay_trade_refund("1.00", out_trade_no="P1")) == "ACQ.TRADE_NOT_EXIST"
    pay(sandbox, "P1")
    too_much = client.api_alipay_trade_refund("57.01", out_trade_no="P1", out_request_no="R1")
    assert refusal(too_much) == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    nothing = client.api_alipay_trade_refund("0.00", out_trade_no="P1", out_request_no="R2")
    assert refusal(nothing) == "ACQ.REASON_TRADE_REFUND_FEE_ERR"
    assert sandbox.book("gateways", "alipay")[0]["refunded"] == "0.00"


def test_a_refund_query_says_nothing_of_what_did_not_happen(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    unknown = client.api_alipay_trade_fastpay_refund_query("R1", out_trade_no="P1")
    assert unknown == {"code": "10000", "msg": "Success"}
    client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    found = client.api_alipay_trade_fastpay_refund_query("R1", out_trade_no="P1")
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "7.00")


def test_a_refund_can_be_slow_or_refused(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    sandbox.steer("gateways/alipay", refund="refused")
    refused = client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    assert refusal(refused) == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
    sandbox.steer("gateways/alipay", refund="processing", refund_ms=200)
    slow = client.api_alipay_trade_refund("7.00", out_trade_no="P1", out_request_no="R1")
    assert (slow["code"], slow["fund_change"]) == ("10000", "N")
    assert "refund_status" not in client.api_alipay_trade_fastpay_refund_query("R1", out_trade_no="P1")
    time.sleep(0.4)
    done = client.api_alipay_trade_fastpay_refund_query("R1", out_trade_no="P1")
    assert done["refund_status"] == "REFUND_SUCCESS"


@pytest.mark.parametrize("kind", ["page", "wap"])
def test_a_cashier_address_leads_back_to_the_shop_with_signed_parameters(
    client: AliPay, sandbox: RunningSandbox, shop: Shop, kind: str
) -> None:
    make = {"page": client.api_alipay_trade_page_pay, "wap": client.api_alipay_trade_wap_pay}[kind]
    query = make(subject="点券", out_trade_no="P1", total_amount=AMOUNT, return_url=f"{shop.url}/back?a=1")
    opened = sandbox.client.get(f"{client._gateway}?{query}", follow_redirects=True)
    assert (opened.status_code, "确认付款 ¥57.00" in opened.text, "沙箱" in opened.text) == (200, True, True)

    paid = sandbox.client.post(str(opened.url), data={"notify": "ok"})
    assert paid.status_code == 303
    assert paid.headers["location"].startswith(f"{shop.url}/back?a=1&")
    fields = dict(parse_qsl(urlsplit(paid.headers["location"]).query))
    assert fields.pop("a") == "1"
    assert (fields["out_trade_no"], fields["total_amount"]) == ("P1", AMOUNT)
    assert client.verify(fields, fields.pop("sign"))
    shop.wait_for(1)


def test_a_cashier_form_may_also_be_posted(client: AliPay, sandbox: RunningSandbox) -> None:
    query = client.api_alipay_trade_page_pay(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    assert sandbox.client.post(client._gateway, data=dict(parse_qsl(query))).status_code == 303


def test_a_person_at_the_cashier_chooses_how_the_notice_fares(
    client: AliPay, sandbox: RunningSandbox, shop: Shop
) -> None:
    offered = client.api_alipay_trade_precreate(subject="<b>点券</b>", out_trade_no="P1", total_amount=AMOUNT)
    page = sandbox.client.get(offered["qr_code"]).text
    assert ("&lt;b&gt;点券&lt;/b&gt;" in page, "<b>" in page) == (True, False)
    paid = sandbox.client.post(offered["qr_code"], data={"notify": "lost"})
    assert (paid.status_code, "付款成功" in paid.text) == (200, True)
    time.sleep(0.3)
    assert shop.notices == []
    assert sandbox.client.post(offered["qr_code"]).status_code == 409
    assert sandbox.client.get(f"{sandbox.url}/pay/alipay/P2").status_code == 404


def test_the_last_moment_to_pay_is_kept(client: AliPay, sandbox: RunningSandbox) -> None:
    past = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 - 5))
    reply = client.api_alipay_trade_precreate("点券", "P0", AMOUNT, time_expire=past)
    assert refusal(reply) == "ACQ.INVALID_PARAMETER"
    soon = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 + 2))
    offered = client.api_alipay_trade_precreate("点券", "P1", AMOUNT, time_expire=soon)
    sandbox.client.get(offered["qr_code"])
    time.sleep(2.1)
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "TRADE_CLOSED"
    assert sandbox.client.post(offered["qr_code"]).status_code == 409


def test_a_paid_trade_is_neither_closed_nor_offered_again(client: AliPay, sandbox: RunningSandbox) -> None:
    client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    pay(sandbox, "P1")
    assert refusal(client.api_alipay_trade_close(out_trade_no="P1")) == "ACQ.REASON_TRADE_STATUS_INVALID"
    again = client.api_alipay_trade_precreate(subject="点券", out_trade_no="P1", total_amount=AMOUNT)
    assert refusal(again) == "ACQ.TRADE_HAS_SUCCESS"
    twice = sandbox.client.post(f"{sandbox.url}/_control/gateways/alipay/pay", json={"payment": "P1"})
    assert (twice.status_code, twice.json()["error"]) == (409, "already_paid")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": "AAAA"}, "isv.invalid-signature"),
        ({"app_id": "2021000000000000"}, "isv.invalid-app-id"),
        ({"method": "alipay.trade.pay"}, "isv.invalid-method"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"timestamp": "2019-01-01 00:00:00"}, "isv.invalid-signature"),
        ({"sign": ""}, "isv.missing-signature"),
    ],
)
def test_what_the_gateway_refuses_is_answered_unsigned(
    client: AliPay, change: dict[str, str], code: str, sandbox: RunningSandbox
) -> None:
    content = {"out_trade_no": "P1", "total_amount": AMOUNT, "subject": "点券"}
    params = dict(parse_qsl(client.client_api("alipay.trade.precreate", content))) | change
    reply = sandbox.client.get(client._gateway, params=params)
    assert reply.status_code == 200
    assert list(reply.json()) == ["error_response"]
    assert reply.json()["error_response"]["sub_code"] == code
    assert sandbox.read("gateways/alipay/book?everything=1") == []


def test_an_old_timestamp_is_refused(client: AliPay, sandbox: RunningSandbox) -> None:
    content = {"out_trade_no": "P1", "total_amount": AMOUNT, "subject": "点券"}
    with pytest.raises(AliPayException, match=r"isv\.invalid-timestamp"):
        client.server_api("alipay.trade.precreate", content, timestamp="2019-01-01 00:00:00")


@pytest.mark.parametrize(
    "change",
    [
        {"total_amount": "0.00"},
        {"total_amount": "-1"},
        {"total_amount": "1e3"},
        {"total_amount": "57.001"},
        {"out_trade_no": "有空格 P1"},
        {"out_trade_no": "P" * 65},
        {"subject": ""},
        {"seller_id": "2088000000000000"},
    ],
)
def test_bad_content_is_refused_in_a_signed_reply(
    client: AliPay, sandbox: RunningSandbox, change: dict[str, str]
) -> None:
    content = {"out_trade_no": "P1", "total_amount": AMOUNT, "subject": "点券"} | change
    assert refusal(client.server_api("alipay.trade.precreate", content)) == "ACQ.INVALID_PARAMETER"
    assert sandbox.read("gateways/alipay/book?everything=1") == []


def test_the_signature_of_a_reply_covers_the_exact_text_with_escaped_slashes(
    client: AliPay, sandbox: RunningSandbox
) -> None:
    content = {"out_trade_no": "P1", "total_amount": AMOUNT, "subject": "点券"}
    reply = httpx.get(f"{client._gateway}?{client.client_api('alipay.trade.precreate', content)}", trust_env=False)
    node = re.fullmatch(r'\{"alipay_trade_precreate_response":(\{.*\}),"sign":"([^"]*)"\}', reply.text)
    assert node is not None
    assert "http:\\/\\/127.0.0.1" in node[1]
    assert client._verify(node[1], node[2])
    assert not client._verify(json.dumps(json.loads(node[1]), separators=(",", ":")), node[2])
    assert b64encode(b64decode(node[2])).decode() == node[2]


def test_inside_the_app_a_code_counts_once_and_a_trade_is_there_at_once(
    client: AliPay, sandbox: RunningSandbox
) -> None:
    given = sandbox.merchant("alipay_jsapi")
    asked = {"app_id": given["app_id"], "scope": "auth_base", "redirect_uri": "https://shop.example/back", "state": "5"}
    for wrong in ({"app_id": "1"}, {"scope": "auth_user"}, {"redirect_uri": "javascript:1"}):
        assert sandbox.client.get(given["authorize_url"], params=asked | wrong).status_code == 400
    away = sandbox.client.get(given["authorize_url"], params=asked).headers["location"]
    told = dict(parse_qsl(urlsplit(away).query))
    assert (told["app_id"], told["state"]) == (given["app_id"], "5")

    token, answer = "alipay.system.oauth.token", "alipay_system_oauth_token_response"
    data = client.build_body(token, {})
    data.pop("biz_content", None)
    data |= {"grant_type": "authorization_code", "code": told["auth_code"]}
    named = client.verified_sync_response(data, answer)
    assert "code" not in named
    with pytest.raises(AliPayException, match="code-invalid"):
        client.verified_sync_response(data, answer)

    def create(**more: str) -> dict[str, Any]:
        return client.api_alipay_trade_create(subject="点券", out_trade_no="P1", total_amount=AMOUNT, **more)

    buyer = {"buyer_open_id": named["open_id"], "product_code": "JSAPI_PAY"}
    for lacking in buyer:
        assert refusal(create(**{name: text for name, text in buyer.items() if name != lacking})).startswith("ACQ.")
    made = create(**buyer)
    assert made["trade_no"] == create(**buyer)["trade_no"]
    assert client.api_alipay_trade_query(out_trade_no="P1")["trade_status"] == "WAIT_BUYER_PAY"
