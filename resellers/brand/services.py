"""Taking pictures of owners, and taking them away."""

import logging

from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core.pictures import Bounds, NotAPicture, Picture, rebuilt
from kameng.core.problems import Invalid
from resellers.brand.models import BrandPicture
from resellers.brand.names import name_of
from resellers.models import Reseller
from resellers.services import shop_touch

logger = logging.getLogger(__name__)

Use = BrandPicture.Use
MAX_BYTES = 2 * 1024 * 1024
KINDS = frozenset({"png", "jpeg", "webp"})
#: What is kept is sharp where pages show it, and never more than 200 KB, which a phone loads beside a page.
BOUNDS = {
    Use.LOGO: Bounds(MAX_BYTES, 16_000_000, KINDS, (384, 128)),
    Use.FAVICON: Bounds(MAX_BYTES, 16_000_000, KINDS, (192, 192)),
}
SMALLEST_SIDE, WIDEST = 16, 3
_MARKUP = (b"<svg", b"<?xml", b"<!doctype", b"<html")


@transaction.atomic
def brand_picture_save(*, shop_id: int, use: str, upload: bytes, actor: str) -> str:
    """Show a picture as the shop's logo or favicon; the name it goes by. Raises `Invalid`."""
    picture = _picture(Use(use), upload)
    name = name_of(picture)
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    BrandPicture.objects.update_or_create(
        shop=shop, use=use, defaults={"name": name, "data": picture.data, "created_by": actor[:80]}
    )
    _shown(shop, use, name)
    return name


@transaction.atomic
def brand_picture_remove(*, shop_id: int, use: str) -> None:
    """Show none."""
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    BrandPicture.objects.filter(shop=shop, use=use).delete()
    _shown(shop, use, "")


def _shown(shop: Reseller, use: str, name: str) -> None:
    Reseller.objects.filter(pk=shop.pk).update(**{f"{Use(use)}_picture": name})
    shop_touch(shop_id=shop.pk)


def _picture(use: BrandPicture.Use, upload: bytes) -> Picture:
    def refused(text: str) -> Invalid:
        return Invalid(fields={use.value: text})

    bounds = BOUNDS[use]
    if len(upload) > bounds.bytes:
        raise refused(_("文件太大了，最多 %(limit)s MB") % {"limit": bounds.megabytes})
    if upload[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        raise refused(_("不收 SVG 和网页：里面可能有脚本。请存成 PNG、JPEG 或 WebP 再上传"))
    try:
        picture = rebuilt(upload, bounds)
    except NotAPicture as error:
        logger.warning("a %s was refused: %s", use, error)
        text = _("这不是完整的 PNG、JPEG 或静态 WebP 图片，或者像素太多了（最多 %(limit)s 万）")
        raise refused(text % {"limit": bounds.pixels // 10_000}) from error
    short, long = sorted((picture.width, picture.height))
    if short < SMALLEST_SIDE:
        raise refused(_("图片太小了，每边至少 %(side)s 像素") % {"side": SMALLEST_SIDE})
    if use == Use.FAVICON and short != long:
        raise refused(_("网站图标要是正方形的"))
    if picture.height > picture.width or picture.width > WIDEST * picture.height:
        raise refused(_("标志要横的或正方形的，宽最多是高的 3 倍"))
    return picture
