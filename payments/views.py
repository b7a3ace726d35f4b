"""The cashier: how much, by which way, and whether the money has come."""

import contextlib
import functools
import logging
import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.listings.views import page
from customers.sessions import customer_of
from kameng.core.client import client_address
from kameng.core.ids import normalize
from kameng.core.middleware import forms_may_lead_to
from kameng.core.problems import Problem
from kameng.core.qr import qr_drawn
from kameng.templatetags.shop import money
from orders.exceptions import OrderNotPayable
from orders.faces import account_rows, account_summary, line_face
from orders.models import Order
from orders.services import order_cancel
from orders.views import visible_order
from payments.asking import payments_ask_if_due
from payments.collecting import OPEN
from payments.environment import Environment, Offer, Way, ways_in
from payments.exceptions import GatewayDown
from payments.faces import due_of, gateway_name
from payments.gateways.base import Channel, GatewayError, GatewayMisconfigured, InApp, Receiving
from payments.merchants.models import GatewayAccount
from payments.merchants.services import accounts_for_shop, gateway_of
from payments.models import Payment
from payments.payer import login_account, login_remember, login_state, payer_known, payer_remember
from payments.purses import WALLET
from payments.services import payment_start
from payments.transfers.selectors import is_awaited, receiving_of
from payments.transfers.services import transfers_claim
from payments.wallets import missing_of, wallet_pay

logger = logging.getLogger(__name__)
_LAST = Coalesce("chosen_at", "created_at").desc()


@dataclass(frozen=True, slots=True)
class Attempt:
    """The open attempt as the page shows it."""

    payment: str
    gateway: str
    gateway_name: str
    qr: str
    url: str
    call: str = ""
    #: The app that is called, and whether its own page is another way to pay.
    app: Environment | None = None
    has_page: bool = False
    hint: str = ""
    #: By transfer: whom to, and whether the shopper says that it was sent.
    receiving: Receiving | None = None
    is_claimed: bool = False
    #: In yuan.
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Method:
    """A tile."""

    code: str
    name: str
    available: bool
    note: str = ""
    reason: str = ""


def _ways(request: HttpRequest) -> dict[str, Way]:
    """How each configured gateway can be paid from the browser that asks."""
    offers: dict[str, Offer] = {}
    for account in accounts_for_shop():
        try:
            gateway = gateway_of(account)
            offers[account.gateway] = Offer(gateway.channels, gateway.wallets)
        except GatewayMisconfigured:
            offers[account.gateway] = Offer()
    return ways_in(_environment(request), offers)


def _methods(ways: dict[str, Way], *, is_part_paid: bool) -> list[Method]:
    """Of what a purse has paid a part, the shop's owner is not paid the rest: no order is paid to both."""
    owners = {account.gateway for account in accounts_for_shop() if account.owner_collects and is_part_paid}
    return [
        Method(code, gateway_name(code), False, reason=_("这单已经抵扣了一部分，不能用这种方式"))
        if code in owners
        else Method(code, gateway_name(code), way.channel is not None, str(way.note), str(way.reason))
        for code, way in ways.items()
    ]


def _purses(request: HttpRequest, order: Order) -> list[Method]:
    """The wallet of whoever is signed in, where there is something in it."""
    customer = customer_of(request)
    if customer is None or not customer.wallet or order.customer_id not in (None, customer.pk):
        return []
    there = {"amount": money(customer.wallet)}
    return [
        Method(
            WALLET.gateway,
            gateway_name(WALLET.gateway),
            customer.wallet >= missing_of(order),
            note=_("有 %(amount)s，点了就付") % there,
            reason=_("只有 %(amount)s，不够付这一单") % there,
        )
    ]


def _environment(request: HttpRequest) -> Environment:
    return Environment.of(request.headers.get("User-Agent", ""))


def _attempt(request: HttpRequest, order: Order) -> Attempt | None:
    """What was chosen last and can be paid here; what an app is called with is of use only inside it."""
    ways = _ways(request)
    called = [code for code, way in ways.items() if way.channel is Channel.JSAPI]
    shown = Q(channel=Channel.TRANSFER) | ~Q(qr="", url="") | Q(gateway__in=called) & ~Q(call="")
    payment = order.payments.filter(shown, status__in=OPEN).order_by(_LAST, "-pk").first()
    if payment is None:
        return None
    receiving = receiving_of(payment)
    return Attempt(
        payment.number,
        payment.gateway,
        gateway_name(payment.gateway),
        payment.qr,
        payment.url,
        payment.call,
        app=_environment(request) if payment.call else None,
        has_page=bool(payment.call) and ways[payment.gateway].instead is not None,
        receiving=receiving,
        is_claimed=receiving is not None and is_awaited([payment.number]),
        amount=payment.amount,
    )


def _pay_state(order: Order, *, seconds_left: int, asked: bool = False) -> str:
    if order.status == Order.Status.CANCELED:
        return "canceled"
    if order.status == Order.Status.EXPIRED:
        return "expired"
    if order.status != Order.Status.PENDING:
        return "paid"
    return "confirming" if seconds_left <= 0 or asked else "waiting"


def _seconds_left(order: Order) -> int:
    """Until the order expires, by the database's clock."""
    expires_at: datetime
    now: datetime
    expires_at, now = Order.objects.filter(pk=order.pk).values_list("expires_at", Now()).get()
    return max(0, math.ceil((expires_at - now).total_seconds()))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def cashier(request: HttpRequest, number: str) -> HttpResponse:
    """Choose a way to pay; then the code or the button, and waiting."""
    order = visible_order(request, number)
    if order is None:
        return redirect("order", number=normalize(number))
    if order.status == Order.Status.PENDING and order.checked_at is None:
        return redirect("confirm", number=order.number)
    refused = ""
    if request.method == "POST":
        try:
            if request.POST.get("gateway") == WALLET.gateway:
                wallet_pay(order=order, customer=customer_of(request), shop_id=request.shop.pk)  # type: ignore[attr-defined]
                return _see_other("order", order)
            if away := _login(request, order, request.POST.get("gateway", "")):
                return away
            _start(request, order, request.POST.get("gateway", ""), on_page="page" in request.POST)
        except OrderNotPayable:
            return redirect("order", number=order.number)
        except Problem as problem:
            refused = str(problem)
        else:
            return _see_other("cashier", order)
    elif order.status not in (Order.Status.PENDING, Order.Status.EXPIRED, Order.Status.CANCELED):
        return redirect("order", number=order.number)
    return _cashier_page(request, order, refused)


def _account(gateway: str) -> GatewayAccount | None:
    return next((known for known in accounts_for_shop() if known.gateway == gateway), None)


def _app(account: GatewayAccount | None, way: Way | None) -> InApp | None:
    """Who says who pays, where a gateway is paid inside an app."""
    if account is None or way is None or way.channel is not Channel.JSAPI:
        return None
    adapter: object = gateway_of(account)
    return adapter if isinstance(adapter, InApp) else None


def _login(request: HttpRequest, order: Order, gateway: str) -> HttpResponse | None:
    """To the app and back, where only it knows who is paying and this browser does not; None where nobody needs to."""
    account, way = _account(gateway), _ways(request).get(gateway)
    adapter = _app(account, way)
    if account is None or adapter is None or payer_known(request, account=account.code):
        return None
    if way is not None and way.instead and "page" in request.POST:
        return None
    back, state = request.build_absolute_uri(reverse("cashier_login", args=[order.number])), login_state()
    response = redirect(adapter.login_url(return_url=back, state=state))
    response.status_code = 303
    return login_remember(response, request, account=account.code, order=order.number, state=state)


def _start(request: HttpRequest, order: Order, gateway: str, *, payer: str = "", on_page: bool = False) -> Payment:
    """By the app's own call, or `on_page`; on its page, too, where the gateway does not open the call."""
    account, way = _account(gateway), _ways(request).get(gateway) or Way(None)
    start = functools.partial(
        payment_start,
        payer=payer or (payer_known(request, account=account.code) if account is not None else ""),
        order=order,
        shop_id=request.shop.pk,  # type: ignore[attr-defined]
        gateway=gateway,
        client_ip=client_address(request),
        return_url=request.build_absolute_uri(reverse("cashier_return", args=[order.number])),
    )
    if not (on_page and way.instead):
        try:
            return start(channel=way.channel or "")
        except GatewayDown:
            if way.instead is None:
                raise
    return start(channel=way.instead)


def _cashier_page(request: HttpRequest, order: Order, refused: str) -> HttpResponse:
    line = order.lines.all()[0]
    left = _seconds_left(order)
    state = _pay_state(order, seconds_left=left, asked="asked" in request.GET)
    ways, due = _ways(request), due_of(order)
    response = page(
        request,
        "shop/cashier.html",
        {
            "order": order,
            "line": line_face(line),
            "account_summary": account_summary(line),
            "account_label": next((row.label for row in account_rows(line)), ""),
            "attempt": _attempt(request, order) if state in ("waiting", "confirming") else None,
            "due": due,
            "methods": [*_purses(request, order), *_methods(ways, is_part_paid=due.amount < order.total)],
            "offers_sign_in": customer_of(request) is None,
            "pay_state": state,
            "refused": refused,
            "is_looked_for": state in ("expired", "canceled") and _is_looked_for(order),
            "seconds_left": left if state in ("waiting", "confirming") else 0,
            "time_left": f"{left // 60:02d}:{left % 60:02d}",
        },
        status=503 if refused else 200,
    )
    # WeChat's page for phones opens only for a browser that says which site it comes from.
    response["Referrer-Policy"] = "strict-origin-when-cross-origin"
    for gateway, way in ways.items():
        if (adapter := _app(_account(gateway), way)) is not None:
            forms_may_lead_to(response, adapter.login_url(return_url="", state=""))
    return response


def _is_looked_for(order: Order) -> bool:
    """Whether people look for a transfer that the shopper says was sent for an order that is over."""
    by_transfer = order.payments.filter(channel=Channel.TRANSFER)
    return is_awaited(by_transfer.values_list("number", flat=True))


def _see_other(name: str, order: Order, query: str = "") -> HttpResponse:
    response = redirect(reverse(name, args=[order.number]) + query)
    response.status_code = 303
    return response


@require_safe
@never_cache
def cashier_status(request: HttpRequest, number: str) -> HttpResponse:
    """The waiting line of the page, asked for every few seconds; the gateway is asked, too.

    204 when nothing changed.
    """
    order = visible_order(request, number)
    if order is None:
        raise Http404
    if order.status in (Order.Status.PENDING, Order.Status.EXPIRED, Order.Status.CANCELED):
        payments_ask_if_due(order=order, actor="cashier")
        order.refresh_from_db()
    state = _pay_state(order, seconds_left=_seconds_left(order))
    if state == "paid":
        response = HttpResponse(status=204)
        response["HX-Redirect"] = reverse("order", args=[order.number])
        return response
    seen = request.GET.get("seen", "")
    if state == seen or (state, seen) == ("waiting", "confirming"):
        return HttpResponse(status=204)
    return render(request, "shop/_pay_status.html", {"order": order, "pay_state": state})


@require_POST
@never_cache
def cashier_check(request: HttpRequest, number: str) -> HttpResponse:
    """ "I have paid": ask the gateway now; "I have transferred": let people look."""
    order = visible_order(request, number)
    if order is None:
        return redirect("order", number=normalize(number))
    if "transferred" in request.POST:
        transfers_claim(payments=order.payments.filter(status__in=OPEN))
        return _see_other("cashier", order)
    payments_ask_if_due(order=order, actor="shopper")
    order.refresh_from_db()
    if order.status == Order.Status.PENDING:
        return _see_other("cashier", order, "?asked")
    return _see_other("order", order)


@require_safe
@never_cache
def cashier_return(request: HttpRequest, number: str) -> HttpResponse:
    """Back from the gateway's page. What the address says proves nothing; the gateway is asked."""
    order = visible_order(request, number)
    if order is not None and order.status == Order.Status.PENDING:
        payments_ask_if_due(order=order, actor="return")
        order.refresh_from_db()
        if order.status == Order.Status.PENDING:
            return redirect(reverse("cashier", args=[order.number]) + "?asked")
    return redirect("order", number=normalize(number))


@require_safe
@never_cache
def cashier_login(request: HttpRequest, number: str) -> HttpResponse:
    """Back from the app, which says who pays: open the payment in it. Whoever was not sent there learns nothing."""
    order = visible_order(request, number)
    if order is None:
        return redirect("order", number=normalize(number))
    code = login_account(request, order=order.number, state=request.GET.get("state", ""))
    account = next((known for known in accounts_for_shop() if known.code == code), None)
    if account is None or order.status != Order.Status.PENDING:
        return _see_other("cashier", order)
    payer = ""
    try:
        adapter: object = gateway_of(account)
        payer = adapter.payer_of(request.GET.get(adapter.login_code, "")) if isinstance(adapter, InApp) else ""
    except GatewayError as error:
        logger.warning("nobody says who pays order %s: %s", order.number, error)
        if _ways(request)[account.gateway].instead is None:
            method = {"method": gateway_name(account.gateway)}
            return _cashier_page(request, order, _("没能打开%(method)s，请再点一次") % method)
    try:
        _start(request, order, account.gateway, payer=payer, on_page=not payer)
    except OrderNotPayable:
        return redirect("order", number=order.number)
    except Problem as problem:
        return _cashier_page(request, order, str(problem))
    response = _see_other("cashier", order)
    return payer_remember(response, request, account=account.code, payer=payer) if payer else response


@require_POST
@never_cache
def cashier_cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Give up an unpaid order."""
    order = visible_order(request, number)
    if order is not None:
        # It may have been paid or run out meanwhile; its page says so.
        with contextlib.suppress(OrderNotPayable):
            order_cancel(order_id=order.pk, actor="shopper")
        return _see_other("order", order)
    return redirect("order", number=normalize(number))


@require_safe
@never_cache
def cashier_qr(request: HttpRequest, number: str) -> HttpResponse:
    """The code to scan."""
    if (order := visible_order(request, number)) is None:
        raise Http404
    # Of the attempt that the page says: another window may have chosen another one since.
    payment = order.payments.filter(number=request.GET.get("v", ""), status__in=OPEN).first()
    if payment is None or not payment.qr:
        raise Http404
    return HttpResponse(qr_drawn(payment.qr), content_type="image/png")
