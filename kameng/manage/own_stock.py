"""An owner's own codes: putting them on the shelf, how far an import has come, and taking one back."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, DELETION
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Product, Variant
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import StockImport
from fulfillment.suppliers.own_goods import goods_of_owner
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.stock_files import LARGEST_FILE, StockFileInvalid, file_lines, text_lines
from fulfillment.suppliers.stock_imports import import_begin, import_undo, sold_of, stock_counts
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import SecretWidget, StaffForm, add_problem
from kameng.admin.sites import shop_site
from kameng.core.problems import Problem
from resellers.models import Reseller

LONGEST_PASTE, SHOWN_IMPORTS, SHOWN_SOLD, SHOWN_RANGES = 80_000, 20, 100, 200


class CodesForm(StaffForm):
    """Codes, pasted or in a file; they never come back into a page, whatever was wrong."""

    variant = forms.ModelChoiceField(Variant.objects.none(), label=gettext_lazy("面额"), empty_label=None)
    codes = forms.CharField(
        label=gettext_lazy("粘贴卡密"), required=False, max_length=LONGEST_PASTE, widget=SecretWidget({"rows": 6}),
        help_text=gettext_lazy("一行一个，「卡号 密码」写在同一行。几千个以上请用文件。"),
        error_messages={"max_length": gettext_lazy("太长了，请改用文件，一次最多 10 万行")},
    )  # fmt: skip
    file = forms.FileField(
        label=gettext_lazy("或者选一个文件"), required=False,
        widget=forms.FileInput({"accept": ".txt,.csv,text/plain,text/csv"}),
        help_text=gettext_lazy("txt 或 csv，一行一个，最多 10 万行、10 MB，UTF-8 或 GBK 都行"),
    )  # fmt: skip

    def __init__(self, *args: Any, product: Product, **options: Any) -> None:
        super().__init__(*args, **options)
        # A browser would cut off what is too long, and nobody would notice.
        self.fields["codes"].widget.attrs.pop("maxlength", None)
        choice: Any = self.fields["variant"]
        choice.queryset = product.variants.filter(is_active=True)
        choice.label_from_instance = lambda variant: variant.name

    def lines(self) -> tuple[list[str], str]:
        """The lines that were given, and what they came in. Raises `StockFileInvalid`."""
        uploaded, pasted = self.cleaned_data["file"], self.cleaned_data["codes"]
        if uploaded and pasted.strip():
            raise StockFileInvalid(_("粘贴和文件只能用一个"))
        if uploaded:
            # No more than one byte too many is read of what is too large.
            return file_lines(uploaded.read(LARGEST_FILE + 1), name=uploaded.name), uploaded.name
        return text_lines(pasted), _("粘贴")


@shop_site.page("own/<int:product_id>/codes/", name="own_codes")
@require_http_methods(["GET", "HEAD", "POST"])
def own_codes(request: HttpRequest, product_id: int) -> HttpResponse:
    """How many codes there are of each amount, the form that brings more, and what was imported before."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    product = goods_of_owner(shop).filter(pk=product_id, hand_minutes=None).first()
    if product is None:
        raise Http404
    is_post = request.method == "POST"
    form = CodesForm(request.POST if is_post else None, request.FILES if is_post else None, product=product)
    if form.is_valid():
        try:
            lines, source = form.lines()
            batch = import_begin(
                supplier=owners_stock(), variant=form.cleaned_data["variant"], schema_name=shop.schema_name,
                lines=lines, source=source, actor=actor_of(request),
            )  # fmt: skip
        except Problem as refused:
            add_problem(form, refused)
        else:
            told = {"count": len(lines), "source": source}
            write_down(request, product, ADDITION, _("导入卡密 %(count)s 行（%(source)s）") % told)
            return redirect("manage:own_import", import_id=batch.pk)
    variants = [one for one in product.variants.all() if one.is_active]
    free = stock_counts([one.pk for one in variants])
    context = {
        "title": _("%(name)s：库存") % {"name": product.name},
        "up_url": reverse("manage:own_goods"),
        "up_title": _("自有商品"),
        "product": product,
        "variants": [(one, free.get(one.pk, 0)) for one in variants],
        "form": form,
        "imports": _imports(shop).filter(variant__product=product)[:SHOWN_IMPORTS],
    }
    return shop_site.render(request, "staff/own_codes.html", context, status=422 if form.errors else 200)


def _imports(shop: Reseller) -> Any:
    return StockImport.objects.filter(schema_name=shop.schema_name).select_related("variant__product")


@shop_site.page("own/imports/<int:import_id>/", name="own_import")
@require_http_methods(["GET", "HEAD", "POST"])
def own_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """How far an import has come, which lines were left out and why; a POST takes it back."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    batch = _imports(shop).filter(pk=import_id).first()
    if batch is None:
        raise Http404
    if request.method == "POST":
        return _undone(request, shop, batch)
    context = {
        "title": _("导入 %(source)s") % {"source": batch.source},
        "up_url": reverse("manage:own_codes", args=[batch.variant.product_id]),
        "up_title": _("库存"),
        "batch": batch,
        "left_out": _left_out(batch),
        "sold": _sold(batch) if batch.finished_at else [],
        "most": SHOWN_SOLD,
    }
    return shop_site.render(request, "staff/own_import.html", context)


def _undone(request: HttpRequest, shop: Reseller, batch: StockImport) -> HttpResponse:
    if not request.POST.get("sure"):
        messages.error(request, _("请先勾选，再撤销"))
        return redirect("manage:own_import", import_id=batch.pk)
    try:
        undone = import_undo(import_id=batch.pk, schema_name=shop.schema_name, actor=actor_of(request))
    except Problem as refused:
        messages.error(request, str(refused))
    else:
        told = {"count": undone.withdrawn}
        write_down(request, batch.variant.product, DELETION, _("撤销导入，撤回卡密 %(count)s 个") % told)
        messages.success(request, _("已撤销：撤回没卖出的 %(count)s 个") % told)
    return redirect("manage:own_import", import_id=batch.pk)


def _left_out(batch: StockImport) -> list[dict[str, Any]]:
    kinds = (
        ("repeated", batch.repeated, _("文件里重复"), _("同一个卡密前面已经有了，只入库一次")),
        ("known", batch.known, _("以前有过"), _("这个卡密已经在平台的库存里，或者卖出过，不能再卖一次")),
        ("bad", batch.bad, _("不像卡密"), _("太短、太长、有看不见的字符，或者写的是「缺货」之类的话")),
    )
    return [
        {
            "word": word,
            "why": why,
            "count": count,
            "lines": ranges_words(batch.problems.get(kind, [])[:SHOWN_RANGES]),
            "is_cut": len(batch.problems.get(kind, [])) > SHOWN_RANGES,
        }
        for kind, count, word, why in kinds
        if count
    ]


def ranges_words(ranges: Sequence[Sequence[int]]) -> str:
    """Line numbers as people write them.

    >>> ranges_words([[3, 5], [9, 9]])
    '3–5、9'
    """
    return "、".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def _sold(batch: StockImport) -> list[dict[str, Any]]:
    """The orders that codes of an import went to."""
    found = SupplierOrder.objects.filter(reference__in=sold_of(batch)[:SHOWN_SOLD])
    return [
        {"order": buy.fulfillment.line.order, "quantity": buy.quantity, "at": buy.finished_at}
        for buy in found.select_related("fulfillment__line__order").order_by("pk")
    ]
