"""What every page knows of its shop."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language

from resellers import theme
from resellers.models import Reseller
from resellers.registrations import ICP_URL


@dataclass(frozen=True, slots=True)
class ShopFace:
    """A shop as its pages show it, in the reader's language."""

    name: str
    tagline: str
    announcement: str
    logo_url: str
    theme_url: str
    support_text: str
    company: str = ""
    credit_code: str = ""
    telecom_license: str = ""
    icp: str = ""
    license_url: str = ""
    #: Where a filing is looked up.
    icp_url: str = ICP_URL


def in_english() -> bool:
    """Whether the reader wants English; everybody else gets Chinese."""
    return (get_language() or "").startswith("en")


@lru_cache(maxsize=2048)
def theme_css(brand_color: str, radius: str) -> tuple[str, str]:
    """A shop's stylesheet, and a name that changes with it."""
    css = theme.stylesheet(theme.derive(brand_color), radius=radius)
    return hashlib.sha256(css.encode()).hexdigest()[:8], css


def shop_face(found: Reseller) -> ShopFace:
    """The shop's name, colours and words."""
    english = in_english()
    version, _css = theme_css(found.brand_color, found.radius)
    return ShopFace(
        name=(english and found.name_en) or found.name,
        tagline=(english and found.tagline_en) or found.tagline,
        announcement=(english and found.announcement_en) or found.announcement,
        logo_url=static(f"icons/shops/{found.logo}.svg") if found.logo else "",
        theme_url=reverse("theme", args=[version]),
        support_text=found.support,
        company=found.company,
        credit_code=found.credit_code,
        telecom_license=found.telecom_license,
        icp=found.icp,
        license_url=found.license_url,
    )


def shop(request: HttpRequest) -> dict[str, Any]:
    """The shop whose host was asked for; nothing on the operations host."""
    found = getattr(request, "shop", None)
    if found is None or getattr(request, "urlconf", None):
        return {}
    return {"shop": shop_face(found)}
