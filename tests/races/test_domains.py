"""Two shops prove one host at the same moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from resellers.domains import services
from resellers.domains.judging import Verdict
from resellers.domains.models import OwnDomain, Problem
from resellers.domains.services import Look, domain_check, domain_claim
from resellers.models import Domain, Reseller
from tests.races.threads import SURELY, at_once, pause_before

pytestmark = pytest.mark.race

HOST = "www.spring.example"
_GUARDS = (
    ("resellers_domain", "SELECT conname FROM pg_constraint WHERE conrelid = 'public.resellers_domain'::regclass"
     " AND contype = 'u'", "ALTER TABLE public.resellers_domain DROP CONSTRAINT {}",
     "ALTER TABLE public.resellers_domain ADD CONSTRAINT {} UNIQUE (domain)"),
    ("domains_owndomain", "SELECT 'own_domain_bound_once'", "DROP INDEX public.{}",
     "CREATE UNIQUE INDEX {} ON public.domains_owndomain (host) WHERE bound"),
)  # fmt: skip


@contextmanager
def without_constraints() -> Iterator[None]:
    """Nothing says that a host is one shop's."""
    with connection.cursor() as cursor:
        names = []
        for _table, named, drop, _again in _GUARDS:
            cursor.execute(named)
            (name,) = cursor.fetchone() or ("",)
            names.append(name)
            cursor.execute(drop.format(name))
        try:
            yield
        finally:
            cursor.execute(
                "DELETE FROM public.domains_owndomain; DELETE FROM public.resellers_domain WHERE domain = %s", [HOST]
            )
            for name, (_table, _named, _drop, again) in zip(names, _GUARDS, strict=True):
                cursor.execute(again.format(name))


def both_prove(live_shop: Reseller) -> list[OwnDomain]:
    other = Reseller.objects.get(slug="two")
    ids = [domain_claim(shop_id=shop.pk, host=HOST, actor="staff:owner").pk for shop in (live_shop, other)]
    told = at_once(live_shop, *(lambda pk=pk: domain_check(domain_id=pk) for pk in ids))
    assert not [error for error in told if isinstance(error, Exception)], told
    return list(OwnDomain.objects.all())


def test_one_of_two_shops_that_prove_a_host_at_once_gets_it(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_look", lambda own: Look(Verdict()))
    pause_before(monkeypatch, "resellers.domains.services._claimed_first", patience=SURELY)
    try:
        rows = both_prove(live_shop)
        (winner,) = (row for row in rows if row.bound)
        (loser,) = (row for row in rows if not row.bound)
        assert loser.problem == Problem.TAKEN
        assert Domain.objects.get(domain=HOST).tenant_id == winner.shop_id
    finally:
        Domain.objects.filter(domain=HOST).delete()
        OwnDomain.objects.all().delete()
    # That it is the constraints that settle it shows without them: both are told that the host is theirs.
    with without_constraints():
        assert [row.bound for row in both_prove(live_shop)] == [True, True]
        assert Domain.objects.filter(domain=HOST).count() == 2
