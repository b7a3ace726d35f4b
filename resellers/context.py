"""What every page knows of its shop."""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from resellers import hours, theme
from resellers.brand.names import named
from resellers.models import Reseller
from resellers.registrations import ICP_URL

#: Pixels that the header has for it.
LOGO_HEIGHT = 32


@dataclass(frozen=True, slots=True)
class ShopFace:
    """A shop as its pages show it, in the reader's language."""

    name: str
    tagline: str
    announcement: str
    logo_url: str
    theme_url: str
    support_text: str
    logo_width: int = LOGO_HEIGHT
    favicon_url: str = ""
    favicon_type: str = ""
    #: What the visitor sees before having chosen; empty where the system decides.
    theme_default: str = ""
    hours_text: str = ""
    #: The owner lets nobody order at the moment.
    is_closed: bool = False
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
def theme_css(brand_color: str, radius: str, density: str) -> tuple[str, str]:
    """A shop's stylesheet, and a name that changes with it."""
    css = theme.stylesheet(theme.derive(brand_color), radius=radius, density=density)
    return hashlib.sha256(css.encode()).hexdigest()[:8], css


def shop_face(found: Reseller) -> ShopFace:
    """The shop's name, colours and words."""
    english = in_english()
    logo, favicon = named(found.logo_picture), named(found.favicon_picture)
    version, _css = theme_css(found.brand_color, found.radius, found.density)
    return ShopFace(
        name=(english and found.name_en) or found.name,
        tagline=(english and found.tagline_en) or found.tagline,
        announcement=announcement_now(found, english=english),
        logo_url=_picture_url(found.logo_picture) or (static(f"icons/shops/{found.logo}.svg") if found.logo else ""),
        logo_width=logo.width_at(LOGO_HEIGHT) if logo else LOGO_HEIGHT,
        favicon_url=_picture_url(found.favicon_picture),
        favicon_type=f"image/{favicon.kind}" if favicon else "",
        theme_default="" if found.theme_default == Reseller.ThemeDefault.SYSTEM else found.theme_default,
        hours_text=hours_words(found.hours),
        is_closed=not found.is_open,
        theme_url=reverse("theme", args=[version]),
        support_text=found.support,
        company=found.company,
        credit_code=found.credit_code,
        telecom_license=found.telecom_license,
        icp=found.icp,
        license_url=found.license_url,
    )


def hours_words(text: str) -> str:
    """When somebody answers, and whether they do now: `09:00–22:00，现在休息中`; empty where nothing was said."""
    week = hours.read(text)
    if not week:
        return ""
    told = {"hours": hours.words(week)}
    if hours.is_open(week, timezone.localtime()):
        return _("%(hours)s，现在有人") % told
    return _("%(hours)s，现在休息中") % told


def announcement_now(found: Reseller, *, english: bool) -> str:
    """What the shop announces at this moment; empty before its time and after."""
    now = timezone.now()
    if found.announcement_from is not None and now < found.announcement_from:
        return ""
    if found.announcement_until is not None and now >= found.announcement_until:
        return ""
    return (english and found.announcement_en) or found.announcement


def face_until(found: Reseller) -> float:
    """Until when, in seconds since the epoch, what `shop_face` says stays true."""
    now = timezone.localtime()
    changes = [hours.next_change(hours.read(found.hours), now)]
    if found.announcement:
        changes += [moment for moment in (found.announcement_from, found.announcement_until) if moment and moment > now]
    return min((change.timestamp() for change in changes if change is not None), default=math.inf)


def _picture_url(name: str) -> str:
    return reverse("brand_picture", args=[name]) if name else ""


def shop(request: HttpRequest) -> dict[str, Any]:
    """The shop whose host was asked for; nothing on the operations host."""
    found = getattr(request, "shop", None)
    if found is None or getattr(request, "urlconf", None):
        return {}
    return {"shop": shop_face(found)}
