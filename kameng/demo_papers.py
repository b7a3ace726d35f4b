"""What the owner of one sub-site of the demo has to show: a paper that counts, one that waits to be held against its
scan, and a name that somebody should look at.
"""

import io
from datetime import date, timedelta

from django.utils import timezone
from django_tenants.utils import schema_context

from catalog.listings.services import listing_save
from catalog.models import Variant
from compliance.models import Kind, License
from compliance.papers import paper_hand_in
from compliance.scans.services import scan_add
from compliance.services import Terms, license_add
from resellers.models import Reseller

#: Days for which the paper that counts goes on doing so.
VALID_DAYS = 300
#: An owner's slip of the pen, which the screening takes for an imitation: off sale until somebody has looked, or until
#: the brand's own paper, which waits, is confirmed.
DOUBTFUL_SKU, DOUBTFUL_NAME = "iqiyi-gold-half", "爱奇意黄金会员半年卡"
_PAGE = (240, 340)


def papers_seed(shop: Reseller) -> None:
    """Once for a shop: what people did with it meanwhile stays."""
    if License.objects.filter(holder_kind=License.Holder.SELLER, holder=shop.slug).exists():
        return
    today = timezone.localdate()
    told = Terms(
        Kind.TELECOM, "DEMO-B2-0001", "演示发证机关", date(today.year - 1, 1, 1), today + timedelta(days=VALID_DAYS),
        note="演示数据",
    )  # fmt: skip
    counts = license_add(seller=shop.slug, terms=told, actor="system")
    scan_add(license_id=counts.pk, upload=_page(shade=235), actor="system")
    waits = Terms(
        Kind.BRAND, "DEMO-BRAND-0001", "爱奇艺（演示）", date(today.year, 1, 1), date(today.year + 1, 12, 31),
        brands=("iqiyi",), note="演示数据",
    )  # fmt: skip
    paper_hand_in(seller=shop.slug, terms=waits, uploads=[_page(shade=210)], by=f"staff:{shop.slug}/owner")
    variant_id = Variant.objects.get(sku=DOUBTFUL_SKU).pk
    with schema_context(shop.schema_name):
        listing_save(shop_id=shop.pk, variant_id=variant_id, price=None, name=DOUBTFUL_NAME, is_visible=True)


def _page(*, shade: int) -> bytes:
    """A gray page with a frame: what a scan of nothing looks like."""
    from PIL import Image

    page = Image.new("L", _PAGE, 0x60)
    page.paste(shade, (1, 1, _PAGE[0] - 1, _PAGE[1] - 1))
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()
