import base64
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives import hashes

from payments.gateways.base import GatewayStatus, Notice, NoticeRefused, RefundStatus
from tests.payments.gateways.platforms import NOW, PAYMENT, REFUND, payload, rsa_sign


def dump(document) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.fixture
def captured():
    return payload("wechatpay", "notice_transaction_success")


@pytest.fixture
def refused(wechatpay, wechatpay_platform):
    """Show that a notice is refused, that nothing was asked of WeChat Pay, and that a genuine one is accepted."""

    def check(body: bytes, headers: dict[str, str] | None = None, *, reason: str | None = None) -> None:
        headers = wechatpay_platform.headers(body) if headers is None else headers
        with pytest.raises(NoticeRefused, match=reason):
            wechatpay.verify_notice(headers=headers, body=body)
        genuine = dump(wechatpay_platform.envelope(payload("wechatpay", "notice_transaction_success")))
        notice = wechatpay.verify_notice(headers=wechatpay_platform.headers(genuine), body=genuine)
        assert notice.payment is not None
        assert wechatpay_platform.requests == []

    return check


def test_a_payment_tells_every_field_that_must_match(wechatpay, wechatpay_platform, captured):
    body = dump(wechatpay_platform.envelope(captured))
    notice = wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body)
    assert (notice.event_id, notice.refund) == ("EV-2026112215455812345", None)
    result = notice.payment
    assert (result.payment, result.status) == (PAYMENT, GatewayStatus.CONFIRMED)
    assert (result.reference, result.amount, result.currency) == (
        "4200002464202611221234567890",
        Decimal("57.00"),
        "CNY",
    )
    assert (result.merchant, result.app) == ("1623456789", "wx8888888888888888")
    assert result.paid_at == datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)
    assert result.raw == captured["resource"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("notice_refund_success", RefundStatus.SUCCEEDED, ""),
        ("notice_refund_abnormal", RefundStatus.FAILED, "ABNORMAL"),
        ("notice_refund_closed", RefundStatus.FAILED, "CLOSED"),
    ],
)
def test_a_refund_tells_how_it_ended(wechatpay, wechatpay_platform, name, status, code):
    captured = payload("wechatpay", name)
    body = dump(wechatpay_platform.envelope(captured))
    notice = wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body)
    assert (notice.event_id, notice.payment) == (captured["envelope"]["id"], None)
    assert (notice.refund.refund, notice.refund.payment) == (REFUND, PAYMENT)
    assert (notice.refund.status, notice.refund.code, notice.refund.amount) == (status, code, Decimal("57.00"))


def test_a_genuine_notice_of_another_kind_is_nothing_to_do(wechatpay, wechatpay_platform, captured):
    captured["envelope"]["event_type"] = "COUPON.USE"
    body = dump(wechatpay_platform.envelope(captured))
    notice = wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body)
    assert notice == Notice("EV-2026112215455812345")


def test_a_notice_repeated_with_a_new_signature_is_the_same_event(wechatpay, wechatpay_platform, captured):
    body = dump(wechatpay_platform.envelope(captured))
    events = {
        wechatpay.verify_notice(headers=wechatpay_platform.headers(body, timestamp=str(NOW - ago)), body=body).event_id
        for ago in (0, 15, 30)
    }
    assert events == {"EV-2026112215455812345"}


def test_either_of_wechat_pays_keys_is_chosen_by_its_serial(wechatpay, wechatpay_platform, captured):
    body = dump(wechatpay_platform.envelope(captured))
    for serial in wechatpay_platform.keys:
        for written in (serial, serial.lower(), serial.lstrip("0")):
            headers = wechatpay_platform.headers(body, serial=serial) | {"wechatpay-serial": written}
            assert wechatpay.verify_notice(headers=headers, body=body).payment


def test_the_associated_data_may_be_empty_or_absent(wechatpay, wechatpay_platform, captured):
    envelope = wechatpay_platform.envelope(captured | {"associated_data": ""})
    bodies = [dump(envelope), dump(envelope | {"resource": envelope["resource"] | {"associated_data": None}})]
    del envelope["resource"]["associated_data"]
    for body in [*bodies, dump(envelope)]:
        assert wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body).payment


def test_the_type_of_signature_need_not_be_named(wechatpay, wechatpay_platform, captured):
    body = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(body)
    del headers["wechatpay-signature-type"]
    assert wechatpay.verify_notice(headers=headers, body=body).payment


def test_another_merchants_payment_is_left_to_the_caller_to_match(wechatpay, wechatpay_platform, captured):
    captured["resource"] |= {"mchid": "1000000000", "appid": "wx0000000000000000"}
    body = dump(wechatpay_platform.envelope(captured))
    result = wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body).payment
    assert (result.merchant, result.app) == ("1000000000", "wx0000000000000000")


@pytest.mark.parametrize(("seconds", "trusted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_notice_is_trusted_for_five_minutes(wechatpay, wechatpay_platform, captured, refused, seconds, trusted):
    body = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(body, timestamp=str(NOW + seconds))
    if trusted:
        assert wechatpay.verify_notice(headers=headers, body=body).payment
    else:
        refused(body, headers, reason="300 s")


def test_refuses_a_signature_by_somebody_else(refused, wechatpay_platform, captured, keys):
    body = dump(wechatpay_platform.envelope(captured))
    for key in (keys.stranger, keys.merchant, keys.certified):
        refused(body, wechatpay_platform.headers(body, key=key), reason="wrong signature")


def test_refuses_the_public_keys_signature_under_the_certificates_serial(refused, wechatpay_platform, captured, keys):
    body = dump(wechatpay_platform.envelope(captured))
    serial = next(serial for serial in wechatpay_platform.keys if not serial.startswith("PUB_KEY_ID_"))
    refused(body, wechatpay_platform.headers(body, serial=serial, key=keys.platform), reason="wrong signature")


@pytest.mark.parametrize(
    "serial",
    [
        "",
        "0",
        "PUB_KEY_ID_0000000000000000000000000000000000",
        "PUB_KEY_ID_",
        "5157F09EFDC096DE15EBE81A47057A7200000000",
        "not hex",
        "-1",
        "F" * 10_000,
    ],
)
def test_refuses_a_serial_that_is_not_configured_and_fetches_nothing(
    refused, wechatpay, wechatpay_platform, captured, serial
):
    """Nor does it forget what it knows: the next genuine notice is believed."""
    body = dump(wechatpay_platform.envelope(captured))
    refused(body, wechatpay_platform.headers(body) | {"wechatpay-serial": serial}, reason="not configured")
    assert wechatpay.verify_notice(headers=wechatpay_platform.headers(body), body=body).payment


def test_refuses_a_probe(refused, wechatpay_platform, captured):
    body = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(body)
    probe = "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"]
    refused(body, headers | {"wechatpay-signature": probe}, reason="probe")


@pytest.mark.parametrize(
    "header", ["wechatpay-signature", "wechatpay-serial", "wechatpay-timestamp", "wechatpay-nonce"]
)
@pytest.mark.parametrize("value", [None, "", " ", "AAAA", "签"])
def test_refuses_a_header_that_is_missing_or_wrong(refused, wechatpay_platform, captured, header, value):
    body = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(body)
    if value is None:
        del headers[header]
    else:
        headers[header] = value
    refused(body, headers)


@pytest.mark.parametrize("timestamp", ["1.8e9", "-1", "１７９５３３３５６０", "0x6b", "9" * 5000, f"{NOW} "])
def test_refuses_a_timestamp_that_is_no_plain_number(refused, wechatpay_platform, captured, timestamp):
    body = dump(wechatpay_platform.envelope(captured))
    refused(body, wechatpay_platform.headers(body, timestamp=timestamp))


def test_refuses_part_of_the_body_moved_into_the_nonce(refused, wechatpay_platform, captured):
    """The signed text is the same, and what is left of the body is a notice."""
    rest = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(b"first line\n" + rest)
    refused(rest, headers | {"wechatpay-nonce": headers["wechatpay-nonce"] + "\nfirst line"}, reason="nonce")


@pytest.mark.parametrize("kind", ["WECHATPAY2-SM2-WITH-SM3", "WECHATPAY2-SHA1-RSA2048", "none", ""])
def test_refuses_every_algorithm_but_ours(refused, wechatpay_platform, captured, kind):
    body = dump(wechatpay_platform.envelope(captured))
    refused(body, wechatpay_platform.headers(body) | {"wechatpay-signature-type": kind}, reason="SHA256")


def test_refuses_a_sha1_signature_under_the_name_of_sha256(refused, wechatpay_platform, captured, keys):
    body = dump(wechatpay_platform.envelope(captured))
    headers = wechatpay_platform.headers(body)
    message = f"{headers['wechatpay-timestamp']}\n{headers['wechatpay-nonce']}\n".encode() + body + b"\n"
    signature = rsa_sign(keys.platform, message, hashes.SHA1())
    refused(body, headers | {"wechatpay-signature": signature}, reason="wrong signature")


@pytest.mark.parametrize(
    "mangle",
    [
        lambda body: body + b"\n",
        lambda body: body[:-1],
        lambda body: b"",
        lambda body: body.replace(b": ", b":"),
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: json.dumps(json.loads(body), ensure_ascii=False, sort_keys=True).encode(),
        lambda body: body.replace(b"EV-", b"EW-"),
        lambda body: body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.FAILURE"),
    ],
)
def test_refuses_a_body_that_is_not_byte_for_byte_what_was_signed(refused, wechatpay_platform, captured, mangle):
    body = dump(wechatpay_platform.envelope(captured))
    assert mangle(body) != body
    refused(mangle(body), wechatpay_platform.headers(body), reason="wrong signature")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b"<xml/>",
        b"id=1",
        b"\xff\xfe",
        b"{}",
        b'{"id":"1"}',
        b'{"id":NaN}',
        b"[" * 100_000,
    ],
    ids=len,
)
def test_refuses_a_signed_body_that_is_no_notice(refused, body):
    refused(body)


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"event_type": None},
        {"event_type": "REFUND.SUCCESS"},
        {"resource_type": "plain"},
        {"resource_type": None},
        {"resource": None},
        {"resource": "text"},
        {"resource": []},
    ],
)
def test_refuses_a_signed_envelope_of_the_wrong_form(refused, wechatpay_platform, captured, change):
    refused(dump(wechatpay_platform.envelope(captured) | change))


def flip(sealed: str) -> str:
    raw = bytearray(base64.b64decode(sealed))
    raw[0] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("algorithm", lambda _: "AEAD_AES_128_GCM"),
        ("algorithm", lambda _: "AEAD_SM4_GCM"),
        ("algorithm", lambda _: "none"),
        ("algorithm", lambda _: None),
        ("original_type", lambda _: "refund"),
        ("original_type", lambda _: None),
        ("associated_data", lambda _: "transactiom"),
        ("associated_data", lambda _: ""),
        ("associated_data", lambda _: 7),
        ("nonce", lambda nonce: nonce[:-1] + "5"),
        ("nonce", lambda nonce: nonce[:-1]),
        ("nonce", lambda nonce: nonce + "5"),
        ("nonce", lambda _: ""),
        ("nonce", lambda _: 7),
        ("ciphertext", flip),
        ("ciphertext", lambda sealed: sealed[:-8]),
        ("ciphertext", lambda sealed: sealed[:20]),
        ("ciphertext", lambda _: "AAAA"),
        ("ciphertext", lambda _: ""),
        ("ciphertext", lambda sealed: sealed + "!"),
        ("ciphertext", lambda _: "密"),
        ("ciphertext", lambda _: None),
    ],
)
def test_refuses_a_signed_resource_that_does_not_open(refused, wechatpay_platform, captured, field, change):
    envelope = wechatpay_platform.envelope(captured)
    envelope["resource"][field] = change(envelope["resource"][field])
    refused(dump(envelope))


@pytest.mark.parametrize("nonce", ["f" * 8, "f" * 11, "f" * 13, "f" * 16])
def test_refuses_what_was_sealed_with_a_nonce_of_another_length(refused, wechatpay_platform, captured, nonce):
    refused(dump(wechatpay_platform.envelope(captured, nonce=nonce)), reason="nonce")


def test_refuses_what_is_not_json_anywhere_in_a_signed_body(refused, wechatpay_platform, captured):
    envelope = wechatpay_platform.envelope(captured)
    for constant in (float("nan"), float("inf")):
        refused(dump(envelope | {"extra": constant}), reason="not JSON")
        refused(dump(wechatpay_platform.envelope(captured, plaintext=dump(captured["resource"] | {"x": constant}))))


def test_refuses_what_was_sealed_with_another_merchants_key(refused, wechatpay_platform, captured):
    refused(dump(wechatpay_platform.envelope(captured, api_key="f" * 32)), reason="does not decrypt")


@pytest.mark.parametrize(
    "plaintext", [b"", b"null", b"[]", b"text", b"\xff", b"{", b"{}", b'{"trade_state":"SUCCESS"}']
)
def test_refuses_a_sealed_text_that_is_no_order(refused, wechatpay_platform, captured, plaintext):
    refused(dump(wechatpay_platform.envelope(captured, plaintext=plaintext)))


@pytest.mark.parametrize("total", [5700.0, 57.5, True, "5700", "57.00", -5700, None, 10**40, [5700], {"total": 5700}])
def test_refuses_a_sealed_amount_that_is_not_whole_fen(refused, wechatpay_platform, captured, total):
    captured["resource"]["amount"]["total"] = total
    refused(dump(wechatpay_platform.envelope(captured)), reason="fen")


@pytest.mark.parametrize(
    "name", ["out_trade_no", "transaction_id", "trade_state", "mchid", "appid", "amount", "amount.currency"]
)
def test_refuses_a_sealed_order_without_a_field_that_is_needed(refused, wechatpay_platform, captured, name):
    *parents, last = name.split(".")
    place = captured["resource"]
    for parent in parents:
        place = place[parent]
    del place[last]
    refused(dump(wechatpay_platform.envelope(captured)), reason=f"{last} is missing")


@pytest.mark.parametrize("state", ["success", "ACCEPT", "PAID", "", 1])
def test_refuses_a_sealed_state_that_is_not_known(refused, wechatpay_platform, captured, state):
    captured["resource"]["trade_state"] = state
    refused(dump(wechatpay_platform.envelope(captured)), reason="trade_state")


@pytest.mark.parametrize(
    "change",
    [
        {"mchid": "1000000000"},
        {"mchid": None},
        {"refund_status": "DONE"},
        {"refund_status": None},
        {"out_refund_no": ""},
        {"amount": {"refund": 57.0}},
        {"amount": {"refund": 5700, "currency": "USD"}},
        {"amount": None},
    ],
)
def test_refuses_a_sealed_refund_that_is_malformed_or_another_merchants(refused, wechatpay_platform, change):
    captured = payload("wechatpay", "notice_refund_success")
    captured["resource"] |= change
    refused(dump(wechatpay_platform.envelope(captured)))


def test_refuses_a_payment_called_a_refund(refused, wechatpay_platform, captured):
    captured["envelope"]["event_type"] = "REFUND.SUCCESS"
    captured["original_type"] = "refund"
    refused(dump(wechatpay_platform.envelope(captured)))


def test_answers_with_nothing_or_with_fail(wechatpay):
    accepted, refused = wechatpay.notice_reply(accepted=True), wechatpay.notice_reply(accepted=False)
    assert (accepted.status, accepted.body) == (204, b"")
    assert (refused.status, refused.content_type) == (400, "application/json")
    assert json.loads(refused.body)["code"] == "FAIL"
