"""An owner's page: what is left of the deposit, and moving money in and out. Operators': `resellers.deposits.admin`."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.accounts.confirming import ConfirmedForm, has_second_factor, is_fresh
from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from payments.merchants.models import GatewayAccount
from resellers.deposits.models import TopUp
from resellers.deposits.selectors import TONES, warning_of
from resellers.deposits.services import deposit_put_in, deposit_take_out, deposit_warning_save, floor_of, outlook_of
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller

TOP_UPS_SHOWN = 20


def _amount(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, max_digits=12, decimal_places=2, min_value=Decimal("0.01"),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip


class PutInForm(ConfirmedForm):
    """From what is available."""

    amount = _amount(gettext_lazy("转入金额（元）"))
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)


class TakeOutForm(ConfirmedForm):
    """To what is available."""

    amount = _amount(gettext_lazy("转出金额（元）"))
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)


class WarningForm(StaffForm):
    """When to be warned."""

    floor = forms.DecimalField(
        label=gettext_lazy("低于多少元提醒"), max_digits=12, decimal_places=2, min_value=Decimal(0), required=False,
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("留空按平台的；建议够卖三天的供货价"),
    )  # fmt: skip


def _shop(request: HttpRequest) -> Reseller:
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    return shop


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    shop = _shop(request)
    held = balances_of(shop.pk, Name.DEPOSIT, Name.DEPOSIT_HELD, Name.AVAILABLE)
    own_accounts = GatewayAccount.objects.filter(schema_name=shop.schema_name, owner_collects=True, is_active=True)
    collects = own_accounts.exists()
    top_ups = TopUp.objects.filter(shop_id=shop.pk).order_by("-pk")[:TOP_UPS_SHOWN]
    context = {
        "title": _("保证金"),
        "shop": shop,
        "held": held,
        "floor": floor_of(shop),
        "outlook": outlook_of(shop, held[Name.DEPOSIT]),
        "warning_days": settings.DEPOSIT_WARNING_DAYS,
        # Who has no account of their own needs no deposit, however small.
        "collects": collects,
        "warning": warning_of(shop, held[Name.DEPOSIT]) if collects else "",
        "has_factor": has_second_factor(request),
        "is_fresh": is_fresh(request),
        "put_in": PutInForm(request=request, auto_id="id_in_%s", initial={"key": random_id(20)}),
        "take_out": TakeOutForm(request=request, auto_id="id_out_%s", initial={"key": random_id(20)}),
        "warn": WarningForm(auto_id="id_warn_%s", initial={"floor": shop.deposit_warning}),
        "top_ups": [{"top_up": one, "tone": TONES[TopUp.Status(one.status)]} for one in top_ups],
        **more,
    }
    return shop_site.render(request, "staff/deposit.html", context, status=status)


def _put_in(request: HttpRequest, shop: Reseller, form: PutInForm) -> str:
    typed = form.cleaned_data
    form.confirm()
    deposit_put_in(shop_id=shop.pk, amount=typed["amount"], key=typed["key"])
    return _("已从可提现转入保证金 %(amount)s 元") % {"amount": typed["amount"]}


def _take_out(request: HttpRequest, shop: Reseller, form: TakeOutForm) -> str:
    typed = form.cleaned_data
    form.confirm()
    deposit_take_out(shop_id=shop.pk, amount=typed["amount"], key=typed["key"])
    return _("已从保证金转出 %(amount)s 元到可提现") % {"amount": typed["amount"]}


def _warn(request: HttpRequest, shop: Reseller, form: WarningForm) -> str:
    deposit_warning_save(shop_id=shop.pk, floor=form.cleaned_data["floor"])
    return _("已保存保证金提醒线")


#: What an owner may do here, by the button's name, which is also what the page calls the form.
_ACTS: dict[str, Any] = {
    "put_in": (PutInForm, _put_in, "id_in_%s"),
    "take_out": (TakeOutForm, _take_out, "id_out_%s"),
    "warn": (WarningForm, _warn, "id_warn_%s"),
}


@shop_site.page(
    "deposit/", name="deposit", nav=Nav(gettext_lazy("生意"), gettext_lazy("保证金"), "account_balance", 15)
)
@require_http_methods(["GET", "HEAD", "POST"])
def deposit(request: HttpRequest) -> HttpResponse:
    """What there is, what is held, and two forms to move money between it and what is available."""
    if request.method != "POST":
        return _page(request)
    name = request.POST.get("act", "")
    if name not in _ACTS:
        raise Http404
    form_class, does, auto_id = _ACTS[name]
    needs_code = {"request": request} if issubclass(form_class, ConfirmedForm) else {}
    form = form_class(request.POST, auto_id=auto_id, **needs_code)
    if form.is_valid():
        shop = _shop(request)
        try:
            said = does(request, shop, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, shop, CHANGE, said)
            messages.success(request, said)
            return redirect("manage:deposit")
    return _page(request, status=422, **{name: form})
