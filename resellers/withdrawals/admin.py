"""An owner's page: what there is to take, where it goes, and what became of each wish. Operators: `desk`."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.withdrawals import desk
from resellers.withdrawals.models import Payee, Withdrawal
from resellers.withdrawals.payees import payee_cancel, payee_of, payee_save
from resellers.withdrawals.selectors import TONES, withdrawals_of
from resellers.withdrawals.services import terms_of, withdrawal_cancel, withdrawal_request

__all__ = ["desk", "withdrawals"]


class RequestForm(ConfirmedForm):
    """How much."""

    amount = forms.DecimalField(
        label=gettext_lazy("提现金额（元）"), max_digits=12, decimal_places=2, min_value=Decimal("0.01"),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)


class PayeeForm(ConfirmedForm):
    """Where to. What is stored is never drawn into it."""

    kind = forms.ChoiceField(label=gettext_lazy("收款方式"), choices=Payee.Kind.choices)
    name = forms.CharField(
        label=gettext_lazy("收款人姓名"), max_length=60, help_text=gettext_lazy("和账户实名一致，不一致会被退回")
    )
    account = forms.CharField(
        label=gettext_lazy("支付宝账号或卡号"), max_length=80, widget=forms.TextInput({"autocomplete": "off"})
    )
    bank = forms.CharField(
        label=gettext_lazy("开户行"), max_length=60, required=False, help_text=gettext_lazy("只有银行卡要填")
    )


def _shop(request: HttpRequest) -> Reseller:
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    return shop


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    shop = _shop(request)
    held = balances_of(shop.pk, Name.PENDING, Name.AVAILABLE, Name.WITHDRAWALS)
    payee = payee_of(shop.pk)
    page = Paginator(withdrawals_of(shop.pk), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": _("提现"),
        "shop": shop,
        "held": held,
        "terms": terms_of(shop),
        "payee": payee,
        "payee_waits": payee is not None and payee.usable_at > timezone.now(),
        "has_factor": has_second_factor(request),
        "form": RequestForm(request=request, initial={"key": random_id(20)}),
        "payee_form": PayeeForm(request=request, auto_id="id_payee_%s"),
        "rows": [
            {"asked": asked, "tone": TONES[Withdrawal.Status(asked.status)], "can_cancel": asked.status == "requested"}
            for asked in page
        ],
        "page_obj": page,
        **more,
    }
    return shop_site.render(request, "staff/withdrawals.html", context, status=status)


def _ask(request: HttpRequest) -> HttpResponse:
    form = RequestForm(request.POST, request=request)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            form.confirm()
            asked = withdrawal_request(
                shop_id=_shop(request).pk, amount=typed["amount"], key=typed["key"], actor=actor_of(request)
            )
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, asked, ADDITION, _("申请提现 %(amount)s 元") % {"amount": asked.amount})
            messages.success(request, _("已申请，审核通过后打款；进度在下面看"))
            return redirect("manage:withdrawals")
    return _page(request, status=422, form=_without_fresh_code(form, request))


def _save_payee(request: HttpRequest) -> HttpResponse:
    form = PayeeForm(request.POST, request=request, auto_id="id_payee_%s")
    if form.is_valid():
        typed = {name: form.cleaned_data[name] for name in ("kind", "name", "account", "bank")}
        try:
            form.confirm()
            saved = payee_save(shop_id=_shop(request).pk, actor=actor_of(request), **typed)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, saved, CHANGE, _("收款账户：%(hint)s") % {"hint": saved.hint})
            messages.success(request, _("已保存收款账户"))
            return redirect("manage:withdrawals")
    return _page(request, status=422, payee_form=_without_fresh_code(form, request))


def _without_fresh_code(form: Any, request: HttpRequest) -> Any:
    """As it was refused; the code that was right is asked for no more."""
    fresh = type(form)(request=request)
    if "code" not in fresh.fields and "code" not in form.errors:
        form.fields.pop("code", None)
    return form


#: What an owner may do here, by the button's name.
_ACTS = {"request": _ask, "payee": _save_payee}


@shop_site.page("withdrawals/", name="withdrawals", nav=Nav(gettext_lazy("生意"), gettext_lazy("提现"), "payments", 14))
@require_http_methods(["GET", "HEAD", "POST"])
def withdrawals(request: HttpRequest) -> HttpResponse:
    """What there is, a form to ask for it, and what was asked for so far."""
    if request.method != "POST":
        return _page(request)
    act = _ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    return act(request)


@shop_site.page("withdrawals/payee/", name="payee_cancel")
@require_http_methods(["GET", "HEAD", "POST"])
def payee_stop(request: HttpRequest) -> HttpResponse:
    """That was none of us: whoever looks after the money may stop a change, without a code. The account that counts
    again is one that an owner gave before."""
    if request.method != "POST":
        return _page(request)
    kept = payee_cancel(shop_id=_shop(request).pk, actor=actor_of(request))
    if kept is None:
        messages.error(request, _("没有可以撤销的修改：新账户已经生效"))
    else:
        write_down(request, kept, CHANGE, _("撤销收款账户的修改，恢复 %(hint)s") % {"hint": kept.hint})
        messages.success(request, _("已撤销，恢复原来的收款账户。不是你们改的，店主要马上改登录密码"))
    return redirect("manage:withdrawals")


@shop_site.page("withdrawals/<str:number>/cancel/", name="withdrawal_cancel")
@require_POST
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Take one's wish back."""
    asked = Withdrawal.objects.filter(number=number, shop_id=_shop(request).pk).first()
    if asked is None:
        raise Http404
    try:
        withdrawal_cancel(withdrawal_id=asked.pk, actor=actor_of(request))
    except Problem as refused:
        messages.error(request, str(refused))
    else:
        write_down(request, asked, CHANGE, _("撤回提现 %(amount)s 元") % {"amount": asked.amount})
        messages.success(request, _("已撤回，钱回到可提现"))
    return redirect("manage:withdrawals")
