"""What an owner's shop wears: pictures, colors, hours; and that nothing of it is ever markup."""

import io
import random
import re
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

from catalog.listings import pages_kept
from compliance.gate.pictures import shop_picture_save
from kameng.core.pictures import NotAPicture, rebuilt
from kameng.core.problems import Invalid, Problem
from resellers import hosts, theme
from resellers.brand.models import BrandPicture
from resellers.brand.services import BOUNDS, Use
from resellers.models import Reseller
from resellers.services import LOOK, shop_look_save
from tests.compliance.test_scans import SECRET, chunk, drawn, moving, opened, png
from tests.kameng.admin.test_shop_goods import LOOK as TYPED
from tests.staff import owner_of

LOGO = BOUNDS[Use.LOGO]


def noise(kind: str, size: tuple[int, int], **options: Any) -> bytes:
    """What packs worst: every pixel another one, translucent as well."""
    image = Image.frombytes("RGBA", size, random.Random(7).randbytes(4 * size[0] * size[1]))
    out = io.BytesIO()
    (image.convert("RGB") if kind == "JPEG" else image).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("data", [drawn("PNG"), drawn("JPEG", comment=SECRET), drawn("WEBP", xmp=SECRET) + SECRET])
def test_a_logo_stays_of_its_kind_and_nothing_else_of_the_file_is_kept(data: bytes) -> None:
    picture = rebuilt(data, LOGO)
    assert Image.open(io.BytesIO(data)).format == picture.kind.upper()
    assert opened(picture).size == (60, 20)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("JPEG", "RGB")])
def test_a_large_picture_is_shrunk_to_what_a_phone_loads_beside_a_page(kind: str, mode: str) -> None:
    for use, size in ((Use.LOGO, (384, 128)), (Use.FAVICON, (192, 192))):
        picture = rebuilt(noise(kind, (size[0] + 150, size[1] + 50 if use == Use.LOGO else size[1] + 150)), BOUNDS[use])
        image = opened(picture)
        assert (image.size, image.mode) == (size, mode)
        assert len(picture.data) < 200 * 1024


@pytest.mark.parametrize(
    "data",
    [moving("WEBP"), moving("PNG"), drawn("WEBP")[:-10], drawn("GIF"), png(width=5000, height=4000, rows=b""), b"RIFF"],
)
def test_other_pictures_are_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        rebuilt(data, LOGO)


@examples(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_of_strangers_are_a_picture_or_refused(data: bytes) -> None:
    for start in (
        b"RIFF\x30\0\0\0WEBP",
        b"RIFF\x30\0\0\0WEBPVP8L\x14\0\0\0\x2f",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
    ):
        try:
            rebuilt(start + data, LOGO)
        except NotAPicture:
            continue


@pytest.mark.parametrize(
    ("use", "data", "said"),
    [
        ("logo", b" <svg onload=alert(1)>", "不收 SVG"), ("logo", b"\xef\xbb\xbf<?xml?><svg/>", "不收 SVG"),
        ("logo", b"GIF89a" + b"\0" * 40, "不是完整"), ("logo", b"x" * (2 * 2**20 + 1), "最多 2 MB"),
        ("logo", png(width=8, height=8), "太小"), ("logo", png(width=80, height=20), "3 倍"),
        ("logo", png(width=16, height=40), "3 倍"), ("favicon", png(width=32, height=16), "正方形"),
        ("logo", png(width=5000, height=4000, rows=b""), "像素太多"),
        ("logo", moving("WEBP"), "静态"),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_is_refused_with_the_reason(shop: Reseller, use: str, data: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        shop_picture_save(shop_id=shop.pk, use=use, upload=data, actor="staff:owner")
    assert said in str(refused.value.fields[use])
    assert not BrandPicture.objects.exists()


def test_pictures_are_put_together_anew_and_shown_to_everybody(shop: Reseller, other_shop: Reseller) -> None:
    owner = owner_of(shop)
    sent = {
        **TYPED,
        "logo": SimpleUploadedFile("a.png", png(width=48, height=16, extra=chunk(b"tEXt", SECRET), after=SECRET)),
        "favicon": SimpleUploadedFile("b.jpg", drawn("JPEG", (32, 32), comment=SECRET) + SECRET),
    }
    assert owner.post("/manage/look/", sent).status_code == 302
    hosts.forget()
    page = owner.get("/help/").content.decode()
    logo, favicon = (
        Reseller.objects.values_list(f"{use}_picture", flat=True).get(pk=shop.pk) for use in ("logo", "favicon")
    )
    assert re.search(rf'<img src="/brand/{logo}"\s+alt="" width="96" height="32">', page)
    assert f'<link rel="icon" href="/brand/{favicon}" type="image/jpeg">' in page
    shown = Client(headers={"host": "one.test"}).get(f"/brand/{logo}")
    assert shown.content == rebuilt(png(width=48, height=16), LOGO).data
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "immutable" in shown["Cache-Control"]
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    for host, name in (("two.test", logo), ("one.test", "0" * 16 + "-48x16.png"), ("one.test", "x")):
        assert Client(headers={"host": host}).get(f"/brand/{name}").status_code == 404
    # One that is refused saves nothing of the rest.
    bad = {**TYPED, "name": "别的名字", "logo": SimpleUploadedFile("a.svg", b"<svg/>")}
    refused = owner.post("/manage/look/", bad)
    assert (refused.status_code, "不收 SVG" in refused.content.decode()) == (422, True)
    assert Reseller.objects.get(pk=shop.pk).name == TYPED["name"]
    owner.post("/manage/look/", {**TYPED, "logo_remove": "on"})
    hosts.forget()
    assert "brand-mark" in owner.get("/help/").content.decode()


def test_hours_density_and_scheme_are_worn_and_a_kept_page_knows_when_they_change(shop: Reseller) -> None:
    more = {"density": "compact", "theme_default": "dark", "work_opens": "09:00", "work_closes": "22:00",
            "saturday_opens": "09:00", "saturday_closes": "22:00",
            "sunday_opens": "09:00", "sunday_closes": "22:00"}  # fmt: skip
    owner = owner_of(shop)
    half = owner.post("/manage/look/", {**TYPED, **more, "sunday_closes": ""})
    assert "开始和结束都要填" in half.content.decode()
    assert owner.post("/manage/look/", {**TYPED, **more}).status_code == 302
    hosts.forget()
    pages_kept.forget()
    visitor = Client(headers={"host": "one.test"})
    with time_machine.travel("2026-11-30T21:59:00+08:00", tick=False) as clock:
        page = visitor.get("/help/").content.decode()
        assert "客服时间 09:00–22:00，现在有人" in page
        assert 'data-theme="dark"' in page
        css = visitor.get(re.findall(r'href="(/theme\.[^"]+)"', page)[0]).content.decode()
        assert "--s3:8px" in css
        asked = {"REQUEST_METHOD": "GET", "HTTP_HOST": "one.test", "PATH_INFO": "/help/"}
        assert pages_kept._current(asked) is not None
        clock.shift(60)
        hosts.forget()
        assert pages_kept._current(asked) is None
        assert "现在休息中" in visitor.get("/help/").content.decode()
    assert owner.post("/manage/look/", TYPED).status_code == 302
    kept = Reseller.objects.get(pk=shop.pk)
    assert (kept.density, kept.theme_default, kept.hours) == ("compact", "dark", "")


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}"), st.sampled_from(sorted(theme.RADII)))
@examples(max_examples=40)
def test_a_compact_theme_is_small_and_holds_numbers_only(color: str, radius: str) -> None:
    css = theme.stylesheet(theme.derive(color), radius=radius, density="compact")
    assert len(css) <= 1024
    assert all(re.fullmatch(r"#[0-9A-F]{6}|\d+px", value) for _, value in re.findall(r"(--[a-z0-9-]+):([^;}]+)", css))


def test_a_compact_shop_has_spaces_smaller_than_others() -> None:
    css = (Path(settings.BASE_DIR) / "static/css/shop.css").read_text()
    usual = [int(width) for width in re.findall(r"--s[3-8]: (\d+)px", css)]
    assert len(usual) == len(theme.COMPACT)
    assert all(width < wide for width, wide in zip(theme.COMPACT, usual, strict=True))
    assert [theme.derive(color).chosen for color in theme.PRESETS.values()] == list(theme.PRESETS.values())
    assert len(theme.PRESETS) == 7
    assert theme.derive("#D9480F").darkened == 2


def test_a_preview_shows_what_is_typed_and_saves_nothing(shop: Reseller) -> None:
    owner = owner_of(shop)
    before = Reseller.objects.values().get(pk=shop.pk)
    page = owner.post("/manage/look/", {**TYPED, "name": "春天卡盟", "act": "preview"}).content.decode()
    assert page.count("春天卡盟") >= 2
    assert "还没有保存" in page
    preset = owner.post("/manage/look/", {**TYPED, "preset": "#C2255C"}).content.decode()
    assert 'value="#C2255C"' in preset
    assert "background:#C2255C; color:#FFFFFF" in preset
    for typed in ({"brand_color": "red;}</style>", "radius": "x"}, {"brand_color": "#E8590C", "name": "<b>"}):
        answer = owner.post("/manage/look/preview/", typed)
        assert answer.status_code == 200
        assert "<b>" not in re.sub(r'<b class="k-wrap">', "", answer.content.decode())
        assert "</style>" not in answer.content.decode()
    assert Reseller.objects.values().get(pk=shop.pk) == before


HOSTILE = (
    "<script>{0}</script>", "<img src=x onerror={0}>", '"><svg onload={0}>', "'><a href=javascript:{0}>",
    "</title><script>{0}</script>", "<style>*{{display:none}}</style>", "{{{{ shop.pk }}}}", "{{% debug %}}",
    "{{{{ 7|add:7 }}}}", "javascript:{0}", "data:text/html,{0}", "</footer></body>{0}<h1>",
    "<iframe srcdoc={0}>", "<!--{0}", "-->{0}", "]]>{0}", "<base href=//{0}>", "<link rel=x href={0}>",
    "<meta http-equiv=refresh content={0}>", '" onfocus={0} autofocus x="', "' onmouseover='{0}",
    "`onclick={0}`", "<math><mi//xlink:href={0}>", "<form action=//{0}>", "<details open ontoggle={0}>",
    "&lt;script&gt;{0}", "&#60;script&#62;{0}", "<ScRiPt>{0}", "＜script＞{0}", "%3Cscript%3E{0}",
    "<template>{0}", "\u202e<b>{0}",
)  # fmt: skip
_TEXTS = ("name", "name_en", "tagline", "tagline_en", "announcement", "announcement_en", "support", "company")


def test_nothing_that_an_owner_types_is_markup(shop: Reseller) -> None:
    """Every field at once, below the gate: pages must hold whatever it lets through."""
    assert {name for name in LOOK if name in _TEXTS} == set(_TEXTS)
    visitor = Client(headers={"host": "one.test"})
    plain = _tags(visitor.get("/help/").content.decode())
    for hostile in HOSTILE:
        said = hostile.format("zq")
        shop_look_save(shop_id=shop.pk, **dict.fromkeys(_TEXTS, said[:40]))
        hosts.forget()
        page = visitor.get("/help/").content.decode()
        # The same elements and attributes as ever, but for the announcement's own and what names a company.
        assert set(_tags(page)) - set(plain) <= {
            ("aside", "aria-label,class"),
            ("span", "lang"),
            ("p", "class,data-testid"),
        }
        assert "zq" in page or "zq" not in said
    for name, value in {
        "brand_color": "#000000;}*{}", "radius": "8px;}", "density": "x;", "theme_default": "dark onload=",
        "hours": "<b>,,,,,,",
        "credit_code": "<script>", "icp": "<script>", "license_url": "javascript:alert(1)",
    }.items():  # fmt: skip
        with pytest.raises(Problem):
            shop_look_save(shop_id=shop.pk, **{name: value})


def _tags(page: str) -> list[tuple[str, str]]:
    """Each element with the names of its attributes, as a browser would read them."""
    from html.parser import HTMLParser

    found: list[tuple[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, ",".join(sorted(name for name, _ in attrs))))

    Reader().feed(page)
    return found
