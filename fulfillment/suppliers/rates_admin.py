"""Rates of exchange, and prices that wait for a person: for operators."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from fulfillment.suppliers.models import ExchangeRate, SupplierOffer
from fulfillment.suppliers.prices import offer_price_confirm, plain
from fulfillment.suppliers.rates import exchange_rate_set
from kameng.admin.bases import ServiceAdmin, actor_of, write_down
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when

GROUP = gettext_lazy("供应")


class RateForm(ServiceForm):
    """What one unit costs; the moment is now, unless another one is named."""

    is_confirmed = forms.BooleanField(label=gettext_lazy("和上一条相差超过 10% 也是对的"), required=False)

    class Meta:
        model = ExchangeRate
        fields = ("currency", "yuan", "as_of", "source")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["as_of"].required = self.fields["source"].required = False
        self.fields["as_of"].help_text = _("留空就是现在")


class RateAdmin(ServiceAdmin):
    """Rates as they were entered: a wrong one is corrected by a newer one, never changed."""

    can_change = False
    form = RateForm
    nav = Nav(GROUP, gettext_lazy("汇率"), "currency_exchange", 47)
    list_display = ("currency", "yuan_cell", "as_of_cell", "source")
    list_display_links = None
    list_filter = ("currency",)
    ordering = ("-as_of",)
    fields = (("currency", "yuan"), "as_of", "source", "is_confirmed")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        typed = form.cleaned_data
        saved = exchange_rate_set(
            currency=typed["currency"],
            yuan=typed["yuan"],
            as_of=typed["as_of"],
            source=typed["source"] or actor_of(request),
            is_confirmed=typed["is_confirmed"],
        )
        obj.pk, obj.as_of = saved.pk, saved.as_of

    @display(description=gettext_lazy("折人民币"))
    def yuan_cell(self, rate: ExchangeRate) -> SafeString:
        """For one unit."""
        return format_html('<span class="k-num">{}</span>', f"{rate.yuan.normalize():f}")

    @display(description=gettext_lazy("时点"), ordering="as_of")
    def as_of_cell(self, rate: ExchangeRate) -> SafeString | str:
        """Since when it holds."""
        return when(rate.as_of)


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


operations_site.register(ExchangeRate, RateAdmin)
