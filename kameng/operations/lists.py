"""Lists over all shops for operators: orders, attempts to buy, refunds."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from fulfillment.admin import ATTEMPT_TONES
from fulfillment.models import SupplierOrder
from fulfillment.reason_words import reason_words
from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.stock_room import code_digest
from kameng.admin.sites import Nav, operations_site
from kameng.core.ids import normalize
from kameng.operations.choices import choice_words
from kameng.operations.cross_shop import (
    ORDERS,
    REFUNDS,
    SUPPLIER_ORDERS,
    List,
    attempts_like,
    every_shop,
    order_place_of,
    orders_like,
)
from kameng.operations.figures import start_of_today
from orders.admin import account_text
from orders.badges import order_badge
from orders.models import Order, OrderLine
from payments.admin import REFUND_TONES
from payments.approvals import NEEDS_APPROVAL
from payments.faces import refund_method
from payments.models import Refund

GROUP = gettext_lazy("业务")
#: What an attempt's number looks like.
REFERENCE_LENGTH = 19
#: Refunds lie in the shops' schemas, their alerts in public, where the menu counts.
WAITING = f"public.alerts_alert WHERE kind = '{NEEDS_APPROVAL}' AND closed_at IS NULL"

#: The states by which orders are listed: name, label, SQL condition.
_ORDER_STATES: tuple[tuple[str, Any, str], ...] = (
    ("unpaid", gettext_lazy("待付款"), "row.status = 'pending'"),
    ("working", gettext_lazy("充值中"), "row.status = 'paid'"),
    ("manual", gettext_lazy("人工处理"), "row.status = 'paid' AND 'manual' = ANY(more.statuses)"),
    ("verifying", gettext_lazy("核实中"), "row.status = 'paid' AND 'verifying' = ANY(more.statuses)"),
    ("refunding", gettext_lazy("退款中"), "row.status = 'paid' AND 'failed' = ANY(more.statuses)"),
    ("done", gettext_lazy("已到账"), "row.status = 'fulfilled'"),
    ("refunded", gettext_lazy("已退款"), "row.status IN ('refunded', 'partly_refunded')"),
    ("over", gettext_lazy("已取消"), "row.status IN ('expired', 'canceled')"),
)
_ATTEMPT_STATES: tuple[tuple[str, Any, str], ...] = (
    ("open", gettext_lazy("进行中"), "row.status IN ('intended', 'accepted')"),
    ("unknown", gettext_lazy("结果未知"), "row.status = 'unknown'"),
    ("succeeded", gettext_lazy("成功"), "row.status = 'succeeded'"),
    ("partial", gettext_lazy("部分成功"), "row.status = 'partial'"),
    ("rejected", gettext_lazy("未成"), "row.status = 'rejected'"),
    ("reversed", gettext_lazy("被撤销"), "row.status = 'reversed'"),
)
_REFUND_STATES: tuple[tuple[str, Any, str], ...] = (
    ("waiting", gettext_lazy("等复核"), "row.status = 'waiting'"),
    ("open", gettext_lazy("退款中"), "row.status IN ('created', 'pending')"),
    ("failed", gettext_lazy("需要人工处理"), "row.status = 'failed'"),
    ("done", gettext_lazy("已退款"), "row.status = 'succeeded'"),
    ("rejected", gettext_lazy("未批准"), "row.status = 'rejected'"),
)
#: How far back a list looks: name, label, days before today.
_DAYS: tuple[tuple[str, Any, int], ...] = (
    ("today", gettext_lazy("今天"), 0),
    ("week", gettext_lazy("近 7 天"), 6),
    ("month", gettext_lazy("近 30 天"), 29),
)


def as_json(stored: Any) -> Any:
    """A column of JSON, which a query of ours answers as text."""
    return json.loads(stored) if isinstance(stored, str) else stored


def listed(
    request: HttpRequest,
    what: List,
    states: tuple[tuple[str, Any, str], ...],
    *,
    like: tuple[str, list[Any]] | None = None,
    narrowed: tuple[str, list[Any]] | None = None,
) -> dict[str, Any]:
    """A page of a list with its filters, as they stand in the address."""
    shops = every_shop()
    chosen = [shop for shop in shops if shop.slug == request.GET.get("shop")]
    state = next((found for found in states if found[0] == request.GET.get("state")), None)
    days = next((found for found in _DAYS if found[0] == request.GET.get("days")), None)
    where, parameters = [], []
    if state is not None:
        where.append(state[2])
    if days is not None:
        where.append("row.created_at >= %s")
        parameters.append(start_of_today() - timedelta(days=days[2]))
    for condition in (like, narrowed):
        if condition is not None:
            where.append(condition[0])
            parameters += condition[1]
    found = what.page(chosen or shops, where=where, parameters=parameters, after=request.GET.get("after", ""))
    return {
        "rows": found.rows,
        "after": found.after,
        "is_first": not request.GET.get("after"),
        "shops": shops,
        "shop": chosen[0].slug if chosen else "",
        "state": state[0] if state else "",
        "states": [(name, label) for name, label, _condition in states],
        "days": days[0] if days else "",
        "day_choices": [(name, label) for name, label, _count in _DAYS],
    }


@operations_site.page(
    "orders/", name="orders", nav=Nav(GROUP, pgettext_lazy("多个", "订单"), "receipt_long", 10, is_tab=True)
)
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """Orders of all shops. A number of any kind leads straight to its order."""
    query = request.GET.get("q", "").strip()[:80]
    if query and (place := order_place_of(query, every_shop())):
        return redirect("operations:order", shop=place.shop.slug, number=place.number)
    context = listed(request, ORDERS, _ORDER_STATES, like=orders_like(query) if query else None)
    for row in context["rows"]:
        row["account"] = account_text(OrderLine(account=as_json(row["account"])))
        row["tone"], row["word"] = order_badge(
            row["status"], row["statuses"], product_slug=row["product_slug"], sku=row["sku"]
        )
        row["shown"] = Order(number=row["number"]).grouped_number
    hint = _("任何单号、完整的手机号或账号、商品名")
    title = {"title": pgettext("多个", "订单"), "query": query, "search_hint": hint}
    return operations_site.render(request, "staff/operations_orders.html", {**context, **title})


@operations_site.page(
    "attempts/", name="attempts", nav=Nav(GROUP, gettext_lazy("采购单"), "package_2", 12, is_tab=True)
)
@require_http_methods(["GET", "HEAD", "POST"])
def attempts(request: HttpRequest) -> HttpResponse:
    """Attempts to buy, of all shops. One of our own numbers, or a code, leads straight to its attempt."""
    if request.method == "POST":
        return _by_code(request)
    query = request.GET.get("q", "").strip()[:80]
    if len(normalize(query)) == REFERENCE_LENGTH and order_place_of(query, every_shop()):
        return redirect("operations:attempt", reference=normalize(query))
    suppliers = list(Supplier.objects.order_by("name"))
    supplier = next((found for found in suppliers if found.code == request.GET.get("supplier")), None)
    context = listed(
        request,
        SUPPLIER_ORDERS,
        _ATTEMPT_STATES,
        like=attempts_like(query) if query else None,
        narrowed=("row.supplier_id = %s", [supplier.pk]) if supplier else None,
    )
    for row in context["rows"]:
        status = SupplierOrder.Status(row["status"])
        row["tone"], row["word"], row["reason"] = ATTEMPT_TONES[status], status.label, reason_words(row["code"])
        row["why"] = choice_words(as_json(row["choice"]))
    more = {
        "title": _("采购单"),
        "query": query,
        "search_hint": _("采购单号、对方单号、订单号、完整的充值账号"),
        "suppliers": suppliers,
        "supplier": supplier.code if supplier else "",
    }
    return operations_site.render(request, "staff/operations_attempts.html", {**context, **more})


def _by_code(request: HttpRequest) -> HttpResponse:
    """The attempt that a code came from. Codes are no part of an address, nor do they come back into a page."""
    typed = request.POST.get("code", "").strip()
    code = StockCode.objects.filter(digest=code_digest(typed)).select_related("supplier").first() if typed else None
    if code is None:
        messages.error(request, _("没有见过这个卡密"))
        return redirect("operations:attempts")
    if code.reference:
        return redirect("operations:attempt", reference=code.reference)
    said = _("这个卡密还在库里，没有卖出：来自 %(name)s，编号 #%(id)s") % {"name": code.supplier, "id": code.pk}
    messages.info(request, said)
    return redirect("operations:attempts")


@operations_site.page(
    "refunds/",
    name="refunds",
    nav=Nav(GROUP, gettext_lazy("退款"), "currency_exchange", 14, is_tab=True, waiting=WAITING),
)
@require_safe
def refunds(request: HttpRequest) -> HttpResponse:
    """Refunds of all shops."""
    context = listed(request, REFUNDS, _REFUND_STATES)
    for row in context["rows"]:
        status = Refund.Status(row["status"])
        row["tone"], row["word"] = REFUND_TONES[status], status.label
        row["method"] = refund_method(row["gateway"], row["route"])
    return operations_site.render(request, "staff/operations_refunds.html", {**context, "title": _("退款")})
