"""One case on the desk, and one appeal: the evidence, and the decision at the same place of every page."""

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from catalog.models import Product, Variant
from compliance.desk.evidence import fields_of
from compliance.desk.export import case_export
from compliance.desk.models import Appeal
from compliance.desk.reasons import REASONS, statement_of, suggested
from compliance.desk.selectors import (
    STATE_TONES,
    claims_now,
    record_of,
    similar,
)
from compliance.desk.services import (
    HELD,
    appeal_decide,
    case_claim,
    case_claim_next,
    case_put_right,
    case_release,
    case_rule,
)
from compliance.gate.models import Case, Refusal, Screening, SubjectKind
from compliance.gate.selectors import approved_before, cases_of, refusals_of, version_texts
from compliance.gate.subjects import Facts, door_of, entered
from compliance.gate.words import category_label, meaning_of, quoted
from compliance.screening.rules import Severity
from compliance.selectors import papers_of_seller
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import operations_site
from kameng.core.problems import Problem
from kameng.operations.pictures import pictures_of
from kameng.operations.review import DECISIONS, TONES, take_next
from kameng.paper_faces import rows_of
from resellers.models import Reseller

#: What the fields of subjects are called; amounts have their number behind a dot.
_FIELDS: Mapping[str, str | Promise] = {
    "name": gettext_lazy("名称"),
    "name_en": gettext_lazy("英文名称"),
    "aliases": gettext_lazy("别名"),
    "summary": gettext_lazy("简介"),
    "summary_en": gettext_lazy("英文简介"),
    "notes": gettext_lazy("须知"),
    "notes_en": gettext_lazy("英文须知"),
    "account_fields": gettext_lazy("账号填写项"),
    "brand": gettext_lazy("品牌"),
    "tagline": gettext_lazy("店铺介绍"),
    "tagline_en": gettext_lazy("英文店铺介绍"),
    "announcement": gettext_lazy("公告"),
    "announcement_en": gettext_lazy("英文公告"),
    "support": gettext_lazy("客服方式"),
    "company": gettext_lazy("经营主体"),
    "logo": gettext_lazy("标志"),
    "favicon": gettext_lazy("网站图标"),
}


class ReasonsField(forms.MultipleChoiceField):
    """Codes of the closed list."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self) -> None:
        choices = [(code, f"{code} {reason.label}") for code, reason in REASONS.items()]
        super().__init__(label=gettext_lazy("理由"), choices=choices, required=False)


class DecideForm(StaffForm):
    """One decision about one version."""

    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    to = forms.ChoiceField(choices=[(to, label) for to, _key, label, _look in DECISIONS])
    reasons = ReasonsField()
    statement = forms.CharField(
        label=gettext_lazy("给店主的说明"), max_length=2000, required=False, widget=forms.Textarea({"rows": 6}),
        help_text=gettext_lazy("留空按所选理由自动写"),
    )  # fmt: skip


class AppealForm(StaffForm):
    """Whether a decision stands, and why."""

    outcome = forms.ChoiceField(choices=[("upheld", ""), ("reversed", "")])
    statement = forms.CharField(
        label=gettext_lazy("给店主的说明"), max_length=2000, required=False, widget=forms.Textarea({"rows": 4})
    )


@operations_site.page("review/<int:pk>/", name="case")
@require_http_methods(["GET", "HEAD", "POST"])
def case(request: HttpRequest, pk: int) -> HttpResponse:
    """One case: the evidence, and the decision."""
    known = Case.objects.select_related("screening").filter(pk=pk).first()
    if known is None:
        raise Http404
    form, status = _fresh_form(known), 200
    if request.method == "POST":
        act = request.POST.get("act", "")
        does: Callable[[], HttpResponse] | None = {
            "claim": lambda: _claimed(request, known),
            "release": lambda: _released(request, known),
            "decide": lambda: _decided(request, known, form),
            "amend": lambda: _amended(request, known),
            "export": lambda: _exported(request, known),
        }.get(act)
        if does is None:
            raise Http404
        if act == "decide":
            form = DecideForm(request.POST)
        try:
            if act != "decide" or form.is_valid():
                return does()
        except Problem as refused:
            add_problem(form, refused)
        status = 422
        known.refresh_from_db()
    return operations_site.render(request, "staff/review_case.html", _case_context(request, known, form), status=status)


def _claimed(request: HttpRequest, known: Case) -> HttpResponse:
    case_claim(case_id=known.pk, actor=actor_of(request))
    return redirect("operations:case", pk=known.pk)


def _released(request: HttpRequest, known: Case) -> HttpResponse:
    case_release(case_id=known.pk, actor=actor_of(request))
    return redirect("operations:review")


def _decided(request: HttpRequest, known: Case, form: DecideForm) -> HttpResponse:
    typed = form.cleaned_data
    case_rule(
        case_id=known.pk,
        digest=typed["digest"],
        to=typed["to"],
        actor=actor_of(request),
        reasons=typed["reasons"],
        statement=typed["statement"] if typed["to"] != Case.State.APPROVED else "",
    )
    label = next(label for to, _key, label, _look in DECISIONS if to == typed["to"])
    messages.success(request, _("“%(title)s”：%(decision)s") % {"title": known.title, "decision": label})
    following = case_claim_next(actor=actor_of(request))
    return redirect("operations:case", pk=following.pk) if following is not None else redirect("operations:review")


def _amended(request: HttpRequest, known: Case) -> HttpResponse:
    amendable = door_of(known.subject_kind).amendable
    words = {name: request.POST[f"word-{name}"] for name in amendable if f"word-{name}" in request.POST}
    digest = request.POST.get("digest", "")
    case_put_right(case_id=known.pk, digest=digest, words=words, actor=actor_of(request))
    messages.success(request, _("“%(title)s”：改字后通过") % {"title": known.title})
    return take_next(request)


def _exported(request: HttpRequest, known: Case) -> HttpResponse:
    exported = case_export(case_id=known.pk, actor=actor_of(request))
    return JsonResponse(
        exported,
        json_dumps_params={"ensure_ascii": False, "indent": 2},
        headers={"Content-Disposition": f'attachment; filename="case-{known.pk}.json"', "Cache-Control": "no-store"},
    )


def _fresh_form(known: Case) -> DecideForm:
    return DecideForm(initial={"digest": known.digest, "reasons": suggested(_findings(known))})


def _findings(known: Case) -> list[dict[str, Any]]:
    return list(known.screening.findings) if known.screening is not None else []


def _evidence(known: Case, texts: Mapping[str, str], before: Screening | None) -> list[dict[str, Any]]:
    """The texts with what was caught in them, and what has changed since they were approved."""
    approved = version_texts(before.digest) if before is not None else None
    return [
        {"label": _field_label(field.name), "pieces": field.pieces, "changes": field.changes}
        for field in fields_of(texts, _findings(known), approved)
    ]


def _case_context(request: HttpRequest, known: Case, form: DecideForm) -> dict[str, Any]:
    findings, before = _findings(known), approved_before(known)
    claim = claims_now([known.pk]).get(known.pk)
    with entered(known.schema_name):
        facts = door_of(known.subject_kind).facts(known.subject_id)
    shop = Reseller.objects.filter(schema_name=known.schema_name).first()
    texts = version_texts(known.digest)
    codes = suggested(findings)
    refusals = refusals_of(known.subject)
    return {
        "title": known.title,
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "case": known,
        "tone": STATE_TONES[Case.State(known.state)],
        "severity_tone": TONES[Severity(known.severity)],
        "left": (known.due_at - timezone.now()).total_seconds(),
        "late": (timezone.now() - known.due_at).total_seconds(),
        "fields": _evidence(known, texts, before),
        "findings": [
            {
                "number": number,
                "category": category_label(finding["category"]),
                "rule": finding["rule"],
                "text": finding["text"],
                "meaning": meaning_of(finding),
                "where": _field_label(finding["field"]) if finding["field"] else "",
                "tone": TONES[Severity(finding["severity"])],
                "word": Severity(finding["severity"]).label,
            }
            for number, finding in enumerate(findings, 1)
        ],
        "pictures": pictures_of(known),
        "before": before,
        "prices": _prices(known, facts) if facts is not None else None,
        "is_gone": facts is None,
        "shop": shop,
        "papers": _papers(known, shop),
        "record": _record(known, refusals.count()),
        "refusals": [{"one": one, "rules": _rules_of(one), "caught": quoted(one.findings)} for one in refusals[:5]],
        "earlier": list(cases_of(known.subject).exclude(pk=known.pk)[:5]),
        "similar": similar(known),
        "claim": claim,
        "is_mine": claim is not None and claim.by == actor_of(request),
        "is_taken": claim is not None and claim.by != actor_of(request),
        "held_minutes": int(HELD.total_seconds() // 60),
        "form": form,
        "decisions": DECISIONS,
        "preview": statement_of(Case.State.SENT_BACK, codes, findings),
        "amendable": [
            {"name": name, "label": _field_label(name), "text": texts[name], "longest": longest}
            for name, longest in door_of(known.subject_kind).amendable.items()
            if texts.get(name)
        ],
        "is_open": known.state == Case.State.OPEN,
        "edit_url": _edit_url(known),
        "subject_url": reverse("operations:subject", args=[known.subject_kind, known.schema_name, known.subject_id]),
        "reasons": [REASONS[code] for code in known.reasons if code in REASONS],
    }


def _record(known: Case, refused: int) -> list[tuple[str | Promise, int]]:
    """What was decided before, and how often nothing was saved."""
    record: list[tuple[str | Promise, int]] = [
        (Case.State(state).label, count) for state, count in record_of(known.schema_name).items()
    ]
    return [*record, (_("编辑被拦下"), refused)] if refused else record


def _rules_of(refusal: Refusal) -> str:
    """By which rules, each once."""
    return "、".join(dict.fromkeys(finding["rule"] for finding in refusal.findings))


def _field_label(name: str) -> str:
    head, _dot, tail = name.partition(".")
    if head == "variants":
        return _("面额 %(sku)s") % {"sku": tail}
    return str(_FIELDS.get(head, name))


def _papers(known: Case, shop: Reseller | None) -> list[dict[str, Any]] | None:
    """The papers of whoever says it; None where that is the platform."""
    if shop is None or shop.is_house or known.schema_name == get_public_schema_name():
        return None
    return rows_of(papers_of_seller(shop.slug))


def _edit_url(known: Case) -> str:
    """Where an operator changes the words themselves."""
    if known.subject_kind == SubjectKind.PRODUCT:
        return reverse("operations:catalog_product_change", args=[known.subject_id])
    if known.subject_kind == SubjectKind.CATEGORY:
        return reverse("operations:catalog_category_change", args=[known.subject_id])
    return ""


def _prices(known: Case, facts: Facts) -> dict[str, Any] | None:
    """The price against the official one, and what others of the same category ask for theirs."""
    if known.subject_kind != SubjectKind.PRODUCT or not facts.price or not facts.official_price:
        return None
    category = Product.objects.filter(pk=known.subject_id).values("category")
    peers = Variant.objects.filter(product__category__in=category, is_active=True, product__owner=None)
    peers = peers.exclude(product_id=known.subject_id)
    shares = [supply / official for supply, official in _priced(peers.values_list("supply_price", "official_price"))]
    return {
        "price": facts.price,
        "official": facts.official_price,
        "share": round(100 * facts.price / facts.official_price),
        "peers": round(100 * median(shares)) if shares else None,
        "count": len(shares),
    }


def _priced(rows: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, Any]]:
    return (row for row in rows if row[0] and row[1])


@operations_site.page("review/appeals/<int:pk>/", name="appeal")
@require_http_methods(["GET", "HEAD", "POST"])
def appeal(request: HttpRequest, pk: int) -> HttpResponse:
    """What an owner says against a decision, beside the evidence."""
    row = Appeal.objects.select_related("case__screening").filter(pk=pk).first()
    if row is None:
        raise Http404
    form = AppealForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            decided = appeal_decide(appeal_id=row.pk, actor=actor_of(request), **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
            row.refresh_from_db()
        else:
            messages.success(request, _("申诉：%(outcome)s") % {"outcome": decided.get_outcome_display()})
            return redirect("operations:review")
    context = {
        "title": _("申诉 %(title)s") % {"title": row.case.title},
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "appeal": row,
        "case": row.case,
        "pictures": pictures_of(row.case),
        "fields": _evidence(row.case, version_texts(row.case.digest), approved_before(row.case)),
        "is_own": row.against == actor_of(request),
        "is_open": row.outcome == Appeal.Outcome.OPEN,
        "shop": Reseller.objects.filter(schema_name=row.case.schema_name).first(),
        "form": form,
    }
    return operations_site.render(request, "staff/review_appeal.html", context, status=422 if form.errors else 200)
