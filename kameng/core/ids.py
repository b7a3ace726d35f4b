"""Identifiers: random, readable, and able to find their shop.

The alphabet is Crockford's base 32 (https://www.crockford.com/base32.html): no I, L, O or U, so that a number read
aloud or copied from a screenshot survives. A *routed* id begins with the shop's id, so that a notice or a callback
which arrives on any host is led to its schema without a look-up table.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ROUTE_LENGTH = 3
_READ_AS = str.maketrans("ILO", "110")


def random_id(length: int) -> str:
    """`length` characters of 5 random bits each."""
    bits = secrets.randbits(5 * length)
    return "".join(ALPHABET[(bits >> 5 * place) & 31] for place in range(length))


def routed_id(shop_id: int, length: int) -> str:
    """An id of `length` characters whose first three carry the shop's id. Raises `ValueError` past 32,767 shops."""
    if not 0 <= shop_id < 32**ROUTE_LENGTH:
        raise ValueError(f"shop id {shop_id} does not fit into a route")
    route = "".join(ALPHABET[(shop_id >> 5 * place) & 31] for place in reversed(range(ROUTE_LENGTH)))
    return route + random_id(length - ROUTE_LENGTH)


def shop_id_of(routed: str) -> int | None:
    """The shop's id inside a routed id, or None if the text is not one."""
    route = routed[:ROUTE_LENGTH]
    if len(route) < ROUTE_LENGTH or any(char not in ALPHABET for char in route):
        return None
    value = 0
    for char in route:
        value = value * 32 + ALPHABET.index(char)
    return value


def normalize(text: str) -> str:
    """What a person typed or pasted, as the stored form: upper case, no spaces or dashes, I and L as 1, O as 0."""
    return "".join(text.split()).replace("-", "").upper().translate(_READ_AS)


def grouped(number: str) -> str:
    """`ABCDEFGHJKMNPQRS` as `ABCD-EFGH-JKMN-PQRS`, for people."""
    return "-".join(number[start : start + 4] for start in range(0, len(number), 4))
