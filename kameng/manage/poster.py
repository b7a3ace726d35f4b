"""A poster with the code to scan, as a drawing: a phone's screen high, in the shop's own color. Pure.

Its letters are the reader's own: no font comes with the software that has every Chinese character. So it is a drawing
that browsers make into a picture, and not a picture from here.
"""

from dataclasses import dataclass
from html import escape

import segno

from resellers import theme

#: The drawing's own units.
WIDTH, HEIGHT, MARGIN = 1080, 1920, 90
_CODE = 640
_FONTS = "PingFang SC, Microsoft YaHei, Noto Sans CJK SC, Noto Sans SC, sans-serif"


@dataclass(frozen=True, slots=True)
class Poster:
    """What stands on it."""

    url: str
    title: str
    subtitle: str
    shop: str
    hint: str
    color: str


def wide(text: str) -> float:
    """About how many whole characters a text is as wide as: of Latin letters and digits two make one."""
    return sum(0.56 if ord(char) < 0x2E80 else 1 for char in text)


def lines_of(text: str, *, room: float, most: int) -> list[str]:
    """A text in lines of so many characters, Latin words in one piece; what does not fit into the last ends in dots."""
    lines, line = [], ""
    for char in text:
        line += char
        if wide(line) > room:
            place = line.rfind(" ") + 1 if char.isascii() else 0
            place = place or len(line) - 1
            lines.append(line[:place].rstrip())
            line = line[place:].lstrip()
    lines += [line] if line else []
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = lines[-1][:-1] + "…"
    return lines


def _text(line: str, *, y: float, size: float, fill: str, weight: int = 400) -> str:
    return (
        f'<text x="{WIDTH / 2:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="middle">{escape(line)}</text>'
    )


def poster_svg(poster: Poster) -> str:
    """The drawing. Every text is escaped, and nothing in it is fetched from anywhere."""
    palette = theme.derive(poster.color).light
    inner = WIDTH - 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="{_FONTS}">',
        f"<title>{escape(poster.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.brand}"/>',
    ]
    y = 260.0
    size = 96.0 if wide(poster.title) <= 9 else 72.0
    for line in lines_of(poster.title, room=inner / size, most=2):
        parts.append(_text(line, y=y, size=size, fill=palette.on_brand, weight=700))
        y += size * 1.25
    for line in lines_of(poster.subtitle, room=inner / 42, most=2):
        parts.append(_text(line, y=y, size=42, fill=palette.on_brand))
        y += 58
    top, side = 660, _CODE + 120
    left = (WIDTH - side) / 2
    parts.append(f'<rect x="{left:g}" y="{top}" width="{side}" height="{side + 180}" rx="40" fill="{theme.WHITE}"/>')
    code = segno.make(poster.url, error="m", micro=False)
    modules = code.symbol_size(border=0)[0]
    scale = _CODE / modules
    path = "".join(
        f"M{column} {row}h1v1h-1z" for row, bits in enumerate(code.matrix) for column, bit in enumerate(bits) if bit
    )
    parts.append(
        f'<path transform="translate({left + 60:g} {top + 60}) scale({scale:.4f})" fill="#000" '
        f'shape-rendering="crispEdges" d="{path}"/>'
    )
    parts.append(_text(poster.hint, y=top + side + 40, size=40, fill=theme.INK, weight=600))
    address = poster.url.partition("://")[2].rstrip("/")
    for place, line in enumerate(lines_of(address, room=(side - 60) / 32, most=2)):
        parts.append(_text(line, y=top + side + 100 + place * 42, size=32, fill="#4A5463"))
    if poster.shop != poster.title:
        parts.append(_text(poster.shop, y=HEIGHT - 180, size=52, fill=palette.on_brand, weight=600))
    parts.append("</svg>")
    return "".join(parts)
