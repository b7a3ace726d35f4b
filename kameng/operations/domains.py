"""Owners' own hosts, for operators: how each stands, looking again, and vouching for what a name does not show."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from compliance.trail.services import entry_append
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import NotFound
from resellers.domains.models import OwnDomain, Problem
from resellers.domains.services import domain_ask, domain_give_up, domain_waive
from resellers.domains.words import TONES, domain_words

State = OwnDomain.State
LOST = "public.domains_owndomain WHERE state = 'lost' AND bound"


@operations_site.page(
    "domains/", name="domains", nav=Nav(gettext_lazy("平台"), gettext_lazy("域名"), "dns", 21, waiting=LOST)
)
@require_http_methods(["GET", "HEAD", "POST"])
def domains(request: HttpRequest) -> HttpResponse:
    """All of them, or those in one state; the newest first."""
    if request.method == "POST":
        return _act(request)
    state, query = request.GET.get("state", ""), request.GET.get("q", "").strip()[:253]
    found = OwnDomain.objects.select_related("shop").order_by("-pk")
    counts = {row["state"]: row["count"] for row in found.order_by().values("state").annotate(count=Count("pk"))}
    if state in State.values:
        found = found.filter(state=state)
    if query:
        found = found.filter(host__contains=query.lower()) | found.filter(shop__slug=query)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": _("域名"),
        "rows": [_shown(own) for own in page],
        "page_obj": page,
        "state": state,
        "query": query,
        "chips": [("", _("全部"), sum(counts.values()))]
        + [(value, label, counts.get(value, 0)) for value, label in State.choices],
    }
    return operations_site.render(request, "staff/operations_domains.html", context)


def _shown(own: OwnDomain) -> dict[str, Any]:
    said, _advice = domain_words(own)
    return {
        "own": own,
        "tone": TONES[State(own.state)],
        "said": said,
        "can_waive": not own.waived_by and own.problem == Problem.NOT_POINTING,
    }


def _act(request: HttpRequest) -> HttpResponse:
    text, act = request.POST.get("row", ""), request.POST.get("act", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Http404
    own = OwnDomain.objects.select_related("shop").filter(pk=int(text)).first()
    if own is None or act not in ("check", "waive", "unbind"):
        raise Http404
    try:
        if act == "unbind":
            _unbind(request, own)
        else:
            if act == "waive":
                _waive(request, own)
            _look(request, own)
    except NotFound as error:
        raise Http404 from error
    return redirect(reverse("operations:domains") + f"?q={own.host}")


def _look(request: HttpRequest, own: OwnDomain) -> None:
    now = domain_ask(domain_id=own.pk)
    said, _advice = domain_words(now)
    messages.info(request, f"{now.shown_host}：{said or now.get_state_display()}")


def _waive(request: HttpRequest, own: OwnDomain) -> None:
    with transaction.atomic():
        domain_waive(domain_id=own.pk, actor=actor_of(request))
        write_down(request, own, CHANGE, _("通过域名 %(host)s 的指向") % {"host": own.host})
        said = {"shop": own.shop.slug, "host": own.host}
        entry_append(actor=actor_of(request), subject=f"domain:{own.host}", action="domain.waived", data=said)


def _unbind(request: HttpRequest, own: OwnDomain) -> None:
    with transaction.atomic():
        write_down(request, own, CHANGE, _("解绑域名 %(host)s") % {"host": own.host})
        domain_give_up(domain_id=own.pk)
        said = {"shop": own.shop.slug, "host": own.host}
        entry_append(actor=actor_of(request), subject=f"domain:{own.host}", action="domain.unbound", data=said)
    messages.success(request, _("已解绑并移除 %(host)s") % {"host": own.shown_host})
