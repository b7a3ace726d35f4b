"""An owner's own hosts: adding one, what to enter where, how each stands, and giving one up."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from kameng.core.throttle import require
from kameng.manage.look import SHOP_GROUP
from resellers.domains.models import OwnDomain
from resellers.domains.selectors import domains_of
from resellers.domains.services import GRACE, domain_ask, domain_claim, domain_give_up
from resellers.domains.words import TONES, domain_words
from resellers.models import Domain, Reseller
from resellers.services import domain_prefer

#: Looks that one shop may ask for in so many seconds: each of them asks others.
LOOKS, LOOK_SECONDS = 20, 300
State = OwnDomain.State


class AddForm(StaffForm):
    """A host of one's own."""

    host = forms.CharField(
        label=gettext_lazy("域名"),
        max_length=1000,
        help_text=gettext_lazy("例如 shop.example.com；中文域名直接写"),
        widget=forms.TextInput(
            {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "inputmode": "url"}
        ),
    )


def _shop(request: HttpRequest) -> Reseller:
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    return shop


def _page(request: HttpRequest, form: AddForm, *, status: int = 200) -> HttpResponse:
    shop = _shop(request)
    answering = list(Domain.objects.filter(tenant=shop).order_by("-is_primary", "pk"))
    own = list(domains_of(shop))
    preferred = next((domain.domain for domain in answering if domain.is_primary), "")
    context = {
        "title": _("域名"),
        "form": form,
        "given": [domain for domain in answering if domain.domain not in {row.host for row in own}],
        "rows": [_shown(row, preferred) for row in own],
        "preferred": preferred,
        "target": settings.DOMAIN_TARGET,
        "addresses": settings.DOMAIN_ADDRESSES,
        "grace_hours": int(GRACE.total_seconds() // 3600),
    }
    return shop_site.render(request, "staff/domains.html", context, status=status)


def _shown(own: OwnDomain, preferred: str) -> dict[str, Any]:
    said, advice = domain_words(own)
    return {
        "own": own,
        "tone": TONES[State(own.state)],
        "said": said,
        "advice": advice,
        "is_settled": own.state == State.LIVE and not own.problem,
        "is_preferred": own.host == preferred,
        "ends_at": own.lost_at + GRACE if own.bound and own.lost_at else None,
    }


def _own(request: HttpRequest) -> OwnDomain:
    """Which host a button is about: one of this shop's. Raises `Http404`."""
    text = request.POST.get("row", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Http404
    found = domains_of(_shop(request)).filter(pk=int(text)).first()
    if found is None:
        raise Http404
    return found


def _check(request: HttpRequest, own: OwnDomain) -> None:
    require("domain-look", own.shop.schema_name, limit=LOOKS, seconds=LOOK_SECONDS)
    now = domain_ask(domain_id=own.pk)
    said, advice = domain_words(now)
    told = messages.success if now.bound and not now.problem else messages.warning
    told(request, " ".join(filter(None, [f"{now.shown_host}：{said or now.get_state_display()}。", advice])))


def _prefer(request: HttpRequest, own: OwnDomain) -> None:
    domain = Domain.objects.filter(domain=own.host, tenant=own.shop).first()
    if domain is None:
        raise Problem(_("还没有生效，不能设为主域名"))
    domain_prefer(domain_id=domain.pk)
    write_down(request, own, CHANGE, _("主域名：%(host)s") % {"host": own.host})
    messages.success(request, _("已设为主域名，发出去的链接都用它"))


def _remove(request: HttpRequest, own: OwnDomain) -> None:
    write_down(request, own, DELETION, _("移除域名 %(host)s") % {"host": own.host})
    domain_give_up(domain_id=own.pk)
    messages.success(request, _("已移除 %(host)s，一秒内不再打开你的店") % {"host": own.shown_host})


#: What an owner may do with a host, by the button's name.
_ACTS: dict[str, Callable[[HttpRequest, OwnDomain], None]] = {"check": _check, "prefer": _prefer, "remove": _remove}


@shop_site.page("domains/", name="domains", nav=Nav(SHOP_GROUP, gettext_lazy("域名"), "language", 42))
@require_http_methods(["GET", "HEAD", "POST"])
def domains(request: HttpRequest) -> HttpResponse:
    """Where the shop answers, and where it will."""
    if request.method != "POST":
        return _page(request, AddForm())
    act = request.POST.get("act", "")
    if act == "add":
        return _add(request)
    if act not in _ACTS:
        raise Http404
    own = _own(request)
    try:
        _ACTS[act](request, own)
    except Problem as refused:
        messages.error(request, str(refused))
    return redirect("manage:domains")


def _add(request: HttpRequest) -> HttpResponse:
    form = AddForm(request.POST)
    if form.is_valid():
        try:
            own = domain_claim(shop_id=_shop(request).pk, host=form.cleaned_data["host"], actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, own, ADDITION, _("添加域名 %(host)s") % {"host": own.host})
            messages.success(request, _("已添加，接着到域名服务商那里加两条记录"))
            return redirect("manage:domains")
    return _page(request, form, status=422)
