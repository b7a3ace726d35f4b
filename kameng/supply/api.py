"""The supply API: what is on sale, what it costs, what is left of the money, and orders."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.listings.api import AccountField, field_entry
from catalog.listings.faces import name_of
from catalog.listings.shelf import ShelfProduct, ShelfVariant, shelf
from catalog.models import Product
from fulfillment.exceptions import NothingToReveal
from fulfillment.reveals import codes_reveal
from kameng.core.endpoint import Form, Integer, Text, Yuan, received, rfc3339
from kameng.core.openapi import BODY_REFUSALS, BY_CLIENT_SIGNATURE, Amount, refusals
from kameng.core.problems import Malformed
from kameng.supply.access import ACCESS_REFUSALS, SupplyEndpoint
from kameng.supply.exceptions import NoSuchOrder, PriceAboveLimit, ReferenceTaken, TooLate
from kameng.supply.models import ClientOrder
from kameng.supply.selectors import State, Told, stock_of, told_of
from kameng.supply.services import Wish, client_order_cancel, client_order_of, client_order_place
from orders.api import MAX_ACCOUNT_FIELDS
from orders.exceptions import OrderInvalid, ShopClosed, SkuUnavailable, SkuUnknown
from orders.models import Order
from resellers.clients.exceptions import BalanceShort
from resellers.clients.models import Client

PAGE_SIZE = 100
CURRENCY = "CNY"
_CURSOR = re.compile(r"([0-9]{1,9})\.([A-Za-z0-9._-]{1,64})")
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")

Line = tuple[ShelfProduct, ShelfVariant]


class SupplyProduct(serializers.Serializer[Any]):
    """One thing to buy."""

    sku = serializers.CharField()
    name = serializers.CharField(help_text="Of the product and of what of it is bought.")
    product = serializers.CharField(help_text="The product's slug; its skus share a form.")
    category = serializers.CharField(help_text="The category's slug.")
    kind = serializers.ChoiceField(choices=Product.Kind.choices)
    price = Amount(help_text="For one, in yuan.")
    official_price = Amount(help_text="What the issuer asks, in yuan.")
    available = serializers.BooleanField()
    stock = serializers.IntegerField(allow_null=True, help_text="How many can be had at once; null where none counts.")
    max_quantity = serializers.IntegerField(min_value=1, help_text="The most in one order.")
    account_fields = AccountField(many=True)


class SupplyProducts(serializers.Serializer[Any]):
    """A part of the list."""

    results = SupplyProduct(many=True)
    next_cursor = serializers.CharField(allow_blank=True, help_text="Where the list goes on; empty at its end.")


class SupplyPrice(serializers.Serializer[Any]):
    """What one costs now."""

    sku = serializers.CharField()
    price = Amount(help_text="For one, in yuan.")
    available = serializers.BooleanField()


class SupplyPrices(serializers.Serializer[Any]):
    """A part of the list."""

    results = SupplyPrice(many=True)
    next_cursor = serializers.CharField(allow_blank=True, help_text="Where the list goes on; empty at its end.")


class SupplyStock(serializers.Serializer[Any]):
    """How many there are."""

    sku = serializers.CharField()
    available = serializers.BooleanField()
    stock = serializers.IntegerField(allow_null=True, help_text="How many can be had at once; null where none counts.")


class SupplyStocks(serializers.Serializer[Any]):
    """A part of the list."""

    results = SupplyStock(many=True)
    next_cursor = serializers.CharField(allow_blank=True, help_text="Where the list goes on; empty at its end.")


class SupplyBalance(serializers.Serializer[Any]):
    """What can be spent."""

    balance = Amount(help_text="In yuan.")
    currency = serializers.ChoiceField(choices=[CURRENCY])


class SupplyOrderForm(Form):
    """What is bought."""

    reference = Text(help_text="The client's own number: letters, digits, `_` and `-`, at most 64. It is used once.")
    sku = Text()
    quantity = Integer(help_text="From 1 to the product's `max_quantity`.")
    account = serializers.DictField(
        child=Text(allow_blank=True),
        required=False,
        help_text="The answers to the product's `account_fields`, by name; nothing for codes.",
        error_messages={"not_a_dict": _("应为一个 JSON 对象"), "null": _("应为一个 JSON 对象")},
    )
    max_cost = Yuan(required=False, help_text="The most that all of it may cost, in yuan; above it nothing is bought.")

    def validate_reference(self, reference: str) -> str:
        """What fits into an address."""
        if not _REFERENCE.fullmatch(reference):
            raise serializers.ValidationError(str(_("1 到 64 个字母、数字、下划线或短横线")))
        return reference

    def validate_account(self, account: dict[str, str]) -> dict[str, str]:
        """No product asks this much."""
        if len(account) > MAX_ACCOUNT_FIELDS:
            raise serializers.ValidationError(str(_("填的项太多了")))
        return account


class SupplyOrder(serializers.Serializer[Any]):
    """An order as it stands now."""

    order = serializers.CharField(help_text="The shop's number.")
    reference = serializers.CharField()
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[state.value for state in State])
    delivered = serializers.IntegerField(help_text="How many arrived for good.")
    codes = serializers.ListField(child=serializers.CharField(), help_text="Those that arrived, in clear.")
    price = Amount(help_text="For one, in yuan.")
    amount = Amount(help_text="Of all of them, in yuan; taken from the balance when the order was placed.")
    refunded = Amount(help_text="So much of it is back on the balance.")
    created_at = serializers.DateTimeField()


_SKU = OpenApiParameter("sku", str, description="Only this one.")
_NEXT = OpenApiParameter("cursor", str, description="The `next_cursor` of the page before.")
_LISTED = [_SKU, _NEXT]
_OF_ORDER: tuple[type[Any], ...] = (NoSuchOrder, *ACCESS_REFUSALS)


class SupplyList(SupplyEndpoint):
    """What is on sale, a page at a time."""

    def page(self, request: Request) -> tuple[Sequence[Line], str]:
        """The lines that are asked for, and where the list goes on. Raises `Malformed`."""
        on_sale = shelf(request.shop)  # type: ignore[attr-defined]
        if sku := request.GET.get("sku", ""):
            found = on_sale.by_sku.get(sku)
            return [found] if found else [], ""
        lines = list(on_sale.by_sku.values())
        start = _start(lines, request.GET.get("cursor", ""))
        shown = lines[start : start + PAGE_SIZE]
        goes_on = start + PAGE_SIZE < len(lines)
        return shown, f"{start + PAGE_SIZE}.{shown[-1][1].sku}" if goes_on else ""


class SupplyProductList(SupplyList):
    """Everything about what is on sale."""

    @extend_schema(
        operation_id="supply_products",
        summary="List products",
        auth=BY_CLIENT_SIGNATURE,
        parameters=_LISTED,
        responses={200: SupplyProducts, **refusals(Malformed, *ACCESS_REFUSALS)},
    )
    def get(self, request: Request) -> Response:
        """A line for each sku, in the shop's order."""
        lines, following = self.page(request)
        left = stock_of([variant.id for _product, variant in lines])
        return Response({"results": [_product(line, left) for line in lines], "next_cursor": following})


class SupplyPriceList(SupplyList):
    """Prices alone."""

    @extend_schema(
        operation_id="supply_prices",
        summary="List prices",
        auth=BY_CLIENT_SIGNATURE,
        parameters=_LISTED,
        responses={200: SupplyPrices, **refusals(Malformed, *ACCESS_REFUSALS)},
    )
    def get(self, request: Request) -> Response:
        """Of this moment; `max_cost` of an order holds them."""
        lines, following = self.page(request)
        results = [
            {"sku": variant.sku, "price": f"{variant.price:.2f}", "available": variant.is_available}
            for _product, variant in lines
        ]
        return Response({"results": results, "next_cursor": following})


class SupplyStockList(SupplyList):
    """Stock alone."""

    @extend_schema(
        operation_id="supply_stock",
        summary="List stock",
        auth=BY_CLIENT_SIGNATURE,
        parameters=_LISTED,
        responses={200: SupplyStocks, **refusals(Malformed, *ACCESS_REFUSALS)},
    )
    def get(self, request: Request) -> Response:
        """A help and no promise: somebody else may be quicker."""
        lines, following = self.page(request)
        left = stock_of([variant.id for _product, variant in lines])
        results = [
            {"sku": variant.sku, "available": variant.is_available, "stock": _left(variant, left)}
            for _product, variant in lines
        ]
        return Response({"results": results, "next_cursor": following})


class SupplyBalanceView(SupplyEndpoint):
    """The client's money."""

    @extend_schema(
        operation_id="supply_balance",
        summary="Read the balance",
        auth=BY_CLIENT_SIGNATURE,
        responses={200: SupplyBalance, **refusals(*ACCESS_REFUSALS)},
    )
    def get(self, request: Request) -> Response:
        """What orders are under way for is not in it any more."""
        balance = Client.objects.values_list("balance", flat=True).get(pk=self.caller.client.pk)
        return Response({"balance": f"{balance:.2f}", "currency": CURRENCY})


class SupplyOrderPlace(SupplyEndpoint):
    """Buying."""

    @extend_schema(
        operation_id="supply_orders_place",
        summary="Place an order",
        auth=BY_CLIENT_SIGNATURE,
        request=SupplyOrderForm,
        responses={
            201: SupplyOrder,
            **refusals(
                *BODY_REFUSALS, OrderInvalid, SkuUnknown, SkuUnavailable, PriceAboveLimit, ReferenceTaken, BalanceShort,
                ShopClosed, *ACCESS_REFUSALS,
            ),
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Paid from the balance at once. The same request again returns the same order, as it stands by then."""
        wanted = received(request, SupplyOrderForm, raw=self.caller.body)
        asked = client_order_place(
            shop=request.shop,  # type: ignore[attr-defined]
            client=self.caller.client,
            key=self.caller.key,
            wish=Wish(
                reference=wanted["reference"],
                sku=wanted["sku"],
                quantity=wanted["quantity"],
                account={name: value for name, value in (wanted.get("account") or {}).items() if value},
                max_cost=wanted.get("max_cost"),
            ),
        )
        return Response(_order(asked), status=201)


class SupplyOrderView(SupplyEndpoint):
    """One order."""

    @extend_schema(
        operation_id="supply_orders_read",
        summary="Read an order",
        auth=BY_CLIENT_SIGNATURE,
        responses={200: SupplyOrder, **refusals(*_OF_ORDER)},
    )
    def get(self, request: Request, reference: str) -> Response:
        """By the client's own number. Each look at codes is written down."""
        return Response(_order(self.own(reference)))

    def own(self, reference: str) -> ClientOrder:
        """The caller's order of that reference. Raises `NoSuchOrder`."""
        asked = client_order_of(self.caller.client.pk, reference)
        if asked is None:
            raise NoSuchOrder
        return asked


class SupplyOrderCancel(SupplyOrderView):
    """Taking one back."""

    http_method_names = ["post"]

    @extend_schema(
        operation_id="supply_orders_cancel",
        summary="Cancel an order",
        auth=BY_CLIENT_SIGNATURE,
        request=None,
        responses={200: SupplyOrder, **refusals(TooLate, *_OF_ORDER)},
    )
    def post(self, request: Request, reference: str) -> Response:
        """As long as nothing was bought for it; its price goes back to the balance. Safe to repeat."""
        asked = self.own(reference)
        client_order_cancel(client_order_id=asked.pk)
        return Response(_order(asked))


def _start(lines: Sequence[Line], cursor: str) -> int:
    """After the line that came last; where it stood, if it is gone."""
    if not cursor:
        return 0
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Malformed(fields={"cursor": _("从上一页的 next_cursor 里取")})
    after = (place for place, (_product, variant) in enumerate(lines, start=1) if variant.sku == found[2])
    return next(after, int(found[1]))


def _left(variant: ShelfVariant, left: Mapping[int, int | None]) -> int | None:
    return left.get(variant.id, 0) if variant.is_available else 0


def _product(line: Line, left: Mapping[int, int | None]) -> dict[str, Any]:
    product, variant = line
    return {
        "sku": variant.sku,
        "name": f"{name_of(product)} {name_of(variant)}",
        "product": product.slug,
        "category": product.category,
        "kind": product.kind,
        "price": f"{variant.price:.2f}",
        "official_price": f"{variant.official_price:.2f}",
        "available": variant.is_available,
        "stock": _left(variant, left),
        "max_quantity": variant.max_quantity,
        "account_fields": [field_entry(field) for field in product.account_fields],
    }


def _order(asked: ClientOrder) -> dict[str, Any]:
    told = told_of(asked.pk)
    return {
        "order": told.number,
        "reference": told.reference,
        "sku": told.sku,
        "quantity": told.quantity,
        "status": told.state.value,
        "delivered": told.delivered,
        "codes": _codes(told, asked),
        "price": f"{told.price:.2f}",
        "amount": f"{told.price * told.quantity:.2f}",
        "refunded": f"{told.refunded:.2f}",
        "created_at": rfc3339(told.created_at),
    }


def _codes(told: Told, asked: ClientOrder) -> list[str]:
    if told.kind != Product.Kind.CODE or not told.delivered:
        return []
    order = Order.objects.get(pk=told.order_id)
    try:
        return [found.code for found in codes_reveal(order=order, actor=f"client:{asked.client_id}", address="")]
    except NothingToReveal:
        # Taken back between the two questions; asked again, the order says so.
        return []
