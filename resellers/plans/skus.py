"""What plans are bought as: one product of the house shop, and a sku for each plan and kind of application."""

from resellers.plans.models import Application

PRODUCT = "open-a-shop"
Kind = Application.Kind
_BEGINNINGS = {Kind.OPENING: "open", Kind.RENEWAL: "rent"}


def sku_of(kind: str, plan_code: str) -> str:
    """What an application is paid for with."""
    return f"{_BEGINNINGS[Kind(kind)]}-{plan_code}"


def kind_of(product_slug: str, sku: str) -> str:
    """What a line of an order asks for, of `Application.Kind`; empty for one that buys anything else.

    >>> kind_of("open-a-shop", "rent-standard"), kind_of("steam", "rent-standard")
    ('renewal', '')
    """
    if product_slug != PRODUCT:
        return ""
    return next(kind.value for kind, beginning in _BEGINNINGS.items() if sku.startswith(f"{beginning}-"))
