"""The shop's colors and pictures."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from resellers.brand.models import BrandPicture
from resellers.brand.names import named
from resellers.context import theme_css


@require_safe
def theme(request: HttpRequest, version: str) -> HttpResponse:
    """The shop's stylesheet; its address changes with its content, so browsers may keep it."""
    shop = request.shop  # type: ignore[attr-defined]
    current, css = theme_css(shop.brand_color, shop.radius, shop.density)
    if version != current:
        raise Http404
    response = HttpResponse(css, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@require_safe
def brand_picture(request: HttpRequest, name: str) -> HttpResponse:
    """A picture of this shop, and nothing else: a browser that takes it for something other may do nothing with it."""
    known = named(name)
    if known is None:
        raise Http404
    rows = BrandPicture.objects.filter(shop=request.shop, name=name, state="shown")  # type: ignore[attr-defined]
    found = rows.values_list("data", flat=True).first()
    if found is None:
        raise Http404
    response = HttpResponse(bytes(found), content_type=f"image/{known.kind}")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
