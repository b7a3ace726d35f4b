"""Keeping what products are found by up to date."""

from django.db.models import QuerySet

from catalog.models import Product
from catalog.search import search_text


def search_texts_write(products: "QuerySet[Product]") -> None:
    """Everything that products may be called, from what they, their shelf, brand and variants are called now."""
    changed = []
    for product in products.select_related("category", "brand").prefetch_related("variants"):
        around = [product.category.name, *([product.brand.name] if product.brand else [])]
        product.search_text = search_text(
            name=product.name,
            name_en=product.name_en,
            aliases=product.aliases,
            context=[*around, *(variant.name for variant in product.variants.all())],
        )
        changed.append(product)
    Product.objects.bulk_update(changed, ["search_text"])
