"""What people write comes in requests: whatever is refused there is kept once no transaction of it is open any more."""

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse

from compliance.gate.refusals import refusals_kept
from kameng.admin.bases import actor_of


class RefusalsMiddleware:
    """Stands behind those that enter the shop and know who has signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Who it was is asked only where something was refused."""
        schema_name = connection.schema_name  # type: ignore[attr-defined]
        with refusals_kept(actor=lambda: actor_of(request), schema_name=schema_name):
            return self.get_response(request)
