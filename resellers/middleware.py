"""Enter the shop whose host was asked for, and leave it afterwards."""

from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django_tenants.utils import get_public_schema_name

from resellers.hosts import shop_of

#: Where an order is looked at, or goes on.
_OF_ORDERS = ("/api/v1/orders/", "/checkout/", "/pay/", "/o/")


class ShopMiddleware:
    """Sets `request.shop` and the schema.

    An unknown host gets a plain 404 that tells nothing of the shops there are.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Health checks answer on any host, since a load balancer asks by address."""
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        if request.path in ("/healthz", "/readyz"):
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return self.get_response(request)
        shop = shop_of(request.META.get("HTTP_HOST", ""))
        if shop is None:
            return HttpResponseNotFound("Not found\n", content_type="text/plain")
        request.shop = shop  # type: ignore[attr-defined]
        request.tenant = shop  # type: ignore[attr-defined]
        if shop.schema_name == get_public_schema_name():
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
        is_order = request.method == "POST" or request.path.startswith(_OF_ORDERS)
        connection.move(shop, order=is_order)  # type: ignore[attr-defined]
        try:
            return self.get_response(request)
        finally:
            connection.set_schema_to_public()  # type: ignore[attr-defined]
