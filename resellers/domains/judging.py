"""What answers of the domain name system say about a host: pure.

A host is a shop's once two things are definite: the proof stands in its TXT record, and the name leads to us. What
nobody answers is neither: it moves nothing.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from resellers.domains.models import Problem
from resellers.domains.resolving import Found, Unclear

_UNCLEAR = {Unclear.TIMEOUT: Problem.TIMEOUT, Unclear.SERVER_FAILURE: Problem.SERVER_FAILURE}
LONGEST_SEEN = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Where a host has to lead: to a name, or to nothing but these addresses."""

    name: str
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problem` is empty where everything is as it should be; `seen` is what there was instead."""

    problem: Problem = Problem.NONE
    seen: str = ""

    @property
    def is_good(self) -> bool:
        """Proven, and leading to us."""
        return self.problem is Problem.NONE

    @property
    def is_unclear(self) -> bool:
        """Nobody knows."""
        return self.problem in _UNCLEAR.values()


def proof(found: Found, value: str) -> Verdict:
    """Whether the owner of a name has set the record."""
    if value in (text.strip() for text in found.records):
        return Verdict()
    if found.unclear is not None:
        return Verdict(_UNCLEAR[found.unclear])
    if found.records:
        return Verdict(Problem.OTHER_VALUE, "、".join(found.records)[:LONGEST_SEEN])
    return Verdict(Problem.NO_RECORD)


def pointing(four: Found, six: Found, target: Target) -> Verdict:
    """Whether a name leads to us, by its A and AAAA records: over our name, or to addresses that are all ours.

    What nobody says about AAAA is not held against a name whose A records are well: many have none.
    """
    if target.name in (*four.aliases, *six.aliases):
        return Verdict()
    found = [*four.records, *six.records]
    strangers = [text for text in found if ipaddress.ip_address(text).compressed not in target.addresses]
    if strangers:
        return Verdict(Problem.NOT_POINTING, "、".join([*four.aliases[-1:], *strangers])[:LONGEST_SEEN])
    if found and (four.unclear is None or not four.records):
        return Verdict()
    for one in (four, six):
        if one.unclear is not None:
            return Verdict(_UNCLEAR[one.unclear])
    return Verdict(Problem.NOT_POINTING)


def target_of(name: str, configured: Collection[str], four: Found, six: Found) -> Target:
    """Ours, by what is configured and by what our own name leads to."""
    texts = [*configured, *four.records, *six.records]
    return Target(name, frozenset(ipaddress.ip_address(text).compressed for text in texts))
