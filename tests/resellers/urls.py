"""One address that tells where a request arrived and as whom."""

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path


def whoami(request: HttpRequest) -> JsonResponse:
    """The schema by our word and by the database's, the user, and what the session remembers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        database = cursor.fetchone()[0]
    return JsonResponse(
        {
            "schema": connection.schema_name,  # type: ignore[attr-defined]
            "database": database,
            "user": request.user.get_username(),
            "note": request.session.get("note", ""),
        }
    )


def break_down(request: HttpRequest) -> JsonResponse:
    """Fails inside the shop."""
    raise ZeroDivisionError


urlpatterns = [path("whoami/", whoami), path("broken/", break_down)]
