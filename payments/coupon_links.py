"""Links that bring a coupon along: its page says what it gives, and the browser remembers the code until an order is
checked. Of several, the one that takes off most is filled in there.

The page is the only one that knows of it. Every other page of a shop is the same for everybody, and stays so
(docs/adr/0051-coupon-links.md).
"""

import re
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.listings.faces import category_face, product_faces
from catalog.listings.shelf import shelf
from catalog.listings.views import page
from customers.coupons.exceptions import CouponRefused, CouponUnknown, CouponUnsuited
from customers.coupons.models import Coupon
from customers.coupons.selectors import LONGEST_CODE, SHORTEST_CODE
from customers.coupons.words import coupon_name, coupon_scope
from kameng.core.client import client_address
from kameng.core.problems import Problem
from kameng.core.throttle import TooMany
from orders.models import Order
from payments.coupons import Quote, coupon_holding, coupon_quote, guessing, may_take_coupon
from resellers.models import Reseller

COOKIE = "kameng_coupons"
KEPT, KEPT_SECONDS = 3, 30 * 24 * 3600
_CODE = re.compile(f"[0-9A-Z]{{{SHORTEST_CODE},{LONGEST_CODE}}}", re.ASCII)


@dataclass
class Remembered:
    """What comes of the codes that a browser remembers, for one order: what the best would take off, or why the newest
    does not; and which of them are over."""

    quote: Quote | None = None
    code: str = ""
    refusal: Problem | None = None
    over: set[str] = field(default_factory=set)


def codes_remembered(request: HttpRequest) -> list[str]:
    """The newest first. Whatever else somebody put there is nothing."""
    codes = request.COOKIES.get(COOKIE, "")[:100].split(".")
    return [code for code in dict.fromkeys(codes) if _CODE.fullmatch(code)][:KEPT]


def codes_remember(response: HttpResponse, request: HttpRequest, codes: list[str]) -> HttpResponse:
    """In the place of those before; none is no cookie."""
    if codes:
        kept = ".".join(codes[:KEPT])
        response.set_cookie(
            COOKIE, kept, max_age=KEPT_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response


def best_remembered(request: HttpRequest, order: Order) -> Remembered:
    """Look at each as if it had been typed. What is refused whatever the order is over: it is said once, and then
    forgotten, so that it is not guessed at again."""
    best, codes = Remembered(), codes_remembered(request)
    if codes and not may_take_coupon(order):
        return best
    for code in codes:
        try:
            with guessing(client_address(request)):
                quote = coupon_quote(shop=_shop(request), order=order, code=code)
        except (CouponRefused, TooMany) as refused:
            if isinstance(refused, CouponRefused) and not isinstance(refused, CouponUnsuited):
                best.over.add(code)
            if best.refusal is None:
                best.code, best.refusal = code, refused
        else:
            if best.quote is None or quote.amount > best.quote.amount:
                best.quote = quote
    if best.quote is not None:
        best.code, best.refusal = best.quote.coupon.code, None
    return best


def over_forgotten(response: HttpResponse, request: HttpRequest, remembered: Remembered) -> HttpResponse:
    """The browser forgets what is over."""
    if not remembered.over:
        return response
    return codes_remember(
        response, request, [code for code in codes_remembered(request) if code not in remembered.over]
    )


@require_safe
@never_cache
def coupon_link(request: HttpRequest, code: str) -> HttpResponse:
    """What the coupon gives, and where to. A code that is none is guessed at no more often than in the form."""
    try:
        with guessing(client_address(request)):
            coupon = coupon_holding(shop=_shop(request), code=code)
    except (CouponRefused, TooMany) as refused:
        gone = 404 if isinstance(refused, CouponUnknown) else 410
        status = refused.status if isinstance(refused, TooMany) else gone
        return page(request, "shop/coupon.html", {"refusal": str(refused)}, status=status)
    context = {"coupon": coupon, "coupon_name": coupon_name(coupon), **_goods(request, coupon)}
    known = [other for other in codes_remembered(request) if other != coupon.code]
    return codes_remember(page(request, "shop/coupon.html", context), request, [coupon.code, *known])


def _goods(request: HttpRequest, coupon: Coupon) -> dict[str, Any]:
    """What it is for, in the reader's language, and where that is sold."""
    on_sale = shelf(_shop(request))
    for product in on_sale.products:
        if product.id == coupon.product_id:
            (face,) = product_faces(on_sale, [product])
            return {"scope": face.name, "goods_url": reverse("product", args=[face.slug])}
    for category in on_sale.categories:
        if category.id == coupon.category_id:
            return {"scope": category_face(category).name, "goods_url": reverse("category", args=[category.slug])}
    return {"scope": coupon_scope(coupon), "goods_url": reverse("home")}


def _shop(request: HttpRequest) -> Reseller:
    return request.shop  # type: ignore[attr-defined, no-any-return]
