"""The owner's monthly statement: to look at, to print, and as a file for spreadsheets."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.paginator import Page, Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_safe

from kameng.admin.sites import Nav, shop_site
from kameng.alerts.services import Level, alert_raise
from kameng.core.sheets import Row, write_csv, write_xlsx
from kameng.core.snapshot import one_moment
from orders.monthly import (
    Course,
    DoesNotFoot,
    Month,
    MonthlyRow,
    Totals,
    courses,
    deposit_course,
    months_of,
    page_of,
    rows_of,
)
from resellers.ledger.posting import Name
from resellers.models import Reseller

#: Rows on one page.
PER_PAGE = 200
#: From so many rows on, whoever wants to print a month is told first that a file is better; from so many on, there is
#: only the file: drawing them takes a processor for seconds, and nobody reads hundreds of sheets.
LONG, TOO_LONG = 2_000, 20_000
#: Rows on a sheet of A4, about; and as many as are drawn at a time.
PER_SHEET, DRAWN = 30, 500
#: Where in the drawn page the rows belong, which are drawn apart.
_ROWS_HERE = "<!-- rows -->"
#: No number beyond this is that of a page.
FARTHEST_PAGE = 1_000_000

#: The accounts, as their owner calls them.
_LABELS = {
    Name.PENDING: gettext_lazy("待结算"),
    Name.AVAILABLE: gettext_lazy("可提现"),
    Name.DEPOSIT: gettext_lazy("保证金（含冻结）"),
}

Tables = Iterable[tuple[str, Iterable[Row]]]
#: How a statement is written, and as what it is sent.
_FORMATS: dict[str, tuple[Callable[[IO[bytes], Tables], None], str]] = {
    "csv": (write_csv, "text/csv; charset=utf-8"),
    "xlsx": (write_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


def _month(request: HttpRequest, shop: Reseller) -> tuple[Month, list[Month]]:
    """The month that is asked for, by default this one, and all that there are."""
    months = months_of(shop, now=timezone.now())
    text = request.GET.get("month", "")
    try:
        month = Month.read(text) if text else months[0]
    except ValueError as error:
        raise Http404(_("没有这个月的账单")) from error
    if month not in months:
        raise Http404(_("没有这个月的账单"))
    return month, months


@shop_site.page("statement/", name="statement", nav=Nav(gettext_lazy("生意"), gettext_lazy("月账单"), "payments", 14))
@require_safe
def statement(request: HttpRequest) -> HttpResponse:
    """A month: the balances before and after, and every order that moved them."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    month, months = _month(request, shop)
    context: dict[str, Any] = {"title": _("月账单"), "month": month, "months": months, "shop": shop}
    if shop.is_house:
        return shop_site.render(request, "staff/statement.html", context)
    try:
        with one_moment():
            totals, rows, page = _page(shop, month, request.GET.get("page", ""))
            context |= _balances(shop, month, totals)
    except DoesNotFoot as refused:
        _alarm(shop, month, refused)
        return shop_site.render(request, "staff/statement.html", {**context, "refused": refused}, status=refused.status)
    return shop_site.render(request, "staff/statement.html", {**context, "rows": rows, "page_obj": page})


def _balances(shop: Reseller, month: Month, totals: Totals) -> dict[str, Any]:
    """What stands above the rows and below them. Raises `DoesNotFoot`."""
    return {
        "totals": totals,
        "courses": [_shown(course, totals) for course in _courses(shop, month, totals)],
        "is_over": month.next.start <= timezone.now(),
        "printed_at": timezone.now(),
    }


def _page(shop: Reseller, month: Month, asked: str) -> tuple[Totals, list[MonthlyRow], Page[int]]:
    """The sums, and the page that is asked for; beyond the last one, the last one."""
    first = (min(int(asked), FARTHEST_PAGE) - 1) * PER_PAGE if asked.isdecimal() and int(asked) else 0
    totals, rows = page_of(shop, month, first=first, count=PER_PAGE)
    page = Paginator(range(totals.orders), PER_PAGE).get_page(first // PER_PAGE + 1)
    if totals.orders and not rows:
        _totals, rows = page_of(shop, month, first=page.start_index() - 1, count=PER_PAGE)
    return totals, rows, page


@shop_site.page("statement/print/", name="statement_print")
@require_safe
def statement_print(request: HttpRequest) -> HttpResponseBase:
    """The whole month on one page, for paper. It is made before the first byte is sent, as a file is; of a long month
    there are only the words that a file is better, unless `anyway` is asked for."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    month, months = _month(request, shop)
    if shop.is_house:
        raise Http404
    context: dict[str, Any] = {"title": _("月账单"), "month": month, "months": months, "shop": shop}
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        with one_moment():
            totals, _rows = page_of(shop, month, first=0, count=1)
            too_long = totals.orders > TOO_LONG
            is_long = too_long or (totals.orders > LONG and "anyway" not in request.GET)
            context |= _balances(shop, month, totals)
            context |= {"is_long": is_long, "too_long": too_long, "sheets": -(-totals.orders // PER_SHEET)}
            context["rows"] = "" if is_long or not totals.orders else mark_safe(_ROWS_HERE)
            page = shop_site.render(request, "staff/statement_print.html", context)
            if is_long or not totals.orders:
                file.close()
                return page
            before, after = page.content.split(_ROWS_HERE.encode())
            file.write(before)
            _print_rows(file, shop, month, totals)
            file.write(after)
    except DoesNotFoot as refused:
        file.close()
        _alarm(shop, month, refused)
        return shop_site.render(request, "staff/statement.html", {**context, "refused": refused}, status=refused.status)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, content_type="text/html; charset=utf-8")


def _print_rows(file: IO[bytes], shop: Reseller, month: Month, totals: Totals) -> None:
    """Draw every row. Raises `DoesNotFoot` where together they are not the sums that stand below them."""
    template, printed, rows = get_template("staff/_statement_rows.html"), Totals(), rows_of(shop, month)
    while drawn := list(islice(rows, DRAWN)):
        for row in drawn:
            printed.add(row)
        file.write(template.render({"rows": drawn}).encode())
    if printed != totals:
        raise DoesNotFoot(extra={"account": "print"})


@shop_site.page("statement/<str:form>/", name="statement_file")
@require_safe
def statement_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """The whole month as a file. It is made before the first byte is sent, so that what does not foot is not sent."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if form not in _FORMATS or shop.is_house:
        raise Http404
    month, _months = _month(request, shop)
    write, content_type = _FORMATS[form]
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        with one_moment():
            write(file, tables_of(shop, month))
    except DoesNotFoot as refused:
        file.close()
        _alarm(shop, month, refused)
        context = {"title": _("月账单"), "month": month, "months": [month], "shop": shop, "refused": refused}
        return shop_site.render(request, "staff/statement.html", context, status=refused.status)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{shop.slug}-{month}.{form}", content_type=content_type)


def tables_of(shop: Reseller, month: Month) -> Tables:
    """The orders, and after them the balances. Raises `DoesNotFoot`, while they are read, where those do not follow."""
    totals = Totals()
    yield pgettext("多个", "订单"), _order_rows(shop, month, totals)
    found = _courses(shop, month, totals)
    yield _("汇总"), _summary_rows(month, found, totals)


def _courses(shop: Reseller, month: Month, totals: Totals) -> list[Course]:
    """Every balance's course. Raises `DoesNotFoot` where the orders do not lead from its beginning to its end."""
    now = timezone.now()
    pending, available = courses(shop, month, now=now)
    pending.foot(totals.pending)
    deposit = deposit_course(shop, month, charged=totals.charged, now=now)
    return [pending, available, *([deposit] if deposit is not None else [])]


def _order_rows(shop: Reseller, month: Month, totals: Totals) -> Iterator[Row]:
    yield (
        _("订单号"), _("商品"), _("付款时间"), _("优惠（店主承担）"), _("售价"), _("供货价"), _("手续费（店主承担）"),
        _("退款扣回"), _("我赚"), _("手续费（平台承担）"), _("可提现时间"), _("其中已直接收到"), _("从保证金扣"),
        _("优惠（平台承担）"),
    )  # fmt: skip
    for row in rows_of(shop, month):
        totals.add(row)
        yield _cells(row)
    yield (
        _("合计"), "", None, totals.discount, totals.paid, totals.supply, totals.fee, totals.taken_back, totals.own,
        totals.platform_fee, None, totals.direct, totals.charged, totals.platform_discount,
    )  # fmt: skip


def _cells(row: MonthlyRow) -> Row:
    return (
        row.grouped_number, row.product, row.paid_at, row.discount, row.paid, row.supply, row.fee, row.taken_back,
        row.own, row.platform_fee, row.available_at, row.direct, row.charged, row.platform_discount,
    )  # fmt: skip


def _summary_rows(month: Month, found: Iterable[Course], totals: Totals) -> Iterator[Row]:
    yield _("科目"), _("月份 %(month)s") % {"month": month}, _("金额")
    for course in found:
        shown = _shown(course, totals)
        for label, amount in [(_("期初"), course.opening), *shown["moves"], (_("期末"), course.closing)]:
            yield shown["label"], label, amount


def _shown(course: Course, totals: Totals) -> dict[str, Any]:
    """A balance's course in the words and order of the page."""
    moves = [(str(kind.label), amount) for kind, amount in course.moves.items() if amount]
    if course.name == Name.PENDING:
        moves.insert(0, (_("本月订单"), totals.pending))
    if course.name == Name.DEPOSIT:
        moves.insert(0, (_("本月订单的供货价"), -totals.charged))
    return {"label": str(_LABELS[course.name]), "opening": course.opening, "moves": moves, "closing": course.closing}


def _alarm(shop: Reseller, month: Month, refused: DoesNotFoot) -> None:
    alert_raise("ledger.statement", subject=f"{shop.slug} {month}", level=Level.URGENT, shop=shop.slug, **refused.extra)
