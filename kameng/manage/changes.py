"""Who changed what when in this shop: its own people, and the platform. To look at, and as a file."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from tempfile import TemporaryFile
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from compliance.trail.models import AuditEntry
from compliance.trail.words import ACTIONS
from kameng.accounts.models import User
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from kameng.core.sheets import Row, write_csv
from kameng.core.throttle import require
from resellers.models import Reseller

PER_PAGE = 50
#: Rows of one file; whoever has more asks for fewer days.
FILE_ROWS = 50_000
FILES, FILE_SECONDS = 20, 3600
BATCH = 2_000
#: What a kind is called, and the models that it is about.
KINDS: Mapping[str, tuple[Any, tuple[tuple[str, str], ...]]] = {
    "goods": (
        gettext_lazy("商品和价格"),
        (("listings", "listing"), ("listings", "pricerule"), ("listings", "repricing"), ("catalog", "product"),
         ("catalog", "variant")),
    ),
    "orders": (gettext_lazy("订单和顾客"), (("orders", "order"),)),
    "money": (gettext_lazy("提现"), (("withdrawals", "withdrawal"), ("withdrawals", "payee"))),
    "clients": (gettext_lazy("下游客户"), (("clients", "client"),)),
    "shop": (
        gettext_lazy("店铺"),
        (("resellers", "reseller"), ("domains", "owndomain"), ("compliance", "license"), ("gate", "case")),
    ),
    "staff": (gettext_lazy("员工和登录"), (("accounts", "user"),)),
}  # fmt: skip
#: Not a kind of row of ours, but all that the platform's own trail has about the shop.
PLATFORM = "platform"
_DID = {ADDITION: gettext_lazy("新增"), CHANGE: gettext_lazy("修改"), DELETION: gettext_lazy("删除")}


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """What is asked for; what is no person, kind or day asks for nothing."""
    given = request.GET
    who = given.get("who", "")
    return {
        "who": int(who) if who.isascii() and who.isdigit() and len(who) <= 9 else None,
        "kind": given.get("kind", "") if given.get("kind", "") in {*KINDS, PLATFORM} else "",
        "since": _day(given.get("since", "")),
        "until": _day(given.get("until", "")),
    }


def _start(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _end(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.max))


def entries(wanted: Mapping[str, Any]) -> QuerySet[LogEntry]:
    """Of the shop's own list, newest first."""
    found = LogEntry.objects.select_related("user", "content_type").order_by("-pk")
    if wanted["who"] is not None:
        found = found.filter(user_id=wanted["who"])
    if wanted["kind"]:
        about = Q()
        for app_label, model in KINDS[wanted["kind"]][1]:
            about |= Q(content_type__app_label=app_label, content_type__model=model)
        found = found.filter(about)
    if wanted["since"]:
        found = found.filter(action_time__gte=_start(wanted["since"]))
    if wanted["until"]:
        found = found.filter(action_time__lte=_end(wanted["until"]))
    return found


def platform_entries(shop: Reseller, wanted: Mapping[str, Any]) -> QuerySet[AuditEntry]:
    """Of the platform's trail, what is about the shop, newest first."""
    found = AuditEntry.objects.filter(subject=f"shop:{shop.slug}").order_by("-sequence")
    if wanted["since"]:
        found = found.filter(at__gte=_start(wanted["since"]))
    if wanted["until"]:
        found = found.filter(at__lte=_end(wanted["until"]))
    return found


def _shown(entry: LogEntry) -> dict[str, Any]:
    return {
        "at": entry.action_time,
        "who": entry.user.get_username(),
        "did": _DID.get(entry.action_flag, ""),
        "what": entry.object_repr,
        "kind": entry.content_type.name if entry.content_type else "",
        "text": entry.get_change_message(),
    }


def _shown_of_platform(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "who": entry.actor.removeprefix("staff:"),
        "did": ACTIONS.get(entry.action, entry.action),
        "what": _("店铺"),
        "kind": _("平台的审计记录 #%(sequence)s") % {"sequence": entry.sequence},
        "text": str(entry.data.get("reason", "")) if isinstance(entry.data, dict) else "",
    }


@shop_site.page("changes/", name="changes", nav=Nav(gettext_lazy("设置"), gettext_lazy("操作记录"), "history", 95))
@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    """The list, by person, kind and days."""
    return _page(request)


def _page(request: HttpRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    wanted = _wanted(request)
    is_platform = wanted["kind"] == PLATFORM
    found: QuerySet[Any] = platform_entries(shop, wanted) if is_platform else entries(wanted)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    show: Any = _shown_of_platform if is_platform else _shown
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "title": _("操作记录"),
        "rows": [show(entry) for entry in page],
        "page_obj": page,
        "people": User.objects.filter(is_staff=True).order_by("username"),
        "kinds": [*((name, label) for name, (label, _models) in KINDS.items()), (PLATFORM, _("平台对本店"))],
        "wanted": wanted,
        "query": query.urlencode(),
        "problem": problem,
    }
    return shop_site.render(request, "staff/changes.html", context, status=status)


@shop_site.page("changes/csv/", name="changes_file")
@require_safe
def changes_file(request: HttpRequest) -> HttpResponseBase:
    """The same as a table; made before the first byte is sent, a batch of it in memory at a time."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    wanted = _wanted(request)
    if wanted["kind"] == PLATFORM:
        raise Http404
    if entries(wanted).order_by()[: FILE_ROWS + 1].count() > FILE_ROWS:
        return _page(request, problem=_("超过 %(most)s 条，选短一点的日期再导出") % {"most": FILE_ROWS}, status=422)
    try:
        require("changes-file", shop.slug, limit=FILES, seconds=FILE_SECONDS)
    except Problem as refused:
        return _page(request, problem=str(refused), status=refused.status)
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        write_csv(file, [(_("操作记录"), _rows(wanted))])
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"{shop.slug}-changes-{timezone.localdate():%Y%m%d}.csv"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _rows(wanted: Mapping[str, Any]) -> Iterator[Row]:
    yield _("时间"), _("谁"), _("做了什么"), _("对象"), _("类型"), _("内容")
    for entry in entries(wanted).iterator(BATCH):
        shown = _shown(entry)
        yield shown["at"], shown["who"], str(shown["did"]), shown["what"], str(shown["kind"]), shown["text"]
