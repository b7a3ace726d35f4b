"""Names of pictures: what is in one, how large it is and of which kind, so that pages need not ask. Pure."""

import hashlib
import re
from dataclasses import dataclass

from kameng.core.pictures import Picture

_NAME = re.compile(r"[0-9a-f]{16}-([0-9]{1,4})x([0-9]{1,4})\.(png|jpeg|webp)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; pixels."""

    width: int
    height: int
    kind: str

    def width_at(self, height: int) -> int:
        """How wide it is when it is so high, at most three times as wide as high."""
        return max(1, min(3 * height, round(self.width * height / self.height)))


def name_of(picture: Picture) -> str:
    """`3f…-96x32.png`."""
    digest = hashlib.sha256(picture.data).hexdigest()[:16]
    return f"{digest}-{picture.width}x{picture.height}.{picture.kind}"


def named(text: str) -> Named | None:
    """What a name says; nothing for what is none."""
    found = _NAME.fullmatch(text)
    return Named(int(found[1]), int(found[2]), found[3]) if found else None
