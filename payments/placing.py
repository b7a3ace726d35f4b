"""Placing an order by program, with the coupon that pays a part of it: both or neither."""

import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.coupons.exceptions import CouponRefused
from customers.sessions import customer_of
from kameng.core.client import client_address
from kameng.core.endpoint import Endpoint, received, rfc3339
from kameng.core.openapi import BODY_REFUSALS, refusals
from kameng.core.problems import Malformed
from kameng.core.throttle import TooMany, require
from orders.access import order_token
from orders.api import OrderForm, OrderPlaced
from orders.exceptions import (
    IdempotencyConflict,
    OrderInvalid,
    PriceChanged,
    ShopCannotTake,
    ShopClosed,
    SkuUnavailable,
    SkuUnknown,
    TooManyUnpaid,
)
from orders.models import Order
from orders.services import Buyer, Declared, LineRequest, Placed, order_place
from payments.coupons import coupon_payment, coupon_use, guessing
from resellers.models import Reseller

#: Orders by one address.
PLACE_LIMIT, PLACE_SECONDS = 300, 60

_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


def order_place_with_coupon(
    *,
    shop: Reseller,
    lines: Sequence[LineRequest],
    contact: str,
    buyer: Buyer,
    quoted_total: Decimal | None,
    idempotency_key: str | None,
    declared: Declared,
) -> Placed:
    """The same as `order_place`, paid in part or whole by the coupon that was `declared`. Raises what that raises, and
    `CouponRefused`; nothing is stored then, and nothing has moved."""
    with transaction.atomic():
        placed = order_place(
            shop=shop,
            lines=lines,
            contact=contact,
            buyer=buyer,
            quoted_total=quoted_total,
            idempotency_key=idempotency_key,
            declared=declared,
        )
        if placed.is_new:
            coupon_use(shop=shop, order_id=placed.order.pk, code=declared.coupon, actor="shopper")
        return placed


class OrderPlace(Endpoint):
    """Buying."""

    @extend_schema(
        operation_id="orders_place",
        summary="Place an order",
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "pattern": "^[!-~]{1,128}$"},
                OpenApiParameter.HEADER,
                description="Repeating the request under the same key returns the same order, token included.",
            )
        ],
        request=OrderForm,
        responses={
            201: OrderPlaced,
            **refusals(
                *BODY_REFUSALS, OrderInvalid, SkuUnknown, SkuUnavailable, PriceChanged, IdempotencyConflict, ShopClosed,
                ShopCannotTake, TooManyUnpaid, CouponRefused, TooMany,
            ),
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """At the shop's prices of this moment. A repetition gets the first answer, whatever happened since."""
        require("order-place", client_address(request), limit=PLACE_LIMIT, seconds=PLACE_SECONDS)
        key = _idempotency_key(request)
        wanted = received(request, OrderForm)
        address, coupon = client_address(request), wanted.get("coupon") or ""
        wish = partial(
            order_place_with_coupon if coupon else order_place,
            shop=request.shop,  # type: ignore[attr-defined]
            lines=[LineRequest(line["sku"], line["quantity"], line.get("account") or {}) for line in wanted["lines"]],
            contact=wanted["contact"],
            buyer=Buyer(address=address, language=(get_language() or "zh-hans")[:8], customer=customer_of(request)),
            quoted_total=wanted.get("quoted_total"),
            idempotency_key=key,
            declared=Declared(age=wanted.get("age") or "", no_return=bool(wanted.get("no_return")), coupon=coupon),
        )
        if coupon:
            with guessing(address):
                order = wish().order
        else:
            order = wish().order
        paid = coupon_payment(order.pk) if coupon else None
        discount = paid.amount if paid is not None else Decimal(0)
        due = order.total - discount
        return Response(
            {
                "number": order.number,
                "token": order_token(order),
                "status": Order.Status.PENDING if due else Order.Status.PAID,
                "total": f"{order.total:.2f}",
                "discount": f"{discount:.2f}",
                "due": f"{due:.2f}",
                "expires_at": rfc3339(order.expires_at),
            },
            status=201,
        )


def _idempotency_key(request: HttpRequest) -> str | None:
    """What the order remembers of the key: its fingerprint, since whoever has key and body gets the token."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Malformed(fields={"Idempotency-Key": _("1 到 128 个可见的 ASCII 字符")})
    return "api:" + hashlib.sha256(key.encode()).hexdigest()
