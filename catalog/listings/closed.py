"""A shop that takes no orders, because its time is over or operators said so, shows one page instead of its goods.

Orders that were placed go on: their pages, the till, looking up, help and the owner's admin answer as ever. That no new
one is placed is not decided here, but by the database (`catalog.selectors.revisions`).
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from catalog.listings.views import page
from resellers.plans.standing import Standing, standing_of

GOODS = frozenset({"home", "categories", "category", "search", "product", "checkout", "apply"})
#: Gone for good, or away for now.
_STATUS = {Standing.CLOSED: 410, Standing.SUSPENDED: 503, Standing.EXPIRED: 503}


class ClosedShopMiddleware:
    """Looks only at pages that lead to a new order."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing on the way in; see `process_view`."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """The closed page where goods were asked for."""
        shop = getattr(request, "shop", None)
        found = request.resolver_match
        if shop is None or getattr(request, "urlconf", None) or found is None or found.url_name not in GOODS:
            return None
        standing = standing_of(shop)
        if standing is Standing.OPEN:
            return None
        closed = page(request, "shop/closed.html", {"standing": standing.value}, status=_STATUS[standing])
        # Django writes an error for whatever answers 503. Here nothing is wrong: a shop is as somebody meant it to be.
        closed._has_been_logged = True  # type: ignore[attr-defined]
        return closed
