"""One thing that is for sale, with or without a case: how it stands, taking it down, and restoring it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import get_public_schema_name

from catalog.models import Product
from catalog.screened import subject_of
from compliance.desk.reasons import REASONS, statement_of
from compliance.gate.models import Case, SubjectKind
from compliance.gate.selectors import cases_of
from compliance.gate.services import subject_restore, subject_take_down
from compliance.gate.subjects import Facts, Standing, Subject, door_of, entered
from compliance.reports.models import Report
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import operations_site
from kameng.core.problems import Problem
from kameng.operations.cases import ReasonsField
from kameng.operations.pictures import pictures_of_subject
from resellers.models import Reseller

CASES_SHOWN = 20
_TONES = {Standing.CLEAR: "ok", Standing.FLAGGED: "warn", Standing.BLOCKED: "bad", Standing.TAKEN_DOWN: "bad"}


class StandingForm(StaffForm):
    """Why it goes, or comes back."""

    reasons = ReasonsField()
    statement = forms.CharField(
        label=gettext_lazy("给店主的说明"), max_length=2000, required=False, widget=forms.Textarea({"rows": 4}),
        help_text=gettext_lazy("留空按所选理由自动写"),
    )  # fmt: skip


def _found(kind: str, schema_name: str, subject_id: int) -> tuple[Subject, Facts]:
    """What is there. Raises `Http404` for what is not, and for places that such rows are not kept in."""
    if kind not in SubjectKind.values:
        raise Http404
    door, public = door_of(kind), get_public_schema_name()
    is_shop = schema_name != public and Reseller.objects.filter(schema_name=schema_name).exists()
    if (door.in_shops and not is_shop) or (not door.in_shops and schema_name != public):
        raise Http404
    with entered(schema_name):
        facts = door.facts(subject_id)
    if facts is None:
        raise Http404
    return Subject(kind, schema_name, subject_id), facts


@operations_site.page("review/reports/<int:pk>/", name="report_goods")
@require_safe
def report_goods(request: HttpRequest, pk: int) -> HttpResponse:
    """From what a shopper reports to where that is taken down; reports name products by their codes, which stay."""
    report = Report.objects.filter(pk=pk).first()
    if report is None:
        raise Http404
    product = Product.objects.select_related("owner").filter(slug=report.product).first()
    if product is None:
        messages.error(request, _("没有这个商品了：%(code)s") % {"code": report.product})
        return redirect("operations:reports_report_change", pk)
    named = subject_of(product)
    return redirect("operations:subject", kind=named.kind, schema_name=named.schema_name, subject_id=named.id)


@operations_site.page("review/<slug:kind>/<slug:schema_name>/<int:subject_id>/", name="subject")
@require_http_methods(["GET", "HEAD", "POST"])
def subject(request: HttpRequest, kind: str, schema_name: str, subject_id: int) -> HttpResponse:
    """How it stands, what was decided about it, and the step that is open."""
    known, facts = _found(kind, schema_name, subject_id)
    is_down = facts.standing == Standing.TAKEN_DOWN
    form = StandingForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            said = _restored(request, known, form) if is_down else _taken_down(request, known, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            messages.success(request, said)
            return redirect("operations:subject", kind=kind, schema_name=schema_name, subject_id=subject_id)
    context = {
        "title": facts.title,
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "standing": Standing(facts.standing).label,
        "tone": _TONES[Standing(facts.standing)],
        "is_down": is_down,
        "kind": SubjectKind(kind).label,
        "shop": Reseller.objects.filter(schema_name=schema_name).first() if door_of(kind).in_shops else None,
        "pictures": pictures_of_subject(known, facts),
        "words": {name: text for name, text in facts.words.items() if text},
        "cases": cases_of(known)[:CASES_SHOWN],
        "form": form,
    }
    return operations_site.render(request, "staff/review_subject.html", context, status=422 if form.errors else 200)


def _taken_down(request: HttpRequest, known: Subject, form: StandingForm) -> str:
    typed: dict[str, Any] = form.cleaned_data
    statement = typed["statement"] or statement_of(Case.State.TAKEN_DOWN, typed["reasons"], [])
    # A code that advises nothing (a false alarm) is no reason to take anything down.
    reasons = [code for code in typed["reasons"] if REASONS[code].advice]
    subject_take_down(subject=known, actor=actor_of(request), reasons=reasons, statement=statement)
    return _("已下架：现在买不到，付了款还没到账的会退")


def _restored(request: HttpRequest, known: Subject, form: StandingForm) -> str:
    typed: dict[str, Any] = form.cleaned_data
    subject_restore(subject=known, actor=actor_of(request), reasons=typed["reasons"], statement=typed["statement"])
    return _("已恢复上架")
