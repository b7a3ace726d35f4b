"""The platform's catalogue, for operators."""

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from catalog.account_schema import KEYS
from catalog.models import Brand, Category, Product, Variant
from catalog.screened import product_subject
from catalog.services import brand_save, category_save, product_save, variant_save, variants_screen
from catalog.shelf_names import category_subject
from compliance.gate.selectors import standing_words
from compliance.gate.subjects import Standing
from kameng.admin.bases import ServiceAdmin, StaffTabularInline
from kameng.admin.forms import RowForm, ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, yuan

GROUP = pgettext_lazy("多个", "商品")


def _name_cell(name: str, below: str) -> SafeString:
    return format_html(
        '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>', name, below
    )


def _state(product: Product) -> SafeString:
    if product.standing != Standing.CLEAR:
        return badge("warn" if product.standing == Standing.FLAGGED else "bad", product.get_standing_display())
    return badge("ok", _("在售")) if product.is_active else badge("neutral", _("已下架"))


class CategoryAdmin(ServiceAdmin):
    """Shelves. One that is switched off takes its products off sale everywhere."""

    nav = Nav(GROUP, gettext_lazy("类目"), "category", 34)
    list_display = ("name_cell", "name_en", "position", "count", "is_active")
    list_editable = ("position", "is_active")
    search_fields = ("name", "slug")
    fields = (
        "slug",
        ("name", "name_en"),
        ("icon", "position"),
        "supply_markup",
        "price_cap_percent",
        "limits_minors",
        "is_active",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        """With how many products stand there."""
        found: QuerySet[Category] = super().get_queryset(request)
        return found.annotate(products_on_sale=Count("products", filter=Q(products__is_active=True)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Addresses of shelves stay."""
        return ("slug",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service. Whoever has written a name that does not pass is told why, and what to change."""
        category_save(category=obj)
        if {"name", "name_en"} & set(form.changed_data):
            for sentence in standing_words(category_subject(obj.pk)):
                messages.warning(request, sentence)

    @display(description=gettext_lazy("类目"), ordering="name")
    def name_cell(self, category: Category) -> SafeString:
        """Name and code."""
        return _name_cell(category.name, category.slug)

    @display(description=gettext_lazy("在售商品"))
    def count(self, category: Any) -> int:
        """How many products are on sale there."""
        return int(category.products_on_sale)


class BrandAdmin(ServiceAdmin):
    """Issuers."""

    nav = Nav(GROUP, gettext_lazy("品牌"), "badge", 36)
    list_display = ("name_cell", "name_en")
    search_fields = ("name", "name_en", "slug")
    fields = ("slug", ("name", "name_en"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A code stays."""
        return ("slug",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        brand_save(brand=obj)

    @display(description=gettext_lazy("品牌"), ordering="name")
    def name_cell(self, brand: Brand) -> SafeString:
        """Name and code."""
        return _name_cell(brand.name, brand.slug)


class VariantForm(RowForm):
    """A denomination in a row: short inputs."""

    class Meta:
        model = Variant
        fields = (
            "sku", "name", "name_en", "note", "note_en", "official_price", "supply_price", "max_quantity", "position",
            "is_active",
        )  # fmt: skip


class VariantInline(StaffTabularInline):
    """A product's denominations. One that is no longer sold is switched off, never removed: old orders name it."""

    model = Variant
    form = VariantForm
    hide_title = True
    can_add = can_change = True
    fields = ("sku", "name", "official_price", "supply_price", "max_quantity", "note", "position", "is_active")


class ReadableJSON(json.JSONEncoder):
    """One key a line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


class ProductForm(ServiceForm):
    """A product with its account form as JSON."""

    account_fields = forms.JSONField(
        label=gettext_lazy("账号表单"),
        required=False,
        encoder=ReadableJSON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "class": "k-mono", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "买家要填什么，最多 8 项。每一项：name、label、label_en、type（text、tel、email、select）、required、"
            "pattern、example、help、help_en，select 还要 choices。卡密写 []"
        ),
        error_messages={"invalid": gettext_lazy("不是 JSON，请检查引号和逗号")},
    )

    aliases = forms.CharField(
        label=gettext_lazy("别名"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("买家会怎么叫它，用顿号或逗号分开，例如：农药、wzry。拼音不用写"),
    )

    class Meta:
        model = Product
        fields = (
            "category", "brand", "slug", "kind", "name", "name_en", "icon", "summary", "summary_en", "notes",
            "notes_en", "account_fields", "aliases", "position", "is_active",
        )  # fmt: skip
        help_texts = {
            "notes": gettext_lazy("一行一句"),
            "icon": gettext_lazy("static/icons/products/ 里的文件名，不带 .svg"),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            self.initial["aliases"] = "、".join(self.instance.aliases)
            # The database forgets the order of keys; people look for them where they always are.
            asked = self.instance.account_fields
            self.initial["account_fields"] = [{key: field[key] for key in KEYS if key in field} for field in asked]

    def clean_account_fields(self) -> Any:
        """Nothing typed asks nothing."""
        return self.cleaned_data["account_fields"] or []

    def clean_aliases(self) -> list[str]:
        """Names one by one, each once."""
        typed = self.cleaned_data["aliases"].replace("，", "、").replace(",", "、")
        names = list(dict.fromkeys(name.strip() for name in typed.split("、") if name.strip()))
        if any(len(name) > 40 for name in names):
            raise forms.ValidationError(_("别名太长了，每个最多 40 个字符"))
        return names


class ProductAdmin(ServiceAdmin):
    """What is shown, with what can be bought of it."""

    form = ProductForm
    nav = Nav(GROUP, gettext_lazy("商品"), "shopping_bag", 30)
    list_display = ("name_cell", "category", "kind", "prices", "position", "state")
    list_filter = ("category", "kind", "is_active", "standing")
    list_select_related = ("category",)
    search_fields = ("name", "name_en", "slug", "search_text", "variants__sku")
    search_help_text = gettext_lazy("名称、拼音、别名或面额编码")
    ordering = ("position", "pk")
    inlines = (VariantInline,)
    fieldsets = (
        (None, {"fields": (("slug", "kind"), ("category", "brand"), ("position", "is_active"), "gate")}),
        (gettext_lazy("名称和介绍"), {"fields": (("name", "name_en"), "aliases", ("summary", "summary_en"), "icon")}),
        (gettext_lazy("购买须知"), {"fields": (("notes", "notes_en"),)}),
        (gettext_lazy("账号表单"), {"fields": ("account_fields",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """The platform's, with their denominations, in one more query."""
        found: QuerySet[Product] = super().get_queryset(request)
        return found.filter(owner=None).prefetch_related("variants")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Addresses of products stay."""
        return ("slug", "gate") if obj is not None else ("gate",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        product_save(product=obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Denominations by their service, and the product screened once with all of them."""
        changed = formset.save(commit=False)
        for variant in changed:
            variant_save(variant=variant, is_one_of_many=True)
        if changed:
            variants_screen(product_id=form.instance.pk)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Whoever has written something that does not pass is told why, and what to change."""
        super().save_related(request, form, formsets, change)
        if Product.objects.filter(pk=form.instance.pk).exclude(standing=Standing.CLEAR).exists():
            for sentence in standing_words(product_subject(form.instance.pk)):
                messages.warning(request, sentence)

    @display(description=gettext_lazy("合规"))
    def gate(self, product: Product) -> SafeString | str:
        """How it stands, and where it is taken down and restored."""
        if product.pk is None:
            return _("保存时检查")
        subject = product_subject(product.pk)
        address = reverse("operations:subject", args=[subject.kind, subject.schema_name, subject.id])
        return format_html(
            '{} <a class="k-link" href="{}">{}</a>', product.get_standing_display(), address, _("下架或恢复")
        )

    @display(description=gettext_lazy("商品"), ordering="name")
    def name_cell(self, product: Product) -> SafeString:
        """Name and code."""
        return _name_cell(product.name, product.slug)

    @display(description=gettext_lazy("官方价"))
    def prices(self, product: Product) -> SafeString:
        """From the cheapest to the dearest, and how many."""
        active = [variant for variant in product.variants.all() if variant.is_active]
        if not active:
            return format_html('<span class="k-sub">{}</span>', _("没有在售的面额"))
        amounts = sorted(variant.official_price for variant in active)
        return format_html(
            '<span class="k-cell"><span class="k-num">{} – {}</span><span class="k-sub">{}</span></span>',
            yuan(amounts[0]),
            yuan(amounts[-1]),
            _("%(count)s 个面额，%(available)s 个有货")
            % {"count": len(active), "available": sum(variant.is_available for variant in active)},
        )

    @display(description=gettext_lazy("状态"), ordering="is_active")
    def state(self, product: Product) -> SafeString:
        """On sale or not, and whether it may be."""
        return _state(product)


class VariantAdmin(ServiceAdmin):
    """All denominations in one list, to see and set prices quickly; new ones are made with their product."""

    can_add = False
    nav = Nav(GROUP, gettext_lazy("面额与价格"), "sell", 32)
    heading = gettext_lazy("面额与价格")
    list_display = ("name_cell", "official_price", "supply_price", "cost_cell", "margin", "available", "is_active")
    list_editable = ("official_price", "supply_price", "is_active")
    list_filter = ("is_available", "is_active", "product__kind", "product__category")
    list_select_related = ("product",)
    search_fields = ("sku", "name", "product__name", "product__search_text")
    search_help_text = gettext_lazy("商品、拼音或面额编码")
    ordering = ("product__position", "product_id", "position", "pk")
    fields = (
        "product", "sku", ("name", "name_en"), ("note", "note_en"), ("official_price", "supply_price"),
        ("max_quantity", "position"), "is_active",
    )  # fmt: skip
    readonly_fields = ("product", "sku")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        """The platform's; owners write their own."""
        found: QuerySet[Variant] = super().get_queryset(request)
        return found.filter(product__owner=None)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        variant_save(variant=obj)

    @display(description=gettext_lazy("面额"), ordering="sku")
    def name_cell(self, variant: Variant) -> SafeString:
        """What it is called, and its code."""
        return _name_cell(f"{variant.product.name} {variant.name}", variant.sku)

    @display(description=gettext_lazy("首选成本"), ordering="cost")
    def cost_cell(self, variant: Variant) -> SafeString:
        """What the first-ranked offer costs."""
        return format_html('<span class="k-num">{}</span>', yuan(variant.cost))

    @display(description=gettext_lazy("平台毛利"))
    def margin(self, variant: Variant) -> SafeString:
        """What the platform keeps of one piece at its supply price."""
        left = None if variant.cost is None else variant.supply_price - variant.cost
        tone = "k-bad k-badge" if left is not None and left < 0 else "k-num"
        return format_html('<span class="{}">{}</span>', tone, yuan(left))

    @display(description=gettext_lazy("有货"), ordering="is_available")
    def available(self, variant: Variant) -> SafeString:
        """Whether any supplier can deliver it now."""
        return badge("ok", _("有货")) if variant.is_available else badge("warn", _("无货"))


operations_site.register(Category, CategoryAdmin)
operations_site.register(Brand, BrandAdmin)
operations_site.register(Product, ProductAdmin)
operations_site.register(Variant, VariantAdmin)
