"""The line below an account form that says whether goods can arrive there."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from catalog import accounts
from catalog.listings.shelf import shelf
from fulfillment.account_checks import account_check
from kameng.core.client import client_address
from orders.views import account_asked, is_same_origin


@csrf_exempt
@require_POST
@never_cache
def account_line(request: HttpRequest, slug: str) -> HttpResponse:
    """Nothing as long as the form is incomplete: a field that is wrong is named where the order is placed."""
    if not is_same_origin(request):
        return HttpResponseForbidden("cross-site form")
    product = shelf(request.shop).by_slug.get(slug)  # type: ignore[attr-defined]
    if product is None:
        raise Http404
    try:
        entries = accounts.clean(product.account_fields, account_asked(request))
    except accounts.AccountInvalid:
        return HttpResponse()
    if not entries:
        return HttpResponse()
    checked = account_check(
        variant_ids=[variant.id for variant in product.variants],
        account={entry["name"]: entry["value"] for entry in entries},
        address=client_address(request),
    )
    return render(request, "shop/_verify_line.html", {"check": checked})
