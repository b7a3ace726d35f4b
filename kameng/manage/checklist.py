"""What a new shop still needs before it opens: steps whose state is read from the shop itself, on its first page.

A step is done when the data say so, or when the owner wants it left as it is. With the last one the list is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from catalog.listings.models import Listing, PriceRule
from kameng.admin.bases import write_down
from kameng.admin.sites import shop_site
from resellers.models import Reseller
from resellers.plans.applications import host_of
from resellers.plans.models import Tenure
from resellers.plans.standing import tenure_of
from resellers.services import shop_look_save

#: Steps that are as good left alone; the others need something that only the owner knows.
KEEPABLE = frozenset({"color", "domain", "prices"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the steps follow from."""

    name: str
    slug: str
    tagline: str
    logo: str
    color: str
    support: str
    hosts: Sequence[str]
    has_prices: bool
    is_open: bool
    kept: frozenset[str]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the list."""

    code: str
    is_done: bool
    url: str

    @property
    def can_be_kept(self) -> bool:
        """Whether the owner may say that it is fine as it is."""
        return not self.is_done and self.code in KEEPABLE


def done_of(facts: Facts) -> dict[str, bool]:
    """Which steps are done, in the order in which one takes them. Pure."""
    platform, default = host_of(facts.slug), Reseller._meta.get_field("brand_color").default
    return {
        "name": facts.name != facts.slug and bool(facts.tagline or facts.logo),
        "color": "color" in facts.kept or facts.color.upper() != str(default).upper(),
        "domain": "domain" in facts.kept or any(host != platform for host in facts.hosts),
        "prices": "prices" in facts.kept or facts.has_prices,
        "support": bool(facts.support.strip()),
        "open": facts.is_open,
    }


def facts_of(shop: Reseller, tenure: Tenure) -> Facts:
    """The same of the shop whose schema the caller is in."""
    return Facts(
        name=shop.name,
        slug=shop.slug,
        tagline=shop.tagline,
        logo=shop.logo,
        color=shop.brand_color,
        support=shop.support,
        hosts=list(shop.domains.values_list("domain", flat=True)),
        has_prices=PriceRule.objects.exists() or Listing.objects.filter(price__isnull=False).exists(),
        is_open=shop.is_open,
        kept=frozenset(tenure.kept_steps),
    )


def checklist(shop: Reseller) -> list[Step]:
    """The steps of the shop whose schema the caller is in; none where all are done, or the shop has no plan."""
    if tenure_of(shop) is None:
        return []
    tenure = Tenure.objects.filter(shop_id=shop.pk, subscription__isnull=False, closed_at=None).first()
    if tenure is None:
        return []
    done = done_of(facts_of(Reseller.objects.get(pk=shop.pk), tenure))
    if all(done.values()):
        return []
    look, home = reverse("manage:look"), reverse("home")
    urls = {
        "name": look,
        "color": look,
        "domain": reverse("manage:domains"),
        "prices": reverse("manage:listings_pricerule_add"),
        "support": look,
        "open": home,
    }
    return [Step(code, is_done, urls[code]) for code, is_done in done.items()]


@shop_site.page("setup/", name="setup")
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """The list by itself; leave a step as it is, or open the shop."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if request.method != "POST":
        context = {"title": _("开张前的准备"), "setup": checklist(shop)}
        return shop_site.render(request, "staff/setup.html", context)
    tenure = Tenure.objects.filter(shop_id=shop.pk).first()
    step = request.POST.get("step", "")
    if tenure is None or step not in KEEPABLE | {"open"}:
        raise Http404
    if step == "open":
        done = done_of(facts_of(Reseller.objects.get(pk=shop.pk), tenure))
        if all(is_done for code, is_done in done.items() if code != "open"):
            shop_look_save(shop_id=shop.pk, is_open=True)
            write_down(request, shop, CHANGE, _("开张"))
            messages.success(request, _("开张了，买家现在可以下单"))
        else:
            messages.error(request, _("前面还有没做完的，做完再开张"))
    elif step not in tenure.kept_steps:
        tenure.kept_steps = [*tenure.kept_steps, step]
        tenure.save(update_fields=["kept_steps"])
    return redirect("manage:index")
