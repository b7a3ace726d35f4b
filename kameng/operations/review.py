"""The desk: one queue for all that waits for a decision about what may be sold, and one page for each of it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import get_public_schema_name

from compliance.desk.reasons import REASONS
from compliance.desk.selectors import (
    appeals_open,
    claims_now,
    false_alarms,
    person_figures,
    records_of,
    rule_figures,
    undoable,
    waiting_figures,
)
from compliance.desk.services import (
    MOST_TOGETHER,
    UNDO,
    case_claim_next,
    case_undo,
    cases_rule,
)
from compliance.gate.models import Case
from compliance.gate.selectors import cases_open
from compliance.gate.words import category_label, caught_by
from compliance.models import License
from compliance.paper_desk import paper_undoable
from compliance.papers import REVIEW_DUE
from compliance.reports.models import Report
from compliance.screening.rules import Severity
from compliance.selectors import license_state, licenses_in_force, papers_waiting
from compliance.validity import State as PaperState
from kameng.admin.bases import PER_PAGE, actor_of
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.operations.lists import GROUP
from resellers.models import Reseller

WAITING = "public.gate_case WHERE state = 'open'"
TONES = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "neutral"}
#: How soon somebody should look at what a shopper reports.
REPORT_DUE = timedelta(hours=24)
#: The filters of the queue, as they stand in the address.
_SHOWN: tuple[tuple[str, Any], ...] = (
    ("", gettext_lazy("全部")),
    ("listing", gettext_lazy("分站商品")),
    ("placement", gettext_lazy("分站商品名")),
    ("product", gettext_lazy("平台商品")),
    ("shop", gettext_lazy("店铺文字")),
    ("picture", gettext_lazy("店铺图片")),
    ("offer", gettext_lazy("渠道报价")),
    ("category", gettext_lazy("类目名称")),
    ("price", gettext_lazy("价格异常")),
    ("appeal", gettext_lazy("申诉")),
    ("report", gettext_lazy("举报")),
    ("paper", gettext_lazy("证照")),
)
#: A decision, its key, its words and its look, in the order of the buttons.
DECISIONS: tuple[tuple[str, str, str | Promise, str], ...] = (
    (Case.State.APPROVED, "a", gettext_lazy("通过"), "k-main"),
    (Case.State.SENT_BACK, "e", gettext_lazy("退回修改"), ""),
    (Case.State.TAKEN_DOWN, "r", gettext_lazy("下架"), "k-danger"),
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
    #: Where the goods that it is about are taken down, if that is another page.
    goods_url: str = ""

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
        found = found.filter(screening__findings__contains=[{"field": "", "rule": "price-far-below-official"}])
    elif kind:
        found = found.filter(subject_kind=kind)
    cases = list(found[:PER_PAGE])
    schemas = {case.schema_name for case in cases} - {get_public_schema_name()}
    shops = _names(schemas)
    against, claims = records_of(schemas), claims_now([case.pk for case in cases])
    return [
        Item(
            due_at=case.due_at,
            kind=case.get_kind_display(),
            title=case.title,
            url=reverse("operations:case", args=[case.pk]),
            tone=TONES[Severity(case.severity)],
            word=Severity(case.severity).label,
            shop=shops.get(case.schema_name, ""),
            caught=caught_by(case.screening.findings) if case.screening is not None else "",
            against=against.get(case.schema_name, 0),
            holder=claims[case.pk].by if case.pk in claims else "",
            case=case,
        )
        for case in cases
    ]


def _appeals() -> list[Item]:
    appeals = list(appeals_open()[:PER_PAGE])
    schemas = {appeal.case.schema_name for appeal in appeals}
    shops = _names(schemas)
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


def _reports() -> list[Item]:
    """What shoppers reported and nobody has looked at."""
    reports = list(Report.objects.filter(handled_at=None).order_by("created_at")[:PER_PAGE])
    shops = _names({report.schema_name for report in reports})
    return [
        Item(
            due_at=report.created_at + REPORT_DUE,
            kind=_("举报"),
            title=report.product_name,
            url=reverse("operations:reports_report_change", args=[report.pk]),
            shop=shops.get(report.schema_name, ""),
            caught=report.text[:80] or report.get_kind_display(),
            goods_url=reverse("operations:report_goods", args=[report.pk]),
        )
        for report in reports
    ]


def _names(schema_names: Collection[str]) -> dict[str, str]:
    """Shops' names by their schemas."""
    return dict(Reseller.objects.filter(schema_name__in=schema_names).values_list("schema_name", "name"))


def _papers() -> list[Item]:
    """What owners handed in and nobody has looked at; licenses that end soon or have ended, and were not renewed."""
    names = dict(Reseller.objects.values_list("slug", "name"))
    items = [
        Item(
            due_at=paper.created_at + REVIEW_DUE,
            kind=_("证照"),
            title=str(paper),
            url=reverse("operations:paper", args=[paper.pk]),
            tone="info",
            word=_("等待核对"),
            shop=names.get(paper.holder, paper.holder),
            holder=paper.in_hand_of,
        )
        for paper in papers_waiting()[:PER_PAGE]
    ]
    for paper in licenses_in_force().exclude(valid_until=None).order_by("valid_until")[: 4 * PER_PAGE]:
        state = license_state(paper)
        if state not in (PaperState.EXPIRING, PaperState.EXPIRED) or paper.valid_until is None:
            continue
        tone, word = ("bad", _("已过期")) if state is PaperState.EXPIRED else ("warn", _("快到期"))
        due_at = timezone.make_aware(datetime.combine(paper.valid_until, time.max))
        if paper.holder_kind == License.Holder.SELLER:
            url, holder = reverse("operations:paper", args=[paper.pk]), names.get(paper.holder, paper.holder)
            items.append(Item(due_at, _("证照"), str(paper), url, tone, word, shop=holder))
        else:
            url = reverse("operations:licenses")
            items.append(Item(due_at, _("证照"), f"{paper.holder} {paper}", url, tone, word))
    return sorted(items, key=lambda item: item.due_at)[:PER_PAGE]


def _items(shown: str) -> list[Item]:
    """What waits, the next deadline first."""
    items: list[Item] = []
    if shown not in ("appeal", "report", "paper"):
        items += _cases(shown)
    if shown in ("", "appeal"):
        items += _appeals()
    if shown in ("", "report"):
        items += _reports()
    if shown in ("", "paper"):
        items += _papers()
    return sorted(items, key=lambda item: item.due_at)[:PER_PAGE]


@operations_site.page("review/", name="review", nav=Nav(GROUP, gettext_lazy("审核"), "checklist", 9, waiting=WAITING))
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest) -> HttpResponse:
    """What waits, with what one needs to know before opening it; the next one, and deciding about many."""
    if request.method == "POST":
        does = {"next": take_next, "undo": _undo, "together": _together}.get(request.POST.get("act", ""))
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
        "last_paper": paper_undoable(actor_of(request)),
        "reasons": REASONS.values(),
        "decisions": DECISIONS,
        "most": MOST_TOGETHER,
    }
    return operations_site.render(request, "staff/review.html", context)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def take_next(request: HttpRequest) -> HttpResponse:
    """To the most urgent case that nobody has in hand, or back to the queue."""
    after = request.POST.get("after", "")
    case = case_claim_next(actor=actor_of(request), after=int(after) if _is_id(after) else None)
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
        if _is_id(number):
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
