"""Which names a shop can have below the platform's own domain. Pure.

A name that reads like the platform's, or like somebody's whom shoppers trust with money, is nobody's: characters that
look alike are folded onto each other before they are compared.

>>> refusal_of("qinghe"), refusal_of("www"), refusal_of("karneng")
(None, <Refusal.RESERVED: 'reserved'>, <Refusal.LOOKS_ALIKE: 'looks_alike'>)
"""

import re
from collections.abc import Collection
from enum import StrEnum

#: As names of shops are made (`resellers.services`), and long enough to be one.
_WRITTEN = re.compile(r"[a-z][a-z0-9]{2,30}", re.ASCII)

#: What software, mail and people expect to be the platform's.
RESERVED = frozenset(
    """
    abuse account accounts admin administrator api app apply assets auth autoconfig autodiscover beta
    billing blog captcha cdn cert client cms console contact dashboard demo dev dns docs download email
    file files finance forum ftp git help home hostmaster house http https imap img info kefu legal
    licence license login mail manage manager media member metrics mobile monitor news noreply ns ns1
    ns2 official oauth operations operator operators ops pay payment payments pop pop3 portal postmaster
    privacy proxy public register root router sandbox secure security server shop shops signin signup
    site smtp ssl staff stage staging static stats status store sub supply support sys system test
    testing tls tools trust user users vpn web webmail webmaster webhooks wiki work www zhifu
    """.split()  # noqa: SIM905 - a hundred words are read more easily than a hundred strings
)
#: Whose names must appear in nobody else's.
PROTECTED = ("kameng", "alipay", "zhifubao", "wechat", "weixin", "unionpay", "tenpay", "guanfang", "zhiying", "tencent")

#: Characters, and pairs of them, that look like others.
_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SAME = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "6": "b", "7": "t", "8": "b", "9": "g"}
)


class Refusal(StrEnum):
    """Why not."""

    MALFORMED = "malformed"
    RESERVED = "reserved"
    LOOKS_ALIKE = "looks_alike"


def skeleton(name: str) -> str:
    """What a name looks like at a glance: two names with the same one are told apart by nobody."""
    folded = name.lower().replace("-", "")
    for pair, single in _ALIKE:
        folded = folded.replace(pair, single)
    return folded.translate(_SAME)


_RESERVED_LOOKS = frozenset(skeleton(name) for name in RESERVED)
_PROTECTED_LOOKS = tuple(skeleton(name) for name in PROTECTED)


def refusal_of(name: str, platform: Collection[str] = ()) -> Refusal | None:
    """Why nobody can have this name; None where somebody may. `platform` are further names of the platform's own, such
    as the first labels of its hosts."""
    if not _WRITTEN.fullmatch(name):
        return Refusal.MALFORMED
    if name in RESERVED or name in platform:
        return Refusal.RESERVED
    look = skeleton(name)
    if look in _RESERVED_LOOKS or look in {skeleton(own) for own in platform}:
        return Refusal.LOOKS_ALIKE
    return Refusal.LOOKS_ALIKE if any(protected in look for protected in _PROTECTED_LOOKS) else None
