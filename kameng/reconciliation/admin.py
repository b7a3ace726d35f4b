"""A day's bills and what does not agree, for operators."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.sites import Nav, operations_site
from kameng.core.pictures import PAPER
from kameng.core.problems import Problem
from kameng.reconciliation.export import breaks_csv
from kameng.reconciliation.forms import BillForm
from kameng.reconciliation.models import Break, BreakEvent, Side, Statement
from kameng.reconciliation.parties import without_bills
from kameng.reconciliation.selectors import (
    AGES,
    Wanted,
    breaks_of,
    colleagues,
    is_running,
    names,
    newest_day,
    statements_of,
)
from kameng.reconciliation.services import (
    Busy,
    break_assign,
    break_note,
    break_resolve,
    day_publish,
    supplier_reconcile,
)
from kameng.reconciliation.supplier_bills import BillUnreadable, lines_of
from kameng.reconciliation.words import STEPS, state_words
from resellers.models import Reseller

GROUP = gettext_lazy("业务")
#: A spreadsheet shows no more rows than a million; nobody reads as many as this.
MOST_EXPORTED = 50_000
STATUS_TONES = {Break.Status.OPEN: "warn", Break.Status.GONE: "neutral", Break.Status.RESOLVED: "ok"}
BILL_TONES = {Statement.Status.DONE: "ok", Statement.Status.MISSING: "neutral", Statement.Status.FAILED: "bad"}


@operations_site.page(
    "reconciliation/",
    name="reconciliation",
    nav=Nav(GROUP, gettext_lazy("对账"), "checklist", 17, waiting="public.reconciliation_break WHERE status = 'open'"),
)
@require_http_methods(["GET", "HEAD", "POST"])
def reconciliation(request: HttpRequest) -> HttpResponse:
    """One day's bills with their totals, and breaks of that day, or of all days, that wait for a person; sent, have a
    worker fetch and compare the day again."""
    if request.method == "POST":
        return _run(request)
    day = _day(request.GET.get("day", "")) or newest_day()
    wanted = _wanted(request)
    page = Paginator(breaks_of(wanted), PER_PAGE).get_page(request.GET.get("page"))
    called = names()
    statements = statements_of(day)
    context = {
        "title": _("对账"),
        "day": day,
        "today": timezone.localdate(),
        "bills": [_bill(one, called) for one in statements],
        "unbilled": without_bills(),
        "is_running": is_running(day),
        "last_run": max((one.compared_at for one in statements if one.compared_at), default=None),
        "rows": [_row(one, called) for one in page],
        "page_obj": page,
        "wanted": wanted,
        "statuses": Break.Status.choices,
        "kinds": Break.Kind.choices,
        "ages": [(name, label) for name, label, _from, _to in AGES],
        "codes": sorted({(one.code, called.get((one.side, one.owner_id), one.code)) for one in statements}),
        "me": request.user.get_username(),
        "has_any": Statement.objects.exists(),
        "form": BillForm(initial={"day": day}),
    }
    return operations_site.render(request, "staff/reconciliation.html", context)


@operations_site.page("reconciliation/export/", name="reconciliation_export")
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """The breaks that the filters show, as a table."""
    wanted = _wanted(request)
    rows = breaks_of(wanted)[:MOST_EXPORTED].iterator()
    answer = HttpResponse(breaks_csv(rows), content_type="text/csv; charset=utf-8")
    name = f"breaks-{wanted.day.isoformat() if wanted.day else 'all'}-{wanted.status}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _run(request: HttpRequest) -> HttpResponse:
    day = _day(request.POST.get("day", ""))
    if day is None or day > timezone.localdate():
        messages.error(request, _("请选一个今天或更早的日期"))
        return redirect("operations:reconciliation")
    if is_running(day):
        messages.info(request, _("这一天正在对账，稍后刷新看结果"))
    else:
        day_publish(day=day)
        messages.success(request, _("已开始对账，稍后刷新看结果"))
    return redirect(f"{reverse('operations:reconciliation')}?{urlencode({'day': day.isoformat()})}")


@operations_site.page("reconciliation/bill/", name="reconciliation_bill")
@require_http_methods(["GET", "HEAD", "POST"])
def bill(request: HttpRequest) -> HttpResponse:
    """Bring a supplier's bill, which is compared at once."""
    form = BillForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        party, day = form.party(), form.cleaned_data["day"]
        try:
            statement = supplier_reconcile(
                party=party, day=day, lines=lines_of(form.cleaned_data["file"].file), actor=actor_of(request)
            )
        except BillUnreadable as error:
            form.add_error("file", _("第 %(line)s 行读不懂：%(reason)s") % {"line": error.line, "reason": error.reason})
        except Busy:
            form.add_error(None, _("这家供应商正在对账，请稍后再传"))
        else:
            write_down(request, statement, CHANGE, _("上传供应商账单"))
            counts = {"rows": statement.rows, "matched": statement.matched}
            messages.success(request, _("账单 %(rows)s 行，相符 %(matched)s 行") % counts)
            where = {"day": day.isoformat(), "code": party.code}
            return redirect(f"{reverse('operations:reconciliation')}?{urlencode(where)}")
    context = {"title": _("上传供应商账单"), "form": form}
    return operations_site.render(
        request, "staff/reconciliation_bill.html", context, status=422 if form.errors else 200
    )


@operations_site.page("reconciliation/<int:break_id>/", name="reconciliation_break")
@require_http_methods(["GET", "HEAD", "POST"])
def one_break(request: HttpRequest, break_id: int) -> HttpResponse:
    """One break: what each side says, what to do, what was done; and forms to do it."""
    found = Break.objects.filter(pk=break_id).first()
    if found is None:
        raise Http404
    if request.method == "POST":
        try:
            said = _act(request, found)
        except Problem as refused:
            messages.error(request, str(refused.fields.get("file", refused)))
        else:
            messages.success(request, said)
        return redirect("operations:reconciliation_break", break_id=found.pk)
    meaning, step = STEPS[Break.Kind(found.kind)]
    shop = Reseller.objects.filter(schema_name=found.schema_name).first() if found.schema_name else None
    context = {
        "title": found.get_kind_display(),
        **_row(found, names()),
        "meaning": meaning,
        "step": step,
        "shop": shop,
        "our_state": state_words(found.our_state),
        "their_state": state_words(found.their_state),
        "is_supply": found.side == Side.SUPPLIER,
        "is_open": found.status == Break.Status.OPEN,
        "events": [
            {"event": event, "name": BreakEvent.Name(event.name).label, "who": _who(event.actor)}
            for event in found.events.select_related("proof").defer("proof__sealed")
        ],
        "colleagues": colleagues(),
        "me": request.user.get_username(),
    }
    return operations_site.render(request, "staff/reconciliation_break.html", context)


def _act(request: HttpRequest, found: Break) -> str:
    actor = actor_of(request)
    match request.POST.get("act"):
        case "assign":
            break_assign(break_id=found.pk, assignee=request.POST.get("assignee", "")[:150], actor=actor)
            said = _("已指派")
        case "note":
            break_note(break_id=found.pk, text=request.POST.get("text", ""), actor=actor)
            said = _("已记下备注")
        case "resolve":
            upload = request.FILES.get("file")
            # No more than one byte too many is read of what is too large.
            proof = upload.read(PAPER.bytes + 1) if upload is not None else b""
            break_resolve(break_id=found.pk, reason=request.POST.get("reason", ""), proof=proof, actor=actor)
            said = _("已结案；金额再有变化会重新打开")
        case _:
            raise Http404
    write_down(request, found, CHANGE, said)
    return said


def _row(found: Break, called: dict[tuple[str, int], str]) -> dict[str, Any]:
    difference = None if found.ours is None and found.theirs is None else (found.theirs or 0) - (found.ours or 0)
    waited = (timezone.localdate() - timezone.localtime(found.first_seen_at).date()).days
    return {
        "found": found,
        "name": called.get((found.side, found.owner_id), found.code),
        "tone": STATUS_TONES[Break.Status(found.status)],
        "status": found.get_status_display(),
        "difference": difference,
        "waited": waited + 1,
        "age_tone": "bad" if waited > 10 else "warn" if waited > 5 else "neutral",
    }


def _bill(one: Statement, called: dict[tuple[str, int], str]) -> dict[str, Any]:
    is_comparable = one.currency == "CNY"
    return {
        "bill": one,
        "name": called.get((one.side, one.owner_id), one.code),
        "tone": BILL_TONES[Statement.Status(one.status)],
        "status": one.get_status_display(),
        "difference_in": one.theirs_in - one.ours_in if is_comparable else None,
        "difference_back": one.theirs_back - one.ours_back if is_comparable else None,
        "is_comparable": is_comparable,
        "is_gateway": one.side == Side.GATEWAY,
    }


def _who(actor: str) -> str:
    return _("系统") if actor == "system" else actor.removeprefix("staff:")


def _wanted(request: HttpRequest) -> Wanted:
    status = request.GET.get("status", "")
    every_day = request.GET.get("days") == "all" or "day" not in request.GET
    return Wanted(
        status=status if status in Break.Status.values else Break.Status.OPEN,
        day=None if every_day else _day(request.GET.get("day", "")),
        code=request.GET.get("code", "")[:40],
        kind=request.GET.get("kind", "") if request.GET.get("kind") in Break.Kind.values else "",
        age=request.GET.get("age", ""),
        assignee=request.GET.get("assignee", "")[:150],
        number=request.GET.get("q", "").strip()[:64],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
