"""Looking at delivered codes, for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fulfillment.exceptions import NothingToReveal
from fulfillment.reveals import codes_reveal
from kameng.core.client import client_address
from kameng.core.endpoint import Endpoint
from kameng.core.openapi import BY_ORDER_TOKEN, refusals
from kameng.core.throttle import require
from orders.api import ACCESS_REFUSALS, SHOPPER, order_of

REVEAL_LIMIT, REVEAL_SECONDS = 30, 60


class RevealedCodeEntry(serializers.Serializer[Any]):
    """One code in clear."""

    sku = serializers.CharField()
    code = serializers.CharField()


class RevealedCodes(serializers.Serializer[Any]):
    """Every code that has arrived, in the order of the lines."""

    codes = RevealedCodeEntry(many=True)


class CodesReveal(Endpoint):
    """Codes in clear."""

    @extend_schema(
        operation_id="orders_reveal",
        summary="Reveal delivered codes",
        auth=BY_ORDER_TOKEN,
        request=None,
        responses={200: RevealedCodes, **refusals(*ACCESS_REFUSALS, NothingToReveal)},
    )
    def post(self, request: Request, number: str) -> Response:
        """Each time is written down. Of an order that has arrived in part, what is there."""
        order = order_of(request, number)
        require("order-reveal", order.number, limit=REVEAL_LIMIT, seconds=REVEAL_SECONDS)
        revealed = codes_reveal(order=order, actor=SHOPPER, address=client_address(request))
        return Response({"codes": [{"sku": found.sku, "code": found.code} for found in revealed]})
