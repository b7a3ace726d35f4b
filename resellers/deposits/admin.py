"""Operators' desk: write down which transfers came for deposits, and confirm what somebody else wrote down."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from kameng.accounts.confirming import ConfirmedForm, has_second_factor, is_fresh
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from resellers.deposits.models import TopUp
from resellers.deposits.selectors import TONES, deposits
from resellers.deposits.top_ups import top_up_confirm, top_up_record, top_up_reject
from resellers.models import Reseller

GROUP = gettext_lazy("业务")
WAITING = "public.deposits_topup WHERE status = 'recorded'"
Status = TopUp.Status


def _shops() -> list[tuple[str, Any]]:
    sub_sites = Reseller.objects.filter(is_house=False).exclude(schema_name=get_public_schema_name()).order_by("pk")
    return [("", _("选一家")), *((str(shop.pk), shop.name) for shop in sub_sites)]


class RecordForm(ConfirmedForm):
    """A transfer that came."""

    shop = forms.ChoiceField(label=gettext_lazy("店铺"), choices=_shops)
    amount = forms.DecimalField(
        label=gettext_lazy("到账金额（元）"), max_digits=12, decimal_places=2, min_value=Decimal("0.01"),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    reference = forms.CharField(
        label=gettext_lazy("转账凭证号"),
        max_length=64,
        help_text=gettext_lazy("银行或支付宝给这笔转账的单号，每笔只登记一次"),
    )


class ConfirmForm(ConfirmedForm):
    """It came; somebody else has seen it too."""


class RejectForm(StaffForm):
    """It did not."""

    reason = forms.CharField(max_length=200)


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    state = request.GET.get("state", "recorded")
    found = TopUp.objects.select_related("shop").order_by("pk" if state == Status.RECORDED else "-pk")
    if state in Status.values:
        found = found.filter(status=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    actor = actor_of(request)
    context = {
        "title": _("保证金"),
        "state": state,
        "chips": Status.choices,
        "rows": [
            {
                "top_up": one,
                "tone": TONES[Status(one.status)],
                "is_open": one.status == Status.RECORDED,
                "is_mine": one.recorded_by == actor,
            }
            for one in page
        ],
        "page_obj": page,
        "deposits": deposits(),
        "record": RecordForm(request=request),
        "has_factor": has_second_factor(request),
        "is_fresh": is_fresh(request),
        **more,
    }
    return operations_site.render(request, "staff/operations_deposits.html", context, status=status)


def _record(request: HttpRequest) -> HttpResponse:
    form = RecordForm(request.POST, request=request)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            form.confirm()
            seen = top_up_record(
                shop_id=int(typed["shop"]),
                amount=typed["amount"],
                reference=typed["reference"],
                actor=actor_of(request),
            )
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, seen, ADDITION, _("登记保证金转账 %(amount)s 元") % {"amount": seen.amount})
            messages.success(request, _("已登记，等另一位运营复核"))
            return redirect("operations:deposits")
    return _page(request, status=422, record=form)


def _end(request: HttpRequest, form: StaffForm) -> HttpResponse:
    """Confirm or reject: what is refused is said above the list."""
    pk = request.POST.get("top_up", "")
    if not (pk.isascii() and pk.isdigit() and TopUp.objects.filter(pk=int(pk[:18])).exists()):
        raise Http404
    if not form.is_valid():
        needs_code = isinstance(form, ConfirmForm)
        messages.error(request, _("要填两步验证码") if needs_code else _("请写明作废的原因"))
        return redirect("operations:deposits")
    try:
        if isinstance(form, ConfirmForm):
            form.confirm()
            seen = top_up_confirm(top_up_id=int(pk), actor=actor_of(request))
            said = _("已复核，保证金已入账")
        else:
            seen = top_up_reject(top_up_id=int(pk), reason=form.cleaned_data["reason"], actor=actor_of(request))
            said = _("已作废")
    except Problem as refused:
        messages.error(request, str(refused))
    else:
        write_down(request, seen, CHANGE, said)
        messages.success(request, said)
    return redirect("operations:deposits")


@operations_site.page(
    "deposits/", name="deposits", nav=Nav(GROUP, gettext_lazy("保证金"), "account_balance", 15, waiting=WAITING)
)
@require_http_methods(["GET", "HEAD", "POST"])
def desk(request: HttpRequest) -> HttpResponse:
    """What waits for a second word, a form for a transfer that came, and what every shop has."""
    if request.method != "POST":
        return _page(request)
    act = request.POST.get("act", "")
    if act == "record":
        return _record(request)
    if act == "confirm":
        return _end(request, ConfirmForm(request.POST, request=request))
    if act == "reject":
        return _end(request, RejectForm(request.POST))
    raise Http404
