"""A shop's orders, for its owner: to look at, never to change."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from catalog.ages import Age
from kameng.admin.bases import ReadOnlyAdmin
from kameng.admin.panels import Panel, Viewer
from kameng.admin.sites import EARNINGS, Nav, StaffSite, operations_site, shop_site
from kameng.templatetags.staff import badge, copyable, when, yuan
from orders.badges import badge_of, line_badge
from orders.faces import masked, masked_contact, names_of
from orders.history import history
from orders.models import Order, OrderLine
from orders.no_return import wording_text
from orders.search import orders_found
from orders.statements import entries_of, statement_of
from resellers.selectors import shop_in

#: What says where the account is, and nothing about whose it is.
_OPEN_FIELDS = frozenset({"server", "zone"})
_TROUBLED = (OrderLine.Status.VERIFYING, OrderLine.Status.MANUAL, OrderLine.Status.FAILED)
_LOST = (OrderLine.Status.FAILED, OrderLine.Status.REFUNDED)


def order_profit(order: Order, lines: Iterable[OrderLine]) -> Decimal | None:
    """What the owner earns by an order, in yuan: price less supply price of what is not given back; None if unpaid."""
    if order.paid_at is None:
        return None
    kept = (line for line in lines if line.status not in _LOST)
    return sum(((line.price - line.supply_price) * line.quantity for line in kept), Decimal(0))


def account_text(line: OrderLine, *, in_full: bool = False) -> str:
    """Whose account a line tops up, in one line; masked unless it is asked for."""
    shown = []
    for entry in line.account:
        value = entry.get("shown") or entry["value"]
        shown.append(value if in_full or entry["name"] in _OPEN_FIELDS else masked(value))
    return " · ".join(shown)


class StateFilter(admin.SimpleListFilter):
    """The states that an owner thinks in."""

    title = gettext_lazy("状态")
    parameter_name = "state"

    #: Name, label, and what it selects.
    STATES: tuple[tuple[str, Any, Q], ...] = (
        ("unpaid", gettext_lazy("待付款"), Q(status=Order.Status.PENDING)),
        ("working", gettext_lazy("充值中"), Q(status=Order.Status.PAID)),
        (
            "attention",
            gettext_lazy("异常"),
            Q(Exists(OrderLine.objects.filter(order=OuterRef("pk"), status__in=_TROUBLED)), status=Order.Status.PAID),
        ),
        ("done", gettext_lazy("已到账"), Q(status=Order.Status.FULFILLED)),
        ("refunded", gettext_lazy("已退款"), Q(status__in=(Order.Status.REFUNDED, Order.Status.PARTLY_REFUNDED))),
        ("over", gettext_lazy("已取消"), Q(status__in=(Order.Status.EXPIRED, Order.Status.CANCELED))),
    )

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [(name, label) for name, label, _selects in self.STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """What is chosen."""
        chosen = next((selects for name, _label, selects in self.STATES if name == self.value()), None)
        return queryset if chosen is None else queryset.filter(chosen)


class ReachFilter(admin.SimpleListFilter):
    """How far back a search for a piece of something goes."""

    title = gettext_lazy("找多远")
    parameter_name = "reach"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """All, beside the newest."""
        return [("all", gettext_lazy("全部订单（慢一些）"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """The search does it."""
        return queryset


class OrderAdmin(ReadOnlyAdmin):
    """Orders with what an owner wants to know first: what, for whom, how much, what is mine, how it stands."""

    nav = Nav(gettext_lazy("生意"), pgettext_lazy("多个", "订单"), "receipt_long", 10, is_tab=True)
    list_display = ("number_cell", "goods", "account", "total_cell", "profit", "state")
    list_display_links = None
    list_filter = (StateFilter, "created_at", ReachFilter)
    list_before_template = "staff/_orders_above.html"
    search_fields = ("number",)
    search_help_text = gettext_lazy("订单号、商品、账号、手机号（完整或后 4 位）")
    ordering = ("-created_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """With their lines, in one more query."""
        found: QuerySet[Order] = super().get_queryset(request)
        return found.prefetch_related("lines")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """What the owner earns is not for everybody who sees orders."""
        sees = self.admin_site.may(request, EARNINGS)
        return tuple(name for name in self.list_display if sees or name != "profit")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Our own search; no order twice. The page says where it left older orders out."""
        found = orders_found(queryset, search_term, everywhere=request.GET.get(ReachFilter.parameter_name) == "all")
        request.search_is_cut = found.is_cut  # type: ignore[attr-defined]
        return found.orders, False

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """The theme's list."""
        found: type[ChangeList] = super().get_changelist(request, **options)
        return found

    @display(description=gettext_lazy("订单"), ordering="created_at")
    def number_cell(self, order: Order) -> SafeString:
        """The number, to open or to copy, and when."""
        return format_html(
            '<span class="k-cell"><span class="k-row"><a class="k-link k-mono" href="{}">{}</a>{}</span>'
            '<span class="k-sub">{}</span></span>',
            reverse("manage:orders_order_change", args=[order.pk]),
            order.grouped_number,
            copyable("", order.grouped_number),
            when(order.created_at),
        )

    @display(description=gettext_lazy("商品"))
    def goods(self, order: Order) -> SafeString:
        """What was bought."""
        line, *more = order.lines.all()
        count = f" × {line.quantity}" if line.quantity > 1 else ""
        rest = _(" 等 %(count)s 项") % {"count": len(more) + 1} if more else ""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub">{}{}{}</span></span>',
            *names_of(line),
            count,
            rest,
        )

    @display(description=gettext_lazy("充值账号"))
    def account(self, order: Order) -> str:
        """For whom, masked."""
        return account_text(order.lines.all()[0]) or _("卡密")

    @display(description=gettext_lazy("售价"), ordering="total")
    def total_cell(self, order: Order) -> SafeString:
        """What the goods cost; a coupon or points may have paid a part of it."""
        return format_html('<span class="k-num k-strong">{}</span>', yuan(order.total))

    @display(description=gettext_lazy("毛利"))
    def profit(self, order: Order) -> SafeString:
        """Above the supply price; what comes off it is in the order's statement."""
        return format_html('<span class="k-num">{}</span>', yuan(order_profit(order, order.lines.all())))

    @display(description=gettext_lazy("状态"))
    def state(self, order: Order) -> SafeString:
        """A word and a colour."""
        tone, word = badge_of(order)
        return badge(tone, str(word))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The order's page. There is nothing to send to it."""
        if request.method not in ("GET", "HEAD"):
            raise Http404
        order = self.get_object(request, object_id)
        if order is None:
            raise Http404
        context = order_context(self.admin_site, order, Viewer(sees_earnings=self.admin_site.may(request, EARNINGS)))
        up = {"up_url": reverse("manage:orders_order_changelist"), "up_title": pgettext("多个", "订单")}
        response: HttpResponse = self.admin_site.render(request, "staff/order.html", {**context, **up})
        return response


def order_context(site: StaffSite, order: Order, viewer: Viewer) -> dict[str, Any]:
    """Everything that the page of an order shows, read now, in the order's own schema."""
    lines = list(order.lines.all())
    tone, word = badge_of(order)
    return {
        "title": order.grouped_number,
        "order": order,
        "viewer": viewer,
        "tone": tone,
        "word": str(word),
        "contact": order.contact if viewer.in_full else masked_contact(order),
        "profit": order_profit(order, lines),
        "no_return": wording_text(order.no_return_wording) if order.no_return_at else "",
        "age": Age(order.age).label if order.age in Age.values else "",
        "lines": [
            {
                "line": line,
                "names": names_of(line),
                "account": [
                    (entry["label"], entry.get("shown") or entry["value"])
                    if viewer.in_full or entry["name"] in _OPEN_FIELDS
                    else (entry["label"], masked(entry.get("shown") or entry["value"]))
                    for entry in line.account
                ],
                "tone": line_badge(line)[0],
                "word": str(line_badge(line)[1]),
                "profit": (line.price - line.supply_price) * line.quantity,
            }
            for line in lines
        ],
        "panels": site.panels_of(order, viewer),
        "history": history(order.events.all(), for_operator=viewer.is_operator),
    }


@shop_site.panel(Order, position=20)
def statement_panel(order: Model, viewer: Viewer) -> Panel | None:
    """The owner's statement. The house shop's owner is the platform, which has the whole book."""
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    if shop is None or shop.is_house or not isinstance(order, Order) or not viewer.sees_earnings:
        return None
    statement = statement_of(shop, order, now=timezone.now())
    if statement is None:
        return None
    return Panel(
        gettext_lazy("这单的钱"), "staff/_statement.html", {"statement": statement, "days": shop.settlement_days}
    )


@operations_site.panel(Order, position=20)
def book_panel(order: Model, viewer: Viewer) -> Panel | None:
    """Every journal about the order, oldest first."""
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    if shop is None or not isinstance(order, Order):
        return None
    journals: dict[int, dict[str, Any]] = {}
    for entry in entries_of(shop, order):
        known = journals.setdefault(entry.journal_id, {"journal": entry.journal, "entries": []})
        known["entries"].append(
            {
                "account": entry.account.get_name_display(),
                "debit": max(entry.amount, Decimal(0)),
                "credit": max(-entry.amount, Decimal(0)),
            }
        )
    return Panel(gettext_lazy("账目"), "staff/_book.html", {"journals": list(journals.values())}) if journals else None


shop_site.register(Order, OrderAdmin)
