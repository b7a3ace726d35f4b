"""Returning money by a person's decision, and the second person who agrees; one refund with everything about it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import tenant_context

from customers.models import Route
from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import operations_site
from kameng.core.ids import normalize, random_id, shop_id_of
from kameng.core.problems import Problem
from kameng.operations.cross_shop import every_shop
from kameng.templatetags.staff import yuan
from orders.models import Order, OrderLine
from payments.admin import REFUND_TONES
from payments.approvals import REASONS, SHORTEST_NOTE, SHORTEST_REJECTION, refund_approve, refund_ask, refund_reject
from payments.faces import refund_method
from payments.models import Refund
from payments.refunds import refund_askable
from resellers.models import Reseller

Left = list[tuple[OrderLine, Decimal]]


class AskForm(ConfirmedForm):
    """Which line, how much, and why."""

    line = forms.TypedChoiceField(label=gettext_lazy("哪一项"), coerce=int)
    amount = forms.DecimalField(
        label=gettext_lazy("退款金额（元）"), max_digits=12, decimal_places=2, min_value=Decimal("0.01"),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    reason = forms.ChoiceField(label=gettext_lazy("原因"), choices=list(REASONS.items()))
    note = forms.CharField(
        label=gettext_lazy("依据"), max_length=200, min_length=SHORTEST_NOTE,
        help_text=gettext_lazy("例如：买家截图显示卡密已被使用，渠道承认"),
    )  # fmt: skip
    key = forms.CharField(max_length=30, widget=forms.HiddenInput)

    def __init__(self, *args: Any, left: Left, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["line"].choices = [  # type: ignore[attr-defined]
            (line.pk, _("%(line)s（最多退 %(left)s）") % {"line": line, "left": yuan(rest)}) for line, rest in left
        ]


class ApproveForm(ConfirmedForm):
    """Yes."""


class RejectForm(StaffForm):
    """No, and why."""

    reason = forms.CharField(label=gettext_lazy("原因"), max_length=200, min_length=SHORTEST_REJECTION)


def _order(shop: Reseller, number: str) -> tuple[Order, Left]:
    """A paid order, and what of each of its lines a person may return."""
    with tenant_context(shop):
        found = Order.objects.filter(number=normalize(number), paid_at__isnull=False).first()
        if found is None:
            raise Http404
        return found, [(line, left) for line in found.lines.all() if (left := refund_askable(line)) > 0]


def _ask(shop: Reseller, typed: dict[str, Any], actor: str) -> Refund:
    with tenant_context(shop):
        wish = {name: typed[name] for name in ("amount", "reason", "note", "key")}
        return refund_ask(line_id=typed["line"], actor=actor, **wish)


@operations_site.page("orders/<slug:shop>/<str:number>/refund/", name="refund_ask")
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, shop: str, number: str) -> HttpResponse:
    """Return money for what was delivered."""
    found_shop = next((known for known in every_shop() if known.slug == shop), None)
    if found_shop is None:
        raise Http404
    order, left = _order(found_shop, number)
    typed = request.POST if request.method == "POST" else None
    form = AskForm(typed, request=request, left=left, initial={"key": random_id(20)})
    if form.is_valid():
        try:
            form.confirm()
            refund = _ask(found_shop, form.cleaned_data, actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            said = _("已提交，等另一位工作人员复核") if refund.needs_two else _("已开始退款")
            messages.success(request, said)
            return redirect("operations:refund", number=refund.number)
    context = {
        "title": _("退款给买家"),
        "up_url": reverse("operations:order", args=[found_shop.slug, order.number]),
        "up_title": order.grouped_number,
        "form": form,
        "left": left,
        "into_wallet": order.customer_id is not None and order.refund_to == Route.WALLET and not order.owner_collects,
        "limit": settings.REFUND_SECOND_APPROVER_ABOVE,
        "has_factor": has_second_factor(request),
    }
    return operations_site.render(request, "staff/refund_ask.html", context, status=422 if form.errors else 200)


def _found(number: str) -> tuple[Reseller, Refund]:
    """A refund with its payment, order and line, in the shop that its number names."""
    number = normalize(number)
    shop = next((known for known in every_shop() if known.pk == shop_id_of(number)), None)
    if shop is None:
        raise Http404
    with tenant_context(shop):
        found = Refund.objects.select_related("payment__order", "line").filter(number=number).first()
    if found is None:
        raise Http404
    return shop, found


def _approve(request: HttpRequest, shop: Reseller, refund: Refund, form: ApproveForm) -> str:
    form.confirm()
    actor = actor_of(request)
    with tenant_context(shop):
        refund_approve(refund_id=refund.pk, actor=actor)
    return _("已批准，开始退款")


def _reject(request: HttpRequest, shop: Reseller, refund: Refund, form: RejectForm) -> str:
    actor = actor_of(request)
    with tenant_context(shop):
        refund_reject(refund_id=refund.pk, reason=form.cleaned_data["reason"], actor=actor)
    return _("没有批准，这笔钱不退")


#: What may be done, by the name under which the page knows the form.
_ACTS: dict[str, Any] = {"approve": (ApproveForm, _approve), "reject": (RejectForm, _reject)}


@operations_site.page("refunds/<str:number>/", name="refund")
@require_http_methods(["GET", "HEAD", "POST"])
def refund(request: HttpRequest, number: str) -> HttpResponse:
    """One refund, and while it waits for a second person, their decision."""
    shop, found = _found(number)
    forms_by_name = {
        "approve": ApproveForm(request=request, auto_id="id_approve_%s"),
        "reject": RejectForm(auto_id="id_reject_%s"),
    }
    is_wrong = False
    if request.method == "POST":
        name = request.POST.get("act", "")
        if name not in _ACTS:
            raise Http404
        form_class, does = _ACTS[name]
        needs_code = {"request": request} if issubclass(form_class, ConfirmedForm) else {}
        form = form_class(request.POST, auto_id=f"id_{name}_%s", **needs_code)
        if form.is_valid():
            try:
                said = does(request, shop, found, form)
            except Problem as refused:
                add_problem(form, refused)
            else:
                messages.success(request, said)
                return redirect("operations:refund", number=found.number)
        forms_by_name[name], is_wrong = form, True
        shop, found = _found(number)
    status = Refund.Status(found.status)
    context = {
        "title": _("退款 %(number)s") % {"number": found.number},
        "up_url": reverse("operations:refunds"),
        "up_title": _("退款"),
        "shop_name": shop.name,
        "order_url": reverse("operations:order", args=[shop.slug, found.payment.order.number]),
        "refund": found,
        "tone": REFUND_TONES[status],
        "method": refund_method(found.payment.gateway, found.route),
        "waits": status == Refund.Status.WAITING,
        "is_own": found.actor == actor_of(request),
        "has_factor": has_second_factor(request),
        **forms_by_name,
    }
    return operations_site.render(request, "staff/refund.html", context, status=422 if is_wrong else 200)
