"""Placing an order and reading its history, for programs. Whoever has the order's token may see it."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.ages import Age
from kameng.core.client import client_address
from kameng.core.endpoint import Boolean, Endpoint, Form, Ignored, Integer, Text, Yuan, rfc3339
from kameng.core.ids import normalize
from kameng.core.openapi import BY_ORDER_TOKEN, Amount, refusals
from kameng.core.problems import NotFound, Problem
from kameng.core.throttle import TooMany, require
from orders.access import token_matches
from orders.models import Order, OrderEvent, OrderLine
from orders.selectors import order_by_number
from orders.services import MAX_LINES

#: Wrong tokens by one address.
GUESS_LIMIT, GUESS_SECONDS = 20, 600
MAX_ACCOUNT_FIELDS = 20
MAX_EVENTS = 500
#: What happened to money and goods is the shopper's business; whom we asked for the goods is ours.
PUBLIC_EVENTS = ("order.", "line.", "payment.", "refund.", "codes.")
SHOPPER = "shopper"


class TokenMissing(Problem):
    """The header `Authorization: Order <token>` is missing."""

    code = "unauthorized"
    status = 401
    message = _("请在 Authorization 里带上订单的令牌：Order <token>")
    headers = {"WWW-Authenticate": "Order"}


class OrderUnknown(NotFound):
    """There is no such order, or the token is not its own: the answer is the same."""

    message = _("没有这个订单，或者令牌不对")


#: What every operation on one order may answer before it begins.
ACCESS_REFUSALS: tuple[type[Problem], ...] = (TokenMissing, OrderUnknown, TooMany)


def order_of(request: HttpRequest, number: str) -> Order:
    """The order whose token the request bears; its number as it was typed. Raises `ACCESS_REFUSALS`."""
    order = order_by_number(number_of(request, number))
    if order is None:
        raise OrderUnknown
    return order


def number_of(request: HttpRequest, number: str) -> str:
    """The number of an order whose token the request bears, as it is stored. Raises `ACCESS_REFUSALS`.

    The token is checked against the number alone, before anything is looked up, so that guessing tells nothing.
    """
    scheme, _space, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "order" or not token:
        raise TokenMissing
    number = normalize(number)
    if not token_matches(Order(number=number), token.strip()):
        require("order-token", client_address(request), limit=GUESS_LIMIT, seconds=GUESS_SECONDS)
        raise OrderUnknown
    return number


@extend_schema_field({"type": "string", "enum": Age.values})
class AgeName(Text):
    """One of four answers; any other is refused with the order."""


class LineForm(Form):
    """One variant, for one account."""

    sku = Text()
    quantity = Integer(help_text="From 1 to the variant's `max_quantity`.")
    account = serializers.DictField(
        child=Text(allow_blank=True),
        required=False,
        allow_null=True,
        help_text="The answers to the product's `account_fields`, by name; nothing for codes.",
        error_messages={"not_a_dict": _("应为一个 JSON 对象")},
    )
    price = Ignored(required=False, help_text="Ignored: the price is the shop's own. See `quoted_total`.")

    def validate_account(self, account: dict[str, str] | None) -> dict[str, str]:
        """No product asks this much."""
        if account and len(account) > MAX_ACCOUNT_FIELDS:
            raise serializers.ValidationError(str(_("填的项太多了")))
        return account or {}


class OrderForm(Form):
    """What a shopper wants to buy."""

    lines = LineForm(  # type: ignore[call-arg]
        many=True,
        max_length=MAX_LINES,
        error_messages={
            "not_a_list": _("应为一个列表"),
            "max_length": _("一单最多 {max_length} 种，请分开下单"),
            "required": _("还没有选面额"),
            "null": _("应为一个列表"),
        },
    )
    contact = Text(
        allow_blank=True,
        help_text="A mobile number of mainland China or an e-mail address, to find the order again.",
        error_messages=dict.fromkeys(("required", "null"), _("请填写手机号或邮箱，查订单时要用")),
    )
    coupon = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=40,
        help_text="The code of a coupon; where it is refused nothing is ordered.",
    )
    age = AgeName(
        required=False,
        help_text="How old the shopper says they are; asked where the shop's product pages ask. Minors have limits.",
    )
    no_return = Boolean(
        required=False,
        allow_null=True,
        help_text="That the shopper has confirmed, for this purchase, that it is not taken back without a reason.",
    )
    quoted_total = Yuan(
        required=False,
        allow_null=True,
        help_text="The total that the shopper was shown, in yuan; if it no longer holds, the order is refused.",
    )


class OrderPlaced(serializers.Serializer[Any]):
    """A new order, with the token that opens it; the token is shown by this operation only."""

    number = serializers.CharField()
    token = serializers.CharField()
    status = serializers.ChoiceField(
        choices=Order.Status.choices, help_text="Of a new order: `pending`, or `paid` where nothing is `due`."
    )
    total = Amount(help_text="What its lines cost, in yuan.")
    discount = Amount(help_text="What the coupon has paid of that.")
    due = Amount(help_text="What is left to pay.")
    expires_at = serializers.DateTimeField(help_text="Until when it can be paid.")


class OrderEventEntry(serializers.Serializer[Any]):
    """One thing that happened."""

    name = serializers.CharField(help_text="For example `order.paid` or `line.delivered`.")
    sku = serializers.CharField(allow_null=True, help_text="Whose line it happened to; null for the whole order.")
    from_status = serializers.CharField(allow_null=True)
    to_status = serializers.CharField(allow_null=True)
    actor = serializers.ChoiceField(choices=["shopper", "shop"])
    at = serializers.DateTimeField()


class OrderHistory(serializers.Serializer[Any]):
    """Everything that happened to an order, oldest first."""

    events = OrderEventEntry(many=True)


class OrderEvents(Endpoint):
    """The order's history."""

    @extend_schema(
        operation_id="orders_events",
        summary="Read what happened to an order",
        auth=BY_ORDER_TOKEN,
        responses={200: OrderHistory, **refusals(*ACCESS_REFUSALS)},
    )
    def get(self, request: Request, number: str) -> Response:
        """Oldest first."""
        order = order_of(request, number)
        events = OrderEvent.objects.filter(order=order).select_related("line")[:MAX_EVENTS]
        return Response({"events": [_event(event) for event in events if event.name.startswith(PUBLIC_EVENTS)]})


def _event(event: OrderEvent) -> dict[str, Any]:
    line: OrderLine | None = event.line
    return {
        "name": event.name,
        "sku": line.sku if line else None,
        "from_status": event.from_status or None,
        "to_status": event.to_status or None,
        "actor": SHOPPER if event.actor == SHOPPER else "shop",
        "at": rfc3339(event.created_at),
    }
