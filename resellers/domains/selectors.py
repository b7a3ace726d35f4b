"""Reading hosts: whose they are, which are genuine, and which the platform keeps for itself."""

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django_tenants.utils import get_public_schema_name

from resellers.domains.models import OwnDomain
from resellers.domains.names import Platform, is_registry
from resellers.models import Domain, Reseller


def platform() -> Platform:
    """The platform's own hosts, with what they are below, and the words that only they carry."""
    of_ours = Domain.objects.filter(tenant__schema_name=get_public_schema_name()) | Domain.objects.filter(
        tenant__is_house=True
    )
    own = {settings.OPERATIONS_HOST, settings.DOMAIN_TARGET, *of_ours.values_list("domain", flat=True)}
    above = {host.partition(".")[2] for host in (settings.OPERATIONS_HOST, settings.DOMAIN_TARGET)}
    own |= {host for host in above if host == "localhost" or ("." in host and not is_registry(host))}
    return Platform(frozenset(own), tuple(settings.PLATFORM_NAMES))


def domains_of(shop: Reseller) -> "QuerySet[OwnDomain]":
    """A shop's own hosts, the oldest first."""
    return OwnDomain.objects.filter(shop=shop).order_by("pk")


def genuine() -> "QuerySet[Domain]":
    """Hosts of shops, each with `since`: the operations host is nobody's shop."""
    bound = OwnDomain.objects.filter(host=OuterRef("domain"), bound=True).values("bound_at")[:1]
    found: QuerySet[Domain] = (
        Domain.objects.exclude(tenant__schema_name=get_public_schema_name())
        .select_related("tenant")
        .annotate(since=Coalesce(Subquery(bound), "tenant__created_at"))
        .order_by("-tenant__is_house", "tenant_id", "-is_primary", "domain")
    )
    return found
