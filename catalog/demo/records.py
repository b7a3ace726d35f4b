"""The shapes of the demo catalogue. Each record checks itself: one that exists is right, otherwise `CatalogueError`."""

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from catalog.safe_patterns import SAFE_PATTERN

KINDS = frozenset({"topup", "phone", "data", "membership", "code"})
FIELD_NAMES = frozenset({"uid", "server", "zone", "role", "phone", "account", "email"})
FIELD_TYPES = frozenset({"text", "tel", "email", "select"})
#: The demo's suppliers refuse an account that holds this, so that a refusal can be shown; examples must be accepted.
REFUSED_ACCOUNT = "00000000"
#: What a supply price may be, as a share of the official price.
LOWEST_SHARE, HIGHEST_SHARE = Decimal("0.75"), Decimal("0.995")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class CatalogueError(ValueError):
    """The data are wrong; the text says where and why."""


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise CatalogueError(complaint)


def _check_slug(slug: str, *, longest: int) -> None:
    _require(bool(_SLUG.fullmatch(slug)), f"{slug!r} is not a slug")
    _require(len(slug) <= longest, f"{slug!r} is longer than {longest} characters")


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf. `icon` is a symbol of the interface sprite, without its `i-`."""

    slug: str
    name: str
    name_en: str
    icon: str

    def __post_init__(self) -> None:
        _check_slug(self.slug, longest=40)
        _require(all((self.name, self.name_en, self.icon)), "a category needs its names and an icon")


@dataclass(frozen=True, slots=True)
class Brand:
    """Who issues a product."""

    slug: str
    name: str
    name_en: str

    def __post_init__(self) -> None:
        _check_slug(self.slug, longest=40)
        _require(bool(self.name and self.name_en), "a brand needs its names")


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a select field."""

    value: str
    label: str
    label_en: str


@dataclass(frozen=True, slots=True)
class AccountField:
    """One question about whose account is topped up. `pattern` matches whole answers, as HTML's attribute does."""

    name: str
    label: str
    label_en: str
    type: str
    required: bool
    pattern: str
    choices: tuple[Choice, ...]
    example: str
    help: str
    help_en: str

    def __post_init__(self) -> None:
        _require(self.name in FIELD_NAMES, f"field {self.name!r} is not one of {', '.join(sorted(FIELD_NAMES))}")
        _require(self.type in FIELD_TYPES, f"field {self.name!r} has the unknown type {self.type!r}")
        _require(bool(self.label and self.label_en), f"field {self.name!r} needs its labels")
        _require(bool(self.help) == bool(self.help_en), f"field {self.name!r} has help in one language only")
        _require(REFUSED_ACCOUNT not in self.example, f"field {self.name!r} has an example that suppliers refuse")
        if self.type == "select":
            values = [choice.value for choice in self.choices]
            _require(
                len(values) >= 2 and len(set(values)) == len(values), f"field {self.name!r} needs distinct choices"
            )
            _require(self.example in values, f"field {self.name!r} has an example that is no choice")
            _require(not self.pattern, f"field {self.name!r} has choices and a pattern")
        else:
            _require(not self.choices, f"field {self.name!r} has choices but is no select")
            _require(
                bool(SAFE_PATTERN.fullmatch(self.pattern)),
                f"field {self.name!r} has a pattern that browsers may refuse",
            )
            _require(
                bool(re.fullmatch(self.pattern, self.example)),
                f"field {self.name!r} has an example outside its pattern",
            )

    def as_json(self) -> dict[str, Any]:
        """The field as a product stores it."""
        return asdict(self) | {"choices": [asdict(choice) for choice in self.choices]}


@dataclass(frozen=True, slots=True)
class Variant:
    """One amount on sale; prices in yuan, `face_value` in `unit` where the amount is a number."""

    sku: str
    name: str
    name_en: str
    official_price: Decimal
    supply_price: Decimal
    max_quantity: int
    note: str
    note_en: str
    face_value: Decimal | None
    unit: str

    def __post_init__(self) -> None:
        _check_slug(self.sku, longest=40)
        _require(bool(self.name and self.name_en), f"{self.sku} needs its names")
        _require(self.official_price > 0, f"{self.sku} has no official price")
        share = self.supply_price / self.official_price
        _require(
            LOWEST_SHARE <= share <= HIGHEST_SHARE,
            f"{self.sku} is supplied at {share:.3f} of the official price, not {LOWEST_SHARE} to {HIGHEST_SHARE}",
        )
        _require(1 <= self.max_quantity <= 100, f"{self.sku} has a limit outside 1 to 100")
        _require(len(self.note) <= 8 and len(self.note_en) <= 24, f"{self.sku} has a note that does not fit its tile")
        _require(bool(self.note) == bool(self.note_en), f"{self.sku} has a note in one language only")
        _require((self.face_value is None) == (not self.unit), f"{self.sku} has a face value or a unit, but not both")


@dataclass(frozen=True, slots=True)
class Product:
    """What is shown; `position` counts from the most popular, `notes` has one sentence a line."""

    slug: str
    name: str
    name_en: str
    category: str
    brand: str
    kind: str
    icon: str
    aliases: tuple[str, ...]
    summary: str
    summary_en: str
    notes: str
    notes_en: str
    account_fields: tuple[AccountField, ...]
    variants: tuple[Variant, ...]
    position: int

    def __post_init__(self) -> None:
        _check_slug(self.slug, longest=60)
        _check_slug(self.icon, longest=60)
        texts = (self.name, self.name_en, self.summary, self.summary_en, self.notes, self.notes_en, *self.aliases)
        _require(all(texts), f"{self.slug} lacks a text")
        _require(
            len(self.summary) <= 200 and len(self.summary_en) <= 300, f"{self.slug} has a summary that is too long"
        )
        _require(
            self.notes.count("\n") == self.notes_en.count("\n"), f"{self.slug} has notes that differ between languages"
        )
        _require(self.kind in KINDS, f"{self.slug} has the unknown kind {self.kind!r}")
        names = [field.name for field in self.account_fields]
        _require(len(set(names)) == len(names), f"{self.slug} asks for the same account field twice")
        _require(bool(self.variants), f"{self.slug} has no variants")
        if self.kind == "code":
            _require(not names, f"{self.slug} sells codes but asks for an account")
        else:
            _require(any(field.required for field in self.account_fields), f"{self.slug} asks for no account")
            _require(all(variant.max_quantity == 1 for variant in self.variants), f"{self.slug} tops up more than once")
        if self.kind in {"phone", "data"}:
            _require(names == ["phone"], f"{self.slug} must ask for a phone number and nothing else")


@dataclass(frozen=True, slots=True)
class DemoCatalogue:
    """All of it: shelves in their order, products from the most popular."""

    categories: tuple[Category, ...]
    brands: tuple[Brand, ...]
    products: tuple[Product, ...]

    def __post_init__(self) -> None:
        categories = _unique("category", [category.slug for category in self.categories])
        brands = _unique("brand", [brand.slug for brand in self.brands])
        _unique("product", [product.slug for product in self.products])
        _unique("sku", [variant.sku for product in self.products for variant in product.variants])
        for product in self.products:
            _require(product.category in categories, f"{product.slug} stands on the unknown shelf {product.category!r}")
            _require(product.brand in brands, f"{product.slug} has the unknown brand {product.brand!r}")
        if idle := brands - {product.brand for product in self.products}:
            raise CatalogueError(f"brands without a product: {', '.join(sorted(idle))}")


def _unique(what: str, slugs: list[str]) -> set[str]:
    seen = set(slugs)
    _require(
        len(seen) == len(slugs),
        f"{what} given twice: {', '.join(sorted({slug for slug in seen if slugs.count(slug) > 1}))}",
    )
    return seen
