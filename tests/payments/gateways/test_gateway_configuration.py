import pytest

from kameng.core.http import HttpClient
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import Channel, Gateway, GatewayMisconfigured
from payments.gateways.manual.gateway import ManualGateway
from payments.gateways.registry import GATEWAYS, gateway_class
from payments.gateways.wechatpay.gateway import WechatpayGateway
from tests.payments.gateways.platforms import private_pem, public_pem


def test_every_gateway_is_found_by_its_own_code(http: HttpClient, alipay_config, wechatpay_config, manual_config):
    built: list[Gateway] = [
        gateway_class("alipay")(alipay_config, http),
        gateway_class("wechatpay")(wechatpay_config, http),
        gateway_class("manual")(manual_config, http),
    ]
    assert [(gateway.code, type(gateway)) for gateway in built] == [
        ("alipay", AlipayGateway),
        ("wechatpay", WechatpayGateway),
        ("manual", ManualGateway),
    ]
    known = {"alipay": AlipayGateway, "wechatpay": WechatpayGateway, "manual": ManualGateway}
    assert GATEWAYS.items() >= known.items()


@pytest.mark.parametrize("code", ["", "Alipay", "epay2"])
def test_an_unknown_code_is_a_misconfiguration(code):
    with pytest.raises(GatewayMisconfigured):
        gateway_class(code)


def test_says_who_is_paid_and_which_channels_there_are(alipay, wechatpay):
    assert (alipay.merchant, alipay.app) == ("2088721234567890", "2021004123456789")
    assert alipay.channels == {Channel.QR, Channel.H5, Channel.PAGE}
    assert (wechatpay.merchant, wechatpay.app) == ("1623456789", "wx8888888888888888")
    assert wechatpay.channels == {Channel.QR, Channel.H5}


@pytest.mark.parametrize("gateway", [AlipayGateway, WechatpayGateway, ManualGateway])
@pytest.mark.parametrize("value", [None, "", "  ", 7, b"bytes"])
def test_refuses_an_incomplete_configuration(gateway, value, request, http):
    config = request.getfixturevalue(f"{gateway.code}_config")
    assert gateway.required_config <= config.keys()
    for name in gateway.required_config:
        with pytest.raises(GatewayMisconfigured):
            gateway(config | {name: value}, http)
        with pytest.raises(GatewayMisconfigured):
            gateway({other: config[other] for other in config if other != name}, http)


@pytest.mark.parametrize("gateway", [AlipayGateway, WechatpayGateway])
@pytest.mark.parametrize(
    "url",
    [
        "http://openapi.alipay.com/gateway.do",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "https://",
        "https://user@host/",
        "https://host/?charset=utf-8",
        "https://host:port/",
        "openapi.alipay.com",
    ],
)
def test_calls_nothing_but_https_beyond_this_machine(gateway, url, request, http):
    config = request.getfixturevalue(f"{gateway.code}_config")
    with pytest.raises(GatewayMisconfigured, match="base_url"):
        gateway(config | {"base_url": url}, http)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8900/x", "http://[::1]:8900", "http://house.localhost:8900/x/"])
def test_calls_http_on_this_machine(url, http, alipay_config, wechatpay_config):
    AlipayGateway(alipay_config | {"base_url": url}, http)
    WechatpayGateway(wechatpay_config | {"base_url": url}, http)


def test_refuses_our_own_public_key_in_the_place_of_alipays(keys, http, alipay_config):
    with pytest.raises(GatewayMisconfigured, match="own public key"):
        AlipayGateway(alipay_config | {"alipay_public_key": public_pem(keys.merchant)}, http)


@pytest.mark.parametrize("name", ["app_private_key", "alipay_public_key"])
def test_refuses_an_unreadable_alipay_key_without_quoting_it(name, http, alipay_config):
    with pytest.raises(GatewayMisconfigured, match=name) as raised:
        AlipayGateway(alipay_config | {name: "MIIsecret"}, http)
    assert "MIIsecret" not in str(raised.value)


@pytest.mark.parametrize("key", ["short", "x" * 31, "x" * 33, "密" * 32])
def test_refuses_an_apiv3_key_that_is_not_32_bytes(key, http, wechatpay_config):
    with pytest.raises(GatewayMisconfigured, match="apiv3_key is not 32 bytes"):
        WechatpayGateway(wechatpay_config | {"apiv3_key": key}, http)


def test_refuses_to_work_without_any_key_of_wechat_pay(http, wechatpay_config):
    with pytest.raises(GatewayMisconfigured, match="neither"):
        WechatpayGateway(wechatpay_config | {"public_key_id": "", "public_key": "", "platform_certificates": {}}, http)


@pytest.mark.parametrize("missing", ["public_key_id", "public_key"])
def test_refuses_half_a_public_key(missing, http, wechatpay_config):
    with pytest.raises(GatewayMisconfigured, match=missing):
        WechatpayGateway(wechatpay_config | {missing: ""}, http)


def test_refuses_a_certificate_under_another_serial(http, wechatpay_config):
    (pem,) = wechatpay_config["platform_certificates"].values()
    for certificates in ({"5157F09E": pem}, {"PUB_KEY_ID_01": pem}, {"0A57": "no certificate"}, "PEM", ["PEM"]):
        with pytest.raises(GatewayMisconfigured, match="platform_certificates"):
            WechatpayGateway(wechatpay_config | {"platform_certificates": certificates}, http)


def test_accepts_keys_without_armor(keys, http, alipay_config, wechatpay_config):
    def bare(pem: str) -> str:
        return "".join(pem.splitlines()[1:-1])

    private, public = bare(private_pem(keys.merchant)), bare(public_pem(keys.platform))
    AlipayGateway(alipay_config | {"app_private_key": private, "alipay_public_key": public}, http)
    WechatpayGateway(wechatpay_config | {"merchant_private_key": private, "public_key": public}, http)
