"""Reading a configuration so that a mistake in it is named by its place: `mapping.operations.submit.path: …`."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from fulfillment.suppliers.base import SupplierMisconfigured

LONGEST_TEXT = 500
Kind = TypeVar("Kind", bound=StrEnum)


class Place:
    """A value and where it stands. Every method raises `SupplierMisconfigured` for what it does not want."""

    def __init__(self, value: object, path: str) -> None:
        self.value = value
        self.path = path

    def wrong(self, problem: str) -> SupplierMisconfigured:
        """The error to raise, with the place before it. Values are not quoted: they may hold what is secret."""
        return SupplierMisconfigured(f"{self.path}: {problem}")

    def object(self, known: frozenset[str] | None = None, *, needs: frozenset[str] = frozenset()) -> dict[str, "Place"]:
        """The fields of an object: none but the `known`, and all that it `needs`."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("must be an object")
        fields = {str(name): Place(inner, f"{self.path}.{name}") for name, inner in self.value.items()}
        for name, place in fields.items():
            if known is not None and name not in known:
                raise place.wrong(f"unknown key; known are {', '.join(sorted(known))}")
        for name in sorted(needs - fields.keys()):
            raise Place(None, f"{self.path}.{name}").wrong("is missing")
        return fields

    def each(self) -> Iterator["Place"]:
        """The elements of a list that is not empty."""
        if not isinstance(self.value, list) or not self.value:
            raise self.wrong("must be a list that is not empty")
        return (Place(inner, f"{self.path}[{index}]") for index, inner in enumerate(self.value))

    def text(self, *, empty: bool = False) -> str:
        """A text of one line."""
        if not isinstance(self.value, str) or len(self.value) > LONGEST_TEXT or not self.value.isprintable():
            raise self.wrong(f"must be a text of one line, {LONGEST_TEXT} characters at most")
        if not empty and not self.value.strip():
            raise self.wrong("must not be empty")
        return self.value

    def scalar(self) -> str:
        """A text or a whole number, as the text that a reply's value is compared to."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return str(self.value) if isinstance(self.value, int) else self.text()

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("must be true or false")
        return self.value

    def whole(self, lowest: int, highest: int) -> int:
        """A whole number within limits."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not lowest <= self.value <= highest:
            raise self.wrong(f"must be a whole number from {lowest} to {highest}")
        return self.value

    def choice(self, kind: type[Kind]) -> Kind:
        """One of an enumeration's words."""
        try:
            return kind(self.text())
        except ValueError:
            raise self.wrong(f"must be one of {', '.join(kind)}") from None
