"""What may be somebody's own host, by its name alone: pure.

A name is taken apart as IDNA 2008 says (RFC 5891, mapped by UTS 46) and kept in its ASCII form. Names that read like
another one are refused: scripts that do not belong together (UTS 39, "highly restrictive"), letters that all look like
Latin ones, and what looks like the platform's own names.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import idna

#: In front of a host, where its proof is looked for.
PROOF_LABEL: Final = "_kameng"
#: Characters of a whole name (RFC 1035 §2.3.4), less what stands before it for the proof.
MAX_LENGTH: Final = 253 - len(PROOF_LABEL) - 1
MAX_LABEL: Final = 63
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
#: Nobody's in the public tree (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476) or of the tree's own machinery.
RESERVED: Final = frozenset(
    {"alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localhost", "mail",
     "onion", "private", "test"}
)  # fmt: skip
#: Below these, names are given out to anybody; they themselves are nobody's. The ones that owners here meet.
_REGISTRIES: Final = frozenset({"ac", "co", "com", "edu", "gov", "mil", "net", "or", "org"})
#: UTS 39 §5.2: what may stand together with Latin letters in one label.
_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
#: Small letters that are drawn like a Latin one or a digit, and what they are drawn like (UTS 39, `confusables.txt`).
_DRAWN_LIKE: Final = {
    **dict(zip("аеорсухіјѕһԁԛԝвнкмтгпьзӏ", "aeopcyxijshdqwbhkmtrnb3l", strict=True)),
    **dict(zip("αονρτυικχγωηβ", "aovptuikxywnb", strict=True)),
    **dict(zip("ոսօհգքյցԁ", "nuohqqjgd", strict=True)),
    **dict(zip("ıłøđƙɡɑʋ", "ilodkgav", strict=True)),
}
#: What is read for something else at a glance, also within ASCII.
_READ_LIKE: Final = (
    *(("rn", "m"), ("nn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("3", "e")),
    ("4", "a"),
)


class Fault(StrEnum):
    """Why a name is refused."""

    NOT_A_HOST = "not_a_host"
    ADDRESS = "address"
    SINGLE = "single"
    TOO_LONG = "too_long"
    RESERVED = "reserved"
    REGISTRY = "registry"
    MIXED = "mixed"
    CONFUSABLE = "confusable"
    PLATFORM = "platform"
    LOOKS_LIKE_PLATFORM = "looks_like_platform"


class BadName(ValueError):
    """Not to be had; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.value)


@dataclass(frozen=True, slots=True)
class Platform:
    """What is the platform's: hosts that it answers on itself, and words that only its own names carry."""

    hosts: Collection[str]
    words: Collection[str]


def normalized(text: str, *, reserved_too: bool = False) -> str:
    """A host as people write or paste it, in small ASCII letters without scheme, slash or dot at the end.

    `reserved_too` lets names pass that are nobody's in the public tree: on a machine of one's own. Raises `BadName`.
    """
    host = _host_in(text)
    if _is_address(host):
        raise BadName(Fault.ADDRESS)
    if len(host) > 4 * MAX_LENGTH:
        raise BadName(Fault.TOO_LONG)
    try:
        name = idna.encode(host, uts46=True, std3_rules=True).decode().lower()
        labels = [idna.decode(label) for label in name.split(".")]
    except UnicodeError as error:
        too_long = any(len(label) > MAX_LABEL for label in host.split(".")) or "too long" in str(error).lower()
        raise BadName(Fault.TOO_LONG if too_long and host.isascii() else Fault.NOT_A_HOST) from error
    if len(name) > MAX_LENGTH:
        raise BadName(Fault.TOO_LONG)
    if _is_address(name):
        raise BadName(Fault.ADDRESS)
    if len(labels) < 2:
        raise BadName(Fault.SINGLE)
    if not all(_LABEL.fullmatch(label) for label in name.split(".")) or name.rpartition(".")[2].isdecimal():
        raise BadName(Fault.NOT_A_HOST)
    if not reserved_too and labels[-1] in RESERVED:
        raise BadName(Fault.RESERVED)
    if is_registry(name):
        raise BadName(Fault.REGISTRY)
    for label in labels:
        _look_at(label)
    return name


def is_registry(host: str) -> bool:
    """Whether names below this are given out to anybody (`com.cn`)."""
    first, _, rest = host.partition(".")
    return first in _REGISTRIES and "." not in rest


def shown(host: str) -> str:
    """A host as people read it; the same where it has no other form."""
    try:
        return idna.decode(host)
    except UnicodeError:
        return host


def check_against(host: str, platform: Platform) -> None:
    """A normalized host must be neither the platform's, nor below one of those, nor read like its names.

    Raises `BadName`.
    """
    if any(host == own or host.endswith(f".{own}") for own in platform.hosts):
        raise BadName(Fault.PLATFORM)
    labels = [skeleton(label) for label in shown(host).split(".")]
    for word in platform.words:
        wanted = skeleton(word)
        if any(wanted in label or (len(wanted) >= 5 and _one_apart(wanted, label)) for label in labels):
            raise BadName(Fault.LOOKS_LIKE_PLATFORM)


def skeleton(label: str) -> str:
    """What a label reads like at a glance, for comparing and never for showing."""
    plain = unicodedata.normalize("NFKD", label.lower())
    text = "".join(_DRAWN_LIKE.get(char, char) for char in plain if not unicodedata.combining(char) and char != "-")
    for written, read in _READ_LIKE:
        text = text.replace(written, read)
    return text


def _host_in(text: str) -> str:
    """The host of what was typed or pasted."""
    text = text.strip()
    if "://" in text:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise BadName(Fault.NOT_A_HOST) from error
        if parts.scheme.lower() not in ("http", "https") or parts.path not in ("", "/") or parts.query or "@" in text:
            raise BadName(Fault.NOT_A_HOST)
        text = parts.netloc
    host = text.removesuffix("/").removesuffix(".")
    if not host or (any(char in host for char in "/\\@?#%*_:") and not _is_address(host)):
        raise BadName(Fault.NOT_A_HOST)
    return host


def _is_address(host: str) -> bool:
    """An address however browsers read one: also without some of its dots, in hexadecimal, or in brackets."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        parts = host.lower().split(".")
        return bool(parts) and all(re.fullmatch(r"0x[0-9a-f]*|[0-9]+", part, re.ASCII) for part in parts)
    return True


def _look_at(label: str) -> None:
    scripts = {_script(char) for char in label if char.isalpha()}
    allowed = any(scripts <= together for together in _TOGETHER)
    if not allowed and len(scripts) > 1:
        raise BadName(Fault.MIXED)
    if label.isascii():
        return
    drawn = skeleton(label)
    # Latin letters with something on them are ordinary; letters of another script that all read as Latin ones are not.
    if drawn.isascii() and scripts != {"LATIN"}:
        raise BadName(Fault.CONFUSABLE)
    if scripts == {"LATIN"} and any(char in _DRAWN_LIKE for char in label):
        raise BadName(Fault.CONFUSABLE)


def _script(char: str) -> str:
    """The script of a letter, as its name in Unicode begins."""
    return unicodedata.name(char, "?").split("-")[0].split(" ")[0]


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter more, less or another makes one out of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    same = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[same:] == long[same + 1 :] or (len(short) == len(long) and short[same + 1 :] == long[same + 1 :])
