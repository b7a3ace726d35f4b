"""What the shop's templates draw again and again: money, icons."""

from decimal import Decimal

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from kameng.core.money import quantize

register = template.Library()

#: Shown for a product whose own icon is missing.
FALLBACK_ICON = "generic"


def currency_sign() -> str:
    """¥ among Chinese readers; CN¥ for others, who may take ¥ for yen."""
    return "¥" if (get_language() or "zh").startswith("zh") else "CN¥"


@register.filter
def money(amount: Decimal) -> str:
    """Yuan as a sentence shows them: `¥57.00`."""
    return f"{currency_sign()}{quantize(Decimal(amount))}"


@register.filter
def price(amount: Decimal) -> SafeString:
    """Yuan as a price tag, sign and fen set smaller; reads as `¥57.00`."""
    yuan, fen = str(quantize(Decimal(amount))).split(".")
    return format_html(
        '<span class="price"><small>{}</small><span data-yuan>{}</span><small data-fen>.{}</small></span>',
        currency_sign(),
        yuan,
        fen,
    )


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A drawn sign from the sprite, in the colour of the text around it; says nothing to screen readers."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#i-{}"></use></svg>',
        f" {extra}" if extra else "",
        static("icons/sprite.svg"),
        name,
    )


@register.simple_tag
def product_icon(name: str, size: int = 48, *, lazy: bool = True) -> SafeString:
    """A product's picture, `size` pixels square; the name stands beside it, so the picture has no text of its own."""
    return _picture("products", name or FALLBACK_ICON, size, " loading=lazy" if lazy else "")


@register.simple_tag
def payment_icon(gateway: str, size: int = 32) -> SafeString:
    """A gateway's picture, `size` pixels square, beside its name."""
    return _picture("payments", gateway, size)


def _picture(folder: str, name: str, size: int, more: str = "") -> SafeString:
    try:
        source = static(f"icons/{folder}/{name}.svg")
    except ValueError:  # the manifest of collected files does not have it
        source = static(f"icons/products/{FALLBACK_ICON}.svg")
    return format_html('<img class="picture" src="{}" width="{}" height="{}" alt=""{}>', source, size, size, more)
