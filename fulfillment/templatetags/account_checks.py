"""Account checks on pages of earlier stages, which know of no supplier."""

from typing import Any

from django import template
from django.urls import reverse

from catalog.listings.shelf import ShelfProduct, shelf
from fulfillment.account_checks import Checked, account_check, is_checkable
from kameng.core.client import client_address
from orders.models import Order

register = template.Library()


@register.simple_tag(takes_context=True)
def account_check_url(context: dict[str, Any], slug: str) -> str:
    """Where a product's account can be checked while it is typed; empty where nobody can tell."""
    product = shelf(context["request"].shop).by_slug.get(slug)
    if product is None or not product.account_fields or not is_checkable(_variant_ids(product)):
        return ""
    return reverse("account_line", args=[slug])


@register.simple_tag(takes_context=True)
def account_checked(context: dict[str, Any], order: Order) -> Checked | None:
    """What is known of the account of an order's first line, asked now where that was not done before.

    None where there is no account, or nobody who could tell.
    """
    request, line = context["request"], order.lines.all()[0]
    if not line.account:
        return None
    found = shelf(request.shop).by_sku.get(line.sku)
    variant_ids = _variant_ids(found[0]) if found else [line.variant_id]
    if not is_checkable(variant_ids):
        return None
    return account_check(variant_ids=variant_ids, account=line.account_values, address=client_address(request))


def _variant_ids(product: ShelfProduct) -> list[int]:
    return [variant.id for variant in product.variants]
