"""Certificate mode: what names our certificates and theirs, and python-alipay-sdk's `DCAliPay` as the other side."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from alipay import DCAliPay
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kameng.core.http import HttpClient
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import (
    Channel,
    GatewayKeyUnknown,
    GatewayMisconfigured,
    GatewayStatus,
    GatewayUnavailable,
    NoticeRefused,
)
from tests.payments.gateways.conftest import Keys
from tests.payments.gateways.platforms import NOW, PAYMENT, AlipayPlatform, payload, private_pem, rsa_sign

#: The SDK reads certificates in a way that its own library advises against.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

QUERY = "alipay.trade.query"
CERTIFICATES = ("app_cert", "alipay_root_cert", "alipay_public_cert")


def name(common: str) -> x509.Name:
    """As the real ones are named."""
    parts = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "Ant Financial")]
    parts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"), (NameOID.COMMON_NAME, common)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def issued(key: Any, signer: Any, *, issuer: str, serial: int) -> str:
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name("someone")).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(serial)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=365))
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True)
class Certified:
    config: dict[str, object]
    root: str


@pytest.fixture(scope="module")
def certified(keys: Keys, alipay_config: dict[str, object]) -> Certified:
    """An account in certificate mode; of the roots, one is not RSA, and two are."""
    elliptic = ec.generate_private_key(ec.SECP256R1())
    root = "\n".join(
        [
            issued(elliptic, elliptic, issuer="Root E1", serial=7),
            issued(keys.certified, keys.certified, issuer="Root R1", serial=8),
            issued(keys.stranger, keys.stranger, issuer="Root R2", serial=2**70 + 9),
        ]
    )
    config = {other: value for other, value in alipay_config.items() if other != "alipay_public_key"}
    config |= {
        "app_cert": issued(keys.merchant, keys.certified, issuer="Class 2 R1", serial=11),
        "alipay_public_cert": issued(keys.platform, keys.certified, issuer="Class 1 R1", serial=12),
        "alipay_root_cert": root,
    }
    return Certified(config, root)


@pytest.fixture
def gateway(certified: Certified, http: HttpClient) -> AlipayGateway:
    return AlipayGateway(certified.config, http, clock=lambda: NOW)


@pytest.fixture(scope="module")
def sdk(certified: Certified, keys: Keys) -> DCAliPay:
    """The SDK with our keys and certificates, to do what our adapter does."""
    config: dict[str, Any] = certified.config
    return DCAliPay(
        appid="2021004123456789",
        app_private_key_string=private_pem(keys.merchant),
        app_public_key_cert_string=config["app_cert"],
        alipay_public_key_cert_string=config["alipay_public_cert"],
        alipay_root_cert_string=certified.root,
    )


@pytest.fixture
def replied(alipay_platform: AlipayPlatform, keys: Keys) -> Callable[..., None]:
    """Let the platform answer a query, under a certificate's name."""

    def answer(serial: str, *, key: Any = keys.platform) -> None:
        text = AlipayPlatform.text(payload("alipay", "query_trade_success"))
        named = f'"alipay_cert_sn":"{serial}",' if serial else ""
        body = f'{{"alipay_trade_query_response":{text},{named}"sign":"{rsa_sign(key, text.encode())}"}}'
        alipay_platform.answers[QUERY] = lambda _: httpx.Response(200, content=body.encode())

    return answer


def test_our_certificates_are_named_and_requests_signed_as_the_sdk_does(
    gateway: AlipayGateway, sdk: DCAliPay, alipay_platform: AlipayPlatform, replied: Callable[..., None]
) -> None:
    replied(sdk.get_cert_sn(sdk._alipay_public_key_cert_string))
    assert gateway.query(PAYMENT).status is GatewayStatus.CONFIRMED
    sent = alipay_platform.requests[0]
    assert (sent["app_cert_sn"], sent["alipay_root_cert_sn"]) == (sdk.app_cert_sn, sdk.alipay_root_cert_sn)
    assert sent["alipay_root_cert_sn"].count("_") == 1
    ours = {other: value for other, value in sent.items() if other != "sign"}
    assert dict(parse_qsl(sdk.sign_data(dict(ours)), strict_parsing=True)) == sent


def test_a_page_carries_the_names_too(gateway: AlipayGateway, sdk: DCAliPay, charge_request: Any) -> None:
    request = type(charge_request)(**{**vars(charge_request), "channel": Channel.PAGE})
    sent = dict(parse_qsl(gateway.charge(request).url.partition("?")[2], strict_parsing=True))
    assert (sent["app_cert_sn"], sent["alipay_root_cert_sn"]) == (sdk.app_cert_sn, sdk.alipay_root_cert_sn)


def test_a_reply_of_our_platform_is_accepted_by_the_sdk(sdk: DCAliPay, keys: Keys) -> None:
    text = AlipayPlatform.text(payload("alipay", "query_trade_success"))
    serial = sdk.get_cert_sn(sdk._alipay_public_key_cert_string)
    signature = rsa_sign(keys.platform, text.encode())
    body = f'{{"alipay_trade_query_response":{text},"alipay_cert_sn":"{serial}","sign":"{signature}"}}'
    read = sdk._verify_and_return_sync_response(body, "alipay_trade_query_response")
    assert read["trade_status"] == "TRADE_SUCCESS"


@pytest.mark.parametrize("serial", ["", "0" * 32], ids=["none", "another"])
def test_a_reply_under_a_certificate_that_we_do_not_have_is_unknown_and_for_people(
    gateway: AlipayGateway, replied: Callable[..., None], serial: str
) -> None:
    replied(serial)
    with pytest.raises(GatewayKeyUnknown, match="alipay_public_cert"):
        gateway.query(PAYMENT)


def test_the_name_of_a_certificate_does_not_make_somebody_elses_signature_good(
    gateway: AlipayGateway, sdk: DCAliPay, replied: Callable[..., None], keys: Keys
) -> None:
    replied(sdk.get_cert_sn(sdk._alipay_public_key_cert_string), key=keys.stranger)
    with pytest.raises(Exception, match="wrong signature"):
        gateway.query(PAYMENT)


def test_an_unsigned_refusal_of_the_gateway_needs_no_certificate(
    gateway: AlipayGateway, alipay_platform: AlipayPlatform, charge_request: Any
) -> None:
    body = b'{"error_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature"}}'
    alipay_platform.answers["alipay.trade.precreate"] = lambda _: httpx.Response(200, content=body)
    with pytest.raises(GatewayUnavailable):
        gateway.charge(charge_request)


@pytest.mark.parametrize(
    ("signer", "named", "is_genuine"),
    [
        ("platform", None, True),
        ("platform", "ours", True),
        ("platform", "another", False),
        ("merchant", None, False),
        ("certified", "ours", False),
    ],
)
def test_notices_are_verified_with_the_certificates_key(
    gateway: AlipayGateway, sdk: DCAliPay, keys: Keys, signer: str, named: str | None, is_genuine: bool
) -> None:
    fields = payload("alipay", "notice_trade_success")
    if named is not None:
        known = sdk.get_cert_sn(sdk._alipay_public_key_cert_string)
        fields |= {"alipay_cert_sn": known if named == "ours" else "0" * 32}
    signed = {other: value for other, value in fields.items() if other not in ("sign", "sign_type")}
    text = "&".join(f"{other}={signed[other]}" for other in sorted(signed)).encode()
    signature = rsa_sign(getattr(keys, signer), text)
    body = urlencode({**fields, "sign": signature}).encode()
    if is_genuine:
        assert sdk.verify(dict(fields), signature)
        assert gateway.verify_notice(headers={}, body=body).payment.payment == PAYMENT  # type: ignore[union-attr]
    else:
        with pytest.raises(NoticeRefused, match="wrong signature"):
            gateway.verify_notice(headers={}, body=body)


def test_the_next_certificate_may_lie_beside_the_present_one(
    certified: Certified, keys: Keys, http: HttpClient, sdk: DCAliPay, replied: Callable[..., None]
) -> None:
    following = issued(keys.stranger, keys.certified, issuer="Class 1 R1", serial=13)
    both = f"{certified.config['alipay_public_cert']}\n{following}"
    gateway = AlipayGateway(certified.config | {"alipay_public_cert": both}, http, clock=lambda: NOW)
    replied(sdk.get_cert_sn(following), key=keys.stranger)
    assert gateway.query(PAYMENT).status is GatewayStatus.CONFIRMED


@pytest.mark.parametrize("missing", CERTIFICATES)
@pytest.mark.parametrize("value", ["", "MIIsecret", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"])
def test_certificates_that_are_missing_or_unreadable_are_refused_by_name(
    certified: Certified, http: HttpClient, missing: str, value: str
) -> None:
    with pytest.raises(GatewayMisconfigured, match=missing) as raised:
        AlipayGateway(certified.config | {missing: value}, http)
    assert "MII" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "by"),
    [("app_cert", "alipay_public_cert"), ("alipay_public_cert", "app_cert")],
    ids=["another's as ours", "ours as theirs"],
)
def test_certificates_that_are_mixed_up_are_refused(
    certified: Certified, http: HttpClient, wrong: str, by: str
) -> None:
    with pytest.raises(GatewayMisconfigured, match=wrong):
        AlipayGateway(certified.config | {wrong: certified.config[by]}, http)


def test_roots_without_rsa_are_none(certified: Certified, http: HttpClient) -> None:
    elliptic = certified.root.partition("\n\n")[0]
    with pytest.raises(GatewayMisconfigured, match="RSA"):
        AlipayGateway(certified.config | {"alipay_root_cert": elliptic}, http)


@pytest.mark.parametrize("value", [None, "", "  ", 7, b"bytes"])
def test_without_certificates_there_is_no_working_without_alipays_key(
    alipay_config: dict[str, object], http: HttpClient, value: object
) -> None:
    with pytest.raises(GatewayMisconfigured):
        AlipayGateway(alipay_config | {"alipay_public_key": value}, http)
