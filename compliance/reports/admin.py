"""Shoppers' reports, for operators: read them, and say what came of it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from compliance.reports.models import MAX_NOTE, Report
from compliance.reports.services import report_handle
from kameng.admin.bases import ServiceAdmin, actor_of
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when
from resellers.links import shop_url
from resellers.selectors import shop_in


class ReportForm(ServiceForm):
    """What came of it."""

    note = forms.CharField(
        label=gettext_lazy("举报处理结果"),
        max_length=MAX_NOTE,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("写明核实了什么、怎么处理的；保存后标为已处理，不能再改"),
    )

    class Meta:
        model = Report
        fields = ("note",)


class OpenFilter(admin.SimpleListFilter):
    """What still waits, and what does not."""

    title = gettext_lazy("状态")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [("open", gettext_lazy("待处理")), ("handled", gettext_lazy("已办结"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        """What is chosen."""
        return queryset.filter(handled_at__isnull=self.value() == "open") if self.value() else queryset


class ReportAdmin(ServiceAdmin):
    """The newest first."""

    nav = Nav(
        gettext_lazy("合规"),
        gettext_lazy("商品举报"),
        "block",
        66,
        waiting="public.reports_report WHERE handled_at IS NULL",
    )
    can_add = False
    form = ReportForm
    list_display = ("what", "where", "said", "at", "state")
    list_filter = (OpenFilter, "kind")
    search_fields = ("product", "product_name", "schema_name", "text")
    search_help_text = gettext_lazy("商品、店铺或说明里的字")
    ordering = ("-pk",)
    readonly_fields = ("where", "what", "goods", "text", "contact", "at", "state")
    fields = ("what", "where", "goods", "text", "contact", "at", "state", "note")

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        """What was handled stays as it is."""
        return (obj is None or obj.handled_at is None) and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        report_handle(report_id=obj.pk, note=form.cleaned_data["note"], actor=actor_of(request))

    @display(description=gettext_lazy("举报的问题"), ordering="kind")
    def what(self, report: Report) -> SafeString:
        """The kind, and of which product."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub">{}</span></span>',
            Report.Kind(report.kind).label,
            report.product_name,
        )

    @display(description=gettext_lazy("店铺"), ordering="schema_name")
    def where(self, report: Report) -> SafeString | str:
        """The shop, and the product's page there."""
        shop = shop_in(report.schema_name)
        if shop is None or not (address := shop_url(shop)):
            return report.schema_name
        return format_html(
            '<span class="k-cell">{}<a class="k-link k-mono k-wrap" href="{}p/{}/" rel="noreferrer">{}</a></span>',
            shop.name,
            address,
            report.product,
            report.product,
        )

    @display(description=gettext_lazy("处理商品"))
    def goods(self, report: Report) -> SafeString:
        """Where it is taken down."""
        address = reverse("operations:report_goods", args=[report.pk])
        return format_html('<a class="k-link" href="{}">{}</a>', address, _("下架或恢复"))

    @display(description=gettext_lazy("说明"))
    def said(self, report: Report) -> SafeString:
        """In the shopper's words."""
        return format_html('<span class="k-wrap">{}</span>', report.text or "–")

    @display(description=gettext_lazy("举报时间"), ordering="created_at")
    def at(self, report: Report) -> SafeString | str:
        """When."""
        return when(report.created_at)

    @display(description=gettext_lazy("状态"), ordering="handled_at")
    def state(self, report: Report) -> SafeString:
        """Whether somebody has looked into it, and what came of it."""
        if report.handled_at is None:
            return badge("warn", _("待处理"))
        return format_html(
            '<span class="k-cell">{}<span class="k-sub k-wrap">{} · {}</span></span>',
            badge("ok", _("已办结")),
            report.handled_by,
            report.note,
        )


operations_site.register(Report, ReportAdmin)
