"""The whole platform over a span of days, from the days of the book: it takes no longer with a thousand shops."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any

from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kameng.admin.bars import bars
from kameng.admin.sites import Nav, operations_site
from kameng.core.sheets import Row, write_csv
from kameng.core.snapshot import one_moment
from kameng.operations.lists import GROUP
from resellers.ledger.spans import Span, Sums, reckoned_at, span_course, span_shops, span_sums
from resellers.models import Reseller

PER_PAGE = 50
USUAL_DAYS = 30
#: No longer than this, so that nobody draws a century by a slip of the finger.
LONGEST_DAYS = 5 * 366
#: The worker adds up once a minute; what is older than this is said to be old.
OLD = timedelta(minutes=10)


class SpanInvalid(ValueError):
    """No such days."""


def spans_offered(today: date) -> list[tuple[Any, Span]]:
    """The spans that are one click away."""
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    return [
        (_("今天"), Span(today, today)),
        (_("近 7 天"), Span(today - timedelta(days=6), today)),
        (_("近 30 天"), Span(today - timedelta(days=USUAL_DAYS - 1), today)),
        (_("本月"), Span(this_month, today)),
        (_("上月"), Span(last_month, this_month - timedelta(days=1))),
        (_("近 12 个月"), Span((this_month - timedelta(days=334)).replace(day=1), today)),
    ]


def _span(request: HttpRequest, today: date) -> Span:
    """The days that are asked for; the last thirty where none are. Raises `SpanInvalid`."""
    first, last = request.GET.get("first", ""), request.GET.get("last", "")
    if not first and not last:
        return Span(today - timedelta(days=USUAL_DAYS - 1), today)
    try:
        span = Span(date.fromisoformat(first or last), date.fromisoformat(last or first))
    except ValueError as error:
        raise SpanInvalid(_("日期要写成 2026-11-01 这样")) from error
    if span.first > span.last:
        raise SpanInvalid(_("开始日期在结束日期之后，请对调"))
    if (span.last - span.first).days >= LONGEST_DAYS:
        raise SpanInvalid(_("一次最多看 5 年，请缩短"))
    return span


@operations_site.page("platform/", name="platform", nav=Nav(GROUP, gettext_lazy("全平台"), "bar_chart", 13))
@require_safe
def platform(request: HttpRequest) -> HttpResponse:
    """Sums, how it went, and which shops did how much of it."""
    today = timezone.localdate()
    refused = ""
    try:
        span = _span(request, today)
    except SpanInvalid as invalid:
        span, refused = Span(today - timedelta(days=USUAL_DAYS - 1), today), str(invalid)
    with one_moment():
        at = reckoned_at()
        total = span_sums(span)
        course = span_course(span)
        page = Paginator(span_shops(span), PER_PAGE).get_page(request.GET.get("page"))
    by_months = len(course) > 1 and course[1].since.day == course[0].since.day == 1
    named = "%Y-%m" if by_months else "%m-%d"
    offered = spans_offered(today)
    context = {
        "title": _("全平台"),
        "span": span,
        "offered": offered,
        # Early in a month two of them are the same days.
        "chosen": next((label for label, known in offered if known == span), ""),
        "refused": refused,
        "at": at,
        "is_old": at is None or timezone.now() - at > OLD,
        "total": total,
        "course": course,
        "by_months": by_months,
        "drawing": bars([(point.since.strftime(named), point.sums.received) for point in course]),
        "rows": _named(list(page.object_list)),
        "page_obj": page,
    }
    return operations_site.render(request, "staff/platform.html", context, status=422 if refused else 200)


@operations_site.page("platform/file/", name="platform_file")
@require_safe
def platform_file(request: HttpRequest) -> HttpResponseBase:
    """The same as a file for spreadsheets: every shop of the span, and its days or months."""
    today = timezone.localdate()
    try:
        span = _span(request, today)
    except SpanInvalid as invalid:
        return HttpResponse(str(invalid), status=422, content_type="text/plain; charset=utf-8")
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        with one_moment():
            write_csv(file, [(_("店铺"), _shop_rows(span)), (_("日期"), _course_rows(span))])
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"platform-{span.first}-{span.last}.csv"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _named(sums: Sequence[tuple[int | None, Sums]]) -> list[dict[str, Any]]:
    shops = Reseller.objects.in_bulk([pk for pk, _sums in sums if pk is not None])
    return [{"shop": shops.get(pk) if pk is not None else None, "sums": each} for pk, each in sums]


def _shop_rows(span: Span) -> Iterator[Row]:
    yield (_("代号"), _("店铺"), *_headings())
    for row in _named(span_shops(span)):
        shop = row["shop"]
        yield (shop.slug, shop.name, *_cells(row["sums"])) if shop else ("", _("不属于哪家店"), *_cells(row["sums"]))
    yield ("", _("合计"), *_cells(span_sums(span)))


def _course_rows(span: Span) -> Iterator[Row]:
    yield ("", _("日期"), *_headings())
    for point in span_course(span):
        yield ("", point.since.isoformat(), *_cells(point.sums))


def _headings() -> list[str]:
    return [
        _("收款笔数"), _("收款"), _("到账笔数"), _("未充成笔数"), _("退款笔数"), _("退款"),
        _("余额付款"), _("退到余额"), _("供货收入"), _("其他收入"), _("采购成本"), _("支付手续费"),
        _("平台承担的优惠"), _("平台毛利"), _("店主所得"),
    ]  # fmt: skip


def _cells(sums: Sums) -> list[Decimal | int]:
    return [
        sums.payments, sums.received, sums.deliveries, sums.failures, sums.refunds, sums.refunded,
        sums.balance_paid, sums.balance_back, sums.sales, sums.other, sums.cost, sums.fees, sums.given, sums.profit,
        sums.owners,
    ]  # fmt: skip
