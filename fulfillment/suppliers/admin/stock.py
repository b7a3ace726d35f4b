"""Our own stock of codes, and where every code went: for operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import ADDITION
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Product, Variant
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.owners import STOCK as OWNERS
from fulfillment.suppliers.stock_files import LONGEST_CODE, StockFileInvalid, file_lines
from fulfillment.suppliers.stock_room import stock_load
from kameng.admin.bases import ReadOnlyAdmin, write_down
from kameng.admin.forms import StaffForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when

#: The adapter over our own shelf.
STOCK = "stock"
LARGEST_FILE = 2 * 1024 * 1024


class StockForm(StaffForm):
    """Codes to put on the shelf: pasted or in a file, one a line."""

    variant = forms.ModelChoiceField(
        Variant.objects.filter(product__kind=Product.Kind.CODE, product__owner=None, is_active=True).select_related(
            "product"
        ),
        label=gettext_lazy("面额"),
    )
    supplier = forms.ModelChoiceField(
        Supplier.objects.filter(adapter=STOCK).exclude(code=OWNERS), label=gettext_lazy("来源")
    )
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
            return file_lines(uploaded.read(), name=uploaded.name or "")
        except StockFileInvalid as refused:
            raise forms.ValidationError(str(refused)) from refused

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
        StockCode.objects.filter(supplier__adapter=STOCK, variant__product__owner=None)
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


operations_site.register(StockCode, StockCodeAdmin)
