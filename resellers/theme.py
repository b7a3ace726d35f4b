"""One colour chosen by a shop's owner, turned into tokens that people can read. Pure.

Contrast is that of WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio): text needs 4.5 to 1. Whatever is
chosen, text on the brand colour, and the brand colour as text on every surface of the shop, keeps above that, in
light and in dark. What is adjusted is lightness alone, so a shop stays recognisable.
"""

import colorsys
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from django.utils.translation import gettext_lazy

INK: Final = "#14181F"
WHITE: Final = "#FFFFFF"
#: The surfaces of `static/css/shop.css` that brand colours lie on.
PAGE: Final = "#F4F6F8"
DARK_SURFACE: Final = "#171D25"
DARK_RAISED: Final = "#212A35"
DARK_INK: Final = "#0B1220"

#: Text contrast asked for: the rule's 4.5 and a little room for rounding to eight bits.
READABLE: Final = 4.6
#: Corner radii in pixels per choice: small, medium, large.
RADII: Final = {"square": (2, 4, 6), "normal": (6, 10, 14), "round": (10, 16, 20)}

#: Seven colors to begin with, by what they are called.
PRESETS: Final = {
    gettext_lazy("湛蓝"): "#0B62D6", gettext_lazy("松绿"): "#0B7A4F", gettext_lazy("靛紫"): "#5B3FD0",
    gettext_lazy("胭脂"): "#C2255C", gettext_lazy("柿橙"): "#D9480F", gettext_lazy("鹅黄"): "#FFC53D",
    gettext_lazy("墨黑"): "#1F2937",
}  # fmt: skip
#: The spaces of `static/css/shop.css` where things stand closer, in pixels from `--s3` on.
COMPACT: Final = (8, 12, 14, 18, 24, 30)

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class Palette:
    """The brand tokens of one scheme, as `#RRGGBB`."""

    brand: str
    brand_hover: str
    on_brand: str
    brand_ink: str
    brand_weak: str
    focus: str


@dataclass(frozen=True)
class Theme:
    """Both schemes, and the colour they come from."""

    chosen: str
    light: Palette
    dark: Palette

    @property
    def adjusted(self) -> bool:
        """Whether the colour in use is not the one that was chosen."""
        return self.light.brand != self.chosen

    @property
    def darkened(self) -> int:
        """By how much the color in use is darker than the one that was chosen, in percent of lightness; below zero
        where it is lighter."""
        before, after = (colorsys.rgb_to_hls(*_channels(color))[1] for color in (self.chosen, self.light.brand))
        return round((before - after) * 100)


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two `#RRGGBB` colours, 1 to 21, the same either way round."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def derive(brand: str) -> Theme:
    """Readable tokens from one colour. Raises `ValueError` unless it is `#RRGGBB`."""
    if not _COLOR.fullmatch(brand):
        raise ValueError(f"not a colour: {brand[:16]!r}")
    brand = brand.upper()
    fill, on_brand = _fill(brand)
    return Theme(chosen=brand, light=_light(fill, on_brand), dark=_dark(fill))


def stylesheet(theme: Theme, *, radius: str = "normal", density: str = "comfortable") -> str:
    """The theme as CSS custom properties: by the system's scheme, and by the visitor's choice, which wins.

    Raises `KeyError` for a radius that is not in `RADII`.
    """
    small, medium, large = RADII[radius]
    light, dark = _declarations(theme.light), _declarations(theme.dark)
    corners = f"--radius-s:{small}px;--radius:{medium}px;--radius-l:{large}px"
    if density == "compact":
        corners += "".join(f";--s{place}:{width}px" for place, width in enumerate(COMPACT, start=3))
    return (
        f":root{{{light};{corners}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f":root[data-theme=dark]{{{dark}}}\n"
    )


def _fill(brand: str) -> tuple[str, str]:
    """The colour of buttons and the text on it: as chosen where white or ink reads well on it, else darkened."""
    if contrast(brand, WHITE) >= 4.5:
        return brand, WHITE
    if contrast(brand, INK) >= 6:
        return brand, INK
    return _shifted(brand, step=-0.01, until=lambda color: contrast(color, WHITE) >= READABLE), WHITE


def _light(fill: str, on_brand: str) -> Palette:
    hover = _lightened(fill, -0.06 if on_brand == WHITE else 0.04)
    weak = _mixed(WHITE, fill, 0.08)

    def readable(color: str) -> bool:
        return min(contrast(color, surface) for surface in (PAGE, weak, WHITE)) >= READABLE

    ink = _shifted(fill, step=-0.01, until=readable)
    return Palette(
        brand=fill,
        brand_hover=hover if contrast(hover, on_brand) >= 4.5 else fill,
        on_brand=on_brand,
        brand_ink=ink,
        brand_weak=weak,
        focus=ink,
    )


def _dark(fill: str) -> Palette:
    def readable(color: str) -> bool:
        return contrast(color, DARK_RAISED) >= 5.2 and contrast(color, DARK_INK) >= READABLE

    ink = _shifted(fill, step=0.01, until=readable)
    return Palette(
        brand=ink,
        brand_hover=_mixed(ink, WHITE, 0.2),
        on_brand=DARK_INK,
        brand_ink=ink,
        brand_weak=_mixed(DARK_SURFACE, ink, 0.16),
        focus=ink,
    )


def _declarations(palette: Palette) -> str:
    return ";".join(f"--{name.replace('_', '-')}:{color}" for name, color in asdict(palette).items())


def _channels(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(max(0.0, min(1.0, channel)) * 255):02X}" for channel in channels)


def _luminance(color: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in _channels(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(base: str, other: str, share: float) -> str:
    """`share` of `other` laid over `base`, 0 to 1, channel by channel."""
    red, green, blue = (
        under * (1 - share) + over * share for under, over in zip(_channels(base), _channels(other), strict=True)
    )
    return _hex((red, green, blue))


def _lightened(color: str, by: float) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    return _hex(colorsys.hls_to_rgb(hue, max(0.0, min(1.0, lightness + by)), saturation))


def _shifted(color: str, *, step: float, until: Callable[[str], bool]) -> str:
    """Walk the lightness by `step` until the colour will do; at the end of the walk, ink or white."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    while 0 <= lightness <= 1:
        candidate = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
        if until(candidate):
            return candidate
        lightness += step
    return INK if step < 0 else WHITE
