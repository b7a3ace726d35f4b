"""What each category requires of suppliers and of sellers: for operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from catalog.models import Category, Product, Variant
from compliance.gate.subjects import Standing
from compliance.models import Kind, License
from compliance.selectors import papers_of, papers_of_sellers, required_kinds
from compliance.services import requirements_set
from compliance.validity import lacking
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.models import SupplierOffer
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import StaffForm
from kameng.admin.sites import Nav, operations_site
from kameng.paper_faces import kinds_words
from resellers.models import Reseller

Holder = License.Holder
#: How many variants or shops a preview names.
NAMED = 12


class RequirementForm(StaffForm):
    """Which licenses a category requires, and of whom."""

    category = forms.CharField(widget=forms.HiddenInput)
    of = forms.ChoiceField(choices=Holder.choices, required=False, widget=forms.HiddenInput)
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("要求的证照"),
        required=False,
        choices=Kind.choices,
        widget=forms.CheckboxSelectMultiple,
    )


def _without_supplier(category: Category, kinds: list[str]) -> list[Variant]:
    """The variants of a category on sale now that nobody could supply if it required these kinds."""
    offers = list(
        SupplierOffer.objects.filter(
            Q(variant__product__category=category, variant__is_available=True),
            is_active=True, is_listed=True, supplier__is_active=True, supplier__eliminated_at=None, cost__isnull=False,
        ).exclude(stock=0).select_related("supplier", "variant__product__brand")
    )  # fmt: skip
    papers, today = papers_of({offer.supplier.code for offer in offers}), timezone.localdate()
    left: dict[int, Variant] = {}
    kept = set()
    for offer in offers:
        brand = offer.variant.product.brand
        where = {"category": category.slug, "brand": brand.slug if brand else ""}
        left[offer.variant_id] = offer.variant
        if not lacking(kinds, papers.get(offer.supplier.code, []), **where, on=today):
            kept.add(offer.variant_id)
    return [variant for pk, variant in left.items() if pk not in kept]


def _without_paper(category: Category, kinds: list[str]) -> list[str]:
    """The shops that could not sell all of a category any more if it required these kinds of sellers, by name."""
    brands = set(
        Product.objects.filter(category=category, owner=None, is_active=True, standing=Standing.CLEAR).values_list(
            "brand__slug", flat=True
        )
    )
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name()).filter(is_house=False)
    trading = list(shops.filter(Q(categories=[]) | Q(categories__contains=[category.slug])).order_by("pk"))
    papers, today = papers_of_sellers([shop.slug for shop in trading]), timezone.localdate()
    return [
        shop.name
        for shop in trading
        if any(
            lacking(kinds, papers.get(shop.slug, []), category=category.slug, brand=brand or "", on=today)
            for brand in brands
        )
    ]


@operations_site.page(
    "license-requirements/",
    name="license_requirements",
    nav=Nav(GROUP, gettext_lazy("证照要求"), "checklist", 43),
)
@require_http_methods(["GET", "HEAD", "POST"])
def requirements(request: HttpRequest) -> HttpResponse:
    """What each category requires; a POST shows what would leave sale, and saves once that was confirmed."""
    preview: dict[str, Any] | None = None
    if request.method == "POST":
        form = RequirementForm(request.POST)
        category = Category.objects.filter(slug=request.POST.get("category", "")).first()
        if category is None or not form.is_valid():
            raise Http404
        kinds = sorted(form.cleaned_data["kinds"])
        of = Holder(form.cleaned_data["of"] or Holder.SUPPLIER)
        is_seller = of == Holder.SELLER
        gone = _without_paper(category, kinds) if is_seller else _without_supplier(category, kinds)
        if not gone or request.POST.get("act") == "confirm":
            if requirements_set(category=category.slug, kinds=kinds, actor=actor_of(request), of=of):
                words = kinds_words(kinds) or _("不要求证照")
                write_down(request, category, CHANGE, _("对店主：%(words)s") % {"words": words} if is_seller else words)
            messages.success(request, _("%(name)s 的证照要求已保存") % {"name": category})
            return redirect("operations:license_requirements")
        preview = {"category": category, "kinds": kinds, "words": kinds_words(kinds), "gone": gone[:NAMED],
                   "count": len(gone), "of": of.value, "is_seller": is_seller}  # fmt: skip
    required = {of: required_kinds(of) for of in Holder}
    rows = [
        {"category": category, "sides": [_side(category, of, required[of].get(category.slug, [])) for of in Holder]}
        for category in Category.objects.all()
    ]
    context = {"title": _("证照要求"), "rows": rows, "preview": preview}
    return operations_site.render(request, "staff/license_requirements.html", context)


def _side(category: Category, of: License.Holder, kinds: list[str]) -> dict[str, Any]:
    """What a category requires of suppliers, or of sellers, with its form."""
    initial = {"category": category.slug, "of": of.value, "kinds": kinds}
    form = RequirementForm(initial=initial, auto_id=f"id_{category.slug}_{of.value}_%s")
    return {"of": of.label, "words": kinds_words(kinds), "form": form}
