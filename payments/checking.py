"""The explicit check before paying: what, for whom, how much, and that it cannot be taken back; and a coupon."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from catalog.listings.views import page
from customers.coupons.exceptions import CouponRefused
from customers.coupons.selectors import is_any_coupon
from customers.exceptions import PointsShort
from customers.sessions import customer_of
from kameng.core.client import client_address
from kameng.core.ids import normalize
from kameng.core.money import parse_yuan
from kameng.core.problems import Problem
from kameng.core.throttle import TooMany
from orders.exceptions import OrderInvalid, OrderNotPayable
from orders.faces import checked_rows, line_face, masked_contact
from orders.models import Order
from orders.no_return import wording_for, wording_text
from orders.services import order_check
from orders.views import visible_order
from payments.coupon_links import Remembered, best_remembered, over_forgotten
from payments.coupons import Quote, coupon_payment, coupon_quote, coupon_use, guessing, is_for_coupons
from payments.faces import due_of
from payments.points import points_offer, points_use
from resellers.models import Reseller


@dataclass(frozen=True, slots=True)
class _Tried:
    """The coupon that the shopper names: what it would take off, or why it does not."""

    code: str = ""
    quote: Quote | None = None
    refusal: Problem | None = None
    #: Nobody typed it: what comes of the links that were opened in this browser.
    remembered: Remembered | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def confirm(request: HttpRequest, number: str) -> HttpResponse:
    """The page on which an order is checked. A coupon that is tried is only quoted; it is used on going on to pay."""
    order = visible_order(request, number)
    if order is None or order.status != Order.Status.PENDING:
        return redirect("order", number=normalize(number))
    typed = request.POST if request.method == "POST" else request.GET
    code = str(typed.get("coupon", "")).strip()[:40]
    if request.method != "POST" and "coupon" not in typed:
        remembered = best_remembered(request, order)
        tried = _Tried(remembered.code if remembered.quote else "", remembered.quote, remembered=remembered)
        return over_forgotten(_page(request, order, tried, []), request, remembered)
    errors: list[dict[str, str]] = []
    tried = _Tried(code)
    if request.method == "POST":
        try:
            _go_on(request, order, code)
        except OrderInvalid as invalid:
            errors.append({"field": "no_return", "message": str(invalid.fields["no_return"])})
        except (CouponRefused, TooMany) as refused:
            tried = _Tried(code, refusal=refused)
        except (OrderNotPayable, PointsShort) as refused:
            errors.append({"field": "", "message": str(refused)})
        else:
            response = redirect("cashier", number=order.number)
            response.status_code = 303
            return response
    if code and tried.refusal is None:
        tried = _try(request, order, code)
    if tried.refusal is not None:
        errors.append({"field": "coupon", "message": str(tried.refusal)})
    return _page(request, order, tried, errors)


@transaction.atomic
def _go_on(request: HttpRequest, order: Order, code: str) -> None:
    """Checked, and paid in part by the coupon and by points: all or nothing. Raises `OrderInvalid`, `CouponRefused`,
    `TooMany`, `PointsShort`, `OrderNotPayable`."""
    order_check(order_id=order.pk, no_return=request.POST.get("no_return", ""))
    if code:
        with guessing(client_address(request)):
            coupon_use(shop=_shop(request), order_id=order.pk, code=code, actor="shopper")
    customer = customer_of(request)
    if request.POST.get("points") and customer is not None:
        points_use(shop=_shop(request), order_id=order.pk, customer=customer)


def _try(request: HttpRequest, order: Order, code: str) -> _Tried:
    try:
        with guessing(client_address(request)):
            return _Tried(code, quote=coupon_quote(shop=_shop(request), order=order, code=code))
    except (CouponRefused, TooMany) as refused:
        return _Tried(code, refusal=refused)


def _shop(request: HttpRequest) -> Reseller:
    return request.shop  # type: ignore[attr-defined, no-any-return]


def _page(request: HttpRequest, order: Order, tried: _Tried, errors: list[dict[str, str]]) -> HttpResponse:
    line = order.lines.all()[0]
    wording, due = wording_for(line.kind), due_of(order)
    is_used = coupon_payment(order.pk) is not None
    no_return = next((error["message"] for error in errors if error["field"] == "no_return"), "")
    return page(
        request,
        "shop/confirm.html",
        {
            "order": order,
            "line": line_face(line),
            "account_rows": checked_rows(line),
            "contact": masked_contact(order),
            "edit_url": reverse("edit", args=[order.number]),
            "price_change": _price_change(request, line.price),
            "purses": due.purses,
            "coupon": tried.quote,
            "coupon_code": tried.code,
            "coupon_error": str(tried.refusal) if tried.refusal is not None else "",
            "remembered": tried.remembered if tried.remembered and tried.remembered.code else None,
            "is_coupon_used": is_used,
            "takes_coupons": not is_used and is_any_coupon(_shop(request).pk) and is_for_coupons(order),
            "points": points_offer(shop=_shop(request), order=order, customer=customer_of(request)),
            "pay": due.amount - (tried.quote.amount if tried.quote is not None else 0),
            "no_return": {
                "wording": wording,
                "text": wording_text(wording),
                # Never ticked beforehand; whoever comes back has ticked it for this very order.
                "ticked": order.no_return_wording == wording,
                "error": no_return,
            },
            "errors": errors,
        },
        status=(tried.refusal.status if tried.refusal is not None else OrderInvalid.status) if errors else 200,
    )


def _price_change(request: HttpRequest, price: Decimal) -> dict[str, Any] | None:
    try:
        was = parse_yuan(request.GET.get("was", ""))
    except ValueError:
        return None
    return {"old": was, "new": price} if was != price else None
