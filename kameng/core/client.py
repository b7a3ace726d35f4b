"""Who is asking: the address behind trusted proxies."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Network = IPv4Network | IPv6Network


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not one of our own proxies; headers of anybody else are not believed.

    `settings.TRUSTED_PROXIES` holds addresses and networks (`10.0.0.7`, `172.30.83.0/24`, `fd00::/8`). Empty where the
    server knows no address, as on a Unix socket.
    """
    proxies = _networks(tuple(settings.TRUSTED_PROXIES))
    address = _address(request.META.get("REMOTE_ADDR", ""))
    if address is None:
        return ""
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and _within(address, proxies):
        # A hop that is no address was written by nobody we trust, and so was all that stands before it.
        nearer = _address(hops.pop())
        if nearer is None:
            break
        address = nearer
    return str(address)


@lru_cache(maxsize=8)
def _networks(names: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of TRUSTED_PROXIES. Raises `ValueError`."""
    return tuple(ip_network(name.strip()) for name in names)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as it is compared: IPv4 that a dual-stack socket shows as `::ffff:…` is IPv4."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
