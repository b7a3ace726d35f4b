"""What an owner hands on: the shop's address, or one product's, as a link, a code to scan, a poster and a few words."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from catalog.listings.faces import product_faces
from catalog.listings.shelf import shelf
from kameng.admin.sites import Nav, shop_site
from kameng.core.qr import qr_drawn
from kameng.manage.look import SHOP_GROUP
from kameng.manage.poster import Poster, poster_svg
from resellers.context import shop_face
from resellers.links import shop_url
from resellers.models import Reseller

#: What a drawing may do where it is opened by itself: nothing.
_STILL = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def _told(request: HttpRequest) -> dict[str, Any]:
    """What is shared: the shop, or of what is on sale the product that was asked for. Raises `Http404`."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    face = shop_face(shop)
    # A shop that no host leads to is nowhere to be looked at, either.
    address = shop_url(shop) or request.build_absolute_uri("/")
    slug = request.GET.get("product", "")[:60]
    on_sale = shelf(shop)
    if slug and slug not in on_sale.by_slug:
        raise Http404
    chosen = product_faces(on_sale, [on_sale.by_slug[slug]])[0] if slug else None
    return {
        "shop": shop,
        "face": face,
        "product": chosen,
        "url": f"{address}p/{slug}/" if chosen else address,
        "products": product_faces(on_sale, list(on_sale.products)),
    }


def _words(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Texts to send along, each with where it suits. They say nothing that the shop's pages do not say."""
    name, tagline, url = told["face"].name, told["face"].tagline, told["url"]
    about = {"shop": name, "tagline": tagline, "url": url}
    if told["product"] is not None:
        about["product"] = told["product"].name
        return [
            (_("发给一个人"), _("%(product)s 在这里下单：%(url)s") % about),
            (_("朋友圈和群"), _("%(shop)s 有 %(product)s：选好面额就能付款，没到账自动退款。%(url)s") % about),
        ]
    first = _("%(shop)s：%(tagline)s %(url)s") if tagline else _("%(shop)s：%(url)s")
    return [
        (_("发给一个人"), first % about),
        (_("朋友圈和群"), _("%(shop)s：手机上选好、付款就能充，没到账自动退款。%(url)s") % about),
    ]


@shop_site.page("share/", name="share", nav=Nav(SHOP_GROUP, gettext_lazy("分享"), "qr_code_2", 43))
@require_safe
def share(request: HttpRequest) -> HttpResponse:
    """Everything to hand on, for the shop or for one product."""
    told = _told(request)
    context = {"title": _("分享"), **told, "words": _words(told), "is_open": told["shop"].is_open}
    return shop_site.render(request, "staff/share.html", context)


@shop_site.page("share/<str:picture>/", name="share_file")
@require_safe
def share_file(request: HttpRequest, picture: str) -> HttpResponse:
    """The code as a picture or a drawing, or the poster as a drawing."""
    told = _told(request)
    kind = picture.partition(".")[2]
    if picture in ("qr.png", "qr.svg"):
        drawn = qr_drawn(told["url"], kind=kind, scale=16 if kind == "png" else 8, border=4)
    elif picture == "poster.svg":
        drawn = poster_svg(_poster(told)).encode()
    else:
        raise Http404
    response = HttpResponse(drawn, content_type="image/png" if kind == "png" else "image/svg+xml")
    response["Content-Security-Policy"] = _STILL
    response["Cache-Control"] = "private, no-cache"
    if "save" in request.GET:
        about = told["product"].slug if told["product"] else "shop"
        response["Content-Disposition"] = f'attachment; filename="{told["shop"].slug}-{about}-{picture}"'
    return response


def _poster(told: dict[str, Any]) -> Poster:
    face, product = told["face"], told["product"]
    return Poster(
        url=told["url"],
        title=product.name if product else face.name,
        subtitle=(product.summary or face.tagline) if product else face.tagline,
        shop=face.name,
        hint=_("微信扫一扫，或长按识别"),
        color=told["shop"].brand_color,
    )
