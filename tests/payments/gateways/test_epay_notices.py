from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from payments.gateways.base import GatewayStatus, Notice, NoticeRefused, PaymentResult
from tests.payments.gateways.epay_platform import KEY, md5_notice, md5_sign
from tests.payments.gateways.platforms import NOW, PAYMENT, payload

FORM = {"content-type": "application/x-www-form-urlencoded"}
TOLD = payload("epay", "v1_notice")
TOLD_V2 = TOLD | {"timestamp": str(NOW)}


def refused(gateway, body: bytes, reason: str | None = None, headers=FORM) -> None:
    with pytest.raises(NoticeRefused, match=reason):
        gateway.verify_notice(headers=headers, body=body)


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}, FORM])
def test_a_notice_of_either_version_tells_what_must_match(epay, epay_v2, epay_platform, headers):
    for gateway, body in ((epay, md5_notice(TOLD)), (epay_v2, epay_platform.rsa_notice(TOLD_V2))):
        notice = gateway.verify_notice(headers=headers, body=body)
        assert replace(notice.payment, raw={}) == PaymentResult(
            payment=PAYMENT,
            status=GatewayStatus.CONFIRMED,
            reference=TOLD["trade_no"],
            amount=Decimal("57.00"),
            currency="CNY",
            merchant="1001",
            method="alipay",
        )
    assert epay_platform.requests == []


def test_unknown_fields_are_signed_too(epay):
    fields = TOLD | {"buyer": "2088", "api_trade_no": "202", "备注".encode().hex(): "x"}
    assert epay.verify_notice(headers=FORM, body=md5_notice(fields)).payment
    refused(epay, md5_notice(TOLD) + b"&buyer=2088", "wrong signature")
    for name in ("buyer", "api_trade_no"):
        body = urlencode({**{n: v for n, v in fields.items() if n != name}, "sign": md5_sign(fields)}).encode()
        refused(epay, body, "wrong signature")


def test_an_empty_field_is_not_signed(epay):
    assert epay.verify_notice(headers=FORM, body=md5_notice(TOLD) + b"&buyer=").payment


@pytest.mark.parametrize("name", ["王者荣耀", "a+b c%2B", "👍", "1+1", "100%", "a=b", " "])
def test_text_of_any_kind_survives(epay, name):
    assert epay.verify_notice(headers=FORM, body=md5_notice(TOLD | {"name": name})).payment.raw["name"] == name


@pytest.mark.parametrize("name", sorted(set(TOLD) - {"param"}))
def test_a_change_to_any_field_is_refused(epay, name):
    sign = md5_sign(TOLD)
    refused(epay, urlencode({**TOLD, name: "1", "sign": sign}).encode())
    refused(epay, urlencode({**{n: v for n, v in TOLD.items() if n != name}, "sign": sign}).encode())


@pytest.mark.parametrize(
    "sign", ["", "0" * 32, md5_sign(TOLD).upper(), md5_sign(TOLD, ""), md5_sign(TOLD, "other"), "签"]
)
def test_a_wrong_signature_is_refused(epay, sign):
    refused(epay, urlencode({**TOLD, "sign": sign, "sign_type": "MD5"}).encode())


def test_no_signature_is_refused(epay, epay_v2):
    for gateway in (epay, epay_v2):
        refused(gateway, urlencode(TOLD_V2).encode())


def test_the_channel_fixes_the_algorithm(epay, epay_v2, epay_platform):
    refused(epay_v2, md5_notice(TOLD_V2), "not RSA")
    refused(epay_v2, md5_notice(TOLD_V2).replace(b"sign_type=MD5", b"sign_type=RSA"), "wrong signature")
    refused(epay_v2, urlencode({**TOLD_V2, "sign": md5_sign(TOLD_V2)}).encode(), "not RSA")
    refused(epay, epay_platform.rsa_notice(TOLD_V2), "not MD5")
    refused(epay, epay_platform.rsa_notice(TOLD_V2).replace(b"sign_type=RSA", b"sign_type=MD5"), "wrong signature")


def test_version_2_is_signed_by_the_platform_and_nobody_else(epay_v2, epay_platform, keys):
    for key in (keys.merchant, keys.stranger):
        epay_platform.key = key
        refused(epay_v2, epay_platform.rsa_notice(TOLD_V2), "wrong signature")


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1" * 13, "１", str(NOW - 86_401), str(NOW + 301)])
def test_version_2_is_of_today(epay_v2, epay_platform, timestamp):
    refused(epay_v2, epay_platform.rsa_notice(TOLD_V2 | {"timestamp": timestamp}), "timestamp")


@pytest.mark.parametrize(
    "more",
    [
        "money=1",
        "money=57.00",
        "money=",
        "money[]=1",
        "a[b]=1",
        "%6Doney=1",
        "=1",
        "money",
        "x;y=1",
        "a.b=1",
        "%ff=%ff",
        "a=%ff",
    ],
)
def test_polluted_parameters_are_refused(epay, more):
    refused(epay, md5_notice(TOLD) + b"&" + more.encode())
    refused(epay, more.encode() + b"&" + md5_notice(TOLD))


def test_a_value_that_reads_as_a_field_is_refused(epay):
    """The same signature stands for both, so that one could be told in the place of the other."""
    hidden = {**TOLD, "name": "x&out_trade_no=" + PAYMENT}
    del hidden["out_trade_no"]
    refused(epay, md5_notice(hidden), "reads as a field")


@pytest.mark.parametrize(
    "body", [b"", b"&", b"x", "pid=券".encode(), b"a=" + b"x" * 5000, b"&".join(b"a%d=1" % n for n in range(99))]
)
def test_what_is_no_form_is_refused(epay, body):
    refused(epay, body)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_another_content_type_is_refused(epay, kind):
    refused(epay, md5_notice(TOLD), "not a form", {"content-type": kind})


@pytest.mark.parametrize(
    "money", ["-57.00", "5.7e1", "+57.00", " 57.00", "57.001", "５７", "57,00", "0x39", "NaN", "", "1" * 40]
)
def test_money_that_is_none_is_refused(epay, money):
    refused(epay, md5_notice(TOLD | {"money": money}))


@pytest.mark.parametrize("money", ["57", "57.0", "57.00", "57.000"])
def test_the_same_money_may_be_written_in_several_ways(epay, money):
    assert epay.verify_notice(headers=FORM, body=md5_notice(TOLD | {"money": money})).payment.amount == Decimal("57.00")


def test_another_merchant_and_another_wallet_are_refused(epay):
    refused(epay, md5_notice(TOLD | {"pid": "1002"}), "another merchant")
    refused(epay, md5_notice(TOLD | {"pid": "01001"}), "another merchant")
    refused(epay, md5_notice(TOLD | {"type": "wxpay"}), "payment type")
    refused(epay, md5_notice(TOLD | {"trade_no": "1" * 65}), "too long")


@pytest.mark.parametrize("status", ["TRADE_CLOSED", "WAIT", "trade_success", "TRADE_SUCCESS "])
def test_any_other_status_is_nothing_to_do(epay, status):
    notice = epay.verify_notice(headers=FORM, body=md5_notice(TOLD | {"trade_status": status}))
    assert notice == Notice(notice.event_id)


def test_a_repeated_notice_is_known_by_its_event_and_another_is_not(epay, epay_v2, epay_platform):
    first = epay.verify_notice(headers=FORM, body=md5_notice(TOLD)).event_id
    shuffled = "&".join(reversed(md5_notice(TOLD).decode().split("&"))).encode()
    assert epay.verify_notice(headers={}, body=shuffled).event_id == first
    assert epay.verify_notice(headers=FORM, body=md5_notice(TOLD | {"money": "58"})).event_id != first
    later = epay_platform.rsa_notice(TOLD_V2 | {"timestamp": str(NOW - 60)})
    assert epay_v2.verify_notice(headers=FORM, body=later).event_id == first


def test_the_address_that_a_shopper_returns_to_is_signed_as_a_notice_is(epay):
    """Which is why it must not be more than a reason to ask."""
    body = md5_notice(TOLD)
    assert dict(parse_qsl(body.decode()))["sign"] == md5_sign(TOLD, KEY)
    assert epay.verify_notice(headers={}, body=quote(body.decode(), safe="=&%+").encode()).payment


def test_the_reply_is_seven_bytes_or_a_refusal(epay):
    assert (epay.notice_reply(accepted=True).status, epay.notice_reply(accepted=True).body) == (200, b"success")
    assert (epay.notice_reply(accepted=False).status, epay.notice_reply(accepted=False).body) == (400, b"fail")
