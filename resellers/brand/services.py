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

Use, State = BrandPicture.Use, BrandPicture.State
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
def brand_picture_put(
    *, shop: Reseller, use: str, picture: Picture, actor: str, state: str, fingerprint: str = ""
) -> BrandPicture:
    """Keep a picture: shown at once (`SHOWN`), or not (`WAITING`). What waited, or was taken down, is gone. The shop's
    row is locked. Whoever calls has asked the gate."""
    rows = BrandPicture.objects.filter(shop=shop, use=use)
    rows.filter(state__in=(State.WAITING, State.TAKEN_DOWN)).delete()
    if state == State.SHOWN:
        _make_way(shop, use)
    row = BrandPicture.objects.create(
        shop=shop, use=use, name=name_of(picture), data=picture.data, created_by=actor[:80], state=state,
        fingerprint=fingerprint,
    )  # fmt: skip
    _show(shop, use)
    return row


@transaction.atomic
def brand_picture_move(*, row: BrandPicture, state: str) -> None:
    """Show a picture that is kept, or no longer. What was shown in its place is kept as the one before, or, where the
    one before is shown again, waits. The shop's row is locked."""
    if row.state == state:
        return
    others = BrandPicture.objects.filter(shop=row.shop, use=row.use).exclude(pk=row.pk)
    if state == State.SHOWN and row.state == State.BEFORE:
        others.filter(state__in=(State.WAITING, State.TAKEN_DOWN)).delete()
        others.filter(state=State.SHOWN).update(state=State.WAITING)
    elif state == State.SHOWN:
        _make_way(row.shop, row.use)
    else:
        gone = (state,) if state == State.BEFORE else (State.WAITING, State.TAKEN_DOWN)
        others.filter(state__in=gone).delete()
    row.state = state
    row.save(update_fields=["state"])
    _show(row.shop, row.use)


@transaction.atomic
def brand_picture_remove(*, shop: Reseller, use: str) -> None:
    """Show none, and keep none. The shop's row is locked."""
    BrandPicture.objects.filter(shop=shop, use=use).delete()
    _show(shop, use)


def _make_way(shop: Reseller, use: str) -> None:
    """What is shown becomes the one before."""
    rows = BrandPicture.objects.filter(shop=shop, use=use)
    if shown := rows.filter(state=State.SHOWN).first():
        rows.filter(state=State.BEFORE).delete()
        shown.state = State.BEFORE
        shown.save(update_fields=["state"])


def _show(shop: Reseller, use: str) -> None:
    """Pages name the picture that is shown."""
    shown = BrandPicture.objects.filter(shop=shop, use=use, state=State.SHOWN).values_list("name", flat=True).first()
    field = f"{Use(use)}_picture"
    if Reseller.objects.filter(pk=shop.pk).exclude(**{field: shown or ""}).update(**{field: shown or ""}):
        shop_touch(shop_id=shop.pk)


def picture_read(use: str, upload: bytes) -> Picture:
    """The picture in an upload, if it may be a logo or favicon by its kind and size. Raises `Invalid`."""
    return _picture(Use(use), upload)


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
