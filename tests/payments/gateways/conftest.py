"""Both gateways with keys of their own, over a network that is a function."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import respx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kameng.core.http import HttpClient
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import Channel, ChargeRequest, RefundRequest
from payments.gateways.epay.gateway import EpayGateway
from payments.gateways.wechatpay.gateway import WechatpayGateway
from tests.payments.gateways.epay_platform import KEY, EpayPlatform
from tests.payments.gateways.platforms import (
    NOW,
    PAYMENT,
    REFUND,
    AlipayPlatform,
    WechatpayPlatform,
    new_key,
    private_pem,
    public_pem,
)


@dataclass
class Keys:
    """Every party's key: ours, the platform's public key, the platform's certificate, somebody else's."""

    merchant: RSAPrivateKey = field(default_factory=new_key)
    platform: RSAPrivateKey = field(default_factory=new_key)
    certified: RSAPrivateKey = field(default_factory=new_key)
    stranger: RSAPrivateKey = field(default_factory=new_key)


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="session")
def certificate(keys: Keys) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(keys.certified.public_key())
        .serial_number(0x0A57F09EFDC096DE15EBE81A47057A7211111111)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=5 * 365))
        .sign(keys.certified, hashes.SHA256())
    )


@pytest.fixture(scope="session")
def alipay_config(keys: Keys) -> dict[str, object]:
    return {
        "app_id": "2021004123456789",
        "seller_id": "2088721234567890",
        "app_private_key": private_pem(keys.merchant),
        "alipay_public_key": public_pem(keys.platform),
        "base_url": "https://openapi.alipay.com/gateway.do",
    }


@pytest.fixture(scope="session")
def wechatpay_config(keys: Keys, certificate: x509.Certificate) -> dict[str, object]:
    return {
        "appid": "wx8888888888888888",
        "mchid": "1623456789",
        "merchant_private_key": private_pem(keys.merchant),
        "merchant_serial": "5157F09EFDC096DE15EBE81A47057A7200000000",
        "apiv3_key": "0123456789abcdef0123456789ABCDEF",
        "public_key_id": "PUB_KEY_ID_0116234567892024112600111100000000",
        "public_key": public_pem(keys.platform),
        "platform_certificates": {f"{certificate.serial_number:040X}": certificate.public_bytes(Encoding.PEM).decode()},
        "base_url": "https://api.mch.weixin.qq.com",
    }


@pytest.fixture
def network() -> Iterator[respx.MockRouter]:
    """Anything that is not routed is an error: no test here leaves the machine."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture(scope="session")
def _client() -> Iterator[HttpClient]:
    """Reading the certificate store takes longer than a test."""
    client = HttpClient()
    yield client
    client.close()


@pytest.fixture
def http(_client: HttpClient, network: respx.MockRouter) -> HttpClient:
    return _client


@pytest.fixture
def alipay(alipay_config: dict[str, object], http: HttpClient) -> AlipayGateway:
    return AlipayGateway(alipay_config, http, clock=lambda: NOW)


@pytest.fixture
def alipay_platform(keys: Keys, network: respx.MockRouter) -> AlipayPlatform:
    platform = AlipayPlatform(keys.merchant, keys.platform)
    network.route(host="openapi.alipay.com").mock(side_effect=platform)
    return platform


@pytest.fixture
def wechatpay(wechatpay_config: dict[str, object], http: HttpClient) -> WechatpayGateway:
    return WechatpayGateway(wechatpay_config, http, clock=lambda: NOW)


@pytest.fixture
def wechatpay_platform(
    keys: Keys, certificate: x509.Certificate, wechatpay_config: dict[str, Any], network: respx.MockRouter
) -> WechatpayPlatform:
    by_serial = {
        wechatpay_config["public_key_id"]: keys.platform,
        f"{certificate.serial_number:040X}": keys.certified,
    }
    platform = WechatpayPlatform(
        keys.merchant, by_serial, wechatpay_config["apiv3_key"], serial=wechatpay_config["public_key_id"]
    )
    network.route(host="api.mch.weixin.qq.com").mock(side_effect=platform)
    return platform


@pytest.fixture(scope="session")
def epay_config() -> dict[str, object]:
    return {
        "base_url": "https://pay.example.com",
        "pid": "1001",
        "version": "1",
        "types": "alipay",
        "key": KEY,
        "can_refund": True,
    }


@pytest.fixture(scope="session")
def epay_v2_config(keys: Keys, epay_config: dict[str, object]) -> dict[str, object]:
    own = {"merchant_private_key": private_pem(keys.merchant), "platform_public_key": public_pem(keys.platform)}
    return {name: value for name, value in epay_config.items() if name != "key"} | {"version": "2"} | own


@pytest.fixture(scope="session")
def manual_config() -> dict[str, object]:
    return {
        "holder": "某某科技有限公司",
        "bank": "工商银行某支行",
        "number": "6222020200001234567",
        "qr": "https://qr.example/acme",
    }


@pytest.fixture
def epay(epay_config: dict[str, object], http: HttpClient) -> EpayGateway:
    return EpayGateway(epay_config, http, clock=lambda: NOW)


@pytest.fixture
def epay_v2(epay_v2_config: dict[str, object], http: HttpClient) -> EpayGateway:
    return EpayGateway(epay_v2_config, http, clock=lambda: NOW)


@pytest.fixture
def epay_platform(keys: Keys, network: respx.MockRouter) -> EpayPlatform:
    platform = EpayPlatform(keys.merchant, keys.platform)
    network.route(host="pay.example.com").mock(side_effect=platform)
    return platform


@pytest.fixture
def charge_request() -> ChargeRequest:
    return ChargeRequest(
        payment=PAYMENT,
        amount=Decimal("57.00"),
        subject="王者荣耀 60 点券",
        channel=Channel.QR,
        notify_url="https://shop.example/webhooks/payments/house-alipay/",
        return_url="https://shop.example/orders/K7/?token=a&b=c",
        expires_at=datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=15, microseconds=123456),
        client_ip="203.0.113.9",
    )


@pytest.fixture
def refund_request() -> RefundRequest:
    return RefundRequest(
        payment=PAYMENT,
        reference="2026112222001419871412345678",
        refund=REFUND,
        amount=Decimal("57.00"),
        total=Decimal("57.00"),
        reason="所有供应商均无法发货",
        notify_url="https://shop.example/webhooks/payments/house-wechatpay/",
    )
