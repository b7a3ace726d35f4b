"""Response headers that every page has, and messages for those pages that have any."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty

_SHOP_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
#: The admin's theme evaluates expressions in attributes and sets inline styles: it has a policy of its own.
_ADMIN_POLICY = _SHOP_POLICY + "; script-src 'self' 'unsafe-eval' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
_ADMIN_PATHS = ("/admin/", "/manage/")


def forms_may_lead_to(response: HttpResponse, url: str) -> None:
    """A form of this page of a shop is answered with a redirect to another site, which browsers else refuse
    (https://www.w3.org/TR/CSP3/#directive-form-action)."""
    parts = urlsplit(url)
    policy = response.headers.get("Content-Security-Policy", _SHOP_POLICY)
    response.headers["Content-Security-Policy"] = f"{policy} {parts.scheme}://{parts.netloc}"


class SecurityHeadersMiddleware:
    """Content-Security-Policy (https://www.w3.org/TR/CSP3/), stricter for shoppers than for the two admins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add what the view did not set itself."""
        response = self.get_response(request)
        policy = _ADMIN_POLICY if request.path.startswith(_ADMIN_PATHS) else _SHOP_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", "geolocation=(), camera=(), microphone=()")
        if settings.PRODUCTION:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


class LazyMessageMiddleware(MessageMiddleware):
    """Django's, for requests of which hardly any leave or read a message: the store is made for the first that does."""

    def process_request(self, request: HttpRequest) -> None:
        """Nothing is looked up yet."""
        request._messages = SimpleLazyObject(lambda: default_storage(request))  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """A store that nobody touched has nothing to keep."""
        if getattr(getattr(request, "_messages", None), "_wrapped", None) is empty:
            return response
        return super().process_response(request, response)
