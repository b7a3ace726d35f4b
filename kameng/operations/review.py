"""The desk: one queue for all that waits for a decision about what may be sold, and one page for each of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from statistics import median
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Product, Variant
from compliance.desk.evidence import fields_of
from compliance.desk.models import Appeal
from compliance.desk.reasons import REASONS, statement_of, suggested
from compliance.desk.selectors import (
    appeals_open,
    claims_now,
    false_alarms,
    person_figures,
    record_of,
    records_of,
    rule_figures,
    similar,
    undoable,
    waiting_figures,
)
from compliance.desk.services import (
    HELD,
    MOST_TOGETHER,
    UNDO,
    appeal_decide,
    case_claim,
    case_claim_next,
    case_put_right,
    case_release,
    case_rule,
    case_undo,
    cases_rule,
)
from compliance.gate.models import Case, SubjectKind
from compliance.gate.selectors import approved_before, cases_of, cases_open, version_texts
from compliance.gate.subjects import Facts, door_of, entered
from compliance.gate.words import category_label, quoted
from compliance.screening.rules import Severity
from compliance.selectors import license_state, licenses_in_force
from compliance.validity import State as PaperState
from kameng.admin.bases import PER_PAGE, actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.operations.lists import GROUP
from resellers.models import Reseller

WAITING = "public.gate_case WHERE state = 'open'"
_TONES = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "neutral"}
STATE_TONES = {
    Case.State.OPEN: "warn",
    Case.State.APPROVED: "ok",
    Case.State.SENT_BACK: "warn",
    Case.State.TAKEN_DOWN: "bad",
    Case.State.WITHDRAWN: "neutral",
}
#: The filters of the queue, as they stand in the address.
_SHOWN: tuple[tuple[str, Any], ...] = (
    ("", gettext_lazy("全部")),
    ("listing", gettext_lazy("分站商品")),
    ("product", gettext_lazy("平台商品")),
    ("shop", gettext_lazy("店铺文字")),
    ("offer", gettext_lazy("渠道报价")),
    ("price", gettext_lazy("价格异常")),
    ("appeal", gettext_lazy("申诉")),
    ("paper", gettext_lazy("证照")),
)
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
}
#: A decision, its key, its words and its look, in the order of the buttons.
DECISIONS: tuple[tuple[str, str, str | Promise, str], ...] = (
    (Case.State.APPROVED, "a", gettext_lazy("通过"), "k-main"),
    (Case.State.SENT_BACK, "e", gettext_lazy("退回修改"), ""),
    (Case.State.TAKEN_DOWN, "r", gettext_lazy("下架"), "k-danger"),
)


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


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the queue."""

    due_at: datetime
    kind: str | Promise
    title: str
    url: str
    tone: str = "neutral"
    word: str | Promise = ""
    shop: str = ""
    caught: str = ""
    against: int = 0
    holder: str = ""
    case: Case | None = None

    @property
    def left(self) -> float:
        """Seconds until somebody should have decided; negative once it is late."""
        return (self.due_at - timezone.now()).total_seconds()

    @property
    def late(self) -> float:
        """Seconds that it is late."""
        return max(-self.left, 0)


def _cases(kind: str) -> list[Item]:
    found = cases_open()
    if kind == "price":
        found = found.filter(screening__findings__contains=[{"field": ""}])
    elif kind:
        found = found.filter(subject_kind=kind)
    cases = list(found[:PER_PAGE])
    schemas = {case.schema_name for case in cases}
    shops = dict(Reseller.objects.filter(schema_name__in=schemas).values_list("schema_name", "name"))
    against, claims = records_of(schemas), claims_now([case.pk for case in cases])
    return [
        Item(
            due_at=case.due_at,
            kind=case.get_kind_display(),
            title=case.title,
            url=reverse("operations:case", args=[case.pk]),
            tone=_TONES[Severity(case.severity)],
            word=Severity(case.severity).label,
            shop=shops.get(case.schema_name, "") if case.subject_kind != SubjectKind.PRODUCT else "",
            caught=quoted(case.screening.findings) if case.screening is not None else "",
            against=against.get(case.schema_name, 0) if case.subject_kind != SubjectKind.PRODUCT else 0,
            holder=claims[case.pk].by if case.pk in claims else "",
            case=case,
        )
        for case in cases
    ]


def _appeals() -> list[Item]:
    appeals = list(appeals_open()[:PER_PAGE])
    schemas = {appeal.case.schema_name for appeal in appeals}
    shops = dict(Reseller.objects.filter(schema_name__in=schemas).values_list("schema_name", "name"))
    return [
        Item(
            due_at=appeal.due_at,
            kind=_("申诉"),
            title=appeal.case.title,
            url=reverse("operations:appeal", args=[appeal.pk]),
            shop=shops.get(appeal.case.schema_name, ""),
            caught=appeal.text[:80],
        )
        for appeal in appeals
    ]


def _papers() -> list[Item]:
    """Licenses that end soon or have ended, and were not renewed."""
    items = []
    for paper in licenses_in_force().exclude(valid_until=None).order_by("valid_until")[: 4 * PER_PAGE]:
        state = license_state(paper)
        if state not in (PaperState.EXPIRING, PaperState.EXPIRED) or paper.valid_until is None:
            continue
        tone, word = ("bad", _("已过期")) if state is PaperState.EXPIRED else ("warn", _("快到期"))
        due_at = timezone.make_aware(datetime.combine(paper.valid_until, time.max))
        url = reverse("operations:licenses")
        items.append(Item(due_at, _("证照"), f"{paper.holder} {paper}", url, tone, word))
    return items[:PER_PAGE]


def _items(shown: str) -> list[Item]:
    """What waits, the next deadline first."""
    items: list[Item] = []
    if shown not in ("appeal", "paper"):
        items += _cases(shown)
    if shown in ("", "appeal"):
        items += _appeals()
    if shown in ("", "paper"):
        items += _papers()
    return sorted(items, key=lambda item: item.due_at)[:PER_PAGE]


@operations_site.page("review/", name="review", nav=Nav(GROUP, gettext_lazy("审核"), "checklist", 9, waiting=WAITING))
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest) -> HttpResponse:
    """What waits, with what one needs to know before opening it; the next one, and deciding about many."""
    if request.method == "POST":
        does = {"next": _next, "undo": _undo, "together": _together}.get(request.POST.get("act", ""))
        if does is None:
            raise Http404
        return does(request)
    shown = request.GET.get("kind", "")
    if shown not in dict(_SHOWN):
        shown = ""
    context = {
        "title": _("审核"),
        "items": _items(shown),
        "shown": shown,
        "chips": _SHOWN,
        "figures": waiting_figures(),
        "last": undoable(actor_of(request), UNDO),
        "reasons": REASONS.values(),
        "decisions": DECISIONS,
        "most": MOST_TOGETHER,
    }
    return operations_site.render(request, "staff/review.html", context)


def _next(request: HttpRequest) -> HttpResponse:
    after = request.POST.get("after", "")
    case = case_claim_next(actor=actor_of(request), after=int(after) if after.isascii() and after.isdigit() else None)
    if case is None:
        messages.success(request, _("没有等人处理的案件了"))
        return redirect("operations:review")
    return redirect("operations:case", pk=case.pk)


def _undo(request: HttpRequest) -> HttpResponse:
    last = undoable(actor_of(request), UNDO)
    try:
        if last is None:
            raise Http404
        case = case_undo(case_id=last.pk, actor=actor_of(request))
    except Problem as refused:
        messages.error(request, str(refused))
        return redirect("operations:review")
    messages.success(request, _("已撤回对“%(title)s”的决定") % {"title": case.title})
    return redirect("operations:case", pk=case.pk)


def _together(request: HttpRequest) -> HttpResponse:
    versions = []
    for ticked in request.POST.getlist("case")[: MOST_TOGETHER + 1]:
        number, _colon, digest = ticked.partition(":")
        if number.isascii() and number.isdigit():
            versions.append((int(number), digest))
    to = request.POST.get("to", "")
    if not versions or to not in {known for known, _key, _label, _look in DECISIONS}:
        messages.error(request, _("请先勾选案件"))
        return redirect("operations:review")
    try:
        reasons = request.POST.getlist("reasons")
        result = cases_rule(versions=versions, to=to, actor=actor_of(request), reasons=reasons)
    except Problem as refused:
        messages.error(request, str(refused))
        return redirect("operations:review")
    done = len(result.done)
    messages.success(request, ngettext("已处理 %(count)s 个案件", "已处理 %(count)s 个案件", done) % {"count": done})
    for case_id, why in result.refused:
        messages.error(request, _("案件 #%(number)s 没有处理：%(why)s") % {"number": case_id, "why": why})
    return redirect("operations:review")


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
    return _next(request)


def _fresh_form(known: Case) -> DecideForm:
    return DecideForm(initial={"digest": known.digest, "reasons": suggested(_findings(known))})


def _findings(known: Case) -> list[dict[str, Any]]:
    return list(known.screening.findings) if known.screening is not None else []


def _case_context(request: HttpRequest, known: Case, form: DecideForm) -> dict[str, Any]:
    findings, before = _findings(known), approved_before(known)
    claim = claims_now([known.pk]).get(known.pk)
    with entered(known.schema_name):
        facts = door_of(known.subject_kind).facts(known.subject_id)
    shop = Reseller.objects.filter(schema_name=known.schema_name).first()
    texts = version_texts(known.digest)
    codes = suggested(findings)
    return {
        "title": known.title,
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "case": known,
        "tone": STATE_TONES[Case.State(known.state)],
        "severity_tone": _TONES[Severity(known.severity)],
        "left": (known.due_at - timezone.now()).total_seconds(),
        "late": (timezone.now() - known.due_at).total_seconds(),
        "fields": [
            {"label": _field_label(field.name), "pieces": field.pieces, "changes": field.changes}
            for field in fields_of(texts, findings, version_texts(before.digest) if before is not None else None)
        ],
        "findings": [
            {
                "number": number,
                "category": category_label(finding["category"]),
                "rule": finding["rule"],
                "text": finding["text"],
                "where": _field_label(finding["field"]) if finding["field"] else "",
                "tone": _TONES[Severity(finding["severity"])],
                "word": Severity(finding["severity"]).label,
            }
            for number, finding in enumerate(findings, 1)
        ],
        "before": before,
        "prices": _prices(known, facts) if facts is not None else None,
        "is_gone": facts is None,
        "shop": shop,
        "record": [(Case.State(state).label, count) for state, count in record_of(known.schema_name).items()],
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
        "reasons": [REASONS[code] for code in known.reasons if code in REASONS],
    }


def _field_label(name: str) -> str:
    head, _dot, tail = name.partition(".")
    if head == "variants":
        return _("面额 %(sku)s") % {"sku": tail}
    return str(_FIELDS.get(head, name))


def _edit_url(known: Case) -> str:
    """Where an operator changes the words themselves."""
    if known.subject_kind == SubjectKind.PRODUCT:
        return reverse("operations:catalog_product_change", args=[known.subject_id])
    return ""


def _prices(known: Case, facts: Facts) -> dict[str, Any] | None:
    """The price against the official one, and what others of the same category ask for theirs."""
    if not facts.price or not facts.official_price:
        return None
    category = Product.objects.filter(pk=known.subject_id).values_list("category_id", flat=True).first()
    peers = Variant.objects.filter(product__category_id=category, is_active=True).exclude(product_id=known.subject_id)
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
    findings = _findings(row.case)
    before = approved_before(row.case)
    texts = version_texts(row.case.digest)
    context = {
        "title": _("申诉 %(title)s") % {"title": row.case.title},
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "appeal": row,
        "case": row.case,
        "fields": [
            {"label": _field_label(field.name), "pieces": field.pieces, "changes": field.changes}
            for field in fields_of(texts, findings, version_texts(before.digest) if before is not None else None)
        ],
        "is_own": row.against == actor_of(request),
        "is_open": row.outcome == Appeal.Outcome.OPEN,
        "shop": Reseller.objects.filter(schema_name=row.case.schema_name).first(),
        "form": form,
    }
    return operations_site.render(request, "staff/review_appeal.html", context, status=422 if form.errors else 200)


@operations_site.page("review/figures/", name="review_figures")
@require_safe
def review_figures(request: HttpRequest) -> HttpResponse:
    """How well rules and people did in the last thirty days."""
    context = {
        "title": _("审核数据"),
        "up_url": reverse("operations:review"),
        "up_title": _("审核"),
        "rules": [
            {"figures": rule, "category": category_label(rule.category), "percent": round(100 * rule.precision)}
            for rule in rule_figures()
        ],
        "people": person_figures(),
        "false_alarms": false_alarms(),
        "figures": waiting_figures(),
    }
    return operations_site.render(request, "staff/review_figures.html", context)
