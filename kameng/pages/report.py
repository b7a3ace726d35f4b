"""Reporting a product: a short form for anybody, of which nothing reaches the shop's owner."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from catalog.listings.shelf import ShelfProduct, shelf
from catalog.listings.views import page
from compliance.reports.models import MAX_CONTACT, MAX_TEXT, Report
from compliance.reports.services import report_add
from kameng.core.client import client_address
from kameng.core.problems import Invalid
from kameng.core.throttle import allow
from resellers.context import in_english

#: So many reports from one address in so many seconds.
REPORTS, REPORT_SECONDS = 5, 3600


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def report(request: HttpRequest, slug: str) -> HttpResponse:
    """What is wrong with a product of this shop."""
    product = _product(request, slug)
    if request.method != "POST":
        return _form(request, product, {})
    # A little more than is taken is kept, so that whoever wrote too much sees that, and loses nothing that can be read.
    typed = {
        "kind": request.POST.get("kind", "")[:20],
        "text": request.POST.get("text", "")[: 10 * MAX_TEXT],
        "contact": request.POST.get("contact", "")[: 2 * MAX_CONTACT],
    }
    if seconds := allow("report", client_address(request), limit=REPORTS, seconds=REPORT_SECONDS):
        minutes = -(-seconds // 60)
        slow = {"": _("举报得太多了，%(minutes)s 分钟后再试") % {"minutes": minutes}}
        return _form(request, product, typed, slow, status=429)
    shop = request.shop  # type: ignore[attr-defined]
    try:
        report_add(schema_name=shop.schema_name, product=product.slug, product_name=product.name, **typed)
    except Invalid as invalid:
        return _form(request, product, typed, {name: str(text) for name, text in invalid.fields.items()}, status=422)
    response = redirect("report_thanks", slug=product.slug)
    response.status_code = 303
    return response


@require_safe
@never_cache
def report_thanks(request: HttpRequest, slug: str) -> HttpResponse:
    """It has arrived."""
    product = _product(request, slug)
    return page(request, "shop/report_thanks.html", {"product": product, "product_name": _name(product)})


def _product(request: HttpRequest, slug: str) -> ShelfProduct:
    found = shelf(request.shop).by_slug.get(slug)  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    return found


def _name(product: ShelfProduct) -> str:
    return (in_english() and product.name_en) or product.name


def _form(
    request: HttpRequest,
    product: ShelfProduct,
    typed: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    errors = errors or {}
    context: dict[str, Any] = {
        "product": product,
        "product_name": _name(product),
        "values": typed,
        "kinds": [
            {"value": value, "label": label, "chosen": value == typed.get("kind")}
            for value, label in Report.Kind.choices
        ],
        "errors": [{"field": name, "message": text} for name, text in errors.items()],
        "wrong": errors,
        "max_text": MAX_TEXT,
        "max_contact": MAX_CONTACT,
    }
    return page(request, "shop/report.html", context, status=status)
