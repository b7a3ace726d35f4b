"""Shops: how one looks, for its owner; which there are and where they answer, for operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import get_public_schema_name
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from kameng.admin.bases import ServiceAdmin, StaffTabularInline, write_down
from kameng.admin.forms import RowForm, ServiceForm, StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site, shop_site
from kameng.core.problems import Problem
from kameng.templatetags.staff import badge, when
from resellers import theme
from resellers.links import shop_url
from resellers.models import Domain, Reseller
from resellers.services import (
    domain_add,
    domain_prefer,
    domain_remove,
    reseller_open,
    shop_look_save,
    shop_terms_save,
    staff_set,
)

SHOP_GROUP = gettext_lazy("店铺")
REGISTRATION = ("company", "credit_code", "telecom_license", "icp", "license_url")
WITHDRAWAL_TERMS = ("withdrawal_minimum", "withdrawal_fee", "withdrawal_fee_percent")


class LookForm(StaffForm):
    """What the owner says about the shop."""

    name = forms.CharField(label=gettext_lazy("店名"), max_length=40)
    name_en = forms.CharField(label=gettext_lazy("英文店名"), max_length=60, required=False)
    tagline = forms.CharField(label=gettext_lazy("一句话介绍"), max_length=80, required=False)
    tagline_en = forms.CharField(label=gettext_lazy("英文介绍"), max_length=120, required=False)
    brand_color = forms.RegexField(
        label=gettext_lazy("品牌色"),
        regex=r"^#[0-9A-Fa-f]{6}$",
        error_messages={"invalid": gettext_lazy("颜色应像 #0B62D6 这样")},
        help_text=gettext_lazy("按钮、链接和重点都用它；文字看不清时会自动调深浅，下面能看到结果"),
    )
    radius = forms.ChoiceField(label=gettext_lazy("圆角"), choices=Reseller.Radius.choices)
    announcement = forms.CharField(
        label=gettext_lazy("公告"), max_length=200, required=False, help_text=gettext_lazy("一行文字，显示在每一页顶上")
    )
    announcement_en = forms.CharField(label=gettext_lazy("英文公告"), max_length=300, required=False)
    support = forms.CharField(
        label=gettext_lazy("客服方式"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("邮箱、微信号或电话，买家看得到"),
    )
    is_open = forms.BooleanField(
        label=gettext_lazy("营业中"), required=False, help_text=gettext_lazy("关掉以后不能下单；已付款的订单照常充值")
    )
    company = forms.CharField(
        label=gettext_lazy("经营主体"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("营业执照上的名称，公示在每一页页脚"),
    )
    credit_code = forms.CharField(
        label=gettext_lazy("统一社会信用代码"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("营业执照上的 18 位，最后一位会校验"),
    )
    telecom_license = forms.CharField(
        label=gettext_lazy("增值电信业务经营许可证"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("像 京B2-20261234 这样"),
    )
    icp = forms.CharField(
        label=gettext_lazy("ICP 备案号"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("像 京ICP备12345678号-1 这样，页脚会链接到备案查询"),
    )
    license_url = forms.CharField(
        label=gettext_lazy("执照核验链接"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("电子营业执照亮照或公示系统的网址，https:// 开头"),
    )


@shop_site.page("look/", name="look", nav=Nav(SHOP_GROUP, gettext_lazy("店铺外观"), "palette", 40, is_tab=True))
@require_http_methods(["GET", "HEAD", "POST"])
def look(request: HttpRequest) -> HttpResponse:
    """The shop's name, words and colour."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    initial = {name: getattr(shop, name) for name in LookForm.base_fields}
    form = LookForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            shop_look_save(shop_id=shop.pk, **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            changed = "、".join(str(form.fields[name].label) for name in form.changed_data)
            write_down(request, shop, CHANGE, _("店铺外观：%(changed)s") % {"changed": changed})
            messages.success(request, _("已保存，店铺页面一秒内更新"))
            return redirect("manage:look")
    color = str(form["brand_color"].value() or "")
    context = {"title": _("店铺外观"), "form": form, **_swatches(color)}
    return shop_site.render(request, "staff/look.html", context, status=422 if form.errors else 200)


@shop_site.page("look/swatches/", name="look_swatches")
@require_safe
def look_swatches(request: HttpRequest) -> HttpResponse:
    """What a colour would look like."""
    return shop_site.render(request, "staff/_swatches.html", _swatches(request.GET.get("brand_color", "")))


def _swatches(color: str) -> dict[str, Any]:
    """Both schemes of a colour, each with the contrast of its texts; nothing for what is no colour."""
    try:
        derived = theme.derive(color)
    except ValueError:
        return {"swatches": [], "adjusted": False}
    schemes = (
        (_("浅色"), derived.light, theme.PAGE, theme.INK),
        (_("深色"), derived.dark, theme.DARK_RAISED, theme.WHITE),
    )
    return {
        "chosen": derived.chosen,
        "adjusted": derived.adjusted,
        "used": derived.light.brand,
        "swatches": [
            {
                "label": label,
                "palette": palette,
                "page": page,
                "ink": ink,
                "button": round(theme.contrast(palette.brand, palette.on_brand), 1),
                "link": round(theme.contrast(palette.brand_ink, page), 1),
            }
            for label, palette, page, ink in schemes
        ],
    }


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
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "host", "settlement_days")}),
        (gettext_lazy("店主"), {"fields": ("owner", "owner_password")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reseller]:
        """Without the operations host."""
        found: QuerySet[Reseller] = super().get_queryset(request)
        return found.exclude(schema_name=get_public_schema_name()).prefetch_related("domains")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A schema is not renamed."""
        return ("slug",) if obj is not None else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """A new shop gets its first host in the form."""
        return self.inlines if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the services: open a shop with its owner, or change what an operator may."""
        typed = form.cleaned_data
        if change:
            said = {name: typed[name] for name in ("name", "is_open", *REGISTRATION)}
            shop_look_save(shop_id=obj.pk, **said)
            terms = {name: typed[name] for name in ("settlement_days", *WITHDRAWAL_TERMS)}
            shop_terms_save(shop_id=obj.pk, **terms)
        else:
            opened = reseller_open(
                slug=typed["slug"],
                name=typed["name"],
                host_names=[typed["host"]],
                settlement_days=typed["settlement_days"],
            )
            obj.pk, obj.schema_name = opened.pk, opened.schema_name
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
            _("订单"),
        )


operations_site.register(Reseller, ShopAdmin)
