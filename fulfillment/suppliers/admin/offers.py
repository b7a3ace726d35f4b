"""Who offers what at which cost: for operators."""

from typing import Any

from django.contrib.admin import display
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.services import offer_save
from kameng.admin.bases import ServiceAdmin
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import yuan


class OfferForm(ServiceForm):
    """An offer."""

    class Meta:
        model = SupplierOffer
        fields = ("supplier", "variant", "supplier_sku", "cost", "rank", "is_active")


class OfferAdmin(ServiceAdmin):
    """Who offers what at which cost, and who is asked first."""

    form = OfferForm
    nav = Nav(GROUP, gettext_lazy("渠道报价"), "swap_vert", 42)
    list_display = ("what", "supplier", "supplier_sku", "cost", "margin", "rank", "is_active")
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


operations_site.register(SupplierOffer, OfferAdmin)
