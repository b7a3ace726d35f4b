from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives import hashes

from payments.gateways.alipay.transformers import canonical_text
from payments.gateways.base import GatewayStatus, Notice, NoticeRefused, RefundStatus
from tests.payments.gateways.platforms import PAYMENT, REFUND, payload, rsa_sign

TRADE = "2026112222001419871412345678"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
REQUIRED = [
    "notify_id",
    "notify_type",
    "app_id",
    "out_trade_no",
    "trade_no",
    "trade_status",
    "total_amount",
    "seller_id",
]


@pytest.fixture
def genuine() -> dict[str, str]:
    return payload("alipay", "notice_trade_success")


@pytest.fixture
def refused(alipay, alipay_platform):
    """Show that a body is refused, that nothing was asked of Alipay, and that a genuine one still is accepted."""

    def check(body: bytes, reason: str | None = None, headers=FORM) -> None:
        with pytest.raises(NoticeRefused, match=reason):
            alipay.verify_notice(headers=headers, body=body)
        assert alipay_platform.requests == []
        genuine = alipay_platform.notice(payload("alipay", "notice_trade_success"))
        assert alipay.verify_notice(headers=FORM, body=genuine).payment is not None

    return check


@pytest.mark.parametrize(
    ("name", "status", "paid_at"),
    [
        ("notice_trade_success", GatewayStatus.CONFIRMED, datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)),
        ("notice_trade_finished", GatewayStatus.CONFIRMED, datetime(2026, 11, 22, 7, 45, 57, tzinfo=UTC)),
        ("notice_wait_buyer_pay", GatewayStatus.PENDING, None),
        ("notice_trade_closed", GatewayStatus.CLOSED, None),
    ],
)
def test_a_notice_tells_every_field_that_must_match(alipay, alipay_platform, name, status, paid_at):
    fields = payload("alipay", name)
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(fields))
    assert (notice.event_id, notice.refund) == (fields["notify_id"], None)
    result = notice.payment
    assert (result.payment, result.status, result.reference) == (PAYMENT, status, TRADE)
    assert (result.amount, result.currency, result.paid_at) == (Decimal("57.00"), "CNY", paid_at)
    assert (result.merchant, result.app) == (alipay.merchant, alipay.app)
    assert dict(result.raw) == dict(parse_qsl(alipay_platform.notice(fields).decode(), keep_blank_values=True))


@pytest.mark.parametrize("name", ["notice_refund_partial", "notice_refund_full"])
def test_a_refund_tells_with_the_status_of_a_payment_but_is_none(alipay, alipay_platform, name):
    fields = payload("alipay", name)
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(fields))
    assert (notice.event_id, notice.payment) == (fields["notify_id"], None)
    assert (notice.refund.refund, notice.refund.payment, notice.refund.reference) == (REFUND, PAYMENT, TRADE)
    assert (notice.refund.status, notice.refund.amount) == (RefundStatus.PENDING, None)


@pytest.mark.parametrize("kept", ["gmt_refund", "refund_fee"])
def test_a_refund_without_a_number_is_nothing_to_do(alipay, alipay_platform, genuine, kept):
    fields = genuine | {kept: payload("alipay", "notice_refund_partial")[kept]}
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(fields))
    assert notice == Notice(fields["notify_id"])


def test_a_notice_of_another_kind_is_nothing_to_do(alipay, alipay_platform, genuine):
    fields = genuine | {"notify_type": "dut_user_sign"}
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(fields))
    assert notice == Notice(fields["notify_id"])


def test_a_repeated_notice_is_known_by_the_same_event(alipay, alipay_platform, genuine):
    first = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(genuine))
    later = genuine | {"notify_time": "2026-11-22 15:49:58"}
    assert alipay.verify_notice(headers=FORM, body=alipay_platform.notice(later)).event_id == first.event_id


@pytest.mark.parametrize("drop_empty", [True, False])
def test_empty_values_may_be_signed_or_left_out(alipay, alipay_platform, genuine, drop_empty):
    fields = genuine | {"body": "", "gmt_refund": "", "passback_params": ""}
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(fields, drop_empty=drop_empty))
    assert notice.payment.status is GatewayStatus.CONFIRMED


def test_another_sellers_notice_is_left_to_the_caller_to_match(alipay, alipay_platform, genuine):
    body = alipay_platform.notice(genuine | {"seller_id": "2088000000000000"})
    assert alipay.verify_notice(headers=FORM, body=body).payment.merchant == "2088000000000000"


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "application/x-www-form-urlencoded"}, {"content-type": "Application/X-WWW-Form-UrlEncoded"}],
)
def test_the_form_is_taken_with_or_without_its_charset(alipay, alipay_platform, genuine, headers):
    assert alipay.verify_notice(headers=headers, body=alipay_platform.notice(genuine)).payment


@pytest.mark.parametrize("subject", ["a&b", "1+1=2", "100% &amp; 折", "{}[]\"'", "  两端  ", "👍"])
def test_any_text_in_a_subject_survives(alipay, alipay_platform, genuine, subject):
    notice = alipay.verify_notice(headers=FORM, body=alipay_platform.notice(genuine | {"subject": subject}))
    assert notice.payment.raw["subject"] == subject


def test_refuses_a_signature_by_somebody_else(refused, alipay_platform, genuine, keys):
    for key in (keys.stranger, keys.merchant):
        alipay_platform.key = key
        body = alipay_platform.notice(genuine)
        alipay_platform.key = keys.platform
        refused(body, "wrong signature")


@pytest.mark.parametrize("change", [{name: "1"} for name in sorted(payload("alipay", "notice_trade_success"))])
def test_refuses_a_change_to_any_field(refused, alipay_platform, genuine, change):
    signature = dict(parse_qsl(alipay_platform.notice(genuine).decode()))["sign"]
    refused(urlencode(genuine | change | {"sign": signature}).encode())


@pytest.mark.parametrize("added", [{"refund_fee": "57.00"}, {"passback_params": "x"}, {"a": "1"}, {"zz": "1"}])
def test_refuses_an_added_field(refused, alipay_platform, genuine, added):
    refused(alipay_platform.notice(genuine) + b"&" + urlencode(added).encode(), "wrong signature")


def test_refuses_a_field_taken_away(refused, alipay_platform, genuine):
    signature = dict(parse_qsl(alipay_platform.notice(genuine).decode()))["sign"]
    for name in genuine:
        fields = {other: value for other, value in genuine.items() if other != name}
        refused(urlencode(fields | {"sign": signature}).encode())


@pytest.mark.parametrize("signature", ["", "AAAA", "签名", "=" * 344, "RSA2"])
def test_refuses_what_is_no_signature(refused, genuine, signature):
    refused(urlencode(genuine | {"sign": signature}).encode())


def test_refuses_a_notice_without_a_signature(refused, genuine):
    refused(urlencode(genuine).encode(), "sign is missing")


@pytest.mark.parametrize("sign_type", ["RSA", "rsa2", "MD5", "HMAC", "", None])
def test_refuses_every_algorithm_but_ours(refused, alipay_platform, genuine, sign_type):
    del genuine["sign_type"]
    fields = genuine if sign_type is None else genuine | {"sign_type": sign_type}
    refused(alipay_platform.notice(fields), "sign_type is not RSA2")


def test_refuses_a_sha1_signature_under_the_name_of_rsa2(refused, genuine, keys):
    message = "&".join(f"{n}={v}" for n, v in sorted(genuine.items()) if n != "sign_type").encode()
    refused(urlencode(genuine | {"sign": rsa_sign(keys.platform, message, hashes.SHA1())}).encode(), "wrong signature")


@pytest.mark.parametrize("charset", ["GBK", "gb2312", "utf-16", "utf8", ""])
def test_refuses_every_charset_but_utf_8(refused, alipay_platform, genuine, charset):
    refused(alipay_platform.notice(genuine | {"charset": charset}), "charset is not utf-8")


def test_accepts_the_charset_in_capitals(alipay, alipay_platform, genuine):
    assert alipay.verify_notice(headers=FORM, body=alipay_platform.notice(genuine | {"charset": "UTF-8"})).payment


@pytest.mark.parametrize("name", [*REQUIRED, "sign", "sign_type", "subject"])
@pytest.mark.parametrize("value", [None, "x", ""])
def test_refuses_a_repeated_field_even_with_the_same_value(refused, alipay_platform, genuine, name, value):
    body = alipay_platform.notice(genuine)
    same = dict(parse_qsl(body.decode()))[name]
    again = urlencode({name: same if value is None else value}).encode()
    refused(body + b"&" + again, "repeated")
    refused(again + b"&" + body, "repeated")


@pytest.mark.parametrize("name", REQUIRED)
def test_refuses_a_signed_notice_without_a_field_that_is_needed(refused, alipay_platform, genuine, name):
    without = {other: value for other, value in genuine.items() if other != name}
    refused(alipay_platform.notice(without), f"{name} is missing")
    refused(alipay_platform.notice(genuine | {name: ""}), f"{name} is missing")


def test_refuses_a_signed_notice_for_another_application(refused, alipay_platform, genuine):
    refused(alipay_platform.notice(genuine | {"app_id": "2021004999999999"}), "another application")


@pytest.mark.parametrize(
    "amount", ["57.001", "-57.00", "+57.00", "5.7e1", "５７.00", "57,00", "1e3", "NaN", "57.00 ", "5_7", "9" * 60, "."]
)
def test_refuses_a_signed_amount_that_is_not_plain_yuan(refused, alipay_platform, genuine, amount):
    refused(alipay_platform.notice(genuine | {"total_amount": amount}))


@pytest.mark.parametrize("status", ["SUCCESS", "trade_success", "TRADE_PENDING", "TRADE_SUCCESS "])
def test_refuses_a_signed_status_that_is_not_known(refused, alipay_platform, genuine, status):
    refused(alipay_platform.notice(genuine | {"trade_status": status}), "trade_status")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&",
        b"null",
        b"success",
        b'{"trade_status":"TRADE_SUCCESS"}',
        b"<xml><trade_status>TRADE_SUCCESS</trade_status></xml>",
        b"trade_status=%ff%fe&sign_type=RSA2",
        "subject=券".encode(),
        b"\x00\xff",
        b"a=1&b",
        b"=1",
        b"&".join(b"f%d=1" % n for n in range(200)),
    ],
)
def test_refuses_what_is_no_form(refused, body):
    refused(body)


@pytest.mark.parametrize(
    "added", [b"&refund_fee", b"&zz=%ff", b"&zz=\xe5\x88\xb8", b"&&", b"".join(b"&f%d=" % n for n in range(100))]
)
def test_refuses_a_genuine_notice_with_something_unreadable_added(refused, alipay_platform, genuine, added):
    refused(alipay_platform.notice(genuine) + added, "not a form")


@pytest.mark.parametrize("form", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_refuses_a_form_that_says_it_is_something_else(refused, alipay_platform, genuine, form):
    refused(alipay_platform.notice(genuine), "not a form", headers={"content-type": form})


def test_refuses_a_refund_dressed_as_a_payment(refused, alipay_platform):
    """The signed text stays the same when `gmt_refund=…` is moved into the value of the field before it."""
    refund = payload("alipay", "notice_refund_partial")
    del refund["out_biz_no"]
    dressed = {name: value for name, value in refund.items() if name not in {"gmt_refund", "refund_fee"}}
    dressed["gmt_payment"] += f"&gmt_refund={refund['gmt_refund']}"
    dressed["receipt_amount"] += f"&refund_fee={refund['refund_fee']}"
    assert canonical_text(dressed) == canonical_text(refund)
    signature = dict(parse_qsl(alipay_platform.notice(refund).decode()))["sign"]
    refused(urlencode(dressed | {"sign": signature}).encode(), "reads as a field")


def test_refuses_a_subject_split_into_fields(refused, alipay_platform, genuine):
    """A product's name must not become `total_amount`: split, it leaves other fields with the same text."""
    body = alipay_platform.notice(genuine | {"subject": "券&total=1"})
    refused(body, "reads as a field")


def test_answers_exactly_success(alipay):
    accepted, refused = alipay.notice_reply(accepted=True), alipay.notice_reply(accepted=False)
    assert (accepted.status, accepted.content_type, accepted.body) == (200, "text/plain", b"success")
    assert (refused.status, refused.body) == (400, b"fail")


def test_a_refusal_does_not_repeat_what_was_sent(alipay):
    with pytest.raises(NoticeRefused) as raised:
        alipay.verify_notice(headers=FORM, body=b"card=6222021234567890&" * 3 + b"x")
    assert "6222" not in str(raised.value)
