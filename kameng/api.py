"""What of the API needs siblings that do not know each other: the whole order, and the description of it all."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kameng.core.endpoint import Endpoint
from kameng.core.openapi import BY_ORDER_TOKEN, Amount, refusals
from orders.api import ACCESS_REFUSALS, order_of
from orders.models import Order, OrderLine
from orders.selectors import lines_of
from payments.models import Payment, Refund
from payments.selectors import RefundOfOrder, payments_of, refunds_of
from resellers.context import in_english


class LineEntry(serializers.Serializer[Any]):
    """One variant for one account."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    price = Amount(help_text="For one, in yuan.")
    status = serializers.ChoiceField(choices=OrderLine.Status.choices)


class PaymentEntry(serializers.Serializer[Any]):
    """One attempt to collect."""

    payment = serializers.CharField()
    gateway = serializers.CharField()
    status = serializers.ChoiceField(choices=Payment.Status.choices)
    amount = Amount(help_text="In yuan.")


class RefundEntry(serializers.Serializer[Any]):
    """One attempt to return money."""

    refund = serializers.CharField()
    payment = serializers.CharField()
    status = serializers.ChoiceField(choices=Refund.Status.choices)
    amount = Amount(help_text="In yuan.")


class OrderDetail(serializers.Serializer[Any]):
    """An order with its lines and its money, in and back."""

    number = serializers.CharField()
    status = serializers.ChoiceField(choices=Order.Status.choices)
    total = Amount(help_text="In yuan.")
    lines = LineEntry(many=True)
    payments = PaymentEntry(many=True)
    refunds = RefundEntry(many=True)


class OrderView(Endpoint):
    """One order."""

    @extend_schema(
        operation_id="orders_read",
        summary="Read an order",
        auth=BY_ORDER_TOKEN,
        responses={200: OrderDetail, **refusals(*ACCESS_REFUSALS)},
    )
    def get(self, request: Request, number: str) -> Response:
        """Where its goods and its money are."""
        order = order_of(request, number)
        return Response(
            {
                "number": order.number,
                "status": order.status,
                "total": f"{order.total:.2f}",
                "lines": [_line(line) for line in lines_of(order.pk)],
                "payments": [_payment(payment) for payment in payments_of(order.pk)],
                "refunds": [_refund(refund) for refund in refunds_of(order.pk)],
            }
        )


def _line(line: OrderLine) -> dict[str, Any]:
    english = in_english()
    product = (english and line.product_name_en) or line.product_name
    variant = (english and line.variant_name_en) or line.variant_name
    return {
        "sku": line.sku,
        "name": f"{product} {variant}",
        "quantity": line.quantity,
        "price": f"{line.price:.2f}",
        "status": line.status,
    }


def _payment(payment: Payment) -> dict[str, str]:
    return {
        "payment": payment.number,
        "gateway": payment.gateway,
        "status": payment.status,
        "amount": f"{payment.amount:.2f}",
    }


def _refund(refund: RefundOfOrder) -> dict[str, str]:
    return {
        "refund": refund.number,
        "payment": refund.payment,
        "status": refund.status,
        "amount": f"{refund.amount:.2f}",
    }


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The description of the API, drawn up once by each process."""
    generator = SchemaGenerator(urlconf="kameng.urls_shop")  # type: ignore[no-untyped-call]
    described: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return described


class SchemaView(Endpoint):
    """The API's description."""

    schema = None
    cache_control = "public, max-age=300"

    def get(self, request: Request) -> Response:
        """OpenAPI 3.1, as JSON."""
        return Response(schema())
