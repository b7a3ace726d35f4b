"""Whether a host is a genuine shop of this platform: asked on the house shop, which shoppers know."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.listings.views import page
from kameng.core.client import client_address
from kameng.core.throttle import allow
from resellers.context import in_english
from resellers.domains.names import BadName, normalized, shown, skeleton
from resellers.domains.selectors import genuine
from resellers.links import shop_url
from resellers.models import Domain, Reseller

HOSTS_ON_A_PAGE = 50
#: Questions from one address in so many seconds.
QUESTIONS, QUESTION_SECONDS = 60, 60
#: Longer is nobody's host.
LONGEST_QUESTION = 1000


@require_safe
@never_cache
def hosts(request: HttpRequest) -> HttpResponse:
    """One question, and the list of all hosts that are genuine. Other shops lead to the house shop's page."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if not shop.is_house:
        house = Reseller.objects.filter(is_house=True).prefetch_related("domains").first()
        address = shop_url(house) if house is not None else ""
        if not address:
            raise Http404
        return redirect(f"{address.rstrip('/')}{request.path}")
    typed = request.GET.get("host", "").strip()[:LONGEST_QUESTION]
    told: dict[str, Any] = {}
    status = 200
    if typed:
        if seconds := allow("hosts", client_address(request), limit=QUESTIONS, seconds=QUESTION_SECONDS):
            told, status = {"problem": _("查得太快了，%(seconds)s 秒后再试") % {"seconds": seconds}}, 429
        else:
            told = _answer(typed)
    rows = Paginator(genuine(), HOSTS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {"typed": typed, "told": told, "rows": [_row(domain) for domain in rows], "page_obj": rows}
    return page(request, "shop/hosts.html", context, status=status)


def _answer(typed: str) -> dict[str, Any]:
    """Genuine, with the shop's name and since when; or not, and which genuine one it might be taken for."""
    # On a machine of one's own a genuine host may be a single word, or end in what is reserved.
    plain = typed.lower().split("://")[-1].split("/")[0].partition(":")[0].removesuffix(".")
    found = genuine().filter(domain=plain).first()
    if found is not None:
        return {"genuine": _row(found)}
    try:
        host = normalized(typed, reserved_too=True)
    except BadName:
        return {"problem": _("这不是一个能用的网址。把浏览器地址栏里的网址抄过来，像 shop.example.com")}
    found = genuine().filter(domain=host).first()
    if found is not None:
        return {"genuine": _row(found)}
    like = skeleton(shown(host))
    # As many as there are shops, but only for what is not genuine, and so many times a minute.
    near = next((known for known in genuine().iterator() if skeleton(shown(known.domain)) == like), None)
    return {"stranger": shown(host), "ascii": host, "near": _row(near) if near else None}


def _row(domain: Domain) -> dict[str, Any]:
    shop: Reseller = domain.tenant
    return {
        "host": shown(domain.domain),
        "ascii": domain.domain,
        "name": (in_english() and shop.name_en) or shop.name,
        "since": domain.since,
        "is_house": shop.is_house,
    }
