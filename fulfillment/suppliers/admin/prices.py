"""Price lists as they were read, what each reading changed, prices to confirm, exchange rates: for operators."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.models import ExchangeRate, PriceChange, PriceSync, Supplier, SupplierOffer
from fulfillment.suppliers.rates import exchange_rate_set, rates_newest
from fulfillment.suppliers.upkeep import SYNC
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import publish

SYNC_TONES = {PriceSync.Status.RUNNING: "info", PriceSync.Status.DONE: "ok", PriceSync.Status.FAILED: "bad"}
FIELD_TONES = {
    PriceChange.Field.COST: "info",
    PriceChange.Field.STOCK: "neutral",
    PriceChange.Field.LISTED: "warn",
    PriceChange.Field.NEW: "neutral",
}


def _with_lists() -> list[Supplier]:
    """The suppliers whose protocol has a price list."""
    return [supplier for supplier in Supplier.objects.filter(is_active=True).order_by("name") if _has_list(supplier)]


def _has_list(supplier: Supplier) -> bool:
    try:
        return Capability.CATALOG in adapter_of(supplier).capabilities
    except SupplierMisconfigured:
        return False


@operations_site.page("prices/", name="prices", nav=Nav(GROUP, gettext_lazy("价目同步"), "sync", 43))
@require_http_methods(["GET", "HEAD", "POST"])
def prices(request: HttpRequest) -> HttpResponse:
    """Readings of price lists, newest first, and prices that somebody has to confirm; a POST has one list read now."""
    if request.method == "POST":
        return _sync_now(request)
    suppliers = _with_lists()
    chosen = next((found for found in suppliers if found.code == request.GET.get("supplier")), None)
    syncs = PriceSync.objects.select_related("supplier").order_by("-pk")
    page = Paginator(syncs.filter(supplier=chosen) if chosen else syncs, PER_PAGE).get_page(request.GET.get("page"))
    held = SupplierOffer.objects.filter(proposed_price__isnull=False).select_related("supplier", "variant__product")
    context = {
        "title": _("价目同步"),
        "suppliers": suppliers,
        "supplier": chosen.code if chosen else "",
        "rows": [{"sync": sync, "tone": SYNC_TONES[PriceSync.Status(sync.status)]} for sync in page],
        "page_obj": page,
        "held": list(held.order_by("supplier__name", "pk")[:PER_PAGE]),
    }
    return operations_site.render(request, "staff/prices.html", context)


def _sync_now(request: HttpRequest) -> HttpResponse:
    """Put the reading of a supplier's list onto the list of work, unless it is there already."""
    supplier = next((found for found in _with_lists() if found.code == request.POST.get("supplier")), None)
    if supplier is None:
        raise Http404
    if not OutboxEvent.objects.filter(topic=SYNC, payload__supplier_id=supplier.pk).exists():
        publish(SYNC, supplier_id=supplier.pk)
    write_down(request, supplier, CHANGE, _("手动同步价目"))
    messages.success(request, _("%(name)s：已安排同步，几秒后刷新看结果") % {"name": supplier.name})
    return redirect("operations:prices")


@operations_site.page("prices/<int:sync_id>/", name="price_sync")
@require_safe
def sync_page(request: HttpRequest, sync_id: int) -> HttpResponse:
    """What one reading changed."""
    sync = get_object_or_404(PriceSync.objects.select_related("supplier"), pk=sync_id)
    changes = PriceChange.objects.filter(sync=sync)
    names = [name for name, _label in PriceChange.Field.choices]
    counts = changes.aggregate(**{name: Count("pk", filter=Q(field=name)) for name in names})
    chosen = request.GET.get("field", "")
    shown = changes.filter(field=chosen) if chosen in names else changes
    page = Paginator(shown.select_related("offer__variant__product").order_by("pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    taken = set(
        SupplierOffer.objects.filter(
            supplier=sync.supplier_id, supplier_sku__in=[change.supplier_sku for change in page]
        ).values_list("supplier_sku", flat=True)
    )
    context = {
        "title": _("%(name)s 的价目同步") % {"name": sync.supplier.name},
        "up_url": reverse("operations:prices"),
        "up_title": _("价目同步"),
        "sync": sync,
        "tone": SYNC_TONES[PriceSync.Status(sync.status)],
        "rows": [_shown(change, sync, taken) for change in page],
        "page_obj": page,
        "field": chosen,
        "fields": [(name, label, counts[name]) for name, label in PriceChange.Field.choices],
    }
    return operations_site.render(request, "staff/price_sync.html", context)


def _shown(change: PriceChange, sync: PriceSync, taken: set[str]) -> dict[str, Any]:
    """A difference as people read it, with the way to an offer where nothing takes the line up yet."""
    field = PriceChange.Field(change.field)
    before, after = change.before, change.after
    if field == PriceChange.Field.LISTED:
        words = {"1": _("在售"), "0": _("不卖了")}
        before, after = words.get(before, before), words.get(after, after)
    elif field == PriceChange.Field.STOCK:
        before, after = before or _("不限"), after or _("不限")
    elif field == PriceChange.Field.COST:
        before, after = before or _("没有报价"), after or _("没有报价")
    add_url = ""
    if field == PriceChange.Field.NEW and change.supplier_sku not in taken:
        wanted = {"supplier": str(sync.supplier_id), "supplier_sku": change.supplier_sku}
        add_url = f"{reverse('operations:suppliers_supplieroffer_add')}?{urlencode(wanted)}"
    return {
        "change": change,
        "before": before,
        "after": after,
        "label": field.label,
        "tone": FIELD_TONES[field],
        "by": _by(change) if field == PriceChange.Field.COST else "",
        "add_url": add_url,
        "is_taken": change.supplier_sku in taken,
    }


def _by(change: PriceChange) -> str:
    """By how much a price moved, as percent with its sign; empty where one side is not known."""
    try:
        before, after = Decimal(change.before), Decimal(change.after)
        return f"{(after - before) / before * 100:+.1f}%".replace("-", "−")
    except (InvalidOperation, ZeroDivisionError):
        return ""


class RateForm(StaffForm):
    """What one unit of a currency costs."""

    currency = forms.CharField(label=gettext_lazy("币种"), max_length=3, help_text=gettext_lazy("三个字母，例如 USD"))
    yuan = forms.DecimalField(
        label=gettext_lazy("折人民币"), decimal_places=6, max_digits=14, help_text=gettext_lazy("1 单位外币等于多少元")
    )
    source = forms.CharField(
        label=gettext_lazy("来源"), max_length=60, help_text=gettext_lazy("例如：中国银行现汇卖出价")
    )
    is_confirmed = forms.BooleanField(label=gettext_lazy("和上一条差得多，也没有写错"), required=False)


@operations_site.page("rates/", name="rates", nav=Nav(GROUP, gettext_lazy("汇率"), "account_balance", 49))
@require_http_methods(["GET", "HEAD", "POST"])
def rates(request: HttpRequest) -> HttpResponse:
    """The rate that holds for each currency with its age, those before, and a form for a new one."""
    form = RateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            saved = exchange_rate_set(
                currency=typed["currency"],
                yuan=typed["yuan"],
                source=f"{typed['source']} · {actor_of(request)}"[:80],
                is_confirmed=typed["is_confirmed"],
            )
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, saved, ADDITION, _("录入汇率"))
            messages.success(request, _("1 %(currency)s = %(yuan)s 元，成本已重新算过") % {
                "currency": saved.currency, "yuan": saved.yuan
            })  # fmt: skip
            return redirect("operations:rates")
    used = dict(
        Supplier.objects.filter(is_active=True)
        .exclude(currency="CNY")
        .values_list("currency")
        .annotate(count=Count("pk"))
        .order_by("currency")
    )
    known = {rate.currency: rate for rate in rates_newest()}
    context = {
        "title": _("汇率"),
        "form": form,
        "rows": [
            {"currency": currency, "rate": known.get(currency), "suppliers": used.get(currency, 0)}
            for currency in sorted({*known, *used})
        ],
        "history": list(ExchangeRate.objects.order_by("-pk")[:PER_PAGE]),
    }
    return operations_site.render(request, "staff/rates.html", context, status=422 if form.errors else 200)
