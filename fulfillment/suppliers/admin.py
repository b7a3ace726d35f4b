"""Suppliers, what they offer and in which order they are asked, and our own stock of codes: for operators."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from catalog.models import Product, Variant
from fulfillment.suppliers.base import SupplierMisconfigured
from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
from fulfillment.suppliers.rates_admin import price_to_confirm
from fulfillment.suppliers.registry import ADAPTERS
from fulfillment.suppliers.services import (
    availability_refresh,
    offer_save,
    supplier_pause,
    supplier_restore,
    supplier_resume,
    supplier_save,
)
from fulfillment.suppliers.stock_room import stock_load
from kameng.admin.bases import ReadOnlyAdmin, ServiceAdmin, write_down
from kameng.admin.forms import SealedConfigField, ServiceForm, StaffForm
from kameng.admin.sites import Nav, operations_site
from kameng.core.encryption import Unreadable
from kameng.core.problems import Problem
from kameng.templatetags.staff import badge, when, yuan

GROUP = gettext_lazy("供应")
#: The adapter over our own shelf.
STOCK = "stock"
LARGEST_FILE = 2 * 1024 * 1024
LONGEST_CODE = 400


class SupplierForm(ServiceForm):
    """A connection; its secrets are JSON with the keys that the protocol needs."""

    adapter = forms.ChoiceField(
        label=gettext_lazy("接口"),
        choices=lambda: [(code, adapter.name) for code, adapter in sorted(ADAPTERS.items())],
        widget=UnfoldAdminSelectWidget(),
    )
    config = SealedConfigField(label=gettext_lazy("密钥"))

    class Meta:
        model = Supplier
        fields = ("code", "name", "base_url")


class SupplierAdmin(ServiceAdmin):
    """Whom we buy from."""

    form = SupplierForm
    nav = Nav(GROUP, gettext_lazy("供应商"), "local_shipping", 40)
    list_display = ("name_cell", "adapter", "state", "offers_count", "stored", "steps")
    search_fields = ("code", "name")
    fieldsets = (
        (None, {"fields": (("code", "adapter"), "name", "base_url")}),
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Supplier]:
        """With how much each offers."""
        found: QuerySet[Supplier] = super().get_queryset(request)
        return found.annotate(offered=Count("offers", filter=Q(offers__is_active=True)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What is sealed is bound to the code, and another protocol is another supplier."""
        return ("stored", "code", "adapter") if obj is not None else ("stored",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service, over what is stored."""
        typed = form.cleaned_data
        stored = Supplier.objects.get(pk=obj.pk).config if change else {}
        try:
            saved = supplier_save(
                code=obj.code,
                name=typed["name"],
                adapter=obj.adapter if change else typed["adapter"],
                base_url=typed["base_url"],
                config={**stored, **_as_texts(typed["config"])},
            )
        except SupplierMisconfigured as error:
            raise Problem(fields={"config": _("配置不完整：%(error)s") % {"error": error}}) from error
        obj.pk = saved.pk

    @display(description=gettext_lazy("供应商"), ordering="code")
    def name_cell(self, supplier: Supplier) -> SafeString:
        """Name and code."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>',
            supplier.name,
            supplier.code,
        )

    @display(description=gettext_lazy("状态"))
    def state(self, supplier: Supplier) -> SafeString:
        """Asked, paused by a person, or out because nothing can succeed there."""
        if supplier.eliminated_at is not None:
            return format_html(
                '<span class="k-cell">{}<span class="k-sub k-wrap">{} · {}</span></span>',
                badge("bad", _("自动停用")),
                supplier.eliminated_reason,
                when(supplier.eliminated_at),
            )
        return badge("ok", _("启用")) if supplier.is_active else badge("neutral", _("人工暂停"))

    @display(description=gettext_lazy("报价"))
    def offers_count(self, supplier: Any) -> SafeString:
        """How many offers are active, and which."""
        url = reverse("operations:suppliers_supplieroffer_changelist")
        return format_html(
            '<a class="k-link k-num" href="{}?supplier__id__exact={}">{}</a>', url, supplier.pk, supplier.offered
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


class OfferForm(ServiceForm):
    """An offer."""

    class Meta:
        model = SupplierOffer
        fields = ("supplier", "variant", "supplier_sku", "cost", "rank", "is_active")


class OfferAdmin(ServiceAdmin):
    """Who offers what at which cost, and who is asked first."""

    form = OfferForm
    nav = Nav(GROUP, gettext_lazy("渠道报价"), "swap_vert", 42)
    list_display = ("what", "supplier", "supplier_sku", "cost", "margin", "told", "rank", "is_active")
    list_editable = ("cost", "rank", "is_active")
    list_filter = ("supplier", "is_active", "variant__product__category")
    list_select_related = ("supplier", "variant__product")
    search_fields = ("supplier_sku", "variant__sku", "variant__name", "variant__product__name")
    search_help_text = gettext_lazy("商品、面额编码或对方编码")
    ordering = ("variant__product__position", "variant__product_id", "variant__position", "variant_id", "rank", "pk")
    autocomplete_fields = ("variant",)
    fields = ("variant", "supplier", "supplier_sku", ("cost", "rank"), "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Attempts name their offer: another variant or supplier is another offer."""
        return ("variant", "supplier") if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        offer_save(offer=obj)

    @display(description=gettext_lazy("面额"), ordering="variant__sku")
    def what(self, offer: SupplierOffer) -> SafeString:
        """What is offered."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>',
            str(offer.variant),
            offer.variant.sku,
        )

    @display(description=gettext_lazy("对供货价毛利"))
    def margin(self, offer: SupplierOffer) -> SafeString:
        """What the platform keeps of one piece when it buys here."""
        left = None if offer.cost is None else offer.variant.supply_price - offer.cost
        tone = "k-bad k-badge" if left is not None and left < 0 else "k-num"
        return format_html('<span class="{}">{}</span>', tone, yuan(left))

    @display(description=gettext_lazy("对方价目"))
    def told(self, offer: SupplierOffer) -> SafeString | str:
        """What the price list says: a price that a person has to confirm, or that it can't be bought."""
        if offer.proposed_price is not None:
            return price_to_confirm(offer)
        if not offer.is_listed:
            return badge("warn", _("已下架"))
        if offer.stock == 0:
            return badge("warn", _("缺货"))
        return "–" if offer.synced_at is None else when(offer.synced_at)


class StockForm(StaffForm):
    """Codes to put on the shelf: pasted or in a file, one a line."""

    variant = forms.ModelChoiceField(
        Variant.objects.filter(product__kind=Product.Kind.CODE, is_active=True).select_related("product"),
        label=gettext_lazy("面额"),
    )
    supplier = forms.ModelChoiceField(Supplier.objects.filter(adapter=STOCK), label=gettext_lazy("来源"))
    codes = forms.CharField(
        label=gettext_lazy("粘贴卡密"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("一行一个；以前见过的会自动跳过"),
    )
    file = forms.FileField(
        label=gettext_lazy("或选一个文本文件"), required=False, help_text=gettext_lazy("UTF-8，一行一个，最大 2 MB")
    )

    def clean_file(self) -> list[str]:
        """The file's lines."""
        uploaded: UploadedFile[Any] | None = self.cleaned_data["file"]
        if uploaded is None:
            return []
        if (uploaded.size or 0) > LARGEST_FILE:
            raise forms.ValidationError(_("文件太大，最大 2 MB"))
        try:
            text: str = uploaded.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(_("读不懂这个文件，请存成 UTF-8 文本")) from error
        return text.splitlines()

    def clean(self) -> dict[str, Any]:
        """At least one code, none that is too long to be one."""
        cleaned = super().clean() or {}
        codes = [*cleaned.get("codes", "").splitlines(), *cleaned.get("file", [])]
        codes = [code.strip() for code in codes if code.strip()]
        if not codes and not self.errors:
            raise forms.ValidationError(_("还没有粘贴卡密，也没有选文件"))
        if any(len(code) > LONGEST_CODE for code in codes):
            raise forms.ValidationError(_("有一行太长，不像卡密；请检查是不是一行一个"))
        return {**cleaned, "lines": codes}


@operations_site.page("stock/", name="stock", nav=Nav(GROUP, gettext_lazy("卡密库存"), "key", 44))
@require_http_methods(["GET", "HEAD", "POST"])
def stock(request: HttpRequest) -> HttpResponse:
    """How many codes lie on our own shelf, and a form that adds some. Codes themselves are never shown here."""
    form = StockForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        variant, supplier = form.cleaned_data["variant"], form.cleaned_data["supplier"]
        lines = form.cleaned_data["lines"]
        added = stock_load(supplier=supplier, variant=variant, codes=lines)
        availability_refresh(variant_ids=[variant.pk])
        counts = {"name": str(variant), "added": added, "left": len(lines) - added}
        write_down(request, variant, ADDITION, _("入库卡密 %(added)s 个，跳过 %(left)s 个") % counts)
        messages.success(request, _("%(name)s：入库 %(added)s 个，%(left)s 个以前见过，已跳过") % counts)
        return redirect("operations:stock")
    if form.is_bound:
        # What was typed are codes: they do not go back into a page, whatever was wrong.
        form.data = {**form.data.dict(), "codes": ""}  # type: ignore[attr-defined]
    kept = (
        StockCode.objects.filter(supplier__adapter=STOCK)
        .values("variant__sku", "variant__name", "variant__product__name", "supplier__name")
        .annotate(
            free=Count("pk", filter=Q(reference="")), taken=Count("pk", filter=~Q(reference="")), newest=Max("added_at")
        )
        .order_by("free", "variant__sku")
    )
    context = {"title": _("卡密库存"), "form": form, "kept": list(kept)}
    return operations_site.render(request, "staff/stock.html", context, status=422 if form.errors else 200)


class StockCodeAdmin(ReadOnlyAdmin):
    """Every code by its number: where it came from and which purchase took it, never what it says."""

    nav = Nav(GROUP, gettext_lazy("卡密流向"), "inventory_2", 46)
    heading = gettext_lazy("卡密流向")
    list_display = ("masked", "variant", "supplier", "state", "reference", "schema_name", "added", "taken")
    list_display_links = None
    list_filter = ("supplier",)
    list_select_related = ("variant__product", "supplier")
    search_fields = ("reference",)
    search_help_text = gettext_lazy("采购单号")
    ordering = ("-pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The list; a code has no page of its own."""
        return obj is None and bool(super().has_view_permission(request))

    @display(description=gettext_lazy("卡密"))
    def masked(self, code: StockCode) -> SafeString:
        """Its number, in place of the code."""
        return format_html('<span class="k-mono">#{} ••••</span>', code.pk)

    @display(description=gettext_lazy("状态"))
    def state(self, code: StockCode) -> SafeString:
        """Free, or somebody's."""
        return badge("neutral", _("已出库")) if code.reference else badge("ok", _("在库"))

    @display(description=gettext_lazy("入库"), ordering="added_at")
    def added(self, code: StockCode) -> SafeString | str:
        """When it came."""
        return when(code.added_at)

    @display(description=gettext_lazy("出库"), ordering="taken_at")
    def taken(self, code: StockCode) -> SafeString | str:
        """When it went."""
        return when(code.taken_at)


operations_site.register(Supplier, SupplierAdmin)
operations_site.register(SupplierOffer, OfferAdmin)
operations_site.register(StockCode, StockCodeAdmin)
