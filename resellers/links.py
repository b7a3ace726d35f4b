"""Addresses of shops as browsers outside reach them."""

from django.conf import settings

from resellers.models import Reseller


def shop_url(shop: Reseller) -> str:
    """A shop's first page on its preferred host; empty for a shop without one. Prefetch `domains` for lists."""
    domains = sorted(shop.domains.all(), key=lambda domain: (not domain.is_primary, domain.pk))
    if not domains:
        return ""
    port = "" if settings.PRODUCTION else f":{settings.PUBLIC_PORT}"
    return f"{settings.PUBLIC_SCHEME}://{domains[0].domain}{port}/"
