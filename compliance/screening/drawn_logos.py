"""Logos that nobody has, drawn by numbers, and what sellers do to logos: what the likeness of pictures is measured by.

Pure; Pillow is loaded with the first one.
"""

from __future__ import annotations

import colorsys
import io
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import cos, pi, sin
from time import process_time
from typing import TYPE_CHECKING

from compliance.screening.pictures import Alike, Reference, alike, taken

if TYPE_CHECKING:
    from PIL.Image import Image

#: Logos that thresholds are tuned by, and those that nobody looks at meanwhile.
TUNING, HELD_OUT = range(40), range(100, 140)
_SIDE = 240
_SHAPES = ("ring", "disc", "star", "bar", "wedge", "arc", "letter", "diamond")
_LETTERS = "ABCDEFGHKMNPQRSTUXYZ"


def logo(number: int) -> Image:
    """One of several parts in two or three colors, on white, on nothing, or on a plate. The same one each time."""
    from PIL import Image, ImageDraw

    dice = random.Random(number)
    width = _SIDE if dice.random() < 0.6 else _SIDE * 2
    ground = dice.choice(["white", "white", "none", "plate"])
    image = Image.new("RGBA", (width, _SIDE), (255, 255, 255, 0 if ground in ("none", "plate") else 255))
    pen = ImageDraw.Draw(image)
    hue = dice.random()
    inks = [_color(hue + step, dice.uniform(0.6, 1), dice.uniform(0.45, 0.95)) for step in (0, 0.31, 0.62)]
    if ground == "plate":
        pen.rounded_rectangle((2, 2, width - 3, _SIDE - 3), 30, fill=_color(hue + 0.5, 0.8, 0.45))
        inks = [(255, 255, 255), _color(hue, 0.35, 1), _color(hue + 0.31, 0.35, 1)]
    for place in range(dice.randint(5, 8)):
        size = dice.uniform(0.22, 0.5) * _SIDE
        # Nobody lets a logo run over its own edge, nor over that of its plate.
        least = size / 2 + (0.15 if ground == "plate" else 0.02) * _SIDE
        x, y = dice.uniform(least, width - least), dice.uniform(least, _SIDE - least)
        _draw(pen, dice, dice.choice(_SHAPES), inks[place % dice.choice((2, 3))], x, y, size)
    return image


def letter(text: str, ground: str, ink: str) -> Image:
    """What an owner has before there is a logo: one letter."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_SIDE, _SIDE), ground)
    ImageDraw.Draw(image).text((_SIDE / 2, _SIDE / 2), text, fill=ink, anchor="mm", font=_font(150))
    return image


def variants(image: Image, *, first: int = 0, every: int = 1) -> dict[str, Image]:
    """What sellers do to a logo, by what it is called; or one in so many of that, from a place on."""
    flat = _flat(image, "white")
    changes = list(_CHANGES.items())[first::every]
    return {name: change(image if name in ("smaller", "on black") else flat) for name, change in changes}


@dataclass(slots=True)
class PictureFigures:
    """How many variants were found by the logo that they were made of, and how many pictures by another one's."""

    logos: int = 0
    variants: int = 0
    missed: list[str] = field(default_factory=list)
    others: int = 0
    alarms: list[str] = field(default_factory=list)
    #: Pictures that were looked at, and the seconds of processor time that it took, drawing left out.
    taken: int = 0
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        """The part of the variants that was found, from 0 to 1."""
        return 1 - len(self.missed) / self.variants if self.variants else 1.0

    @property
    def false_alarm_rate(self) -> float:
        """The part of other pictures that was taken for any of the logos, from 0 to 1."""
        return len(self.alarms) / self.others if self.others else 0.0


def picture_figures(numbers: Iterable[int], *, every: int = 1) -> PictureFigures:
    """Hold variants against the logos that they are of, and other pictures against all of them. What is too plain to be
    a reference is left out. With `every` above 1, each logo has one variant in so many, another one each."""
    logos = {number: image for number in numbers if not taken(image := logo(number)).is_plain}
    references = [Reference(f"drawn-{number}", str(number), number, taken(one)) for number, one in logos.items()]
    counted = PictureFigures(logos=len(logos))

    def looks(image: Image, like: list[Reference]) -> list[Alike]:
        began = process_time()
        found = alike(taken(image), like)
        counted.seconds += process_time() - began
        counted.taken += 1
        return found

    for place, (number, image) in enumerate(logos.items()):
        for name, changed in variants(image, first=place % every, every=every).items():
            counted.variants += 1
            named = {found.reference for found in looks(changed, references)}
            if number not in named:
                counted.missed.append(f"{number} {name}")
    others = {f"logo {number + 5000}": logo(number + 5000) for number in logos}
    others |= {f"{number} among the others": image for number, image in logos.items()}
    others |= {f"letter {text}": letter(text, "white", "#0b62d6") for text in _LETTERS}
    for name, image in others.items():
        counted.others += 1
        own = int(name.split()[0]) if name.endswith("others") else None
        found = looks(image, [one for one in references if one.key != own])
        if found:
            counted.alarms.append(f"{name} for {found[0].name} ({found[0].shape:.2f})")
    return counted


def _color(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _font(size: float):  # type: ignore[no-untyped-def]  # Pillow's own, which every machine has
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _draw(pen, dice: random.Random, shape: str, ink: tuple[int, int, int], x: float, y: float, size: float) -> None:  # type: ignore[no-untyped-def]
    half = size / 2
    box = (x - half, y - half, x + half, y + half)
    if shape == "ring":
        pen.ellipse(box, outline=ink, width=max(6, round(size / 6)))
    elif shape == "disc":
        pen.ellipse(box, fill=ink)
    elif shape == "star":
        points, turn = dice.choice((4, 5, 6)), dice.random()
        corners = [(pi * (step / points + turn), half if step % 2 else half * 0.45) for step in range(2 * points)]
        pen.polygon([(x + far * cos(angle), y + far * sin(angle)) for angle, far in corners], fill=ink)
    elif shape == "bar":
        thick = size / 5
        pen.rectangle((x - half, y - thick, x + half, y + thick) if dice.random() < 0.5 else
                      (x - thick, y - half, x + thick, y + half), fill=ink)  # fmt: skip
    elif shape == "wedge":
        start = dice.choice((0, 90, 180, 270))
        pen.pieslice(box, start, start + 120, fill=ink)
    elif shape == "arc":
        begin = dice.uniform(0, 360)
        pen.arc(box, begin, begin + 200, fill=ink, width=max(6, round(size / 7)))
    elif shape == "letter":
        pen.text((x, y), dice.choice(_LETTERS), fill=ink, anchor="mm", font=_font(size))
    else:
        pen.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], fill=ink)


def _flat(image: Image, ground: str) -> Image:
    from PIL import Image

    page = Image.new("RGB", image.size, ground)
    page.paste(image, mask=image.getchannel("A"))
    return page


def _saved(image: Image, quality: int) -> Image:
    from PIL import Image

    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue()))


def _scaled(image: Image, by: float) -> Image:
    return image.resize((round(image.width * by), round(image.height * by)))


def _cropped(image: Image, by: float) -> Image:
    width, height = image.size
    return image.crop((round(by * width), round(by * height), round((1 - by) * width), round((1 - by) * height)))


def _bordered(image: Image, by: int, color: str) -> Image:
    from PIL import ImageOps

    return ImageOps.expand(image, by, color)


def _recolored(image: Image, by: int) -> Image:
    from PIL import Image

    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda tone: (tone + by) % 256), saturation, value)).convert("RGB")


def _inverted(image: Image) -> Image:
    from PIL import ImageOps

    return ImageOps.invert(image)


_CHANGES: dict[str, Callable[[Image], Image]] = {
    "smaller": lambda image: _scaled(image, 0.3),
    "tiny": lambda image: _scaled(image, 0.14),
    "larger": lambda image: _scaled(image, 1.7),
    "JPEG": lambda image: _saved(image, 35),
    "cropped": lambda image: _cropped(image, 0.04),
    "in a margin": lambda image: _bordered(image, 40, "white"),
    "in a frame": lambda image: _bordered(_bordered(image, 14, "white"), 6, "#444444"),
    "turned": lambda image: image.rotate(3, expand=True, fillcolor="white"),
    "turned back": lambda image: image.rotate(-3, expand=True, fillcolor="white"),
    "recolored": lambda image: _recolored(image, 60),
    "recolored more": lambda image: _recolored(image, 128),
    "inverted": _inverted,
    "on black": lambda image: _flat(image, "black"),
    "gray": lambda image: image.convert("L").convert("RGB"),
    "stretched": lambda image: image.resize((round(image.width * 1.12), image.height)),
    "all of it": lambda image: _saved(_bordered(_recolored(_scaled(image, 0.5), 40), 12, "white").rotate(
        2, fillcolor="white"), 60),
}  # fmt: skip
