"""What a process keeps between requests, in its own memory and in Redis."""

import secrets

from django.core.cache import cache

from catalog import selectors
from catalog.listings import pages_kept, shelf
from fulfillment.suppliers import connections
from payments.merchants import services as merchant_services
from resellers import hosts


def forget() -> None:
    """It must not outlive rows that were rolled back, nor count for whoever comes next."""
    cache.key_prefix = secrets.token_hex(4)
    hosts.forget()
    shelf.forget()
    pages_kept.forget()
    selectors.forget()
    merchant_services.forget()
    connections.forget()
