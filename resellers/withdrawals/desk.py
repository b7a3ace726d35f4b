"""Operators' desk: look at what owners ask for, agree or not, export what is to be paid, and say what was."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from resellers.models import Reseller
from resellers.withdrawals.models import Payee, PayoutBatch, Withdrawal
from resellers.withdrawals.payouts import payout_export, payout_file
from resellers.withdrawals.selectors import TONES, review_of, withdrawals_of
from resellers.withdrawals.services import withdrawal_approve, withdrawal_pay, withdrawal_reject

GROUP = gettext_lazy("业务")
WAITING = "public.withdrawals_withdrawal WHERE status = 'requested'"
Status = Withdrawal.Status
BATCHES_SHOWN = 10


class ApproveForm(ConfirmedForm):
    """Yes."""


class PayForm(ConfirmedForm):
    """It was paid."""

    reference = forms.CharField(
        label=gettext_lazy("打款凭证号"), max_length=64, help_text=gettext_lazy("支付宝或银行给这笔打款的单号")
    )


class RejectForm(StaffForm):
    """No, and why."""

    reason = forms.CharField(
        label=gettext_lazy("原因"), max_length=200, help_text=gettext_lazy("店主看得到，写清楚要改什么")
    )


class ExportForm(ConfirmedForm):
    """Which file."""

    kind = forms.ChoiceField(label=gettext_lazy("方式"), choices=Payee.Kind.choices)


class DownloadForm(ConfirmedForm):
    """The same file again."""


def _list(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    state = request.GET.get("state", "requested")
    shop = Reseller.objects.filter(slug=request.GET.get("shop", "")).first()
    found = Withdrawal.objects.select_related("shop", "payee", "batch").order_by("pk")
    counts = {row["status"]: row["count"] for row in found.order_by().values("status").annotate(count=Count("pk"))}
    if shop is not None:
        found = withdrawals_of(shop.pk).select_related("shop", "payee", "batch")
        state = ""
    elif state in Status.values:
        found = found.filter(status=state)
        if state not in Withdrawal.OPEN:
            found = found.order_by("-closed_at", "-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    to_export = Withdrawal.objects.filter(status=Status.APPROVED, batch__isnull=True).aggregate(
        **{kind: Count("pk", filter=Q(payee__kind=kind)) for kind in Payee.Kind.values}
    )
    context = {
        "title": _("提现"),
        "rows": [{"asked": asked, "tone": TONES[Status(asked.status)]} for asked in page],
        "page_obj": page,
        "state": state,
        "shop": shop,
        "chips": [
            (value, label, counts.get(value, 0) if value in Withdrawal.OPEN else 0) for value, label in Status.choices
        ],
        "to_export": [(kind, Payee.Kind(kind).label, count) for kind, count in to_export.items() if count],
        "export": ExportForm(request=request),
        "batches": PayoutBatch.objects.order_by("-pk")[:BATCHES_SHOWN],
        "has_factor": has_second_factor(request),
        **more,
    }
    return operations_site.render(request, "staff/operations_withdrawals.html", context, status=status)


def _file(batch: PayoutBatch) -> HttpResponse:
    answer = HttpResponse(payout_file(batch), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="payout-{batch.kind}-{batch.number}.csv"'
    return answer


def _export(request: HttpRequest) -> HttpResponse:
    """Put what is approved into a file. It is downloaded from the list, so that a broken download loses nothing."""
    form = ExportForm(request.POST, request=request)
    if form.is_valid():
        try:
            form.confirm()
            batch = payout_export(kind=form.cleaned_data["kind"], actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, batch, CHANGE, _("导出打款文件，%(count)s 笔") % {"count": batch.count})
            messages.success(request, _("已生成批次 %(number)s，在下面下载") % {"number": batch.number})
            return redirect(f"{reverse('operations:withdrawals')}?state=approved")
    return _list(request, status=422, export=form)


@operations_site.page(
    "withdrawals/", name="withdrawals", nav=Nav(GROUP, gettext_lazy("提现"), "payments", 15, waiting=WAITING)
)
@require_http_methods(["GET", "HEAD", "POST"])
def withdrawals(request: HttpRequest) -> HttpResponse:
    """What owners ask for, the oldest first; and everything approved into a file."""
    return _export(request) if request.method == "POST" else _list(request)


@operations_site.page("withdrawals/batches/<str:number>/", name="payout_file")
@require_POST
def download(request: HttpRequest, number: str) -> HttpResponse:
    """A batch's file: it holds accounts in clear, so it takes a second factor, and each look is written down."""
    batch = PayoutBatch.objects.filter(number=number).first()
    if batch is None:
        raise Http404
    form = DownloadForm(request.POST, request=request)
    if not form.is_valid():
        messages.error(request, _("要填两步验证码"))
        return redirect("operations:withdrawals")
    try:
        form.confirm()
    except Problem as refused:
        messages.error(request, str(refused))
        return redirect("operations:withdrawals")
    write_down(request, batch, CHANGE, _("下载打款文件"))
    return _file(batch)


def _found(number: str) -> Withdrawal:
    found = Withdrawal.objects.select_related("shop", "payee", "batch").filter(number=number).first()
    if found is None:
        raise Http404
    return found


def _page(request: HttpRequest, number: str, *, status: int = 200, **more: Any) -> HttpResponse:
    asked = _found(number)
    actor = actor_of(request)
    context = {
        "title": _("提现 %(number)s") % {"number": asked.number},
        "up_url": reverse("operations:withdrawals"),
        "up_title": _("提现"),
        "asked": asked,
        "tone": TONES[Status(asked.status)],
        "review": review_of(asked),
        "earlier": [
            {"asked": other, "tone": TONES[Status(other.status)]}
            for other in withdrawals_of(asked.shop_id).exclude(pk=asked.pk)[:10]
        ],
        "is_open": asked.status in Withdrawal.OPEN,
        "waits_for_another": asked.needs_two and asked.seconded_by == actor,
        "has_factor": has_second_factor(request),
        "approve": ApproveForm(request=request, auto_id="id_approve_%s"),
        "pay": PayForm(request=request, auto_id="id_pay_%s"),
        "reject": RejectForm(auto_id="id_reject_%s"),
        **more,
    }
    return operations_site.render(request, "staff/operations_withdrawal.html", context, status=status)


@operations_site.page("withdrawals/<str:number>/", name="withdrawal")
@require_safe
def withdrawal(request: HttpRequest, number: str) -> HttpResponse:
    """One of them, with what to look at before agreeing."""
    return _page(request, number)


def _approve(request: HttpRequest, asked: Withdrawal, form: ApproveForm) -> str:
    form.confirm()
    known = withdrawal_approve(withdrawal_id=asked.pk, actor=actor_of(request))
    return _("已批准，等导出打款") if known.status == Status.APPROVED else _("已初审，还要另一位运营批准")


def _pay(request: HttpRequest, asked: Withdrawal, form: PayForm) -> str:
    form.confirm()
    withdrawal_pay(withdrawal_id=asked.pk, reference=form.cleaned_data["reference"], actor=actor_of(request))
    return _("已标记打款")


def _reject(request: HttpRequest, asked: Withdrawal, form: RejectForm) -> str:
    withdrawal_reject(withdrawal_id=asked.pk, reason=form.cleaned_data["reason"], actor=actor_of(request))
    return _("已拒绝，钱回到店主的可提现")


#: What may be done, by the name under which the page knows the form.
_ACTS: dict[str, Any] = {"approve": (ApproveForm, _approve), "pay": (PayForm, _pay), "reject": (RejectForm, _reject)}


@operations_site.page("withdrawals/<str:number>/act/", name="withdrawal_act")
@require_POST
def act(request: HttpRequest, number: str) -> HttpResponse:
    """One step."""
    asked, name = _found(number), request.POST.get("act", "")
    if name not in _ACTS:
        raise Http404
    form_class, does = _ACTS[name]
    needs_code = {"request": request} if issubclass(form_class, ConfirmedForm) else {}
    form = form_class(request.POST, auto_id=f"id_{name}_%s", **needs_code)
    if form.is_valid():
        try:
            said = does(request, asked, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, asked, CHANGE, said)
            messages.success(request, said)
            return redirect("operations:withdrawal", number=asked.number)
    return _page(request, number, status=422, **{name: form})
