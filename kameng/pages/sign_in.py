"""Into a customer's account and out of it: by password, by a paid order the first time, by a link after forgetting."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from catalog.listings.views import page
from customers.accounts import customer_sign_in, password_set
from customers.exceptions import AccountRefused
from customers.links import customer_by_link
from customers.sessions import customer_of, sign_in, sign_out
from kameng.core.client import client_address
from kameng.core.encryption import digest
from kameng.core.ids import grouped, normalize
from kameng.core.problems import Problem
from kameng.core.throttle import allow
from orders import access
from orders.keeping import account_open
from orders.models import Order

#: So many tries in so many seconds, from one address and for one contact.
TRIES, CONTACT_TRIES, TRY_SECONDS = 20, 10, 300
#: So many tries to open an account from one address in an hour.
OPENINGS, OPENING_SECONDS = 10, 3600


def see_other(where: str) -> HttpResponse:
    """Go on to there, after something was sent."""
    response = HttpResponse(status=303)
    response["Location"] = where
    return response


def passwords_of(request: HttpRequest) -> str:
    """A new password, typed twice. Raises `AccountRefused`."""
    password, again = request.POST.get("password", ""), request.POST.get("again", "")
    if password != again:
        raise AccountRefused(fields={"again": _("两次输的不一样")})
    return password


def slow_down(seconds: int) -> str:
    """What whoever tries too often is told."""
    return _("操作太快了，%(seconds)s 秒后再试") % {"seconds": seconds}


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """By contact and password; whatever was wrong, the answer is the same."""
    asked = request.POST.get("next", "") or request.GET.get("next", "")
    here = {request.get_host()}
    onward = asked if url_has_allowed_host_and_scheme(asked, here, require_https=request.is_secure()) else ""
    if customer_of(request) is not None:
        return see_other(onward or reverse("account"))
    contact = request.POST.get("contact", "")[:120]
    context: dict[str, Any] = {"values": {"contact": contact}, "next": onward}
    if request.method != "POST":
        return page(request, "shop/account_login.html", {**context, "is_closed": "closed" in request.GET})
    told = digest(contact.strip().lower(), purpose="limit")
    for scope, subject, limit in (
        ("account-login", client_address(request), TRIES),
        ("account-login-contact", told, CONTACT_TRIES),
    ):
        if seconds := allow(scope, subject, limit=limit, seconds=TRY_SECONDS):
            return page(request, "shop/account_login.html", {**context, "error": slow_down(seconds)}, status=429)
    try:
        customer = customer_sign_in(contact=contact, password=request.POST.get("password", ""))
    except Problem as refused:
        return page(request, "shop/account_login.html", {**context, "error": str(refused)}, status=refused.status)
    sign_in(request, customer)
    return see_other(onward or reverse("account"))


@require_POST
@never_cache
def logout(request: HttpRequest) -> HttpResponse:
    """This browser is nobody's any more."""
    sign_out(request)
    return see_other(reverse("account_login"))


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def register(request: HttpRequest) -> HttpResponse:
    """By a paid order: this browser's own, or one whose whole contact is typed. Every miss gets the same answer."""
    if customer_of(request) is not None:
        return see_other(reverse("account"))
    number = normalize(request.POST.get("number", "") or request.GET.get("order", ""))[:40]
    values = {"number": grouped(number), "contact": request.POST.get("contact", "")[:120]}
    order = Order.objects.filter(number=number).first() if number else None
    is_mine = order is not None and access.is_own_device(request, order) and order.forgotten_at is None
    context: dict[str, Any] = {"values": values, "is_mine": is_mine}
    if request.method != "POST":
        return page(request, "shop/account_register.html", context)
    if seconds := allow("account-register", client_address(request), limit=OPENINGS, seconds=OPENING_SECONDS):
        context["errors"] = {"number": slow_down(seconds)}
        return page(request, "shop/account_register.html", context, status=429)
    # Compared in either case, so that a miss takes as long as a wrong contact.
    is_proven = access.contact_is(order or Order(contact="13800000000"), values["contact"])
    try:
        if order is None or order.paid_at is None or not (is_mine or is_proven):
            raise AccountRefused(fields={"number": _("没查到付过款的这一单。请核对订单号和完整的联系方式")})
        customer = account_open(order_id=order.pk, password=passwords_of(request))
    except Problem as refused:
        context["errors"] = {name: str(text) for name, text in refused.fields.items()} or {"number": str(refused)}
        return page(request, "shop/account_register.html", context, status=refused.status)
    sign_in(request, customer)
    return see_other(reverse("account"))


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """A new password, by a link that staff gave; it opens the account at once and is used up."""
    if seconds := allow("account-reset", client_address(request), limit=TRIES, seconds=TRY_SECONDS):
        return page(request, "shop/account_reset.html", {"is_over": True, "error": slow_down(seconds)}, status=429)
    customer = customer_by_link(token)
    if customer is None:
        return page(request, "shop/account_reset.html", {"is_over": True}, status=404)
    if request.method != "POST":
        return _private(page(request, "shop/account_reset.html"))
    try:
        customer = password_set(customer_id=customer.pk, password=passwords_of(request))
    except Problem as refused:
        errors = {name: str(text) for name, text in refused.fields.items()}
        return _private(page(request, "shop/account_reset.html", {"errors": errors}, status=refused.status))
    sign_in(request, customer)
    return see_other(reverse("account"))


def _private(response: HttpResponse) -> HttpResponse:
    response["Referrer-Policy"] = "no-referrer"
    return response


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Whoever is nobody's is asked to sign in, and comes back."""
    return redirect(f"{reverse('account_login')}?next={request.path}")
