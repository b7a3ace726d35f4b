"""Merchant accounts, for operators: keys are written and never shown."""

from typing import Any

from django import forms
from django.contrib.admin import display
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tenants.utils import get_public_schema_name
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from kameng.accounts.confirming import second_factor_require
from kameng.admin.bases import ServiceAdmin, actor_of
from kameng.admin.forms import SealedConfigField, ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.core.encryption import Unreadable
from kameng.core.problems import Problem
from kameng.templatetags.staff import badge, person, when
from payments.gateways.base import GatewayMisconfigured
from payments.gateways.registry import GATEWAYS
from payments.merchants.models import GatewayAccount
from payments.merchants.services import (
    gateway_account_change,
    gateway_account_change_cancel,
    gateway_account_enable,
    gateway_account_open,
    gateway_account_place,
)
from payments.purses import PURSES
from resellers.models import Reseller


def _shop_choices() -> list[tuple[str, Any]]:
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name()).order_by("pk")
    return [("", _("所有店铺")), *((shop.schema_name, shop.name) for shop in shops)]


class GatewayAccountForm(ServiceForm):
    """An account; its configuration is JSON with the keys that the gateway needs."""

    gateway = forms.ChoiceField(
        label=gettext_lazy("支付方式"),
        choices=lambda: [(code, code) for code in sorted(GATEWAYS)],
        widget=UnfoldAdminSelectWidget(),
    )
    schema_name = forms.ChoiceField(
        label=gettext_lazy("仅供店铺"), required=False, choices=_shop_choices, widget=UnfoldAdminSelectWidget()
    )
    config = SealedConfigField(label=gettext_lazy("密钥和参数"))
    take_back = forms.BooleanField(
        label=gettext_lazy("撤销等着生效的新密钥"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy(
            "换密钥 24 小时后才生效，在这之前用旧的；给已经在收款的店新开或换来的账户，也要 24 小时后才收款"
        ),
    )
    second_factor = forms.CharField(
        label=gettext_lazy("两步验证码"),
        required=False,
        max_length=24,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "one-time-code"}),
        help_text=gettext_lazy("手机上的 6 位数字，或一个备用码；5 分钟内填过就不用再填"),
    )

    class Meta:
        model = GatewayAccount
        fields = (
            "code", "name", "schema_name", "owner_collects", "position", "is_active", "fee_percent", "fee_bearer",
        )  # fmt: skip


class GatewayAccountAdmin(ServiceAdmin):
    """Where money comes in."""

    form = GatewayAccountForm
    nav = Nav(gettext_lazy("平台"), gettext_lazy("收款账户"), "account_balance", 24)
    list_display = ("name_cell", "gateway", "shop", "fee", "stored", "state", "changed")
    search_fields = ("code", "name")
    ordering = ("position", "pk")
    fieldsets = (
        (None, {"fields": (("code", "gateway"), ("name", "schema_name"), "owner_collects", ("position", "is_active"))}),
        (gettext_lazy("手续费"), {"fields": (("fee_percent", "fee_bearer"),)}),
        (
            gettext_lazy("密钥和参数"),
            {
                "fields": ("stored", "config", "waiting", "take_back"),
                "description": gettext_lazy(
                    "粘贴 JSON，例如支付宝：app_id、seller_id、app_private_key、alipay_public_key、base_url，"
                    "证书模式把 alipay_public_key 换成 app_cert、alipay_root_cert、alipay_public_cert，"
                    '签了 JSAPI 支付的加 "jsapi": true；'
                    "微信内付款加公众号的 app_secret；"
                    "转账：holder、bank 和 number，或收款码的内容 qr；"
                    "易支付：base_url、pid、version（1 或 2）、types、can_refund，"
                    "和 key（V1）或 merchant_private_key、platform_public_key（V2）。"
                    "保存后加密存放，任何页面都不再显示；只写要改的键，别的保持不变"
                ),
            },
        ),
        (gettext_lazy("确认"), {"fields": ("second_factor",)}),
    )
    readonly_fields = ("stored", "waiting")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[GatewayAccount]":
        """Without the one that stands for the balances of clients: it has no gateway and nothing to set."""
        accounts: QuerySet[GatewayAccount] = super().get_queryset(request).exclude(gateway__in=PURSES)
        return accounts

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A code is part of the address that notices come to, and what is sealed is bound to it; and whose the money
        is that was paid there does not change."""
        settled = ("stored", "waiting", "code", "gateway", "owner_collects")
        return settled if obj is not None else ("stored", "waiting")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the services, over what is stored. All but taking a change back needs a second factor: which account
        comes first, and for whom, leads money elsewhere just as a key does."""
        typed = form.cleaned_data
        if change and typed["take_back"]:
            gateway_account_change_cancel(account_id=obj.pk)
        if set(form.changed_data) <= {"take_back", "second_factor"}:
            return
        try:
            second_factor_require(request, typed["second_factor"])
        except Problem as refused:
            raise Problem(str(refused), fields={"second_factor": str(refused)}) from refused
        try:
            if change:
                gateway_account_change(account_id=obj.pk, config=typed["config"], actor=actor_of(request))
                gateway_account_place(
                    account_id=obj.pk,
                    name=typed["name"],
                    schema_name=typed["schema_name"],
                    position=typed["position"],
                    fee_percent=typed["fee_percent"],
                    fee_bearer=typed["fee_bearer"],
                    actor=actor_of(request),
                )
                gateway_account_enable(account_id=obj.pk, is_active=typed["is_active"])
            else:
                obj.pk = gateway_account_open(
                    code=obj.code,
                    is_active=typed["is_active"],
                    actor=actor_of(request),
                    gateway=typed["gateway"],
                    config=typed["config"],
                    name=typed["name"],
                    schema_name=typed["schema_name"],
                    position=typed["position"],
                    fee_percent=typed["fee_percent"],
                    fee_bearer=typed["fee_bearer"],
                    owner_collects=typed["owner_collects"],
                ).pk
        except ValidationError as error:
            raise Problem(fields={name: " ".join(said) for name, said in error.message_dict.items()}) from error
        except GatewayMisconfigured as error:
            raise Problem(fields={"config": _("配置不完整或读不懂：%(error)s") % {"error": error}}) from error

    @display(description=gettext_lazy("账户"))
    def name_cell(self, account: GatewayAccount) -> SafeString:
        """Name and code."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>',
            account.name,
            account.code,
        )

    @display(description=gettext_lazy("供谁用"))
    def shop(self, account: GatewayAccount) -> SafeString | str:
        """One shop or all, and whether the money is its owner's."""
        slug = account.schema_name.removeprefix("shop_") or _("所有店铺")
        if not account.owner_collects:
            return slug
        return format_html('<span class="k-cell">{}<span class="k-sub nowrap">{}</span></span>', slug, _("店主自收"))

    @display(description=gettext_lazy("手续费"), ordering="fee_percent")
    def fee(self, account: GatewayAccount) -> SafeString:
        """What the gateway keeps of a payment, and who bears it."""
        return format_html(
            '<span class="k-cell"><span class="k-num">{}%</span><span class="k-sub nowrap">{}</span></span>',
            f"{account.fee_percent.normalize():f}",
            account.get_fee_bearer_display(),
        )

    @display(description=gettext_lazy("已存的键"))
    def stored(self, account: GatewayAccount) -> SafeString | str:
        """Which keys there are; never what they hold."""
        if not account.sealed_config:
            return "–"
        try:
            names = sorted(name for name, value in account.config.items() if value)
        except Unreadable:
            return badge("bad", _("打不开：加密密钥不对"))
        return format_html('<span class="k-mono k-wrap">{}</span>', "、".join(names))

    @display(description=gettext_lazy("等着生效的新密钥"))
    def waiting(self, account: GatewayAccount) -> SafeString | str:
        """From when on new keys count, and who typed them; never what they hold."""
        if account.next_at is None:
            return "–"
        return format_html("{} · {}", when(account.next_at), person(account.next_by))

    @display(description=gettext_lazy("状态"), ordering="is_active")
    def state(self, account: GatewayAccount) -> SafeString:
        """Whether new payments go there."""
        if account.is_active and account.counts_from is not None:
            return format_html(
                '<span class="k-cell">{}<span class="k-sub nowrap">{}</span></span>',
                badge("warn", _("还没开始收款")),
                when(account.counts_from),
            )
        return badge("ok", _("收款中")) if account.is_active else badge("neutral", _("已停用"))

    @display(description=gettext_lazy("更新"), ordering="updated_at")
    def changed(self, account: GatewayAccount) -> SafeString | str:
        """When it was changed."""
        return when(account.updated_at)


operations_site.register(GatewayAccount, GatewayAccountAdmin)
