"""Which shop answers on a host: exact, case-insensitive, without port or trailing dot.

Looked up once a second at most, by each process, for each host that is asked for.
"""

import re
import time
from collections import OrderedDict
from threading import Lock

from kameng.core.remembered import Remembered
from resellers import selectors
from resellers.models import Domain, Reseller

FRESH_SECONDS = 1.0
REMEMBERED_HOSTS = 4096
#: Anything else is nobody's, and worth neither a question nor a place.
_WRITTEN_LIKE_ONE = re.compile(r"[a-z0-9.:_\[\]-]{1,255}", re.ASCII)

_known: OrderedDict[str, tuple[float, Reseller | None]] = OrderedDict()
_lock = Lock()
_all: Remembered[None, frozenset[str]] = Remembered(1)


def hostname(raw: str) -> str:
    """`Shop.Example.:8000` as `shop.example`; an IPv6 literal keeps its brackets."""
    host = raw.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


def shop_of(raw_host: str) -> Reseller | None:
    """The shop (or the operations host's public row), or None for a host that is nobody's."""
    host = hostname(raw_host)
    if not _WRITTEN_LIKE_ONE.fullmatch(host):
        return None
    now = time.monotonic()
    known = _known.get(host)
    if known is not None and now - known[0] < FRESH_SECONDS:
        return known[1]
    domain = Domain.objects.select_related("tenant__tenure").filter(domain=host).first()
    shop = domain.tenant if domain else None
    with _lock:
        _known[host] = (now, shop)
        _known.move_to_end(host)
        while len(_known) > REMEMBERED_HOSTS:
            _known.popitem(last=False)
    return shop


def hosts_now() -> frozenset[str]:
    """All hosts of ours, as they were at most a second ago: what is not proven, or no longer, is not among them."""
    return _all.get(None, lambda: frozenset(Domain.objects.values_list("domain", flat=True)))


def forget() -> None:
    """Drop what is remembered: for tests and for the process that just changed a shop or its domains."""
    with _lock:
        _known.clear()
    _all.forget()
    selectors.forget()
