"""Which shop answers on a host: exact, case-insensitive, without port or trailing dot.

Looked up once a second at most, by each process: each host that is asked for, or whether anything has changed at all
where there are many.
"""

import re
import time
from typing import NamedTuple

from django.db.models.expressions import RawSQL
from django_tenants.utils import get_public_schema_name

from kameng.core import sql
from kameng.core.remembered import Remembered
from resellers import selectors
from resellers.models import Domain, Reseller

#: Anything else is nobody's, and worth neither a question nor a place.
_WRITTEN_LIKE_ONE = re.compile(r"[a-z0-9.:_\[\]-]{1,255}", re.ASCII)
_VERSIONS = """
SELECT (domain.xmin, domain.ctid)::text, (shop.xmin, shop.ctid)::text, (tenure.xmin, tenure.ctid)::text
  FROM public.resellers_domain AS domain JOIN public.resellers_reseller AS shop ON shop.id = domain.tenant_id
  LEFT JOIN public.plans_tenure AS tenure ON tenure.shop_id = shop.id
 WHERE domain.domain = %s
"""
_OF_ROWS = {
    "of_domain": RawSQL("(resellers_domain.xmin, resellers_domain.ctid)::text", []),
    "of_shop": RawSQL("(resellers_reseller.xmin, resellers_reseller.ctid)::text", []),
    "of_tenure": RawSQL("(plans_tenure.xmin, plans_tenure.ctid)::text", []),
}
Versions = tuple[str, ...]


class _Answer(NamedTuple):
    """A host's shop, and the versions of the rows that say so; where it is nobody's, there are none."""

    shop: Reseller | None
    versions: Versions


def _ask(host: str) -> _Answer:
    read_at = time.monotonic()
    found = Domain.objects.select_related("tenant__tenure").annotate(**_OF_ROWS).filter(domain=host).first()
    if found is None:
        return _Answer(None, ())
    answer = _Answer(found.tenant, (found.of_domain, found.of_shop, found.of_tenure))
    _tell_selectors(answer, read_at)
    return answer


def _stands(host: str, answer: _Answer) -> bool:
    read_at = time.monotonic()
    stands = sql.rows_anywhere(_VERSIONS, [host]) == ([answer.versions] if answer.versions else [])
    if stands:
        _tell_selectors(answer, read_at)
    return stands


def _tell_selectors(answer: _Answer, read_at: float) -> None:
    """Whoever asks for the shop by its number or schema within a second need not ask the database again."""
    if answer.shop is not None and answer.shop.schema_name != get_public_schema_name():
        _, of_shop, of_tenure = answer.versions
        selectors.shop_read(answer.shop, of_shop=of_shop, of_tenure=of_tenure, read_at=read_at)


_known: Remembered[str, _Answer] = Remembered(
    stands=_stands, witness=selectors.witness, part=lambda answer: selectors.part_of(answer.shop)
)
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
    return _known.get(host, lambda: _ask(host)).shop


def hosts_now() -> frozenset[str]:
    """All hosts of ours, as they were at most a second ago: what is not proven, or no longer, is not among them."""
    return _all.get(None, lambda: frozenset(Domain.objects.values_list("domain", flat=True)))


def forget() -> None:
    """Drop what is remembered: for tests and for the process that just changed a shop or its domains."""
    _known.forget()
    _all.forget()
    selectors.forget()
