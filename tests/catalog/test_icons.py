"""The drawings under `static/icons/`: all there, light, harmless, and no two alike."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from catalog import demo

ROOT = Path(__file__).parents[2]
ICONS = ROOT / "static" / "icons"
PICTURES = sorted(path for folder in ("products", "shops", "payments") for path in (ICONS / folder).glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {f"{SVG}{name}" for name in ("svg", "rect", "path", "circle")}
SPRITE = ElementTree.parse(ICONS / "sprite.svg").getroot()
SYMBOLS = {symbol.get("id") for symbol in SPRITE}


def test_every_demo_product_has_its_picture_and_every_shelf_its_symbol():
    catalogue = demo.load()
    drawn = {path.stem for path in (ICONS / "products").glob("*.svg")}
    assert {product.icon for product in catalogue.products} | {"generic"} == drawn
    assert {f"i-{category.icon}" for category in catalogue.categories} <= SYMBOLS


def test_every_symbol_that_a_template_names_is_in_the_sprite():
    named = {
        f"i-{name}"
        for template in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([a-z-]+)"', template.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert named - SYMBOLS == set()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_picture_is_small_and_made_of_plain_shapes(picture):
    assert picture.stat().st_size <= 1536
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    assert root.get("viewBox") == "0 0 96 96"
    assert {element.tag for element in root.iter()} <= SHAPES
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]


def test_no_two_pictures_are_the_same():
    texts = [path.read_text(encoding="utf-8") for path in PICTURES]
    assert len(set(texts)) == len(texts) > 90


def test_symbols_are_unique_and_leave_colour_and_stroke_to_their_user():
    assert len(SYMBOLS) == len(SPRITE)
    assert {symbol.get("viewBox") for symbol in SPRITE} == {"0 0 24 24"}
    assert not [element for element in SPRITE.iter() if element.get("fill") or element.get("stroke")]
