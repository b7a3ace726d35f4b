"""A brand of the demo's own with a reference picture, and a shop whose new icon looks like it: a case to decide about.

Both are drawings of ours: nobody's mark.
"""

import io
from typing import TYPE_CHECKING

from catalog.models import Brand
from compliance.gate.pictures import shop_picture_save
from compliance.marks import mark_add
from compliance.models import Mark
from compliance.screening.drawn_logos import logo, variants
from resellers.models import Reseller

if TYPE_CHECKING:
    from PIL.Image import Image

BRAND, NAME, NAME_EN = "xinghe-demo", "星河（演示）", "Xinghe (demo)"
#: Which drawing it is.
_DRAWING = 107


def pictures_seed(shop: Reseller) -> None:
    """Once: what people did with it meanwhile stays."""
    if Mark.objects.filter(brand=BRAND).exists():
        return
    brand, _is_new = Brand.objects.get_or_create(slug=BRAND, defaults={"name": NAME, "name_en": NAME_EN})
    drawing = logo(_DRAWING)
    mark_add(brand=brand.slug, name=brand.name, upload=_png(drawing), actor="system")
    changed = variants(drawing)["recolored"]
    shop_picture_save(shop_id=shop.pk, use="favicon", upload=_png(changed), actor=f"staff:{shop.slug}/owner")


def _png(image: "Image") -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
