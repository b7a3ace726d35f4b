"""What of the API needs siblings that do not know each other: the whole order, and the description of it all."""

import json
from functools import lru_cache
from typing import Any

from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Route
from kameng.core import sql
from kameng.core.endpoint import Endpoint
from kameng.core.openapi import BY_ORDER_TOKEN, Amount, refusals
from orders.api import ACCESS_REFUSALS, OrderUnknown, number_of
from orders.models import Order, OrderLine
from payments.models import Payment, Refund
from resellers.context import in_english

#: Those of refunds that are decided: what only waits for a second person is not told to programs.
REFUND_STATUSES = [choice for choice in Refund.Status.choices if choice[0] not in Refund.UNDECIDED]


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
    status = serializers.ChoiceField(choices=REFUND_STATUSES)
    amount = Amount(help_text="In yuan.")
    route = serializers.ChoiceField(
        choices=Route.choices, help_text="`source`: the way it came. `wallet`: into the customer's wallet."
    )


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
        found = sql.rows(_WHOLE, {"number": number_of(request, number), "english": in_english()})
        if not found:
            raise OrderUnknown
        known, status, total, lines, payments, refunds = found[0]
        return Response(
            {
                "number": known,
                "status": status,
                "total": total,
                "lines": json.loads(lines),
                "payments": json.loads(payments),
                "refunds": json.loads(refunds),
            }
        )


#: Programs ask this more often than anything else, so the whole order is one question to the database.
_WHOLE = sql.InEachShop(
    """
SELECT placed.number, placed.status, placed.total::text,
       (SELECT coalesce(json_agg(json_build_object(
                   'sku', sku, 'quantity', quantity, 'price', price::text, 'status', status, 'name', concat_ws(' ',
                   coalesce(CASE WHEN %(english)s THEN nullif(product_name_en, '') END, product_name),
                   coalesce(CASE WHEN %(english)s THEN nullif(variant_name_en, '') END, variant_name))
               ) ORDER BY position), '[]')
          FROM orders_orderline WHERE order_id = placed.id)::text,
       (SELECT coalesce(json_agg(json_build_object(
                   'payment', number, 'gateway', gateway, 'status', status, 'amount', amount::text
               ) ORDER BY id), '[]')
          FROM payments_payment WHERE order_id = placed.id)::text,
       (SELECT coalesce(json_agg(json_build_object(
                   'refund', refund.number, 'payment', payment.number, 'status', refund.status,
                   'amount', refund.amount::text, 'route', refund.route
               ) ORDER BY refund.id), '[]')
          FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
         WHERE payment.order_id = placed.id AND refund.status NOT IN ('waiting', 'rejected'))::text
  FROM orders_order AS placed WHERE placed.number = %(number)s
""",
    by=["web"],
)


SHOP, SUPPLY = "api/v1/", "api/supply/v1/"


@lru_cache(maxsize=2)
def schema(below: str = SHOP) -> dict[str, Any]:
    """The description of what lies below that address of a shop, drawn up once by each process."""
    patterns = [found for found in get_resolver("kameng.urls_shop").url_patterns if str(found.pattern) == below]
    generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
    described: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return described


class SchemaView(Endpoint):
    """An API's description; `below` says of which."""

    schema = None
    cache_control = "public, max-age=300"
    below = SHOP

    def get(self, request: Request) -> Response:
        """OpenAPI 3.1, as JSON."""
        return Response(schema(self.below))
