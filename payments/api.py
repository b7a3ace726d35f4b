"""Opening a payment, for programs."""

import json
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.exceptions import SignInRequired, WalletShort
from customers.sessions import customer_of
from kameng.core.client import client_address
from kameng.core.endpoint import Endpoint, Form, Text, received, rfc3339
from kameng.core.openapi import BODY_REFUSALS, BY_ORDER_TOKEN, Amount, refusals
from orders.api import ACCESS_REFUSALS, order_of
from orders.exceptions import GoodsTakenDown, OrderNotPayable, SellerUnlicensed
from payments.exceptions import GatewayDown, MethodUnavailable, PayerUnknown
from payments.gateways.base import Channel
from payments.purses import WALLET
from payments.services import payment_start
from payments.wallets import wallet_pay

#: The names there are in the contract; which of them a shop collects through is its own business.
GATEWAYS = ("alipay", "wechatpay", "epay", "wallet")


@extend_schema_field({"type": "string", "enum": list(GATEWAYS)})
class GatewayName(Text):
    """A gateway's code. One that the shop does not have is `method_unavailable`, like one that nobody has."""


class PaymentForm(Form):
    """How the shopper wants to pay."""

    gateway = GatewayName()
    channel = serializers.ChoiceField(
        choices=[channel.value for channel in Channel if channel is not Channel.TRANSFER],
        help_text="`qr`: a code to scan, `h5`: a page for phones, `page`: one for desktops, `jsapi`: inside the app.",
    )
    openid = Text(
        required=False,
        default="",
        max_length=128,
        help_text="Who pays, as the app names them to the shop's application: for `jsapi` with `alipay` or "
        "`wechatpay`; Alipay's open_id or, in older applications, user_id.",
    )


class PaymentOpened(serializers.Serializer[Any]):
    """An open attempt to collect. Exactly one of `qr`, `url` and `call` is not empty; of a wallet's, none is."""

    payment = serializers.CharField(help_text="Our number at the gateway, its `out_trade_no`.")
    amount = Amount(help_text="In yuan.")
    qr = serializers.CharField(allow_blank=True, help_text="The text of the code to scan.")
    url = serializers.CharField(allow_blank=True, help_text="The page to open.")
    call = serializers.DictField(
        child=serializers.CharField(),
        help_text="Inside the app: what `WeixinJSBridge` (`getBrandWCPayRequest`) or `AlipayJSBridge` (`tradePay`) is "
        "called with, as it is.",
    )
    expires_at = serializers.DateTimeField()


class PaymentStart(Endpoint):
    """Paying an order."""

    @extend_schema(
        operation_id="orders_pay",
        summary="Open a payment",
        auth=BY_ORDER_TOKEN,
        request=PaymentForm,
        responses={
            201: PaymentOpened,
            **refusals(
                *ACCESS_REFUSALS,
                *BODY_REFUSALS,
                MethodUnavailable,
                PayerUnknown,
                OrderNotPayable,
                GoodsTakenDown,
                SellerUnlicensed,
                SignInRequired,
                WalletShort,
                GatewayDown,
            ),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        """For what the order still needs; an open attempt of the same kind is returned again.

        A `wallet` pays at once, whatever the channel: the customer's whose session the request bears.
        """
        order = order_of(request, number)
        wanted = received(request, PaymentForm)
        shop_id: int = request.shop.pk  # type: ignore[attr-defined]
        if wanted["gateway"] == WALLET.gateway:
            payment = wallet_pay(order=order, customer=customer_of(request), shop_id=shop_id)
        else:
            payment = payment_start(
                order=order,
                shop_id=shop_id,
                gateway=wanted["gateway"],
                channel=wanted["channel"],
                client_ip=client_address(request),
                return_url=request.build_absolute_uri(reverse("cashier_return", args=[order.number])),
                payer=wanted["openid"],
            )
        return Response(
            {
                "payment": payment.number,
                "amount": f"{payment.amount:.2f}",
                "qr": payment.qr,
                "url": payment.url,
                "call": json.loads(payment.call) if payment.call else {},
                "expires_at": rfc3339(payment.expires_at),
            },
            status=201,
        )
