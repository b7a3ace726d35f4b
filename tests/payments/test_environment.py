"""Which way of paying a browser is offered."""

import pytest

from payments.environment import Environment, Offer, ways_in
from payments.gateways.base import Channel

PAGES = frozenset({Channel.H5, Channel.PAGE})
EPAY = {
    "one wallet": Offer(PAGES | {Channel.QR}, frozenset({"alipay"})),
    "wechat": Offer(PAGES | {Channel.QR, Channel.JSAPI}, frozenset({"wechatpay"})),
    "several": Offer(PAGES | {Channel.JSAPI}, frozenset({"alipay", "wechatpay", "qq"})),
    "inside": Offer(PAGES | {Channel.QR, Channel.JSAPI}, frozenset({"alipay"})),
    "qq": Offer(PAGES | {Channel.QR}, frozenset({"qq"})),
}


@pytest.mark.parametrize(
    ("environment", "channels"),
    [
        (Environment.DESKTOP, {"one wallet": "qr", "wechat": "qr", "several": "page", "inside": "qr", "qq": "qr"}),
        (Environment.PHONE, {"one wallet": "h5", "wechat": "h5", "several": "h5", "inside": "h5", "qq": "h5"}),
        (Environment.WECHAT, {"one wallet": None, "wechat": "jsapi", "several": "jsapi", "inside": None, "qq": None}),
        (Environment.ALIPAY, {"one wallet": "h5", "wechat": None, "several": "h5", "inside": "jsapi", "qq": "h5"}),
    ],
)
def test_an_account_is_offered_where_one_of_its_wallets_works(
    environment: Environment, channels: dict[str, str | None]
) -> None:
    ways = ways_in(environment, EPAY)
    assert {name: way.channel for name, way in ways.items()} == channels
    assert all(way.note if way.channel else way.reason for way in ways.values())
    assert [way.channel is None for way in ways.values()] == sorted(way.channel is None for way in ways.values())


@pytest.mark.parametrize("environment", Environment)
def test_a_transfer_works_everywhere_and_comes_after_everything_that_pays_at_once(environment: Environment) -> None:
    ways = ways_in(environment, {"by hand": Offer(frozenset({Channel.TRANSFER}), frozenset({"transfer"})), **EPAY})
    works = [name for name, way in ways.items() if way.channel is not None]
    assert (works[-1], ways["by hand"].channel) == ("by hand", Channel.TRANSFER)
