"""Who offers what at which cost, and prices that wait for a yes: for operators."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.prices import offer_price_confirm, plain
from fulfillment.suppliers.services import offer_save
from kameng.admin.bases import ServiceAdmin, write_down
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when, yuan


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

    def get_queryset(self, request: HttpRequest) -> QuerySet[SupplierOffer]:
        """Of the platform's goods; owners' follow from their own."""
        found: QuerySet[SupplierOffer] = super().get_queryset(request)
        return found.filter(variant__product__owner=None)

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


def price_to_confirm(offer: SupplierOffer) -> SafeString:
    """A held price with its button. The list is one form, and the button names its own address and value."""
    return format_html(
        '<span class="k-cell">{}<button type="submit" class="k-btn k-small" name="price" value="{}" formaction="{}"'
        ' formnovalidate data-confirm="{}">{}</button></span>',
        badge("warn", _("报价变了太多，已停用")),
        offer.proposed_price,
        reverse("operations:offer_price_confirm", args=[offer.pk]),
        _("和对方核对过，新报价没有错吗？确认后按新报价采购。"),
        _("确认 %(price)s") % {"price": plain(offer.proposed_price)},
    )


@operations_site.page("offers/<int:offer_id>/confirm/", name="offer_price_confirm")
@require_POST
def offer_confirm(request: HttpRequest, offer_id: int) -> HttpResponse:
    """A held price is right: `price` names the one that was looked at."""
    offer = SupplierOffer.objects.filter(pk=offer_id).first()
    if offer is None:
        raise Http404
    try:
        price = Decimal(request.POST.get("price", "")[:20])
    except InvalidOperation as error:
        raise Http404 from error
    if price.is_finite() and offer_price_confirm(offer_id=offer_id, price=price):
        write_down(request, offer, CHANGE, _("确认报价 %(price)s") % {"price": price})
        messages.success(request, _("%(offer)s：新报价已确认") % {"offer": offer})
    else:
        messages.warning(request, _("%(offer)s：待确认的报价已经变了，请再看一遍") % {"offer": offer})
    return redirect("operations:suppliers_supplieroffer_changelist")


operations_site.register(SupplierOffer, OfferAdmin)
