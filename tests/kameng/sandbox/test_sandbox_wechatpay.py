"""The WeChat Pay sandbox, with a client from the registry on the other side, in both worlds of keys."""

import json
import time
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core
from wechatpayv3.type import RequestType
from wechatpayv3.utils import build_authorization, load_private_key

from tests.kameng.sandbox.running import Notice, RunningSandbox, Shop, until

PAYMENT = "KM20261109000001"


@pytest.fixture(params=["public key", "certificate"])
def client(
    request: pytest.FixtureRequest, sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> WeChatPay:
    sandbox.steer("gateways/wechatpay", notice_serial=request.param.replace(" ", "_"))
    return make_client(sandbox, shop, monkeypatch, public_key=request.param == "public key")


def make_client(sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch, *, public_key: bool) -> WeChatPay:
    given = sandbox.merchant("wechatpay")
    # The client fetches certificates while it is being made, so its fixed address must change before that.
    monkeypatch.setattr(Core, "_gate_way", property(lambda self: sandbox.url, lambda self, value: None), raising=False)
    keys = {"public_key": given["public_key"], "public_key_id": given["public_key_id"]} if public_key else {}
    return WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=given["mchid"],
        private_key=given["merchant_private_key"],
        cert_serial_no=given["merchant_serial"],
        appid=given["appid"],
        apiv3_key=given["apiv3_key"],
        notify_url=f"{shop.url}/notify",
        **keys,
    )


def prepay(client: WeChatPay, payment: str = PAYMENT, total: int = 5700, **options: Any) -> tuple[int, dict[str, Any]]:
    status, text = client.pay(
        description=options.pop("description", "点券 60"), out_trade_no=payment, amount={"total": total}, **options
    )
    return status, json.loads(text)


def query(client: WeChatPay, payment: str = PAYMENT) -> dict[str, Any]:
    status, text = client.query(out_trade_no=payment)
    assert status == 200
    return json.loads(text)


def pay(sandbox: RunningSandbox, payment: str = PAYMENT, **options: Any) -> dict[str, Any]:
    return sandbox.steer("gateways/wechatpay/pay", payment=payment, **options)


def unseal(sandbox: RunningSandbox, notice: Notice) -> dict[str, Any]:
    resource = json.loads(notice.body)["resource"]
    key = sandbox.merchant("wechatpay")["apiv3_key"].encode()
    sealed = b64decode(resource["ciphertext"])
    plain = AESGCM(key).decrypt(resource["nonce"].encode(), sealed, resource["associated_data"].encode())
    return json.loads(plain)


def call(sandbox: RunningSandbox, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    """A signed request of our own making, below the prefix."""
    given = sandbox.merchant("wechatpay")
    target = f"/wechatpay{path}"
    text = "" if body is None else json.dumps(body)
    key = load_private_key(given["merchant_private_key"])
    signed = build_authorization(target, method, given["mchid"], given["merchant_serial"], key, data=text)
    own = {"Authorization": signed, "Content-Type": "application/json", "Accept": "application/json"} | headers
    return sandbox.client.request(method, sandbox.url + target, content=text, headers=own)


def order(sandbox: RunningSandbox, **changes: Any) -> dict[str, Any]:
    given = sandbox.merchant("wechatpay")
    return {
        "appid": given["appid"],
        "mchid": given["mchid"],
        "description": "点券",
        "out_trade_no": PAYMENT,
        "notify_url": "http://127.0.0.1:1/notify",
        "amount": {"total": 5700, "currency": "CNY"},
    } | changes


def test_an_order_is_paid_queried_and_told(client: WeChatPay, sandbox: RunningSandbox, shop: Shop) -> None:
    status, offered = prepay(client)
    assert status == 200
    assert query(client)["trade_state"] == "NOTPAY"
    assert sandbox.client.get(offered["code_url"]).status_code == 200

    shop.answers = [(204, b"")]
    paid = pay(sandbox)
    found = query(client)
    assert (found["trade_state"], found["amount"]["total"]) == ("SUCCESS", 5700)
    assert found["transaction_id"] == paid["reference"]
    assert (found["trade_type"], found["payer"]["openid"] != "") == ("NATIVE", True)
    (notice,) = shop.wait_for(1)
    told = client.callback(notice.headers, notice.body)
    assert (told["event_type"], told["resource_type"]) == ("TRANSACTION.SUCCESS", "encrypt-resource")
    assert told["resource"] == found
    assert sandbox.book("gateways", "wechatpay") == [
        {"payment": PAYMENT, "amount": "57.00", "paid_at": paid["paid_at"], "refunded": "0.00"}
    ]


def test_a_refund_is_first_processing_then_told(client: WeChatPay, sandbox: RunningSandbox, shop: Shop) -> None:
    shop.answers = [(200, b"")]
    prepay(client)
    pay(sandbox)
    shop.wait_for(1)
    asked = {"total": 5700, "refund": 700, "currency": "CNY"}
    for _ in range(2):
        status, text = client.refund("R1", asked, out_trade_no=PAYMENT, notify_url=f"{shop.url}/refund")
        assert (status, json.loads(text)["status"]) == (200, "PROCESSING")
    assert query(client)["trade_state"] == "REFUND"

    notice = shop.wait_for(2)[1]
    told = client.callback(notice.headers, notice.body)
    assert (notice.path, told["event_type"]) == ("/refund", "REFUND.SUCCESS")
    assert told["resource"]["amount"] == {"total": 5700, "refund": 700, "payer_total": 5700, "payer_refund": 700}
    assert (told["resource"]["refund_status"], told["resource"]["out_refund_no"]) == ("SUCCESS", "R1")
    status, text = client.query_refund("R1")
    assert (status, json.loads(text)["status"]) == (200, "SUCCESS")
    assert sandbox.book("gateways", "wechatpay")[0]["refunded"] == "7.00"
    time.sleep(0.7)
    assert len(shop.notices) == 2


def test_the_key_of_a_reply_follows_the_serial_of_the_request(sandbox: RunningSandbox) -> None:
    given = sandbox.merchant("wechatpay")
    (certificate,) = given["platform_certificates"]
    path = f"/v3/pay/transactions/out-trade-no/{PAYMENT}?mchid={given['mchid']}"
    for serial in (given["public_key_id"], certificate):
        reply = call(sandbox, "GET", path, **{"Wechatpay-Serial": serial})
        assert (reply.status_code, reply.headers["wechatpay-serial"]) == (404, serial)
    assert call(sandbox, "GET", path).headers["wechatpay-serial"] == certificate
    unknown = call(sandbox, "GET", path, **{"Wechatpay-Serial": "ABCDEF"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "INVALID_REQUEST")


def test_notices_can_be_signed_by_either_key(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=True)
    given = sandbox.merchant("wechatpay")
    serials = {"certificate": next(iter(given["platform_certificates"])), "public_key": given["public_key_id"]}
    for number, (setting, serial) in enumerate(serials.items(), start=1):
        sandbox.steer("gateways/wechatpay", notice_serial=setting)
        prepay(client, f"{PAYMENT}{number}")
        pay(sandbox, f"{PAYMENT}{number}")
        notice = shop.wait_for(number)[number - 1]
        assert notice.headers["Wechatpay-Serial"] == serial
        assert client.callback(notice.headers, notice.body) is not None


@pytest.mark.parametrize("mode", ["forged", "probe"])
def test_a_spoiled_notice_does_not_verify_and_is_not_repeated(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=True)
    shop.answers = [(500, b"")]
    prepay(client)
    pay(sandbox, notify=mode)
    (notice,) = shop.wait_for(1)
    assert client.callback(notice.headers, notice.body) is None
    assert notice.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/") is (mode == "probe")
    time.sleep(1.3)
    assert len(shop.notices) == 1


def test_a_repeated_notice_keeps_its_id_and_is_signed_anew(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=True)
    shop.answers = [(500, b""), (204, b"")]
    prepay(client)
    pay(sandbox)
    first, second = shop.wait_for(2)
    assert json.loads(first.body)["id"] == json.loads(second.body)["id"]
    assert first.headers["Wechatpay-Signature"] != second.headers["Wechatpay-Signature"]
    assert client.callback(second.headers, second.body) is not None


def test_the_same_number_is_re_entrant_only_with_the_same_parameters(client: WeChatPay) -> None:
    assert prepay(client)[0] == 200
    assert prepay(client)[0] == 200
    for changed in ({"total": 5600}, {"description": "别的"}, {"attach": "x"}):
        status, problem = prepay(client, **changed)
        assert (status, problem["code"]) == (403, "OUT_TRADE_NO_USED")
    assert query(client)["amount"]["total"] == 5700


def test_closing_answers_204_and_ends_the_order(client: WeChatPay, sandbox: RunningSandbox) -> None:
    prepay(client)
    assert client.close(PAYMENT)[0] == 204
    assert query(client)["trade_state"] == "CLOSED"
    status, problem = prepay(client)
    assert (status, problem["code"]) == (400, "ORDER_CLOSED")
    late = sandbox.client.post(f"{sandbox.url}/_control/gateways/wechatpay/pay", json={"payment": PAYMENT})
    assert (late.status_code, late.json()["error"]) == (409, "closed")
    assert sandbox.book("gateways", "wechatpay") == []


def test_a_paid_order_cannot_be_closed(client: WeChatPay, sandbox: RunningSandbox) -> None:
    prepay(client)
    pay(sandbox)
    assert client.close(PAYMENT)[0] == 400
    assert query(client)["trade_state"] == "SUCCESS"


def test_the_h5_address_leads_back_to_the_shop(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=True)
    scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
    status, offered = prepay(client, pay_type=WeChatPayType.H5, scene_info=scene)
    assert status == 200
    page = f"{offered['h5_url']}&redirect_url={shop.url}/back"
    assert "确认付款 ¥57.00" in sandbox.client.get(page).text
    paid = sandbox.client.post(page)
    assert (paid.status_code, paid.headers["location"]) == (303, f"{shop.url}/back")
    assert query(client)["trade_type"] == "MWEB"


def test_a_jsapi_order_names_its_payer(sandbox: RunningSandbox) -> None:
    refused = call(sandbox, "POST", "/v3/pay/transactions/jsapi", order(sandbox))
    assert (refused.status_code, refused.json()["code"]) == (400, "PARAM_ERROR")
    taken = call(sandbox, "POST", "/v3/pay/transactions/jsapi", order(sandbox, payer={"openid": "o123"}))
    assert taken.json()["prepay_id"].startswith("wx")
    pay(sandbox)
    mchid = sandbox.merchant("wechatpay")["mchid"]
    found = call(sandbox, "GET", f"/v3/pay/transactions/out-trade-no/{PAYMENT}?mchid={mchid}").json()
    assert (found["payer"], found["trade_type"]) == ({"openid": "o123"}, "JSAPI")
    by_id = call(sandbox, "GET", f"/v3/pay/transactions/id/{found['transaction_id']}?mchid={mchid}")
    assert by_id.json() == found


@pytest.mark.parametrize(
    ("kind", "change", "status", "code"),
    [
        ("native", {"amount": {"total": 0}}, 400, "PARAM_ERROR"),
        ("native", {"amount": {"total": "5700"}}, 400, "PARAM_ERROR"),
        ("native", {"amount": {"total": 57.0}}, 400, "PARAM_ERROR"),
        ("native", {"amount": {"total": True}}, 400, "PARAM_ERROR"),
        ("native", {"amount": {"total": 5700, "currency": "USD"}}, 400, "PARAM_ERROR"),
        ("native", {"out_trade_no": "short"}, 400, "PARAM_ERROR"),
        ("native", {"out_trade_no": "K" * 33}, 400, "PARAM_ERROR"),
        ("native", {"notify_url": "http://127.0.0.1:1/notify?a=1"}, 400, "PARAM_ERROR"),
        ("native", {"time_expire": "2026-11-09 12:00:00"}, 400, "PARAM_ERROR"),
        ("native", {"time_expire": "2019-01-01T00:00:00+08:00"}, 400, "PARAM_ERROR"),
        ("native", {"description": "字" * 128}, 400, "PARAM_ERROR"),
        ("native", {"appid": "wx0000000000000000"}, 400, "APPID_MCHID_NOT_MATCH"),
        ("native", {"mchid": "1900000109"}, 400, "MCH_NOT_EXISTS"),
        ("h5", {}, 400, "PARAM_ERROR"),
        ("h5", {"scene_info": {"payer_client_ip": "127.0.0.1"}}, 400, "PARAM_ERROR"),
    ],
)
def test_bad_orders_are_refused_and_not_entered(
    sandbox: RunningSandbox, kind: str, change: dict[str, Any], status: int, code: str
) -> None:
    reply = call(sandbox, "POST", f"/v3/pay/transactions/{kind}", order(sandbox, **change))
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert "wechatpay-signature" in reply.headers
    assert sandbox.read("gateways/wechatpay/book?everything=1") == []


def test_the_last_moment_to_pay_cannot_be_moved(sandbox: RunningSandbox) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=15)
    body = order(sandbox, time_expire=moment.isoformat())
    assert call(sandbox, "POST", "/v3/pay/transactions/native", body).status_code == 200
    body["time_expire"] = (moment + timedelta(minutes=1)).isoformat()
    moved = call(sandbox, "POST", "/v3/pay/transactions/native", body)
    assert (moved.status_code, moved.json()["code"]) == (403, "OUT_TRADE_NO_USED")
    entered = sandbox.read("gateways/wechatpay/book?everything=1")[0]["expires_at"]
    assert datetime.fromisoformat(entered) == moment


@pytest.mark.parametrize("part", ["signature", "timestamp", "serial_no", "mchid", "body", "target", "header"])
def test_whatever_was_signed_must_be_what_arrives(sandbox: RunningSandbox, part: str) -> None:
    given = sandbox.merchant("wechatpay")
    target, body = "/wechatpay/v3/pay/transactions/native", json.dumps(order(sandbox))
    key = load_private_key(given["merchant_private_key"])
    signed = build_authorization(target, "POST", given["mchid"], given["merchant_serial"], key, data=body)
    match part:
        case "signature":
            signed = signed.replace('signature="', 'signature="A')
        case "timestamp":
            signed = signed.replace('timestamp="1', 'timestamp="2')
        case "serial_no" | "mchid":
            signed = signed.replace(f'{part}="', f'{part}="0')
        case "body":
            body += " "
        case "target":
            target += "?a=1"
        case "header":
            signed = ""
    headers = {"Authorization": signed, "Content-Type": "application/json"}
    reply = sandbox.client.post(sandbox.url + target, content=body, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "SIGN_ERROR")
    assert "wechatpay-signature" not in reply.headers
    assert sandbox.read("gateways/wechatpay/book?everything=1") == []


def test_refunds_beyond_what_is_there_are_refused(client: WeChatPay, sandbox: RunningSandbox) -> None:
    def refund(number: str, amount: int, total: int = 5700) -> tuple[int, str]:
        status, text = client.refund(
            number, {"refund": amount, "total": total, "currency": "CNY"}, out_trade_no=PAYMENT
        )
        return status, json.loads(text).get("code", "")

    assert refund("R1", 100) == (404, "RESOURCE_NOT_EXISTS")
    prepay(client)
    assert refund("R1", 100) == (400, "INVALID_REQUEST")
    pay(sandbox)
    assert refund("R1", 5701) == (400, "INVALID_REQUEST")
    assert refund("R1", 100, total=100) == (400, "INVALID_REQUEST")
    assert refund("R1", 5000) == (200, "")
    assert refund("R1", 4000) == (400, "INVALID_REQUEST")
    assert refund("R2", 701) == (400, "INVALID_REQUEST")
    assert refund("R2", 700) == (200, "")
    until(lambda: sandbox.book("gateways", "wechatpay")[0]["refunded"] == "57.00")
    assert client.query_refund("R3")[0] == 404


@pytest.mark.parametrize(("outcome", "word"), [("abnormal", "ABNORMAL"), ("closed", "CLOSED")])
def test_a_refund_can_end_badly(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch, outcome: str, word: str
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=True)
    prepay(client)
    pay(sandbox)
    shop.wait_for(1)
    sandbox.steer("gateways/wechatpay", refund=outcome, refund_ms=50)
    amount = {"refund": 5700, "total": 5700, "currency": "CNY"}
    client.refund("R1", amount, out_trade_no=PAYMENT, notify_url=f"{shop.url}/refund")
    notice = shop.wait_for(2)[1]
    assert json.loads(notice.body)["event_type"] == f"REFUND.{word}"
    assert unseal(sandbox, notice)["refund_status"] == word
    assert json.loads(client.query_refund("R1")[1])["status"] == word
    assert sandbox.book("gateways", "wechatpay")[0]["refunded"] == "0.00"


def test_what_is_signed_is_the_path_as_sent(sandbox: RunningSandbox, shop: Shop) -> None:
    base = sandbox.merchant("wechatpay")["base_url"]
    assert urlsplit(base).path == "/wechatpay"
    assert call(sandbox, "POST", "/v3/pay/transactions/native", order(sandbox)).status_code == 200


def test_the_client_fetches_the_certificate(
    sandbox: RunningSandbox, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(sandbox, shop, monkeypatch, public_key=False)
    status, _ = client._core.request("/v3/certificates", method=RequestType.GET)
    assert status == 200
    (certificate,) = client._core._certificates
    assert f"{certificate.serial_number:040X}" in sandbox.merchant("wechatpay")["platform_certificates"]
