"""Which addresses somebody else may make us call: none inside our own network, whatever its name says.

The ranges are those of IANA's registries for special purposes, as `ipaddress` knows them. Addresses that carry another
one inside them (RFC 4291 §2.5.5, RFC 3056, RFC 4380, RFC 6052) are looked at as what they carry, or not taken at all.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: Gateways between IPv6 and IPv4: what is behind them is not theirs to say.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))


def is_public(text: str) -> bool:
    """Whether an address, as the resolver writes it, is somebody's on the public internet."""
    address = _read(text)
    return address is not None and address.is_global and not address.is_multicast and not _translates(address)


def is_this_machine(text: str) -> bool:
    """Whether an address is the loopback's."""
    address = _read(text)
    return address is not None and address.is_loopback


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _translates(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return False
    return address.teredo is not None or any(address in network for network in _TRANSLATED)
