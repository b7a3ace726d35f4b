"""From a filled-in product page to an order that was checked; and finding an order again.

Guests only need their contact.
"""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.listings.faces import Answers
from catalog.listings.shelf import ShelfProduct, shelf
from catalog.listings.views import page, product_page
from customers.sessions import customer_of
from kameng.core.client import client_address
from kameng.core.ids import grouped, normalize
from kameng.core.money import parse_yuan
from kameng.core.problems import Problem
from kameng.core.throttle import allow
from orders import access
from orders.exceptions import OrderInvalid, SkuUnknown, TooManyUnpaid
from orders.faces import recent_faces
from orders.models import Order
from orders.services import Buyer, Declared, LineRequest, order_hand_over, order_place, request_digest

#: Looking up: so many tries in so many seconds, from one address and for one order.
LOOKUPS, LOOKUP_SECONDS = 10, 300
_ACCOUNT_PREFIX = "account_"


def is_same_origin(request: HttpRequest) -> bool:
    """Whether a form came from a page of this very host.

    The product page is the same for everybody and holds no token, and a guest has no rights that a foreign site could
    borrow; what browsers say of themselves (Fetch Metadata, Origin) is enough to refuse forms of other sites.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.get_host()


def account_asked(request: HttpRequest) -> dict[str, str]:
    """The account as a product page's form sends it: field name to what was typed."""
    return {
        name.removeprefix(_ACCOUNT_PREFIX): str(value)
        for name, value in request.POST.items()
        if name.startswith(_ACCOUNT_PREFIX)
    }


@csrf_exempt
@require_POST
@never_cache
def checkout(request: HttpRequest) -> HttpResponse:
    """Place the order that a product page's form asks for, once, and go on to the page where it is checked."""
    if not is_same_origin(request):
        return HttpResponseForbidden("cross-site form")
    shop = request.shop  # type: ignore[attr-defined]
    form = {name: str(value) for name, value in request.POST.items()}
    sku = form.get("sku", "")[:40]
    on_sale = shelf(shop)
    found = on_sale.by_sku.get(sku)
    product = found[0] if found else on_sale.by_slug.get(form.get("product", ""))
    if product is None:
        return redirect("home")
    asked = account_asked(request)
    customer = customer_of(request)
    contact = form.get("contact", "").strip() or asked.get("phone", "") or (customer.contact if customer else "")
    answers = Answers(
        sku=sku,
        quantity=form.get("quantity", "1")[:10],
        contact=form.get("contact", ""),
        age=form.get("age", "")[:8],
        account=asked,
    )
    if not sku:
        return _again(request, product, answers, {"sku": _("还没有选面额")})
    quantity = answers.quantity
    if not (quantity.isascii() and quantity.isdigit()):
        return _again(request, product, answers, {"quantity": _("数量要用数字填写")})
    line = LineRequest(sku=sku, quantity=int(quantity), account=asked)
    device = access.device_of(request)
    buyer = Buyer(
        device_digest=access.device_digest(device or (fresh := access.device_new())),
        address=client_address(request),
        language=(get_language() or "zh-hans")[:8],
        customer=customer,
    )
    try:
        order = _place_once(request, line, contact, buyer, device, Declared(age=answers.age))
    except OrderInvalid as invalid:
        fields = {
            name.removeprefix("lines.0.").removeprefix("account."): str(text) for name, text in invalid.fields.items()
        }
        return _again(request, product, answers, fields)
    except SkuUnknown as refused:
        if product.slug not in shelf(shop).by_slug:
            return page(request, "shop/gone.html", status=refused.status)
        return product_page(
            request, product, answers, status=refused.status, messages=(_("这个面额刚刚下架，已为你保留账号"),)
        )
    except Problem as refused:
        return product_page(request, product, answers, status=refused.status, messages=(str(refused),))
    if not device and order.device_digest != buyer.device_digest:
        order_hand_over(order_id=order.pk, device_digest=buyer.device_digest)
    response = redirect(_confirm_url(order, form.get(f"quoted_{sku}", "")))
    response.status_code = 303
    return response if device else access.device_remember(response, request, fresh)


def _again(request: HttpRequest, product: ShelfProduct, answers: Answers, errors: dict[str, str]) -> HttpResponse:
    return product_page(request, product, replace(answers, errors=errors), status=422)


def _place_once(
    request: HttpRequest, line: LineRequest, contact: str, buyer: Buyer, device: str, declared: Declared
) -> Order:
    """The same form from the same device is the same order for as long as that one waits for its money.

    Without a cookie yet, the device is its address and what it calls itself: a double click sends both alike.
    """
    who = device or f"{client_address(request)}|{request.headers.get('User-Agent', '')}"
    wish = str(request.POST.get("idempotency_key", ""))[:64]
    wanted = f"{who}|{wish}|{request_digest([line], contact, None, declared)}"
    key = "web:" + hashlib.sha256(wanted.encode()).hexdigest()
    while True:
        known = Order.objects.filter(idempotency_key=key).first()
        if known is None:
            break
        if known.status == Order.Status.PENDING:
            return known
        key = "web:" + hashlib.sha256(f"{key}|{known.number}".encode()).hexdigest()
    return order_place(
        shop=request.shop,  # type: ignore[attr-defined]
        lines=[line],
        contact=contact,
        buyer=buyer,
        idempotency_key=key,
        declared=declared,
    ).order


def _confirm_url(order: Order, quoted: str) -> str:
    """The check page; with the price that the shopper had before them, where it was another one."""
    url = reverse("confirm", args=[order.number])
    try:
        was = parse_yuan(quoted)
    except ValueError:
        return url
    return url if was == order.lines.all()[0].price else f"{url}?was={was}"


def visible_order(request: HttpRequest, number: str) -> Order | None:
    """The order if this browser may see it. Whoever may not is told nothing, not even whether it exists."""
    order = Order.objects.filter(number=normalize(number)).first()
    return order if order is not None and access.may_see(request, order) else None


@require_safe
@never_cache
def edit(request: HttpRequest, number: str) -> HttpResponse:
    """The product page filled in as the order was: to correct it, or to buy the same again."""
    order = visible_order(request, number)
    if order is None:
        return redirect("order", number=normalize(number))
    line = order.lines.all()[0]
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    product = on_sale.by_slug.get(line.product_slug)
    if product is None and line.sku in on_sale.by_sku:
        return redirect(f"{reverse('apply')}?order={order.number}")  # sold on a page of its own
    if product is None:
        return page(request, "404.html", status=404)
    answers = Answers(
        sku=line.sku,
        quantity=str(line.quantity),
        contact=order.contact,
        age=order.age,
        account=line.account_values,
    )
    return product_page(request, product, answers)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def lookup(request: HttpRequest) -> HttpResponse:
    """Find an order by its number and the contact; every miss gets the same answer."""
    values = {"number": request.POST.get("number", "")[:40], "contact": request.POST.get("contact", "")[:120]}
    context: dict[str, Any] = {"values": values}
    if request.method == "POST":
        order, refusal = order_prove(request, values["number"], values["contact"])
        if order is not None:
            response = redirect("order", number=order.number)
            response.status_code = 303
            return access.grant(response, request, order)
        context["error"] = refusal.message
        return _lookup_page(request, context, status=refusal.status)
    return _lookup_page(request, context)


def _lookup_page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    device = access.device_of(request)
    recent = Order.objects.none()
    if device:
        recent = Order.objects.filter(device_digest=access.device_digest(device)).prefetch_related("lines")[:5]
    return page(request, "shop/lookup.html", {**context, "recent_orders": recent_faces(recent)}, status=status)


class _Refusal(Problem):
    """Not found, or too many tries."""


def order_prove(request: HttpRequest, number: str, proof: str) -> tuple[Order | None, _Refusal]:
    """The order if the contact proves it; otherwise a refusal that is the same whatever was wrong."""
    number = normalize(number)
    for scope, subject in (("lookup", client_address(request)), ("lookup-order", number[:40])):
        if seconds := allow(scope, subject, limit=LOOKUPS, seconds=LOOKUP_SECONDS):
            slow = _Refusal(_("操作太快了，%(seconds)s 秒后再试") % {"seconds": seconds})
            slow.status = TooManyUnpaid.status
            return None, slow
    order = Order.objects.filter(number=number).first()
    # A comparison is made in either case, so that a miss takes as long as a wrong contact.
    proven = access.contact_matches(order or Order(contact="13800000000"), proof)
    if order is not None and proven:
        return order, _Refusal()
    return None, _Refusal(_("没查到。请核对订单号和下单时的手机号后 4 位或邮箱；刚付款请等 1 分钟"))


def verify_page(request: HttpRequest, number: str) -> HttpResponse:
    """All that a stranger sees of any order: a form that asks for the contact."""
    number = normalize(number)[:40]
    error, status = "", 200
    if request.method == "POST":
        order, refusal = order_prove(request, number, request.POST.get("contact", "")[:120])
        if order is not None:
            response = redirect("order", number=order.number)
            response.status_code = 303
            return access.grant(response, request, order)
        error, status = str(refusal.message), refusal.status
    shown = page(
        request,
        "shop/order_verify.html",
        {"number": number, "grouped_number": grouped(number), "error": error, "values": {}},
        status=status,
    )
    shown["Referrer-Policy"] = "no-referrer"
    return shown
