"""What the shop's templates draw again and again: money, icons."""

import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from kameng.core.money import quantize

register = template.Library()

#: Shown for a product whose own icon is missing.
FALLBACK_ICON = "generic"
_ICON_NAME = re.compile(r"[a-z0-9-]+")


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
def product_icon(name: str, size: int = 48) -> SafeString:
    """A product's picture, `size` pixels square; the name stands beside it, so the picture has no text of its own."""
    return _picture("products", name, size)


@register.simple_tag
def payment_icon(gateway: str, size: int = 32) -> SafeString:
    """A gateway's picture, `size` pixels square, beside its name."""
    return _picture("payments", gateway, size)


def _picture(folder: str, name: str, size: int) -> SafeString:
    drawing = _drawing(folder, name) or _drawing("products", FALLBACK_ICON)
    frame = '<svg class="picture" width="{0}" height="{0}" viewBox="0 0 96 96" aria-hidden="true">{1}</svg>'
    return format_html(frame, size, drawing)


@lru_cache(maxsize=1024)
def _drawing(folder: str, name: str) -> SafeString:
    """What is inside one of our own picture files, "" without one.

    Pictures stand in the page itself: they compress together to less than their requests would cost.
    """
    path = finders.find(f"icons/{folder}/{name}.svg") if _ICON_NAME.fullmatch(name) else None
    if not isinstance(path, str):
        return SafeString("")
    inside = Path(path).read_text(encoding="utf-8").split(">", 1)[1].rsplit("</svg>", 1)[0]
    return SafeString(re.sub(r"\s*\n\s*", "", inside))
