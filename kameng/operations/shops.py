"""Shops, for operators: which there are, and where they answer. What they are called passes the gate."""

from typing import Any

from django import forms
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django_tenants.utils import get_public_schema_name
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from compliance.gate.shops import WORDS, shop_open, shop_words_save
from compliance.tenures import shop_plan_grant
from kameng.admin.bases import ServiceAdmin, StaffTabularInline, actor_of
from kameng.admin.forms import RowForm, ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when
from resellers.links import shop_url
from resellers.models import Domain, Reseller
from resellers.plans.models import Plan
from resellers.services import (
    domain_add,
    domain_prefer,
    domain_remove,
    shop_terms_save,
    staff_set,
)

REGISTRATION = ("company", "credit_code", "telecom_license", "icp", "license_url")
WITHDRAWAL_TERMS = ("withdrawal_minimum", "withdrawal_fee", "withdrawal_fee_percent")


class DomainForm(RowForm):
    """A host."""

    class Meta:
        model = Domain
        fields = ("domain", "is_primary")
        labels = {"domain": gettext_lazy("域名"), "is_primary": gettext_lazy("主域名")}


class DomainInline(StaffTabularInline):
    """Where a shop answers."""

    model = Domain
    form = DomainForm
    fields = ("domain", "is_primary")
    can_add = can_change = can_delete = True


class ShopForm(ServiceForm):
    """A new shop with its first host and its owner's account, or an old one's words and state."""

    host = forms.CharField(
        label=gettext_lazy("域名"),
        max_length=253,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("例如 shop.example.com，不带 http 和端口"),
    )
    plan = forms.ModelChoiceField(
        Plan.objects.filter(is_offered=True),
        label=gettext_lazy("套餐"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("第一年不收钱；留空就没有到期日，也没有供货价优惠"),
    )
    owner = forms.CharField(
        label=gettext_lazy("店主登录名"),
        max_length=150,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        initial="owner",
    )
    owner_password = forms.CharField(
        label=gettext_lazy("店主密码"),
        required=False,
        strip=False,
        min_length=8,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("至少 8 个字符。已有店铺留空表示不改；填了就是重设"),
    )

    class Meta:
        model = Reseller
        fields = ("slug", "name", "is_open", "settlement_days", *WITHDRAWAL_TERMS, *REGISTRATION)

    def clean(self) -> dict[str, Any] | None:
        """A new shop needs somebody who runs it and an address."""
        cleaned = super().clean()
        if self.instance.pk is None:
            for name in ("host", "owner", "owner_password"):
                if name not in self.errors and not self.cleaned_data.get(name):
                    self.add_error(name, _("开新店要填这一项"))
        return cleaned


class ShopAdmin(ServiceAdmin):
    """All shops but the platform's own row."""

    form = ShopForm
    nav = Nav(gettext_lazy("平台"), gettext_lazy("店铺"), "storefront", 20)
    list_display = ("shop_cell", "hosts", "state", "range", "opened", "links")
    list_filter = ("is_open", "is_house")
    search_fields = ("slug", "name", "domains__domain")
    search_help_text = gettext_lazy("店名、代号或域名")
    ordering = ("-is_house", "pk")
    inlines = (DomainInline,)
    fieldsets = (
        (None, {"fields": ("slug", "name", "is_open", "settlement_days")}),
        (gettext_lazy("提现"), {"fields": WITHDRAWAL_TERMS}),
        (gettext_lazy("证照公示"), {"fields": REGISTRATION}),
        (gettext_lazy("店主"), {"fields": ("owner", "owner_password")}),
        (gettext_lazy("店铺后台"), {"fields": ("door",)}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "host", "plan", "settlement_days")}),
        (gettext_lazy("店主"), {"fields": ("owner", "owner_password")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reseller]:
        """Without the operations host."""
        found: QuerySet[Reseller] = super().get_queryset(request)
        return found.exclude(schema_name=get_public_schema_name()).prefetch_related("domains")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A schema is not renamed."""
        return ("slug", "door") if obj is not None else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """A new shop gets its first host in the form."""
        return self.inlines if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the services: open a shop with its owner, or change what an operator may."""
        typed = form.cleaned_data
        if change:
            # Words that were not touched may not be those that the owner waits for.
            said = ("name", "is_open", *REGISTRATION)
            meant = {name: typed[name] for name in said if name not in WORDS or name in form.changed_data}
            shop_words_save(shop_id=obj.pk, **meant)
            terms = {name: typed[name] for name in ("settlement_days", *WITHDRAWAL_TERMS)}
            shop_terms_save(shop_id=obj.pk, **terms)
        else:
            opened = shop_open(
                slug=typed["slug"],
                name=typed["name"],
                host_names=[typed["host"]],
                settlement_days=typed["settlement_days"],
            ).shop
            obj.pk, obj.schema_name = opened.pk, opened.schema_name
            if typed.get("plan") is not None:
                key = f"granted:{opened.pk}"
                shop_plan_grant(shop_id=opened.pk, plan=typed["plan"], key=key, actor=actor_of(request))
        if typed["owner"] and typed["owner_password"]:
            staff_set(schema_name=obj.schema_name, username=typed["owner"], password=typed["owner_password"])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Hosts by the services: what is ticked last is preferred."""
        shop = form.instance
        formset.save(commit=False)
        for row in formset.new_objects:
            added = domain_add(shop=shop, host=row.domain)
            if row.is_primary:
                domain_prefer(domain_id=added.pk)
        for row, changed in formset.changed_objects:
            if "domain" in changed:
                kept = Domain.objects.get(pk=row.pk)
                domain_add(shop=shop, host=row.domain)
                domain_remove(domain_id=kept.pk)
            elif row.is_primary:
                domain_prefer(domain_id=row.pk)
        for row in formset.deleted_objects:
            domain_remove(domain_id=row.pk)

    @display(description=gettext_lazy("店铺"))
    def shop_cell(self, shop: Reseller) -> SafeString:
        """Name and code."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>',
            shop.name,
            shop.slug,
        )

    @display(description=gettext_lazy("进店"))
    def door(self, shop: Reseller) -> SafeString:
        """Into its own admin, with a reason, for a while (`kameng.operations.visits`)."""
        address = reverse("operations:shop_visit", args=[shop.slug])
        return format_html('<a class="k-btn" href="{}">{}</a>', address, _("进入店铺后台"))

    @display(description=gettext_lazy("域名"))
    def hosts(self, shop: Reseller) -> SafeString:
        """Where it answers, the preferred one first."""
        found = sorted(shop.domains.all(), key=lambda domain: not domain.is_primary)
        rows = format_html_join("", '<span class="k-mono k-wrap">{}</span>', ((domain.domain,) for domain in found))
        return format_html('<span class="k-cell">{}</span>', rows)

    @display(description=gettext_lazy("状态"), ordering="is_open")
    def state(self, shop: Reseller) -> SafeString:
        """Open or not, and whose."""
        return badge("ok", _("营业中")) if shop.is_open else badge("neutral", _("已打烊"))

    @display(description=gettext_lazy("经营"))
    def range(self, shop: Reseller) -> str:
        """How much of the catalogue it sells."""
        count = len(shop.categories)
        return _("%(count)s 个类目") % {"count": count} if count else _("全部类目")

    @display(description=gettext_lazy("开店"), ordering="created_at")
    def opened(self, shop: Reseller) -> SafeString | str:
        """Since when."""
        return when(shop.created_at)

    @display(description=gettext_lazy("去看"))
    def links(self, shop: Reseller) -> SafeString:
        """The shop itself, and its orders."""
        return format_html(
            '<span class="k-row"><a class="k-link" href="{}">{}</a><a class="k-link" href="{}?shop={}">{}</a></span>',
            shop_url(shop),
            _("店铺"),
            reverse("operations:orders"),
            shop.slug,
            pgettext("多个", "订单"),
        )


operations_site.register(Reseller, ShopAdmin)
