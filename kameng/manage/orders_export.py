"""Orders of some days as a table for spreadsheets, a row for each line; shoppers masked as they are on every page."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from tempfile import TemporaryFile
from typing import Any

from django import forms
from django.contrib.admin.models import CHANGE
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_safe

from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import shop_site
from kameng.core.problems import Problem
from kameng.core.sheets import Row, write_csv, write_xlsx
from kameng.core.snapshot import one_moment
from kameng.core.throttle import require
from orders.admin import StateFilter, account_text
from orders.faces import masked_contact
from orders.models import Order
from resellers.models import Reseller

#: Orders of one file, and days; whoever has more asks twice.
MOST, DAYS = 20_000, 366
FILES, FILE_SECONDS = 20, 3600
BATCH = 2_000
_WRITERS: dict[str, tuple[Any, str]] = {
    "csv": (write_csv, "text/csv; charset=utf-8"),
    "xlsx": (write_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


class DayInput(forms.DateInput):
    """A day, as browsers ask for one."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ExportForm(StaffForm):
    """Which orders, and as what."""

    since = forms.DateField(label=gettext_lazy("从"), widget=DayInput)
    until = forms.DateField(
        label=gettext_lazy("到"), widget=DayInput, help_text=gettext_lazy("按下单时间，两天都算在内")
    )
    state = forms.ChoiceField(
        label=gettext_lazy("状态"), required=False,
        choices=[("", gettext_lazy("全部")), *((name, label) for name, label, _selects in StateFilter.STATES)],
    )  # fmt: skip
    form = forms.ChoiceField(
        label=gettext_lazy("文件"), choices=[("xlsx", gettext_lazy("Excel（XLSX）")), ("csv", "CSV")]
    )

    def clean(self) -> dict[str, Any] | None:
        """Days in their order, and no more than a year."""
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("结束不能早于开始"))
        elif since and until and (until - since).days >= DAYS:
            self.add_error("until", _("一次最多 %(days)s 天") % {"days": DAYS})
        return cleaned


def orders_between(since: date, until: date, state: str = "") -> QuerySet[Order]:
    """The current shop's orders that were placed on these days, the oldest first."""
    first, after = (timezone.make_aware(datetime.combine(day, time.min)) for day in (since, until + timedelta(days=1)))
    found = Order.objects.filter(created_at__gte=first, created_at__lt=after).order_by("created_at", "pk")
    chosen = next((selects for name, _label, selects in StateFilter.STATES if name == state), None)
    return found if chosen is None else found.filter(chosen)


@shop_site.page("orders-export/", name="orders_export")
@require_safe
def orders_export(request: HttpRequest) -> HttpResponseBase:
    """Ask which days, and the file. It is made before the first byte is sent, a batch of it in memory at a time."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    today = timezone.localdate()
    initial = {"since": today - timedelta(days=30), "until": today, "form": "xlsx"}
    form = ExportForm(request.GET if "form" in request.GET else None, initial=initial)
    if form.is_valid():
        typed = form.cleaned_data
        found = orders_between(typed["since"], typed["until"], typed["state"])
        count = found.order_by()[: MOST + 1].count()
        try:
            if count > MOST:
                text = _("超过 %(most)s 笔，选短一点的日期，分几次导出") % {"most": MOST}
                raise Problem(text, fields={"until": text})
            require("orders-export", shop.slug, limit=FILES, seconds=FILE_SECONDS)
        except Problem as refused:
            add_problem(form, refused)
        else:
            said = {"since": typed["since"], "until": typed["until"], "count": count}
            write_down(request, shop, CHANGE, _("导出订单：%(since)s 到 %(until)s，%(count)s 笔") % said)
            return _file(shop, found, **said, kind=typed["form"])
    context = {
        "title": _("导出订单"),
        "up_url": reverse("manage:orders_order_changelist"),
        "up_title": pgettext("多个", "订单"),
        "form": form,
        "most": MOST,
    }
    return shop_site.render(request, "staff/orders_export.html", context, status=422 if form.errors else 200)


def _file(shop: Reseller, found: QuerySet[Order], *, since: date, until: date, count: int, kind: str) -> FileResponse:
    write, content_type = _WRITERS[kind]
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        with one_moment():
            write(file, [(pgettext("多个", "订单"), rows_of(found))])
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"{shop.slug}-orders-{since:%Y%m%d}-{until:%Y%m%d}.{kind}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


def rows_of(found: QuerySet[Order]) -> Iterator[Row]:
    """The table, its first row what the columns are."""
    yield (
        _("订单号"), _("状态"), _("下单时间"), _("付款时间"), _("完成时间"), _("商品"), _("面额"), _("面额编码"),
        _("数量"), _("单价"), _("小计"), _("供货价"), _("明细状态"), _("充值账号（已遮挡）"),
        _("联系方式（已遮挡）"), _("收款"),
    )  # fmt: skip
    for order in found.prefetch_related("lines").iterator(BATCH):
        collected = _("店主自收") if order.owner_collects else _("平台代收")
        for line in order.lines.all():
            yield (
                order.grouped_number, order.get_status_display(), order.created_at, order.paid_at, order.finished_at,
                line.product_name, line.variant_name, line.sku, line.quantity, line.price, line.amount,
                line.supply_price, line.get_status_display(), account_text(line), masked_contact(order), collected,
            )  # fmt: skip
