"""Checking an account before paying, and looking at delivered codes, for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import accounts
from catalog.listings.shelf import shelf
from fulfillment.account_checks import account_check
from fulfillment.exceptions import NothingToReveal
from fulfillment.reveals import codes_reveal
from fulfillment.suppliers.base import AccountVerdict
from kameng.core.client import client_address
from kameng.core.endpoint import Endpoint
from kameng.core.openapi import BY_ORDER_TOKEN, refusals
from kameng.core.problems import Malformed, NotFound
from kameng.core.throttle import require
from orders.api import ACCESS_REFUSALS, SHOPPER, order_of
from orders.exceptions import OrderInvalid

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


class AccountCheckBody(serializers.Serializer[Any]):
    """The answers to a product's account form."""

    account = serializers.DictField(child=serializers.CharField(max_length=200, allow_blank=True))


class AccountCheckResult(serializers.Serializer[Any]):
    """What is known of the account. It is a help: an order may be placed whatever it says."""

    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in AccountVerdict])
    nickname = serializers.CharField(allow_blank=True, help_text="The player's name, masked; empty where nobody tells.")
    message = serializers.CharField(help_text="The same for people, in the reader's language.")


class AccountCheckView(Endpoint):
    """Whether goods can arrive at an account."""

    @extend_schema(
        operation_id="products_account_check",
        summary="Check an account before paying",
        request=AccountCheckBody,
        responses={200: AccountCheckResult, **refusals(NotFound, OrderInvalid, Malformed)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ends within five seconds. `unavailable` where nobody can tell at the moment, or too much was asked."""
        product = shelf(request.shop).by_slug.get(slug)  # type: ignore[attr-defined]
        if product is None:
            raise NotFound
        body = AccountCheckBody(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            entries = accounts.clean(product.account_fields, body.validated_data["account"])
        except accounts.AccountInvalid as invalid:
            raise OrderInvalid(fields={f"account.{name}": text for name, text in invalid.errors.items()}) from invalid
        checked = account_check(
            variant_ids=[variant.id for variant in product.variants],
            account={entry["name"]: entry["value"] for entry in entries},
            address=client_address(request),
        )
        return Response({"verdict": checked.verdict, "nickname": checked.nickname, "message": checked.text})
