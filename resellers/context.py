"""What every page knows of its shop."""

from typing import Any

from django.http import HttpRequest


def shop(request: HttpRequest) -> dict[str, Any]:
    """The shop whose host was asked for."""
    return {"shop": getattr(request, "shop", None)}
