"""Scans of licenses: only the picture of a file is kept, sealed, and nobody looks without that being written down."""

import base64
import io
import resource
import struct
import time
import zlib
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import ExifTags, Image

from compliance.models import Kind, License
from compliance.scans.models import Scan
from compliance.services import Terms, license_add
from compliance.trail.models import AuditEntry
from kameng.core.pictures import PAPER, NotAPicture, Picture, scanned
from resellers.models import Reseller
from tests.staff import operator, owner_of

SECRET = b"PK\x03\x04 hidden <script>alert(1)</script>"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    *, width: int = 3, height: int = 2, color: int = 2, depth: int = 8, interlaced: int = 0,
    rows: bytes | None = None, extra: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    """A small picture, with whatever else is asked for."""
    stride = 1 + -(-width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] // 8)
    rows = rows if rows is not None else (b"\0" + b"\x7f" * (stride - 1)) * height
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    palette = chunk(b"PLTE", b"\1\2\3") if color == 3 else b""
    body = chunk(b"IHDR", head) + extra + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body + after


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


#: One gray block, by a quantization and two Huffman tables with one code each.
TABLES = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\x00\1" + b"\0" * 15 + b"\0\x10\1" + b"\0" * 15 + b"\0")
FRAME = segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0")
SCAN = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x3f\xff\x00\x3f"


def jpeg(*, before: bytes = b"", frame: bytes = FRAME, scan: bytes = SCAN, after: bytes = b"") -> bytes:
    return b"\xff\xd8" + before + TABLES + frame + scan + b"\xff\xd9" + after


def drawn(kind: str, size: tuple[int, int] = (60, 20), mode: str = "RGB", **options: Any) -> bytes:
    """A picture as other software writes it: its left half is white and its right half black."""
    image = Image.new(mode, size)
    image.paste({"RGB": (255, 255, 255), "CMYK": (0, 0, 0, 0)}.get(mode, 255), (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def located(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.ImageDescription] = "hidden where it was taken"
    return exif


def moving(kind: str) -> bytes:
    return drawn(kind, save_all=True, append_images=[Image.new("RGB", (60, 20), (9, 9, 9))], duration=100)


def opened(picture: Picture) -> Image.Image:
    """As whoever looks at it sees it; it is all that there is."""
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    assert (image.size, image.format) == ((picture.width, picture.height), picture.kind.upper())
    assert not image.getexif()
    # What Pillow says of every JPEG and every WebP, and neither a profile nor a comment.
    webp = {"loop", "background", "duration", "timestamp"}
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", *webp}
    assert b"hidden" not in picture.data
    return image


@pytest.mark.parametrize(
    "data",
    [
        png(extra=chunk(b"tEXt", SECRET) + chunk(b"eXIf", SECRET), after=SECRET),
        png(extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(SECRET))),
        png(color=3, depth=2), png(color=6, depth=16), png(color=0, depth=16), png(color=0, depth=1, width=9),
        png(interlaced=1, width=1, height=1), png(rows=b"\0" + b"\x7f" * 9 + b"\0" + b"\x7f" * 9 + SECRET),
        jpeg(before=segment(0xE1, b"Exif\0\0" + SECRET) + segment(0xFE, SECRET), after=SECRET),
        drawn("JPEG", exif=located(), comment=SECRET, icc_profile=SECRET) + SECRET,
        drawn("JPEG", progressive=True), drawn("JPEG", mode="CMYK"), drawn("JPEG", mode="L"),
        drawn("MPO", save_all=True, append_images=[Image.new("RGB", (60, 20))]),
        drawn("WEBP", exif=located(), icc_profile=SECRET, xmp=SECRET) + SECRET, drawn("WEBP", lossless=True),
        drawn("PNG", mode="LA"), drawn("PNG", mode="P", transparency=0),
    ],
)  # fmt: skip
def test_the_picture_is_kept_and_nothing_else_of_the_file(data: bytes) -> None:
    picture = scanned(data)
    assert opened(picture).mode in ("L", "RGB")
    assert picture.data.startswith(b"\xff\xd8\xff")
    assert picture.data.endswith(b"\xff\xd9")


@pytest.mark.parametrize(("orientation", "black"), [(1, (45, 10)), (3, (15, 10)), (6, (10, 45)), (8, (10, 15))])
def test_a_photo_stands_upright(orientation: int, black: tuple[int, int]) -> None:
    image = opened(scanned(drawn("JPEG", exif=located(orientation)))).convert("L")
    assert image.size == ((60, 20) if orientation < 5 else (20, 60))
    assert int(image.getpixel(black)) < 40  # type: ignore[arg-type]


def test_a_large_photo_is_shrunk_and_what_is_translucent_lies_on_white() -> None:
    photo = scanned(drawn("JPEG", (4_100, 3_000)))
    assert (photo.width, photo.height) == (2_000, 1_463)
    assert opened(scanned(drawn("PNG", mode="RGBA", size=(4, 4)))).getpixel((3, 3)) == (255, 255, 255)
    deep = opened(scanned(png(color=0, depth=16)))
    assert 0x7D <= int(deep.getpixel((1, 1))) <= 0x81  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x" * 100, SECRET, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"\0" * 40,
        drawn("GIF"), drawn("TIFF"), drawn("BMP"), drawn("PPM"), drawn("ICO", (16, 16)), moving("WEBP"), moving("PNG"),
        png()[:-20], png().replace(b"IDAT", b"IDAX", 1), png(rows=b"\0" * 5), png(rows=b"\5" + b"\0" * 19),
        png(rows=b"\0" + b"\x7f" * 9 + b"\5" + b"\0" * 9), png()[:45] + b"\xff" + png()[46:],
        png(width=30_000, rows=b""), png(width=8000, height=8000, rows=b""), png(width=2**31 - 1, rows=b""),
        png(width=0, rows=b""), png(color=2, depth=4, rows=b""), png(interlaced=2),
        png(width=8000, height=3200, color=6, depth=16, rows=b""),
        png(extra=chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 2**23))),
        jpeg()[:-2], jpeg(frame=b""), jpeg(frame=FRAME + FRAME), jpeg(scan=b""), b"\xff\xd8\xff" + SECRET,
        drawn("JPEG")[:-40], drawn("WEBP")[:-10], drawn("WEBP", lossless=True)[:-10],
        jpeg(frame=segment(0xC0, struct.pack(">BHHB", 8, 9000, 9000, 1) + b"\1\x11\0")),
        jpeg(frame=segment(0xC3, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0")),
        jpeg(frame=segment(0xC0, b"\x08")), b"\xff\xd8" + b"\xff" * 50,
    ],
)  # fmt: skip
def test_what_is_no_picture_or_too_large_a_one_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        scanned(data)


def test_a_small_file_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    """What goes on behind the rows that the head promises is never looked at; more than that is never promised."""
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(b"\0" * 2**20) for _ in range(64)) + bomb.flush()
    data = png(width=4, height=4)
    head = data[: data.index(b"IDAT") - 4]
    began, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    picture = scanned(head + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    assert (opened(picture).size, len(picture.data) < 2_000) == ((4, 4), True)
    assert time.process_time() - began < 0.1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 20 * 1024
    with pytest.raises(NotAPicture, match="bytes"):
        scanned(png() + b"\0" * PAPER.bytes)


@given(st.data())
@examples(max_examples=80, deadline=None)
def test_a_picture_that_was_tampered_with_is_one_or_refused(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([drawn("PNG"), drawn("JPEG", exif=located(6)), drawn("WEBP"), png(), jpeg()]))
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + data.draw(st.binary(max_size=8)) + good[place + data.draw(st.integers(0, 8)) :]
    try:
        opened(scanned(bad))
    except NotAPicture:
        return


@pytest.fixture
def paper(db: None) -> License:
    terms = Terms(kind=Kind.BUSINESS, number="91350100M000100Y43", issuer="某局", valid_from=date(2026, 1, 1))
    return license_add(supplier="xinghe", terms=terms, actor="staff:li")


def upload(client: Any, paper: License, data: bytes) -> str:
    sent = client.post(f"/admin/licenses/{paper.pk}/scans/", {"file": SimpleUploadedFile("a.png", data)})
    assert sent["Location"] == f"/admin/licenses/?renew={paper.pk}#license-scans"
    return str(client.get(sent["Location"]).content.decode())


def test_operators_add_and_look_and_each_look_is_written_down_first(paper: License, shop: Reseller) -> None:
    client = operator()
    said = upload(client, paper, png(extra=chunk(b"tEXt", SECRET)))
    upload(client, paper, png(after=SECRET))  # the same picture
    scan = Scan.objects.get()
    address = f"/admin/license-scans/{scan.pk}/"
    assert f'href="{address}"' in said
    assert base64.b64encode(scan.data).decode() not in scan.sealed
    shown = client.get(address)
    assert shown.content == scanned(png()).data
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in shown["Cache-Control"]
    seen = AuditEntry.objects.filter(action="license.scan_seen").values_list("actor", "subject", "data__scan")
    assert list(seen) == [("staff:operator", f"license:{paper.pk}", scan.pk)]
    assert AuditEntry.objects.filter(action="license.scan_added").count() == 1
    assert owner_of(shop).get(address).status_code == 404
    assert client.get("/admin/license-scans/0/").status_code == 404
    assert AuditEntry.objects.filter(action="license.scan_seen").count() == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7 ...", "不收 PDF"), (b"  <svg onload=alert(1)>", "不收 SVG"), (b"MZ", "不是完整的"),
        (b"\0" * (15 * 2**20 + 1), "太大"), (moving("WEBP"), "静态"), (png(width=8000, height=8000), "像素太多"),
    ],
    ids=["pdf", "svg", "exe", "large", "moving", "bomb"],
)  # fmt: skip
def test_other_files_are_refused_in_words(paper: License, data: bytes, said: str) -> None:
    assert said in upload(operator(), paper, data)
    assert not Scan.objects.exists()
