"""The catalogue that a fresh installation sells: plain data in TOML, and the one door that reads and checks it.

`catalogue.toml` holds shelves, brands and what products share, `products/<category>.toml` the products of one shelf.
Nothing here knows Django.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Any

from catalog.demo.records import (
    AccountField,
    Brand,
    CatalogueError,
    Category,
    Choice,
    DemoCatalogue,
    Product,
    Variant,
)
from kameng.core.money import parse_yuan

__all__ = [
    "AccountField",
    "Brand",
    "CatalogueError",
    "Category",
    "Choice",
    "DemoCatalogue",
    "Product",
    "Variant",
    "build",
    "load",
]

_Table = Mapping[str, Any]


def load() -> DemoCatalogue:
    """Read and check the data. Raises `CatalogueError`."""
    folder = files(__name__)
    shared = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
    return build(
        shared,
        {
            row["slug"]: tomllib.loads((folder / "products" / f"{row['slug']}.toml").read_text(encoding="utf-8"))[
                "product"
            ]
            for row in shared["category"]
        },
    )


def build(shared: _Table, shelves: Mapping[str, list[dict[str, Any]]]) -> DemoCatalogue:
    """The catalogue from parsed TOML: what products share, and the products of each shelf. Raises `CatalogueError`."""
    rows = [(category, row) for category, products in shelves.items() for row in products]
    popular: list[str] = shared["popular"]["products"]
    slugs = [row.get("slug", "") for _, row in rows]
    if unknown := set(popular) - set(slugs):
        raise CatalogueError(f"popular products that do not exist: {', '.join(sorted(unknown))}")
    position = {slug: place for place, slug in enumerate(dict.fromkeys([*popular, *slugs]))}
    products = [
        _product(row, category=category, position=position[row.get("slug", "")], shared=shared)
        for category, row in rows
    ]
    return DemoCatalogue(
        categories=tuple(Category(**row) for row in shared["category"]),
        brands=tuple(Brand(slug, *names) for slug, names in shared["brand"].items()),
        products=tuple(sorted(products, key=lambda product: product.position)),
    )


def _product(row: _Table, *, category: str, position: int, shared: _Table) -> Product:
    try:
        notes = shared["notes"][row["kind"]]
        return Product(
            slug=row["slug"],
            name=row["name"],
            name_en=row["name_en"],
            category=category,
            brand=row["brand"],
            kind=row["kind"],
            icon=row["icon"],
            aliases=tuple(row["aliases"]),
            summary=row["summary"],
            summary_en=row["summary_en"],
            notes="\n".join([*row["notes"], *notes["zh"]]),
            notes_en="\n".join([*row["notes_en"], *notes["en"]]),
            account_fields=tuple(_account_field(field, presets=shared["field"]) for field in row.get("account", ())),
            variants=tuple(_variant(variant) for variant in row["variants"]),
            position=position,
        )
    except KeyError as missing:
        raise CatalogueError(f"{row.get('slug', 'a product')}: {missing} is missing or unknown") from missing
    except ValueError as wrong:
        raise CatalogueError(f"{row.get('slug', 'a product')}: {wrong}") from wrong


def _account_field(row: str | _Table, *, presets: Mapping[str, _Table]) -> AccountField:
    own = {"use": row} if isinstance(row, str) else dict(row)
    row = {**(presets[own.pop("use")] if "use" in own else {}), **own}
    return AccountField(
        name=row["name"],
        label=row["label"],
        label_en=row["label_en"],
        type=row["type"],
        required=row.get("required", True),
        pattern=row.get("pattern", ""),
        choices=tuple(Choice(**choice) for choice in row.get("choices", ())),
        example=row["example"],
        help=row.get("help", ""),
        help_en=row.get("help_en", ""),
    )


def _variant(row: _Table) -> Variant:
    return Variant(
        sku=row["sku"],
        name=row["name"],
        name_en=row["name_en"],
        official_price=parse_yuan(row["official"]),
        supply_price=parse_yuan(row["supply"]),
        max_quantity=row.get("max_quantity", 1),
        note=row.get("note", ""),
        note_en=row.get("note_en", ""),
        face_value=Decimal(row["face"]) if "face" in row else None,
        unit=row.get("unit", ""),
    )
