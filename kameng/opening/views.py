"""Applying for a shop on the house shop: choose, fill in once, and go on to the ordinary check and till."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import get_public_schema_name

from catalog.listings.views import page
from compliance.gate.exceptions import ContentBlocked
from compliance.gate.services import refuse_forbidden
from compliance.gate.subjects import Subject
from customers.contacts import contact_clean
from fulfillment.suppliers.opening.adapter import APPLICATION
from kameng.core.client import client_address
from kameng.core.ids import normalize
from kameng.core.problems import Problem, StrOrPromise
from kameng.core.throttle import allow
from kameng.opening.goods import ADDRESS
from orders import access
from orders.exceptions import OrderInvalid
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from resellers.context import in_english
from resellers.models import Reseller
from resellers.plans.applications import (
    Wish,
    application_ordered,
    application_submit,
    host_of,
    plans_offered,
    renewal_refusal,
    subdomain_wrong,
)
from resellers.plans.commissions import invitation_of, inviter_named
from resellers.plans.exceptions import ApplicationInvalid
from resellers.plans.models import Application, Plan
from resellers.plans.skus import sku_of

#: So many applications, and looks at a name, from one address in so many seconds.
APPLICATIONS, LOOKS, SECONDS = 20, 120, 3600
_TYPED = {"plan": 20, "name": 80, "slug": 63, "focus": 12, "username": 80, "contact": 120, "agrees": 4}
#: Fields as they stand on the page; what is about none of them comes first.
_PLACES = ["", "plan", "name", "slug", "focus", "username", "password", "contact", "agrees"]


def _house(request: HttpRequest) -> Reseller:
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if not shop.is_house:
        raise Http404
    return shop


def _plan_face(plan: Plan) -> dict[str, Any]:
    english = in_english()
    return {
        "code": plan.code,
        "name": plan.label,
        "opening_fee": plan.opening_fee,
        "yearly_rent": plan.yearly_rent,
        "first_price": plan.first_price,
        "supply_discount": plan.supply_discount.normalize(),
        "commission": plan.commission.normalize(),
        "features": (english and plan.features_en) or plan.features,
    }


def _form(
    request: HttpRequest, typed: dict[str, str], errors: dict[str, StrOrPromise] | None = None, *, status: int = 200
) -> HttpResponse:
    plans = plans_offered()
    errors = errors or {}
    inviter = _inviter(request)
    context = {
        "plans": [_plan_face(plan) for plan in plans],
        "foci": Application.Focus.choices,
        "typed": {"focus": Application.Focus.EVERYTHING, "plan": plans[0].code if plans else "", **typed},
        "wrong": {name: str(text) for name, text in errors.items()},
        "errors": [{"field": name, "message": str(errors[name])} for name in sorted(errors, key=_PLACES.index)],
        "domain": host_of("")[1:],
        "inviter": inviter.name if inviter is not None else "",
    }
    return page(request, "shop/apply.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def apply(request: HttpRequest) -> HttpResponse:
    """Choose a plan and say what the shop is called; its order is then checked and paid as any other."""
    _house(request)
    if request.method != "POST":
        earlier = _earlier(request)
        if earlier is not None and earlier.kind == Application.Kind.RENEWAL:
            return redirect("apply_renew", code=earlier.code)
        if earlier is not None:
            return _form(request, _typed_before(earlier))
        chosen = request.GET.get("plan", "")[:20]
        return _form(request, {"plan": chosen} if chosen else {})
    typed = {name: request.POST.get(name, "")[:longest] for name, longest in _TYPED.items()}
    if seconds := allow("apply", client_address(request), limit=APPLICATIONS, seconds=SECONDS):
        slow: dict[str, StrOrPromise] = {"": _("申请得太多了，%(minutes)s 分钟后再试") % {"minutes": -(-seconds // 60)}}
        return _form(request, typed, slow, status=429)
    device = access.device_of(request)
    fresh = device or access.device_new()
    try:
        order = _applied(request, typed, access.device_digest(fresh))
    except ApplicationInvalid as invalid:
        return _form(request, typed, invalid.fields, status=422)
    except Problem as refused:
        return _form(request, typed, {"": str(refused)}, status=refused.status)
    response = redirect("confirm", number=order.number)
    response.status_code = 303
    return response if device else access.device_remember(response, request, fresh)


@transaction.atomic
def _applied(request: HttpRequest, typed: dict[str, str], device_digest: str) -> Order:
    """The application and its order, or neither."""
    wish = Wish(
        plan=typed["plan"],
        name=typed["name"],
        slug=typed["slug"],
        focus=typed["focus"],
        username=typed["username"],
        password=request.POST.get("password", "")[:128],
        agrees=typed["agrees"] == "yes",
    )
    inviter = _inviter(request)
    application = application_submit(
        wish=wish,
        inviter_id=inviter.pk if inviter is not None else None,
        again=_waiting_here(typed["slug"].strip().lower(), device_digest),
        refused=_refused(typed),
    )
    return _ordered(request, application, host_of(application.slug), typed["contact"], device_digest)


def _earlier(request: HttpRequest) -> Application | None:
    """What an order of this very browser applied for, of the one that somebody comes back from."""
    number = normalize(request.GET.get("order", "")[:40])
    order = Order.objects.filter(number=number).first() if number else None
    if order is None or not access.is_own_device(request, order):
        return None
    return Application.objects.filter(order_number=order.number).select_related("plan", "inviter").first()


def _typed_before(application: Application) -> dict[str, str]:
    """The form as it was filled in, but for the password."""
    return {
        "plan": application.plan.code,
        "name": application.name,
        "slug": application.slug,
        "focus": application.focus,
        "username": application.username,
        "contact": _contact_of(application),
        "agrees": "yes",
    }


def _contact_of(application: Application) -> str:
    return str(Order.objects.values_list("contact", flat=True).get(number=application.order_number))


def _inviter(request: HttpRequest) -> Reseller | None:
    """Who brought whoever applies: they still did when something is corrected."""
    invited = inviter_named(request.GET.get("from", ""))
    if invited is None and (earlier := _earlier(request)) is not None and earlier.inviter is not None:
        return inviter_named(invitation_of(earlier.inviter))
    return invited


def _refused(typed: dict[str, str]) -> dict[str, StrOrPromise]:
    """What others than the plans' own rules find wrong."""
    wrong: dict[str, StrOrPromise] = {}
    try:
        contact_clean(typed["contact"])
    except ValueError as error:
        wrong["contact"] = str(error)
    try:
        refuse_forbidden(Subject("applicant", get_public_schema_name(), 0), {"name": typed["name"]})
    except ContentBlocked as blocked:
        wrong["name"] = blocked.fields.get("name", str(blocked))
    return wrong


def _waiting_here(slug: str, device_digest: str) -> str:
    """The application of this very browser that holds the subdomain: whoever goes back and corrects something is not
    in their own way."""
    if not device_digest:
        return ""
    waiting = Application.objects.filter(slug=slug, kind=Application.Kind.OPENING, status=Application.Status.WAITING)
    for code, number in waiting.values_list("code", "order_number"):
        if Order.objects.filter(number=number, device_digest=device_digest).exists():
            return str(code)
    return ""


def _ordered(request: HttpRequest, application: Application, address: str, contact: str, device_digest: str) -> Order:
    """Its order in the house shop, at the price that stands there."""
    line = LineRequest(
        sku=sku_of(application.kind, application.plan.code),
        quantity=1,
        account={ADDRESS: address, APPLICATION: application.code},
    )
    buyer = Buyer(
        device_digest=device_digest,
        address=client_address(request),
        language=(get_language() or "zh-hans")[:8],
    )
    order = order_place(shop=_house(request), lines=[line], contact=contact, buyer=buyer).order
    application_ordered(application_id=application.pk, order_number=order.number, expires_at=order.expires_at)
    return order


@require_safe
@never_cache
def subdomain(request: HttpRequest) -> HttpResponse:
    """Whether a subdomain can be had, as a line below its field."""
    _house(request)
    typed = request.GET.get("slug", "")[:63].strip().lower()
    context: dict[str, Any] = {"typed": typed, "host": host_of(typed)}
    if typed and allow("apply-look", client_address(request), limit=LOOKS, seconds=SECONDS):
        context["typed"] = ""  # the form says it when it is sent
    elif typed:
        digest = access.device_digest(access.device_of(request))
        context["wrong"] = subdomain_wrong(typed, besides=_waiting_here(typed, digest))
    return page(request, "shop/_subdomain.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def renew(request: HttpRequest, code: str) -> HttpResponse:
    """Pay for another year of a shop; the link comes from the shop's own admin."""
    _house(request)
    found = Application.objects.filter(code=code, kind=Application.Kind.RENEWAL).select_related("plan", "shop").first()
    if found is None or found.shop is None:
        raise Http404
    if found.status != Application.Status.WAITING and found.order_number:
        return redirect("order", number=found.order_number)
    address = found.shop.domains.order_by("-is_primary", "pk").values_list("domain", flat=True).first() or ""
    before = Order.objects.filter(number=found.order_number).first() if found.order_number else None
    contact = before.contact if before is not None and access.is_own_device(request, before) else ""
    error, status = "", 200
    if refusal := renewal_refusal(found):
        return page(request, "shop/apply_renew.html", {"name": found.shop.name, "refusal": refusal}, status=409)
    if request.method == "POST":
        contact = request.POST.get("contact", "")[:120]
        device = access.device_of(request)
        fresh = device or access.device_new()
        try:
            with transaction.atomic():
                order = _ordered(request, found, str(address), contact, access.device_digest(fresh))
        except OrderInvalid as invalid:
            error, status = str(invalid.fields.get("contact", invalid)), invalid.status
        except Problem as refused:
            error, status = str(refused), refused.status
        else:
            response = redirect(reverse("confirm", args=[order.number]))
            response.status_code = 303
            return response if device else access.device_remember(response, request, fresh)
    context = {"plan": _plan_face(found.plan), "name": found.shop.name, "address": address, "contact": contact}
    return page(request, "shop/apply_renew.html", {**context, "error": error}, status=status)
