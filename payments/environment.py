"""Which way of paying works in which browser. Pure.

Inside WeChat only its own page calls can pay, and Alipay is blocked; inside Alipay its own page calls pay, and its page
for phones, and there is no WeChat Pay; a phone's
browser opens the app by a link; a desktop shows a code to scan (pay.weixin.qq.com: H5 payment is for browsers outside
WeChat).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Channel

_MOBILE = re.compile(r"Mobile|Android|iPhone|iPad|HarmonyOS", re.IGNORECASE)


class Environment(StrEnum):
    """Where the page is open."""

    DESKTOP = "desktop"
    PHONE = "phone"
    WECHAT = "wechat"
    ALIPAY = "alipay"

    @property
    def app(self) -> str | Promise:
        """What people call the app whose browser it is."""
        return {Environment.WECHAT: _("微信"), Environment.ALIPAY: _("支付宝")}.get(self, "")

    @classmethod
    def of(cls, user_agent: str) -> "Environment":
        """By what the browser calls itself."""
        if "MicroMessenger" in user_agent:
            return cls.WECHAT
        if "AlipayClient" in user_agent:
            return cls.ALIPAY
        return cls.PHONE if _MOBILE.search(user_agent) else cls.DESKTOP


@dataclass(frozen=True)
class Way:
    """The channel to use, or None with the reason why there is none here."""

    channel: Channel | None
    note: str | Promise = ""
    reason: str | Promise = ""
    #: A page to pay on where the app's own call does not (`JSAPI`): without scripts, or if the app names nobody.
    instead: Channel | None = None


_PREFERRED: Mapping[Environment, tuple[Channel, ...]] = {
    Environment.DESKTOP: (Channel.QR, Channel.PAGE, Channel.TRANSFER),
    Environment.PHONE: (Channel.H5, Channel.QR, Channel.TRANSFER),
    Environment.WECHAT: (Channel.JSAPI, Channel.TRANSFER),
    Environment.ALIPAY: (Channel.JSAPI, Channel.H5, Channel.QR, Channel.TRANSFER),
}
_NOTES: Mapping[Channel, str | Promise] = {
    Channel.QR: _("扫码付款"),
    Channel.H5: _("打开 App 付款"),
    Channel.PAGE: _("打开网页付款"),
    Channel.JSAPI: _("打开网页付款"),
    Channel.TRANSFER: _("转账后由人工核对，要等一会儿"),
}
_ELSEWHERE: Mapping[tuple[Environment, str], str | Promise] = {
    (Environment.WECHAT, "alipay"): _("请点右上角 ··· 在浏览器打开，再用支付宝付款"),
    (Environment.ALIPAY, "wechatpay"): _("请在浏览器打开，再用微信付款"),
}


@dataclass(frozen=True)
class Offer:
    """What a gateway can do: its channels, and the wallets that it collects from."""

    channels: frozenset[Channel] = frozenset()
    wallets: frozenset[str] = frozenset()


def ways_in(environment: Environment, offers: Mapping[str, Offer]) -> dict[str, Way]:
    """The way for each configured gateway; those that work here come first, and of them the one by hand last."""
    ways = {gateway: _way(environment, offer) for gateway, offer in offers.items()}
    return dict(sorted(ways.items(), key=lambda entry: _place(entry[1])))


def _place(way: Way) -> int:
    return 2 if way.channel is None else int(way.channel is Channel.TRANSFER)


def _way(environment: Environment, offer: Offer) -> Way:
    reasons = [_ELSEWHERE.get((environment, wallet), "") for wallet in sorted(offer.wallets)]
    if reasons and all(reasons):
        return Way(None, reason=reasons[0])
    channels = [wanted for wanted in _PREFERRED[environment] if wanted in offer.channels]
    if environment == Environment.ALIPAY and offer.wallets != {"alipay"} and Channel.JSAPI in channels:
        # Who collects from several wallets calls WeChat with it.
        channels.remove(Channel.JSAPI)
    channel = channels[0] if channels else None
    if channel is None and environment == Environment.WECHAT:
        return Way(None, reason=_("请点右上角 ··· 在浏览器打开，再付款"))
    if channel is None:
        return Way(None, reason=_("暂时不能用，请换一种方式"))
    has_page = channel is Channel.JSAPI and Channel.H5 in channels
    return Way(channel, note=_NOTES[channel], instead=Channel.H5 if has_page else None)
