"""Words of which tests know what the gate makes of them."""

from collections.abc import Iterable

from catalog.listings.services import listing_save
from catalog.listings.shelf import shelf_now
from catalog.models import Product, Variant
from catalog.services import product_save
from compliance.models import Rule
from resellers.models import Reseller

#: Clear, for a person, and refused by a rule that comes with the software.
CLEAR, DOUBTFUL, UNLAWFUL = "周年礼包", "星彩渠道礼包", "外挂礼包"


def doubtful_words(*words: str) -> Rule:
    """A rule of the operators' whose words are for a person."""
    return Rule.objects.create(
        category="shared_account",
        code="tests-doubt",
        note="测试",
        severity="medium",
        terms=list(words or ("星彩渠道",)),
        hits=["星彩渠道"],
        changed_by="staff:test",
    )


def renamed(product: Product, name: str) -> Product:
    """The product as somebody has saved it under another name."""
    found = Product.objects.get(pk=product.pk)
    found.name = name
    return product_save(product=found)


def sold(shop: Reseller) -> list[str]:
    """The names of what a shop sells, with those of the amounts."""
    return [f"{product.name} {variant.name}" for product, variant in shelf_now(shop)[0].by_sku.values()]


def fields_of(findings: Iterable[dict[str, object]]) -> list[tuple[object, object]]:
    """Where something was found, and what."""
    return [(finding["field"], finding["text"]) for finding in findings]


def named(shop: Reseller, variant: Variant, name: str) -> None:
    """The owner calls a variant by a name of their own."""
    listing_save(shop_id=shop.pk, variant_id=variant.pk, price=None, name=name, is_visible=True)
