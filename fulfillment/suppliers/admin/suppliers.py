"""Whom we buy from, how they do today, and on which terms: for operators."""

import json
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from compliance.selectors import papers_of
from compliance.validity import State, state_of
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.admin.strip import breaker_cell, strip
from fulfillment.suppliers.base import SupplierMisconfigured
from fulfillment.suppliers.health import Health, health_of
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.rates import supplier_currency_set
from fulfillment.suppliers.registry import ADAPTERS
from fulfillment.suppliers.services import (
    SupplierTerms,
    supplier_pause,
    supplier_restore,
    supplier_resume,
    supplier_save,
)
from kameng.admin.bases import ServiceAdmin, write_down
from kameng.admin.forms import SealedConfigField, ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.core.encryption import Unreadable
from kameng.core.problems import Problem
from kameng.templatetags.staff import badge, seconds, share, when, yuan

#: A balance that was asked for longer ago than this says little.
STALE_BALANCE_SECONDS = 3600


#: The fields of `SupplierTerms`.
TERMS = tuple(SupplierTerms.__annotations__)


class SupplierForm(ServiceForm):
    """A connection; its secrets are JSON with the keys that the protocol needs."""

    adapter = forms.ChoiceField(
        label=gettext_lazy("接口"),
        choices=lambda: [(code, adapter.name) for code, adapter in sorted(ADAPTERS.items())],
        widget=UnfoldAdminSelectWidget(),
    )
    config = SealedConfigField(label=gettext_lazy("密钥"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # A term that is left empty is what it was, or none where there may be none.
        for term in TERMS:
            if term in self.fields:
                self.fields[term].required = False

    class Meta:
        model = Supplier
        fields = ("code", "name", "base_url", *TERMS)
        widgets = {"instructions": UnfoldAdminTextareaWidget(attrs={"rows": 5})}
        help_texts = {
            "currency": gettext_lazy("对方报价和余额用的币种，三个字母，例如 CNY、USD"),
            "standing": gettext_lazy("离货源有多近；占评分的一部分"),
            "instructions": gettext_lazy("结果不明时给处理的人看：找谁、什么时间、去哪里查"),
            "max_concurrent": gettext_lazy("所有进程加起来同时发给它的请求数"),
            "max_per_minute": gettext_lazy("所有进程加起来每分钟的请求数"),
            "connect_seconds": gettext_lazy("秒"),
            "read_seconds": gettext_lazy("秒；超过就当没有答复，结果未知"),
            "total_seconds": gettext_lazy("秒；一次请求从头到尾"),
            "not_found_grace": gettext_lazy("秒；提交后过了这么久，对方说查无此单才可信。留空用协议的"),
            "not_found_window": gettext_lazy("秒；要隔这么久再说一次才算数。留空用平台的"),
            "unknown_limit": gettext_lazy("秒；结果未知超过这么久就交给人。留空用平台的"),
            "balance_floor": gettext_lazy("余额低于它就提醒；按结算币种，留空不提醒"),
        }


def _terms(typed: Mapping[str, Any]) -> SupplierTerms:
    """What was typed; an empty field means "none" where there may be none, and otherwise says nothing."""
    told = {
        term: typed[term]
        for term in TERMS
        if typed[term] not in (None, "") or term == "instructions" or Supplier._meta.get_field(term).null
    }
    return cast(SupplierTerms, told)


class SupplierList(ChangeList):
    """The list, each row of a page with its health."""

    def get_results(self, request: HttpRequest) -> None:
        """The page's rows; their health is read for all at once."""
        super().get_results(request)
        suppliers = list(self.result_list)
        health = health_of(suppliers)
        papers = papers_of([supplier.code for supplier in suppliers])
        for supplier in suppliers:
            supplier.health = health[supplier.pk]
            supplier.papers = papers.get(supplier.code, [])
        self.result_list = cast(Any, suppliers)


class SupplierAdmin(ServiceAdmin):
    """Whom we buy from."""

    form = SupplierForm
    nav = Nav(GROUP, gettext_lazy("供应商"), "local_shipping", 40)
    list_display = ("name_cell", "state", "day", "rates", "balance_cell", "licenses", "today", "steps")
    list_before_template = "staff/_suppliers_hint.html"
    list_filter = ("standing", "is_active")
    list_select_related = ("breaker",)
    search_fields = ("code", "name")
    search_help_text = gettext_lazy("名称或代号")
    fieldsets = (
        (None, {"fields": (("code", "adapter"), "name", "base_url", ("standing", "currency"), "instructions")}),
        (gettext_lazy("近 24 小时"), {"fields": ("hours",)}),
        (
            gettext_lazy("限额和时限"),
            {
                "fields": (
                    ("max_concurrent", "max_per_minute"),
                    ("connect_seconds", "read_seconds"),
                    "total_seconds",
                )
            },
        ),
        (
            gettext_lazy("结果不明时"),
            {
                "fields": (("not_found_grace", "not_found_window"), "unknown_limit"),
                "description": gettext_lazy(
                    "只有明确没买成才会换别家。对方要在宽限以后、隔一个间隔、两次都说查无此单，才算没买成；"
                    "宽限太短会买两次，拿不准就留空"
                ),
            },
        ),
        (gettext_lazy("余额"), {"fields": ("balance_floor",)}),
        (
            gettext_lazy("密钥"),
            {
                "fields": ("stored", "config"),
                "description": gettext_lazy(
                    "粘贴 JSON，例如福禄：app_key、app_secret；独角数卡：api_key、api_secret；"
                    "大猿人：userid、apikey、states（对方的状态数字表，"
                    "accepted、delivered、partial、failed、canceled、reversed，"
                    '例如 {"0":"accepted","1":"delivered","2":"failed"}）。'
                    "保存后加密存放，任何页面都不再显示；只写要改的键，别的保持不变"
                ),
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """With health."""
        return SupplierList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Supplier]:
        """With how much each offers."""
        found: QuerySet[Supplier] = super().get_queryset(request)
        return found.annotate(offered=Count("offers", filter=Q(offers__is_active=True)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What is sealed is bound to the code, and another protocol is another supplier."""
        return ("stored", "hours", "code", "adapter") if obj is not None else ("stored", "hours")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service, over what is stored."""
        typed = form.cleaned_data
        stored = Supplier.objects.get(pk=obj.pk).config if change else {}
        terms = _terms(typed)
        if change and (currency := terms.pop("currency", "")):
            # What was told in the old currency means nothing in the new one: that is a service of its own.
            supplier_currency_set(supplier_id=obj.pk, currency=currency)
        try:
            saved = supplier_save(
                code=obj.code,
                name=typed["name"],
                adapter=obj.adapter if change else typed["adapter"],
                base_url=typed["base_url"],
                config={**stored, **_as_texts(typed["config"])},
                terms=terms,
            )
        except SupplierMisconfigured as error:
            raise Problem(fields={"config": _("配置不完整：%(error)s") % {"error": error}}) from error
        obj.pk = saved.pk

    @display(description=gettext_lazy("供应商"), ordering="code")
    def name_cell(self, supplier: Supplier) -> SafeString:
        """Name, code, protocol and standing."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{} · {}</span>'
            '<span class="k-sub">{}</span></span>',
            supplier.name,
            supplier.code,
            supplier.adapter,
            supplier.get_standing_display(),
        )

    @display(description=gettext_lazy("状态"))
    def state(self, supplier: Any) -> SafeString:
        """Asked, paused by a person, out because nothing can succeed there, or kept away by the breaker."""
        if supplier.eliminated_at is not None:
            return format_html(
                '<span class="k-cell">{}<span class="k-sub k-wrap">{} · {}</span></span>',
                badge("bad", _("自动停用")),
                supplier.eliminated_reason,
                when(supplier.eliminated_at),
            )
        if not supplier.is_active:
            return badge("neutral", _("人工暂停"))
        return breaker_cell(getattr(supplier, "breaker", None))

    @display(description=gettext_lazy("近 24 小时调用"))
    def day(self, supplier: Any) -> SafeString:
        """One cell an hour."""
        return strip(supplier.health)

    @display(description=gettext_lazy("成功率和 p90"))
    def rates(self, supplier: Any) -> SafeString:
        """Of the attempts that ended in the last 24 hours."""
        health: Health = supplier.health
        if not health.ended:
            return format_html('<span class="k-hint">{}</span>', _("24 小时内没有采购"))
        return format_html(
            '<span class="k-cell k-num"><span class="k-strong">{}</span>'
            '<span class="k-sub">{}</span><span class="k-sub">{}</span></span>',
            share(health.success_rate),
            _("%(succeeded)s / %(ended)s 次") % {"succeeded": health.succeeded, "ended": health.ended},
            _("p90 %(seconds)s") % {"seconds": seconds(health.p90)},
        )

    @display(description=gettext_lazy("余额"), ordering="balance")
    def balance_cell(self, supplier: Supplier) -> SafeString | str:
        """Our money there, when that was told, and from where on somebody is to be told."""
        if supplier.balance is None:
            return "–"
        is_low = supplier.balance_floor is not None and supplier.balance < supplier.balance_floor
        told = supplier.balance_at
        is_stale = told is None or (timezone.now() - told).total_seconds() > STALE_BALANCE_SECONDS
        notes = [format_html("{}", when(told))]
        if is_stale:
            notes.append(badge("warn", _("很久没更新")))
        if supplier.balance_floor is not None:
            notes.append(format_html("{}", _("提醒线 %(floor)s") % {"floor": f"{supplier.balance_floor:,.2f}"}))
        return format_html(
            '<span class="k-cell"><span class="k-num"><span class="k-strong">{}</span> {}</span>{}{}</span>',
            f"{supplier.balance:,.2f}",
            supplier.currency,
            badge("bad", _("低于提醒线")) if is_low else "",
            format_html_join("", '<span class="k-sub">{}</span>', ((note,) for note in notes)),
        )

    @display(description=gettext_lazy("证照"))
    def licenses(self, supplier: Any) -> SafeString:
        """How many there are, and the worst that can be said of one."""
        today = timezone.localdate()
        states = [state_of(paper.valid_from, paper.valid_until, on=today) for paper in supplier.papers]
        worst: SafeString | str = ""
        if State.EXPIRED in states:
            worst = badge("bad", _("%(count)s 份过期") % {"count": states.count(State.EXPIRED)})
        elif State.EXPIRING in states:
            worst = badge("warn", _("%(count)s 份快到期") % {"count": states.count(State.EXPIRING)})
        return format_html(
            '<span class="k-cell k-taps"><a class="k-link" href="{}?supplier={}">{}</a>{}</span>',
            reverse("operations:licenses"),
            supplier.code,
            _("%(count)s 份") % {"count": len(states)} if states else _("没有证照"),
            worst,
        )

    @display(description=gettext_lazy("今天"))
    def today(self, supplier: Any) -> SafeString:
        """Attempts that ended today, offers, and what somebody should look at."""
        health: Health = supplier.health
        alerts: SafeString | str = ""
        if health.alerts:
            alerts = format_html(
                '<a href="{}">{}</a>',
                reverse("operations:alerts"),
                badge("warn", _("%(count)s 条提醒") % {"count": health.alerts}),
            )
        return format_html(
            '<span class="k-cell k-taps"><a class="k-link" href="{}?supplier={}&amp;days=today">{}</a>'
            '<span class="k-sub k-num">{}</span><a class="k-sub k-link" href="{}?supplier__id__exact={}">{}</a>{}'
            "</span>",
            reverse("operations:attempts"),
            supplier.code,
            _("采购 %(count)s 次") % {"count": health.today},
            yuan(health.cost_today),
            reverse("operations:suppliers_supplieroffer_changelist"),
            supplier.pk,
            _("%(count)s 个报价") % {"count": supplier.offered},
            alerts,
        )

    @display(description=gettext_lazy("每小时调用"))
    def hours(self, supplier: Supplier) -> SafeString | str:
        """The strip, and the same as a table."""
        if supplier.pk is None:
            return "–"
        health = health_of([supplier])[supplier.pk]
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td class='k-right'>{}</td><td class='k-right'>{}</td></tr>",
            (
                (f"{timezone.localtime(hour.start):%m-%d %H:00}", f"{hour.calls:,}", f"{hour.failed:,}")
                for hour in health.hours
                if hour.calls
            ),
        )
        if not rows:
            return format_html(
                '<span class="k-cell">{}<span class="k-hint">{}</span></span>', strip(health), _("没有调用")
            )
        return format_html(
            '<span class="k-cell">{}<details class="k-why"><summary>{}</summary><table class="k-table k-num">'
            '<thead><tr><th scope="col">{}</th><th scope="col" class="k-right">{}</th>'
            '<th scope="col" class="k-right">{}</th></tr></thead><tbody>{}</tbody></table></details></span>',
            strip(health),
            _("查看表格"),
            _("小时"),
            _("调用"),
            _("失败"),
            rows,
        )

    @display(description=gettext_lazy("已存的键"))
    def stored(self, supplier: Supplier) -> SafeString | str:
        """Which keys there are; never what they hold."""
        try:
            names = sorted(name for name, value in supplier.config.items() if value)
        except Unreadable:
            return badge("bad", _("打不开：加密密钥不对"))
        return format_html('<span class="k-mono k-wrap">{}</span>', "、".join(names)) if names else "–"

    @display(description=gettext_lazy("操作"))
    def steps(self, supplier: Supplier) -> SafeString:
        """Pause, resume or restore. The list is one form, and the button names its own address."""
        if supplier.eliminated_at is not None:
            step, word, question = "restore", _("恢复"), _("已经查清停用原因了吗？恢复后会重新向它采购。")
        elif supplier.is_active:
            step, word, question = "pause", _("暂停"), _("暂停后不再向它采购，进行中的采购照常跟到底。")
        else:
            step, word, question = "resume", _("启用"), ""
        return format_html(
            '<button type="submit" class="k-btn k-small" formaction="{}" formnovalidate data-confirm="{}">{}</button>',
            reverse("operations:supplier_step", args=[supplier.pk, step]),
            question,
            word,
        )


def _as_texts(config: Mapping[str, Any]) -> dict[str, str]:
    """A connection holds texts: a table that was pasted as it is becomes the JSON that it was."""
    return {name: held if isinstance(held, str) else json.dumps(held) for name, held in config.items()}


_STEPS = {"pause": supplier_pause, "resume": supplier_resume, "restore": supplier_restore}


@operations_site.page("suppliers/<int:supplier_id>/<slug:step>/", name="supplier_step")
@require_POST
def supplier_step(request: HttpRequest, supplier_id: int, step: str) -> HttpResponse:
    """Ask a supplier no more, or ask it again."""
    supplier = Supplier.objects.filter(pk=supplier_id).first()
    if supplier is None or step not in _STEPS:
        raise Http404
    _STEPS[step](supplier_id=supplier_id)
    words = {"pause": _("暂停"), "resume": _("启用"), "restore": _("恢复")}
    write_down(request, supplier, CHANGE, words[step])
    done = {"pause": _("%(name)s：已暂停"), "resume": _("%(name)s：已启用"), "restore": _("%(name)s：已恢复")}
    messages.success(request, done[step] % {"name": supplier.name})
    return redirect("operations:suppliers_supplier_changelist")


operations_site.register(Supplier, SupplierAdmin)
