"""Which gateways there are: one line for each adapter."""

from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import Gateway, GatewayMisconfigured
from payments.gateways.epay.gateway import EpayGateway
from payments.gateways.manual.gateway import ManualGateway
from payments.gateways.wechatpay.gateway import WechatpayGateway

GATEWAYS: dict[str, type[Gateway]] = {
    AlipayGateway.code: AlipayGateway,
    EpayGateway.code: EpayGateway,
    ManualGateway.code: ManualGateway,
    WechatpayGateway.code: WechatpayGateway,
}


def gateway_class(code: str) -> type[Gateway]:
    """The adapter for `code`. Raises `GatewayMisconfigured` if there is none."""
    try:
        return GATEWAYS[code]
    except KeyError:
        raise GatewayMisconfigured(f"no gateway is called {code!r}") from None
