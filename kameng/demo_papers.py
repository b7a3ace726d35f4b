"""What the owner of one sub-site of the demo has to show: a paper that counts, one that waits to be held against its
scan, and a name that somebody should look at.
"""

import struct
import zlib
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
    """A gray page with a frame, as a PNG: what a scan of nothing looks like."""
    width, height = _PAGE
    edge, inside = b"\0" + b"\x60" * width, b"\0\x60" + bytes([shade]) * (width - 2) + b"\x60"
    rows = edge + inside * (height - 2) + edge
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in (*chunks, (b"IEND", b"")))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
