"""Asking resolvers, within a bounded time. What is not a definite answer is unknown, and unknown is no answer.

The protocol is dnspython's: datagrams that answer another question are passed over, what does not fit comes over TCP,
aliases are followed, a resolver that fails is left for the next. It is loaded when a host is first asked about.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.message

#: For one question: seconds that one resolver is waited for before the next, and all of them together.
ATTEMPT_SECONDS, TOTAL_SECONDS = 1.5, 4.0

Address = tuple[str, int]


class Type(StrEnum):
    """The records that are asked for."""

    A = "A"
    AAAA = "AAAA"
    TXT = "TXT"


class Unclear(StrEnum):
    """Why nobody knows."""

    TIMEOUT = "timeout"
    SERVER_FAILURE = "server_failure"


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one type at a name; `aliases` are the names that it led over, the last one included.

    `unclear` is set where nobody gave a definite answer. Nothing at all and no `unclear` means: there is none.
    """

    records: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unclear: Unclear | None = None


class Resolver:
    """Resolvers that are asked in turn until one gives a definite answer; `None` is those of the machine."""

    def __init__(self, addresses: Sequence[Address] | None) -> None:
        self._addresses = addresses

    def look_up(self, name: str, wanted: Type) -> Found:
        """The records of a type. Takes no longer than `TOTAL_SECONDS`; raises nothing."""
        import dns.exception
        import dns.name
        import dns.nameserver
        import dns.resolver

        try:
            asked = dns.name.from_text(name)
            resolver = dns.resolver.Resolver(configure=self._addresses is None)
        except dns.resolver.NoResolverConfiguration:
            return Found(unclear=Unclear.TIMEOUT)
        except (dns.exception.DNSException, UnicodeError):
            return Found()  # what is no name has no records
        if self._addresses is not None:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(*address) for address in self._addresses]
        resolver.timeout = ATTEMPT_SECONDS
        try:
            answer = resolver.resolve(asked, wanted.value, raise_on_no_answer=False, lifetime=TOTAL_SECONDS)
            return _found(answer.response, wanted)
        except dns.resolver.NXDOMAIN as nobody:
            return _found(nobody.response(asked), wanted)  # type: ignore[no-untyped-call]
        except (dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout) as unclear:
            # With each failure comes the answer that said so; who was not heard at all has none.
            answered = any(response is not None for *_, response in unclear.kwargs["errors"])
            return Found(unclear=Unclear.SERVER_FAILURE if answered else Unclear.TIMEOUT)
        except dns.exception.DNSException:
            return Found(unclear=Unclear.SERVER_FAILURE)


def address_of(text: str) -> Address:
    """`192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:5353` as an address. Raises `ValueError`."""
    host, bracket, port = text.strip().removeprefix("[").partition("]")
    if not bracket:
        host, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
    socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    return host, int(port.removeprefix(":") or 53)


def _found(message: dns.message.QueryMessage, wanted: Type) -> Found:
    """What belongs to the name that was asked for, over its aliases: records of other names are not followed."""
    chain = message.resolve_chaining()
    aliases = tuple(alias[0].target.to_text(omit_final_dot=True).lower() for alias in chain.cnames)
    records = chain.answer or ()
    if wanted is Type.TXT:  # its strings joined (RFC 7208 §3.3)
        texts = [b"".join(record.strings).decode("utf-8", "replace") for record in records]
    else:
        texts = [str(record.address) for record in records]
    return Found(tuple(texts), aliases)
