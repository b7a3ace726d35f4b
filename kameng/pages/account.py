"""What a customer sees of their account: their orders, their wallet, and what keeps it safe."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.listings.views import page
from customers.accounts import password_is, password_set, refunds_go, sessions_end
from customers.exceptions import AccountRefused
from customers.models import Customer, Route
from customers.movements import points_movements, wallet_movements
from customers.sessions import customer_of, sign_in, sign_out
from kameng.core.ids import normalize
from kameng.core.problems import Problem
from kameng.core.throttle import allow
from kameng.pages.sign_in import TRY_SECONDS, passwords_of, see_other, slow_down, to_sign_in
from kameng.privacy.accounts import account_close, account_data
from orders import access
from orders.exceptions import NotKept
from orders.faces import contact_masked, recent_faces
from orders.keeping import order_keep, refund_route_choose
from orders.models import Order
from orders.views import order_prove, visible_order
from payments.models import Refund

LAST, PER_PAGE, MOVEMENTS = 5, 20, 100
#: So many wrong passwords of somebody who is signed in.
GUESSES = 10

_View = Callable[..., HttpResponse]


def signed_in(view: Callable[..., HttpResponse]) -> _View:
    """Only for whoever is signed in; others are asked to. The view is given the customer."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        customer = customer_of(request)
        return to_sign_in(request) if customer is None else view(request, customer, *args, **kwargs)

    return never_cache(asked)


@require_safe
@signed_in
def overview(request: HttpRequest, customer: Customer) -> HttpResponse:
    """What there is, and the last orders."""
    orders = Order.objects.filter(customer=customer).prefetch_related("lines")
    return page(
        request,
        "shop/account.html",
        {
            "customer": customer,
            "contact": contact_masked(customer.contact),
            "recent_orders": recent_faces(orders[:LAST]),
            "count": orders.count(),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def orders(request: HttpRequest, customer: Customer) -> HttpResponse:
    """All of the account; and another one can be kept here by whoever proves it."""
    values = {"number": request.POST.get("number", "")[:40], "contact": request.POST.get("contact", "")[:120]}
    error, status = "", 200
    if request.method == "POST":
        found, refusal = order_prove(request, values["number"], values["contact"])
        try:
            if found is None:
                raise refusal
            order_keep(order_id=found.pk, customer=customer, is_own_device=access.is_own_device(request, found))
        except Problem as refused:
            error, status = str(refused), refused.status
        else:
            return see_other(reverse("account_orders"))
    mine = Order.objects.filter(customer=customer).prefetch_related("lines")
    shown = Paginator(mine, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": shown, "orders": recent_faces(shown), "values": values, "error": error}
    return page(request, "shop/account_orders.html", context, status=status)


@require_POST
@signed_in
def keep(request: HttpRequest, customer: Customer, number: str) -> HttpResponse:
    """Keep an order that this browser sees; or say where its refunds go, on its own device, before one has begun."""
    order = visible_order(request, number)
    if order is not None:
        is_mine = access.is_own_device(request, order)
        try:
            if "refund_to" in request.POST:
                if not is_mine or Refund.objects.filter(payment__order=order).exists():
                    raise NotKept
                to = Route.WALLET if request.POST["refund_to"] == Route.WALLET else Route.SOURCE
                refund_route_choose(order_id=order.pk, customer=customer, to=to)
            else:
                order_keep(order_id=order.pk, customer=customer, is_own_device=is_mine)
        except Problem:
            pass  # the order's page says how it is
    return see_other(reverse("order", args=[normalize(number)]))


@require_safe
@signed_in
def wallet(request: HttpRequest, customer: Customer) -> HttpResponse:
    """How much there is, and where it came from, by the book."""
    shop_id = request.shop.pk  # type: ignore[attr-defined]
    moved = wallet_movements(shop_id=shop_id, customer_id=customer.pk, limit=MOVEMENTS)
    return page(request, "shop/account_wallet.html", {"customer": customer, "movements": moved, "limit": MOVEMENTS})


@require_safe
@signed_in
def points(request: HttpRequest, customer: Customer) -> HttpResponse:
    """How many there are, and where they came from, by the book."""
    shop = request.shop  # type: ignore[attr-defined]
    moved = points_movements(shop_id=shop.pk, customer_id=customer.pk, limit=MOVEMENTS)
    context = {
        "customer": customer,
        "movements": moved,
        "limit": MOVEMENTS,
        "per_yuan": shop.points_per_yuan,
        "percent": shop.points_limit_percent,
    }
    return page(request, "shop/account_points.html", context)


@require_POST
@signed_in
def data(request: HttpRequest, customer: Customer) -> HttpResponse:
    """All of it, to take along."""
    taken = account_data(customer, shop_id=request.shop.pk)  # type: ignore[attr-defined]
    answer = JsonResponse(taken, json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer["Content-Disposition"] = 'attachment; filename="account.json"'
    return answer


@sensitive_post_parameters("current", "password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def security(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Password, sessions, where refunds go, and the end of the account."""
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        try:
            return see_other(_secured(request, customer))
        except Problem as refused:
            errors = {name: str(text) for name, text in refused.fields.items()} or {"close": str(refused)}
            status = refused.status
    context = {
        "customer": customer,
        "contact": contact_masked(customer.contact),
        "errors": errors,
        "saved": request.GET.get("saved", ""),
        "asked_to_close": request.POST.get("act") == "close",
    }
    return page(request, "shop/account_security.html", context, status=status)


def _secured(request: HttpRequest, customer: Customer) -> str:
    """Do what was asked, and where to go on. Raises `Problem`."""
    act, here = request.POST.get("act", ""), reverse("account_security")
    if act == "refunds":
        to = Route.WALLET if request.POST.get("refund_to") == Route.WALLET else Route.SOURCE
        refunds_go(customer_id=customer.pk, to=to)
        return f"{here}?saved=refunds"
    if act == "sessions":
        sessions_end(customer_id=customer.pk)
        sign_out(request)
        return reverse("account_login")
    field = "sure_password" if act == "close" else "current"
    if seconds := allow("account-password", str(customer.pk), limit=GUESSES, seconds=TRY_SECONDS):
        raise AccountRefused(fields={field: slow_down(seconds)})
    if not password_is(customer, request.POST.get(field, "")):
        raise AccountRefused(fields={field: _("密码不对")})
    if act == "close":
        if not request.POST.get("sure"):
            raise AccountRefused(fields={"close": _("请先勾选，再注销")})
        account_close(customer_id=customer.pk)
        sign_out(request)
        return f"{reverse('account_login')}?closed=yes"
    sign_in(request, password_set(customer_id=customer.pk, password=passwords_of(request)))
    return f"{here}?saved=password"
