"""What may stand in a parameter, a path or a header: text with `{name}` in it, where a name is one of a fixed list.

A template is cut up once, when the configuration is read. Nothing is evaluated, and nothing is filled in twice: braces
in a shopper's account stay braces.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fulfillment.suppliers.generic.reader import Place

NAMES = frozenset(
    {"reference", "sku", "quantity", "max_cost", "callback_url", "timestamp", "nonce", "supplier_reference"}
)
#: What questions that belong to no purchase may hold.
QUESTION = frozenset({"timestamp", "nonce"})
ACCOUNT = "account."
_TOKEN = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"account\.[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Template:
    """Text and names by turns; of the names of one place the first that is not empty counts."""

    parts: tuple[str | tuple[str, ...], ...]
    #: In JSON, send a number and not its digits as text.
    is_number: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Every name in it."""
        return frozenset(name for part in self.parts if isinstance(part, tuple) for name in part)

    def filled(self, values: Mapping[str, str]) -> str:
        """The text, with nothing where a value is not known."""
        return "".join(
            part if isinstance(part, str) else next((values[name] for name in part if values.get(name)), "")
            for part in self.parts
        )


def template(place: Place, *, allowed: frozenset[str], account: bool) -> Template:
    """A template as written. Raises `SupplierMisconfigured` for a name that is not `allowed`."""
    is_number = isinstance(place.value, Mapping)
    if is_number:
        place = place.object(frozenset({"number"}), needs=frozenset({"number"}))["number"]
    if isinstance(place.value, int):
        return Template((place.scalar(),), is_number=not isinstance(place.value, bool))
    text = place.text(empty=True)
    if set("{}") & set(_TOKEN.sub("", text)):
        raise place.wrong("a brace without its partner")
    parts: list[str | tuple[str, ...]] = []
    for index, piece in enumerate(_TOKEN.split(text)):
        if index % 2 == 0:
            parts += [piece] if piece else []
            continue
        names = tuple(piece.split("|"))
        for name in names:
            is_account = account and _FIELD.fullmatch(name) is not None
            if not is_account and (name not in allowed or len(names) > 1):
                known = sorted(allowed | ({"account.<field>"} if account else set()))
                raise place.wrong(f"{{{piece[:40]}}} cannot stand here; known are {', '.join(known)}")
        parts.append(names)
    return Template(tuple(parts), is_number=is_number)
