"""The shop's goods for programs."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.http import urlencode
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.listings.faces import name_of
from catalog.listings.shelf import ShelfProduct, ShelfVariant, shelf
from catalog.models import Product
from kameng.core.endpoint import Endpoint
from kameng.core.openapi import Amount, refusals
from kameng.core.problems import Malformed, NotFound
from resellers.context import in_english

PAGE_SIZE = 100
FIELD_TYPES = ("text", "tel", "email", "select")


class ProductSummary(serializers.Serializer[Any]):
    """A product in a list."""

    slug = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField(help_text="The category's slug.")
    kind = serializers.ChoiceField(choices=Product.Kind.choices)
    from_price = Amount(help_text="The lowest price in yuan.")


class ProductPage(serializers.Serializer[Any]):
    """A part of the list."""

    results = ProductSummary(many=True)
    next = serializers.URLField(allow_null=True, help_text="Where the list goes on; null at its end.")


class AccountChoice(serializers.Serializer[Any]):
    """One answer to a question of the account form."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class AccountField(serializers.Serializer[Any]):
    """A question of the account form; the answer goes into the order line's `account` under `name`."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.ChoiceField(choices=FIELD_TYPES)
    required = serializers.BooleanField()  # type: ignore[assignment]
    pattern = serializers.CharField(
        allow_blank=True, help_text="A regular expression for the whole answer; empty for any."
    )
    choices = AccountChoice(many=True, help_text="The only answers there are, for `select`.")
    example = serializers.CharField(allow_blank=True, help_text="An answer of the right form.")


class VariantDetail(serializers.Serializer[Any]):
    """What is bought."""

    sku = serializers.CharField()
    name = serializers.CharField()
    price = Amount(help_text="What the shopper pays for one, in yuan.")
    official_price = Amount(help_text="What the issuer asks, in yuan.")
    available = serializers.BooleanField()
    max_quantity = serializers.IntegerField(min_value=1)


class ProductDetail(serializers.Serializer[Any]):
    """A product with its form and everything that can be bought of it. Codes have no account form."""

    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Product.Kind.choices)
    asks_age = serializers.BooleanField(
        help_text="Whether its shoppers say how old they are: the order's `age`. Declared minors have limits."
    )
    account_fields = AccountField(many=True)
    variants = VariantDetail(many=True)


class ProductList(Endpoint):
    """What the shop sells."""

    cache_control = "no-cache"

    @extend_schema(
        operation_id="products_list",
        summary="List products",
        parameters=[
            OpenApiParameter("category", str, description="Only this category, by its slug."),
            OpenApiParameter("q", str, description="Search by name, alias, pinyin or initials; best matches first."),
            OpenApiParameter("cursor", str, description="Taken from the `next` of the page before."),
        ],
        responses={200: ProductPage, **refusals(Malformed)},
    )
    def get(self, request: Request) -> Response:
        """In the shop's order, most popular first."""
        on_sale = shelf(request.shop)  # type: ignore[attr-defined]
        category, query = request.GET.get("category", ""), request.GET.get("q", "").strip()
        found: Sequence[ShelfProduct] = on_sale.find(query) if query else on_sale.products
        if category:
            found = [product for product in found if product.category == category]
        start = _start(found, request.GET.get("cursor", ""))
        shown = found[start : start + PAGE_SIZE]
        following = None
        if start + PAGE_SIZE < len(found):
            place = {"category": category, "q": query, "cursor": _cursor(start + PAGE_SIZE, shown[-1].slug)}
            following = request.build_absolute_uri(
                f"?{urlencode({name: text for name, text in place.items() if text})}"
            )
        return Response({"results": [_summary(product) for product in shown], "next": following})


class ProductView(Endpoint):
    """One product."""

    cache_control = "no-cache"

    @extend_schema(
        operation_id="products_read",
        summary="Read a product",
        responses={200: ProductDetail, **refusals(NotFound)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Its account form and its variants at this shop's prices."""
        product = shelf(request.shop).by_slug.get(slug)  # type: ignore[attr-defined]
        if product is None:
            raise NotFound
        return Response(
            {
                "slug": product.slug,
                "name": name_of(product),
                "kind": product.kind,
                "asks_age": product.limits_minors,
                "account_fields": [field_entry(field) for field in product.account_fields],
                "variants": [_variant(variant) for variant in product.variants],
            }
        )


def _cursor(position: int, slug: str) -> str:
    return base64.urlsafe_b64encode(f"{position}.{slug}".encode()).decode().rstrip("=")


def _start(found: Sequence[ShelfProduct], cursor: str) -> int:
    """After the product that came last; where it stood, if it is gone."""
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        position, _dot, slug = text.partition(".")
        start = int(position)
    except (ValueError, binascii.Error):
        raise Malformed(fields={"cursor": _("从上一页的 next 里取")}) from None
    return next((place for place, product in enumerate(found, start=1) if product.slug == slug), max(start, 0))


def _label(labeled: Mapping[str, Any]) -> str:
    return str((in_english() and labeled.get("label_en")) or labeled["label"])


def _summary(product: ShelfProduct) -> dict[str, str]:
    return {
        "slug": product.slug,
        "name": name_of(product),
        "category": product.category,
        "kind": product.kind,
        "from_price": f"{product.from_price:.2f}",
    }


def field_entry(field: Mapping[str, Any]) -> dict[str, Any]:
    """A question of an account form, as `AccountField` describes it."""
    return {
        "name": field["name"],
        "label": _label(field),
        "type": field["type"],
        "required": bool(field.get("required", True)),
        "pattern": field.get("pattern") or "",
        "choices": [{"value": choice["value"], "label": _label(choice)} for choice in field.get("choices") or ()],
        "example": field.get("example") or "",
    }


def _variant(variant: ShelfVariant) -> dict[str, Any]:
    return {
        "sku": variant.sku,
        "name": name_of(variant),
        "price": f"{variant.price:.2f}",
        "official_price": f"{variant.official_price:.2f}",
        "available": variant.is_available,
        "max_quantity": variant.max_quantity,
    }
