"""Transfers by hand: what came and what is to be sent back, written down by one person and agreed by another."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import MomentInput, StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.operations.lists import GROUP
from payments.services import Verdict
from payments.transfers.models import Transfer
from payments.transfers.selectors import TONES
from payments.transfers.services import (
    LONGEST_REFERENCE,
    SHORTEST_REASON,
    transfer_confirm,
    transfer_record,
    transfer_reject,
    transfer_send,
)
from resellers.selectors import shop_in

Kind, Status = Transfer.Kind, Transfer.Status
WAITING = "public.transfers_transfer WHERE status IN ('asked', 'recorded')"
#: What the books made of money that came: tone and words.
VERDICTS: dict[str, tuple[str, Any]] = {
    Verdict.CONFIRMED: ("ok", gettext_lazy("已入账")),
    Verdict.SURPLUS: ("warn", gettext_lazy("多付的，已入账并自动退")),
    Verdict.REFUSED: ("bad", gettext_lazy("对不上，没有入账：把钱退给付款人")),
}


class SendForm(StaffForm):
    """It was sent back."""

    reference = forms.CharField(
        label=gettext_lazy("银行流水号"), max_length=LONGEST_REFERENCE, widget=forms.TextInput({"autocomplete": "off"}),
        help_text=gettext_lazy("银行给这笔转账的单号，一笔一个，不能重复登记"),
    )  # fmt: skip
    moved_at = forms.DateTimeField(label=gettext_lazy("转账时间"), widget=MomentInput)


class RecordForm(SendForm):
    """It came."""

    amount = forms.DecimalField(
        label=gettext_lazy("到账金额（元）"), max_digits=12, decimal_places=2, min_value=Decimal("0.01"),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("按银行显示的写，和应付不一样也照写：对不上的不会入账"),
    )  # fmt: skip
    field_order = ("number", "amount", "reference", "moved_at")


class NewForm(RecordForm):
    """It came, and nobody had said so."""

    number = forms.CharField(
        label=gettext_lazy("付款单号"), max_length=40, widget=forms.TextInput({"autocomplete": "off"}),
        help_text=gettext_lazy("买家转账时写在备注里的那一串"),
    )  # fmt: skip


class ConfirmForm(ConfirmedForm):
    """Yes, that is what the bank shows."""


class RejectForm(StaffForm):
    """No, and why."""

    reason = forms.CharField(label=gettext_lazy("原因"), max_length=200, min_length=SHORTEST_REASON)


def _now() -> datetime:
    return timezone.localtime().replace(second=0, microsecond=0, tzinfo=None)


@operations_site.page(
    "transfers/",
    name="transfers",
    nav=Nav(GROUP, gettext_lazy("转账核对"), "swap_vert", 15, waiting=WAITING),
)
@require_http_methods(["GET", "HEAD", "POST"])
def transfers(request: HttpRequest) -> HttpResponse:
    """What waits, the oldest first, and a form for what came unannounced."""
    form = NewForm(request.POST if request.method == "POST" else None, initial={"moved_at": _now()})
    if form.is_valid():
        try:
            row = transfer_record(**form.cleaned_data, actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, row, ADDITION, _("登记到账 %(amount)s 元") % {"amount": row.amount})
            messages.success(request, _("已登记，等另一位工作人员复核"))
            return redirect("operations:transfer", pk=row.pk)
    state = request.GET.get("state", Status.ASKED)
    found = Transfer.objects.select_related("account").order_by("pk")
    counts = {row["status"]: row["count"] for row in found.order_by().values("status").annotate(count=Count("pk"))}
    if state in Status.values:
        found = found.filter(status=state)
    if state not in Transfer.OPEN:
        found = found.order_by("-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": _("转账核对"),
        "rows": [_shown(row) for row in page],
        "page_obj": page,
        "state": state,
        "chips": [
            (value, label, counts.get(value, 0) if value in Transfer.OPEN else 0) for value, label in Status.choices
        ],
        "form": form,
    }
    return operations_site.render(
        request, "staff/operations_transfers.html", context, status=422 if form.errors else 200
    )


def _shown(row: Transfer) -> dict[str, Any]:
    shop = shop_in(row.schema_name)
    tone, word = VERDICTS.get(row.verdict, ("", ""))
    return {
        "transfer": row,
        "tone": TONES[Status(row.status)],
        "verdict_tone": tone,
        "verdict": word,
        "shop": shop,
        "order_url": reverse("operations:order", args=[shop.slug, row.order_number]) if shop is not None else "",
    }


def _record(request: HttpRequest, row: Transfer, form: RecordForm) -> str:
    transfer_record(number=row.number, **form.cleaned_data, actor=actor_of(request))
    return _("已登记，等另一位工作人员复核")


def _send(request: HttpRequest, row: Transfer, form: SendForm) -> str:
    transfer_send(transfer_id=row.pk, **form.cleaned_data, actor=actor_of(request))
    return _("已登记，等另一位工作人员复核")


def _confirm(request: HttpRequest, row: Transfer, form: ConfirmForm) -> str:
    form.confirm()
    known = transfer_confirm(transfer_id=row.pk, actor=actor_of(request))
    return str(VERDICTS.get(known.verdict, ("", _("已确认")))[1])


def _reject(request: HttpRequest, row: Transfer, form: RejectForm) -> str:
    transfer_reject(transfer_id=row.pk, reason=form.cleaned_data["reason"], actor=actor_of(request))
    return _("已记下：不成立")


#: What may be done, by the name under which the page knows the form.
_ACTS: dict[str, Any] = {
    "record": (RecordForm, _record),
    "send": (SendForm, _send),
    "confirm": (ConfirmForm, _confirm),
    "reject": (RejectForm, _reject),
}


def _possible(row: Transfer) -> tuple[str, ...]:
    """What may be done with it as it stands."""
    if row.status == Status.ASKED:
        return ("record" if row.kind == Kind.IN else "send", "reject")
    return ("confirm", "reject") if row.status == Status.RECORDED else ()


def _forms(request: HttpRequest) -> dict[str, Any]:
    return {
        "record": RecordForm(auto_id="id_record_%s", initial={"moved_at": _now()}),
        "send": SendForm(auto_id="id_send_%s", initial={"moved_at": _now()}),
        "confirm": ConfirmForm(request=request, auto_id="id_confirm_%s"),
        "reject": RejectForm(auto_id="id_reject_%s"),
    }


@operations_site.page("transfers/<int:pk>/", name="transfer")
@require_http_methods(["GET", "HEAD", "POST"])
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them, and the next step with it."""
    row = Transfer.objects.select_related("account").filter(pk=pk).first()
    if row is None:
        raise Http404
    known, is_wrong = _forms(request), False
    if request.method == "POST":
        name = request.POST.get("act", "")
        if name not in _ACTS:
            raise Http404
        form_class, does = _ACTS[name]
        needs_code = {"request": request} if issubclass(form_class, ConfirmedForm) else {}
        form = form_class(request.POST, auto_id=f"id_{name}_%s", **needs_code)
        if form.is_valid():
            try:
                said = does(request, row, form)
            except Problem as refused:
                add_problem(form, refused)
            else:
                write_down(request, row, CHANGE, said)
                messages.success(request, said)
                return redirect("operations:transfer", pk=row.pk)
        known[name], is_wrong = form, True
        row.refresh_from_db()
    context = {
        "title": _("转账 %(number)s") % {"number": row.number},
        "up_url": reverse("operations:transfers"),
        "up_title": _("转账核对"),
        **_shown(row),
        "possible": _possible(row),
        "is_own": row.recorded_by == actor_of(request),
        "has_factor": has_second_factor(request),
        **known,
    }
    return operations_site.render(request, "staff/operations_transfer.html", context, status=422 if is_wrong else 200)
