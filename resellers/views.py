"""The shop's colours."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from resellers.context import theme_css


@require_safe
def theme(request: HttpRequest, version: str) -> HttpResponse:
    """The shop's stylesheet; its address changes with its content, so browsers may keep it."""
    shop = request.shop  # type: ignore[attr-defined]
    current, css = theme_css(shop.brand_color, shop.radius)
    if version != current:
        raise Http404
    response = HttpResponse(css, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
