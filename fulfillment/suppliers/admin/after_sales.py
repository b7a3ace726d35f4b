"""Questions to suppliers and what they answered, and goods that were bought twice: for operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.after_sales import (
    ANSWER_DAYS,
    after_sales_answer,
    answering,
)
from fulfillment.suppliers.duplicates import duplicate_close
from fulfillment.suppliers.models import AfterSalesRequest, DuplicateSupply
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem

DUPLICATE_TONES = {
    DuplicateSupply.Status.OPEN: "bad",
    DuplicateSupply.Status.CLAIMED: "ok",
    DuplicateSupply.Status.ABSORBED: "neutral",
}


class AnswerForm(StaffForm):
    """What the supplier did about it."""

    answer = forms.ChoiceField(
        label=gettext_lazy("结果"), choices=[("", gettext_lazy("选一个结果")), *AfterSalesRequest.Answer.choices]
    )
    answer_text = forms.CharField(
        label=gettext_lazy("对方怎么说"), required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 2})
    )


class CloseForm(StaffForm):
    """What became of goods that came twice."""

    status = forms.ChoiceField(
        label=gettext_lazy("结果"),
        choices=[
            ("", gettext_lazy("选一个结果")),
            *((status.value, status.label) for status in DuplicateSupply.Status if status != "open"),
        ],
    )
    note = forms.CharField(label=gettext_lazy("依据"), max_length=200)


def _page(request: HttpRequest, *, at: int = 0, form: AnswerForm | None = None) -> HttpResponse:
    """The list; with the form of one question as it was refused."""
    is_open = request.GET.get("show") != "answered"
    found = AfterSalesRequest.objects.select_related("supplier")
    found = found.filter(answer="").order_by("pk") if is_open else found.exclude(answer="").order_by("-answered_at")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    rows = [
        {
            "asked": asked,
            "took": ((asked.answered_at or now) - asked.asked_at).total_seconds(),
            "form": form if form is not None and asked.pk == at else AnswerForm(auto_id=f"id_{asked.pk}_%s"),
        }
        for asked in page
    ]
    context = {
        "title": _("渠道售后"),
        "rows": rows,
        "page_obj": page,
        "is_open": is_open,
        "suppliers": answering(),
        "days": ANSWER_DAYS,
    }
    status = 422 if form is not None else 200
    return operations_site.render(request, "staff/after_sales.html", context, status=status)


@operations_site.page("after-sales/", name="after_sales", nav=Nav(GROUP, gettext_lazy("渠道售后"), "support_agent", 47))
@require_safe
def after_sales(request: HttpRequest) -> HttpResponse:
    """What suppliers were asked, the oldest open question first."""
    return _page(request)


@operations_site.page("after-sales/<int:request_id>/answer/", name="after_sales_answer")
@require_POST
def answer(request: HttpRequest, request_id: int) -> HttpResponse:
    """Record what a supplier answered."""
    asked = AfterSalesRequest.objects.select_related("supplier").filter(pk=request_id).first()
    if asked is None:
        raise Http404
    form = AnswerForm(request.POST, auto_id=f"id_{asked.pk}_%s")
    if form.is_valid():
        try:
            after_sales_answer(request_id=asked.pk, actor=actor_of(request), **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, asked, CHANGE, _("记录了渠道的答复"))
            messages.success(request, _("已记录 %(name)s 的答复") % {"name": asked.supplier.name})
            return redirect("operations:after_sales")
    return _page(request, at=asked.pk, form=form)


def _duplicates(request: HttpRequest, *, at: int = 0, form: CloseForm | None = None) -> HttpResponse:
    is_open = request.GET.get("show") != "settled"
    found = DuplicateSupply.objects.select_related("supplier", "variant__product")
    found = (
        found.filter(status="open").order_by("pk") if is_open else found.exclude(status="open").order_by("-closed_at")
    )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    rows: list[dict[str, Any]] = [
        {
            "duplicate": duplicate,
            "tone": DUPLICATE_TONES[DuplicateSupply.Status(duplicate.status)],
            "form": form if form is not None and duplicate.pk == at else CloseForm(auto_id=f"id_{duplicate.pk}_%s"),
        }
        for duplicate in page
    ]
    context = {
        "title": _("重复供货"),
        "rows": rows,
        "page_obj": page,
        "is_open": is_open,
        "loss": found.aggregate(sum=Sum("cost"))["sum"],
    }
    status = 422 if form is not None else 200
    return operations_site.render(request, "staff/duplicates.html", context, status=status)


@operations_site.page("duplicates/", name="duplicates", nav=Nav(GROUP, gettext_lazy("重复供货"), "content_copy", 48))
@require_safe
def duplicates(request: HttpRequest) -> HttpResponse:
    """Goods that came after others had; the oldest open ones first."""
    return _duplicates(request)


@operations_site.page("duplicates/<int:duplicate_id>/close/", name="duplicate_close")
@require_POST
def close(request: HttpRequest, duplicate_id: int) -> HttpResponse:
    """Say what became of one."""
    found = DuplicateSupply.objects.filter(pk=duplicate_id).first()
    if found is None:
        raise Http404
    form = CloseForm(request.POST, auto_id=f"id_{found.pk}_%s")
    if not form.is_valid():
        return _duplicates(request, at=found.pk, form=form)
    is_claimed = form.cleaned_data["status"] == DuplicateSupply.Status.CLAIMED
    closed = duplicate_close(
        duplicate_id=found.pk, claimed=is_claimed, note=form.cleaned_data["note"], actor=actor_of(request)
    )
    if closed:
        write_down(request, found, CHANGE, _("处理了重复供货"))
        messages.success(request, _("已记下 %(reference)s 的处理结果") % {"reference": found.reference})
    else:
        messages.info(request, _("这一条已经处理过了"))
    return redirect("operations:duplicates")
