"""Pictures of strangers, decoded and written anew: bytes in, bytes out.

What somebody uploads may be more than a picture: an archive or a page hidden behind it, a place where it was taken, a
small file that unpacks to gigabytes. So nothing is stored as it came. Pillow reads it, as one of the kinds that are
asked for and no other, once its head promises no more pixels than are taken; it is turned upright, shrunk, and written
from its pixels alone. Pillow is loaded with the first picture: most processes never see one.
"""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is taken: bytes of an upload, its pixels, and its kinds. `fits`: pixels across and down that are kept."""

    bytes: int
    pixels: int
    kinds: frozenset[str]
    fits: tuple[int, int]

    @property
    def megabytes(self) -> int:
        """Of an upload."""
        return self.bytes // 1024 // 1024


#: A photo of the better phones; a page of A4 at 170 dots an inch is kept of it.
PAPER = Bounds(15 * 1024 * 1024, 50_000_000, frozenset({"png", "jpeg", "webp"}), (2_000, 2_000))
#: Pixels of what cannot be decoded at a fraction of its size, as a JPEG can be.
_WHOLE_PIXELS = 25_000_000
_QUALITY = 85
#: What Pillow raises at what is no picture: mostly `OSError`, but not all of its readers are that careful.
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error)
#: One at a time in a process: each takes up to two hundred megabytes while it is decoded.
_TURN = threading.Lock()


class NotAPicture(ValueError):
    """Not a picture that can be put together anew; the message says what is wrong, in English, for the log."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of ours."""

    kind: str
    width: int
    height: int
    data: bytes


def scanned(data: bytes, bounds: Bounds = PAPER) -> Picture:
    """The picture of a page, on white: always a JPEG. Raises `NotAPicture`."""
    with _TURN:
        _, image = _decoded(data, bounds)
        return _written(image, "jpeg")


def rebuilt(data: bytes, bounds: Bounds) -> Picture:
    """The picture in a file, and nothing else of it, of the kind that it came as. Raises `NotAPicture`."""
    with _TURN:
        kind, image = _decoded(data, bounds)
        return _written(image, kind)


def _decoded(data: bytes, bounds: Bounds) -> tuple[str, Image]:
    """Its kind, and its pixels: all of them were read, it stands upright, and it fits."""
    import PIL.Image

    if len(data) > bounds.bytes:
        raise NotAPicture("too many bytes")
    PIL.Image.MAX_IMAGE_PIXELS = PAPER.pixels
    kinds = sorted(kind.upper() for kind in bounds.kinds)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=kinds) as image:
            kind = _kind(image)
            _check_size(image, kind, bounds)
            image.verify()  # what decoding passes over: the sums of a PNG's pieces, and its end
        with PIL.Image.open(io.BytesIO(data), formats=kinds) as image:
            if kind != "jpeg" and getattr(image, "is_animated", False):
                raise NotAPicture("it moves")
            return kind, _upright(image, bounds)
    except NotAPicture:
        raise
    # Where warnings are errors, what Pillow says of a broken piece of EXIF refuses the picture too.
    except (*_BROKEN, UserWarning, PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise NotAPicture(f"{type(error).__name__}: {str(error)[:120]}") from error


def _kind(image: Image) -> str:
    """Some phones write more than one picture into a JPEG (MPO); the first is the photo."""
    return "jpeg" if image.format == "MPO" else str(image.format).lower()


def _check_size(image: Image, kind: str, bounds: Bounds) -> None:
    most = bounds.pixels if kind == "jpeg" else min(bounds.pixels, _WHOLE_PIXELS)
    if not 0 < image.width * image.height <= most:
        raise NotAPicture(f"{image.width} × {image.height} pixels")


def _upright(image: Image, bounds: Bounds) -> Image:
    """As it was meant to be seen, within the bounds: gray, in color, or translucent."""
    from PIL import ExifTags, ImageOps

    # It may yet be turned: what becomes its height is read as its width.
    longest = max(bounds.fits)
    image.draft(None, (longest, longest))
    image.load()
    if image.mode.startswith("I"):  # gray of sixteen bits
        image = image.convert("I").point(lambda level: level * (1 / 256))
    is_gray = image.mode in ("1", "L", "I")
    mode = "RGBA" if image.has_transparency_data else "L" if is_gray else "RGB"
    shown = image if image.mode == mode else image.convert(mode)
    shown.thumbnail((longest, longest))
    try:
        is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except _BROKEN:  # a photo without its place and time is one all the same
        is_turned = False
    if is_turned:
        shown = ImageOps.exif_transpose(shown)
    shown.thumbnail(bounds.fits)
    return shown


def _written(image: Image, kind: str) -> Picture:
    import PIL.Image

    if kind == "jpeg" and image.mode == "RGBA":
        page = PIL.Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    image.info.clear()  # else profiles and comments would come along
    out = io.BytesIO()
    image.save(out, kind.upper(), quality=_QUALITY, optimize=True)  # each kind heeds what it knows
    return Picture(kind, image.width, image.height, out.getvalue())
