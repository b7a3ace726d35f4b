"""Pictures that look like the logo of a protected brand, though size, colors and ground may be others. Pure.

A picture is told apart from its ground: how far each pixel's color is from the color at the edge. So neither the color
of a logo, nor of what it stands on, nor inverting both, nor a transparent ground makes another picture of it. What is
left is cut to what was drawn, so that neither size nor margin does, and kept as two maps of 16 × 16: what is drawn, and
where colors meet. A plate behind a logo is looked at with it and without it. What says too little, as a letter or one
color does, is like a thousand others and is never compared. Pillow is loaded with the first picture.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

#: What the rule is called, before the code of the brand: one brand is one reason.
LOGO_ALIKE = "logo-alike:"
SIDE = 16
#: How like shapes have to be, 0 to 1: of other colors, and of the same.
ALIKE, ALIKE_IN_COLOR = 0.78, 0.75
#: Colors are the same from this share in common on.
SAME_COLORS = 0.7
#: Written before what is kept of a picture; another way of looking has another one.
VERSION = 1

_DRAWN_SIDE, _FINE, _MARGIN = 192, 48, 2
#: How far from the ground a pixel is, of 255, that is drawn; a JPEG's noise is less.
_APART = 40
_MOST_VIEWS = 6
#: Parts of a box that are drawn: from the first on there may be a plate behind the logo, from the second on there is
#: nothing else, and all plates are alike.
_MAYBE_PLATE, _PLATE = 0.7, 0.8
#: What is drawn from edge to edge may be the corners around a plate that was cut.
_WHOLE = 0.97
#: Separate parts and holes of one color that a letter may have; and that one on a plate may, which is no reference.
_LETTER, _PLAIN = 2, 4
_SMALLEST_PART = 5
_HUES, _GRAY_BELOW = 12, 60
_INK = 0.08
#: Levels of gray that are one ink, and the share that is no mere blend at an edge.
_GRAYS, _GRAY_INK = 20, 0.09
#: Widths against heights that are still the same logo, one against the other.
_STRETCH = 1.35
_LEVELS = 16
#: Without moving one over the other, shapes that are less like each other are not looked at any closer.
_WORTH = 0.35
_SHIFTS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking at a picture. `drawn` and `edges` have a letter from a to p for each of 16 × 16 places."""

    drawn: str
    edges: str
    #: Width by height of what is drawn.
    aspect: float
    #: Whether it may be the reference of a brand, and not only be held against one.
    is_telling: bool = True


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a picture to find its like: no views where it says too little. `colors` add up to 1."""

    views: tuple[View, ...]
    colors: tuple[float, ...]

    @property
    def is_plain(self) -> bool:
        """Whether nothing can be known by it: it says too little to be a reference."""
        return not any(view.is_telling for view in self.views)

    def written(self) -> str:
        """As a line of text."""
        views = [[view.drawn, view.edges, view.aspect, view.is_telling] for view in self.views]
        return json.dumps([VERSION, views, self.colors], separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Alike:
    """A picture is like the reference of a brand: `shape` and `colors` from 0 to 1."""

    brand: str
    name: str
    reference: int
    shape: float
    colors: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of a protected brand: the brand's code and name, and the key of the picture."""

    brand: str
    name: str
    key: int
    fingerprint: Fingerprint


def read(text: str) -> Fingerprint | None:
    """A fingerprint from its line; None where it was taken in another way, or never."""
    try:
        version, views, colors = json.loads(text)
    except ValueError:
        return None
    if version != VERSION:
        return None
    return Fingerprint(tuple(View(*view) for view in views), tuple(colors))


def fingerprint(data: bytes) -> Fingerprint:
    """Of a picture that was put together by us."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return taken(image)


def taken(image: Image) -> Fingerprint:
    """Of pixels."""
    from PIL import Image

    if not image.has_transparency_data:
        pages = [image.convert("RGB")]
    else:
        clear = image.convert("RGBA")
        pages = [Image.new("RGB", clear.size, ground) for ground in ("white", "black")]
        for page in pages:
            page.paste(clear, mask=clear.getchannel("A"))
    views: list[View] = []
    colors: tuple[float, ...] = ()
    for page in pages:
        page.thumbnail((_DRAWN_SIDE, _DRAWN_SIDE), Image.Resampling.BOX)
        found, seen = _views(page)
        views += [view for view in found if view not in views]
        colors = colors or seen
    return Fingerprint(tuple(views[:_MOST_VIEWS]), colors)


def likeness(one: Fingerprint, reference: Fingerprint) -> tuple[float, float]:
    """How like a reference a picture is, 0 to 1: its shape, and its colors."""
    telling = [view for view in reference.views if view.is_telling]
    shape = max((_shape(first, second) for first in one.views for second in telling), default=0.0)
    return shape, sum(map(min, one.colors, reference.colors))


def alike(picture: Fingerprint, references: Iterable[Reference]) -> list[Alike]:
    """The brands that a picture looks like, each once by the reference that is nearest, the likest first."""
    found: dict[str, Alike] = {}
    for reference in references:
        shape, colors = likeness(picture, reference.fingerprint)
        if shape < (ALIKE_IN_COLOR if colors >= SAME_COLORS else ALIKE):
            continue
        known = found.get(reference.brand)
        if known is None or shape > known.shape:
            found[reference.brand] = Alike(
                reference.brand, reference.name, reference.key, round(shape, 2), round(colors, 2)
            )
    return sorted(found.values(), key=lambda one: -one.shape)


def _views(page: Image) -> tuple[list[View], tuple[float, ...]]:
    """Of a picture on its ground, as it is and, where a plate is behind it, without the plate; and its colors."""
    views: list[View] = []
    colors: tuple[float, ...] = ()
    for _time in range(4):
        apart = _from_ground(page)
        mask = apart.point(lambda level: 255 if level >= _APART else 0)
        box = mask.getbbox()
        if box is None or min(box[2] - box[0], box[3] - box[1]) < _SMALLEST_PART:
            break
        cut, mask = page.crop(box), mask.crop(box)
        colors = colors or _colors(cut, mask)
        filled = mask.histogram()[255] / (mask.width * mask.height)
        parts = None if _inks(cut, mask) > 1 else _parts(mask)
        if filled < _PLATE and (parts is None or parts > _LETTER):
            views.append(_view(cut, apart.crop(box), is_telling=parts is None or parts > _PLAIN))
        is_whole = cut.width >= _WHOLE * page.width and cut.height >= _WHOLE * page.height
        if filled < _MAYBE_PLATE and not is_whole:
            break
        page = _without_rim(cut)
    return views, colors


def _from_ground(page: Image) -> Image:
    """How far each pixel is from the color at the edge, the most of its three parts."""
    from PIL import Image, ImageChops

    width, height = page.size
    rim = [page.crop(box) for box in (
        (0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)
    )]  # fmt: skip
    levels: list[int] = []
    for band in range(3):
        counts = [sum(column) for column in zip(*(one.getchannel(band).histogram() for one in rim), strict=True)]
        levels.append(_median(counts))
    away = ImageChops.difference(page, Image.new("RGB", page.size, tuple(levels)))
    red, green, blue = away.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _median(counts: Sequence[int]) -> int:
    half, seen = sum(counts) / 2, 0
    for level, count in enumerate(counts):
        seen += count
        if seen >= half:
            return level
    return 0


def _without_rim(plate: Image) -> Image:
    """A plate from so far within that the color of its edge is its own: neither its frame nor round corners."""
    width, height = plate.size
    by = max(2, round(0.11 * min(width, height)))
    return plate.crop((by, by, max(width - by, by + 1), max(height - by, by + 1)))


def _view(cut: Image, apart: Image, *, is_telling: bool) -> View:
    from PIL import Image, ImageChops, ImageFilter

    whole = (64, 64)
    even = apart.resize(whole, Image.Resampling.BOX).point(lambda level: min(255, level * 3))
    drawn = even.filter(ImageFilter.GaussianBlur(2)).resize((SIDE, SIDE), Image.Resampling.BOX)
    # Edges at the rim of what was cut out are found like the others where there is ground around it.
    framed = Image.new("RGB", (72, 72), cut.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
    framed.paste(cut.resize(whole, Image.Resampling.BOX), (4, 4))
    smooth = framed.filter(ImageFilter.GaussianBlur(1))
    steep = [
        ImageChops.lighter(
            ImageChops.difference(band, ImageChops.offset(band, 1, 0)),
            ImageChops.difference(band, ImageChops.offset(band, 0, 1)),
        )
        for band in smooth.split()
    ]
    edges = ImageChops.lighter(ImageChops.lighter(*steep[:2]), steep[2]).crop((4, 4, 68, 68))
    edges = edges.point(lambda level: min(255, level * 6)).filter(ImageFilter.GaussianBlur(3))
    edges = edges.resize((SIDE, SIDE), Image.Resampling.BOX)
    return View(_letters(drawn), _letters(edges), round(cut.width / cut.height, 3), is_telling)


def _letters(small: Image) -> str:
    return "".join(chr(97 + level * _LEVELS // 256) for level in small.tobytes())


def _colors(cut: Image, mask: Image) -> tuple[float, ...]:
    """The shares of hues among what is drawn, and at last of what is gray."""
    hue, saturation, value = cut.convert("HSV").split()
    counts = [0] * (_HUES + 1)
    data = zip(hue.tobytes(), saturation.tobytes(), value.tobytes(), mask.tobytes(), strict=True)
    for tone, strong, bright, is_drawn in data:
        if is_drawn:
            counts[tone * _HUES // 256 if strong * bright // 255 >= _GRAY_BELOW else _HUES] += 1
    total = sum(counts) or 1
    return tuple(round(count / total, 3) for count in counts)


def _inks(cut: Image, mask: Image) -> int:
    """How many colors it is drawn in."""
    shares = _colors(cut, mask)
    hues = [share >= _INK for share in shares[:_HUES]]
    # Neighbors are one color: a hue may lie on the border of two.
    inks = sum(here and not hues[place - 1] for place, here in enumerate(hues))
    if shares[_HUES] >= _INK:
        levels = cut.convert("L").histogram(mask)
        total = sum(levels)
        grays = [sum(levels[at : at + _GRAYS]) >= _GRAY_INK * total for at in range(0, 256, _GRAYS)]
        inks += max(1, sum(here and not (at and grays[at - 1]) for at, here in enumerate(grays)))
    return inks


def _parts(mask: Image) -> int:
    """Separate parts, and holes in them."""
    from PIL import Image

    inner = _FINE - 2 * _MARGIN
    small = Image.new("L", (_FINE, _FINE))
    small.paste(mask.resize((inner, inner), Image.Resampling.BOX), (_MARGIN, _MARGIN))
    cells = bytearray(level >= 128 for level in small.tobytes())
    drawn = sum(size >= _SMALLEST_PART for size in _regions(cells, 1))
    return drawn + sum(size >= _SMALLEST_PART for size in _regions(cells, 0)) - 1


def _regions(cells: bytearray, of: int) -> list[int]:
    """The sizes of what hangs together."""
    left = {place for place, cell in enumerate(cells) if cell == of}
    sizes = []
    while left:
        edge, size = [left.pop()], 0
        while edge:
            place = edge.pop()
            size += 1
            for near in (place - 1, place + 1, place - _FINE, place + _FINE):
                if near in left and abs(near % _FINE - place % _FINE) <= 1:
                    left.discard(near)
                    edge.append(near)
        sizes.append(size)
    return sizes


def _shape(one: View, other: View) -> float:
    """How like two views are, at the place where one lies best over the other."""
    wide, narrow = max(one.aspect, other.aspect), min(one.aspect, other.aspect)
    if wide > _STRETCH * narrow:
        return 0.0
    still = _same(one, other, 0, 0)
    if still < _WORTH:
        return max(still, 0.0)
    return max(_same(one, other, down, right) for down, right in _SHIFTS)


def _same(one: View, other: View, down: int, right: int) -> float:
    """By what is drawn and by where colors meet, both alike."""
    edges = _correlation(one.edges, other.edges, down, right)
    return (edges * 2 + _correlation(one.drawn, other.drawn, down, right)) / 3


def _correlation(one: str, other: str, down: int, right: int) -> float:
    """From -1 to 1, of what both have when one is moved over the other."""
    mine, theirs = _part(one, down, right), _part(other, -down, -right)
    count = len(mine)
    sum_mine, sum_theirs = sum(mine), sum(theirs)
    both = sum(map(mul, mine, theirs)) * count - sum_mine * sum_theirs
    spread_mine = sum(map(mul, mine, mine)) * count - sum_mine * sum_mine
    spread_theirs = sum(map(mul, theirs, theirs)) * count - sum_theirs * sum_theirs
    spread = sqrt(spread_mine) * sqrt(spread_theirs)
    return both / spread if spread else 0.0


def _part(levels: str, down: int, right: int) -> bytes:
    rows = range(max(down, 0), SIDE + min(down, 0))
    start, stop = max(right, 0), SIDE + min(right, 0)
    return "".join(levels[row * SIDE + start : row * SIDE + stop] for row in rows).encode()
