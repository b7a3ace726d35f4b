"""Platform staff in a shop's admin: how they come in, what they may do there, and how they leave."""

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from compliance.visits.selectors import visit_going_on
from compliance.visits.services import VISIT_SECONDS, TicketRefused, visit_end, visit_enter
from kameng.accounts.models import User
from kameng.accounts.services import is_visitor
from kameng.admin.sites import shop_site

SESSION_KEY = "visit"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@require_GET
def enter(request: HttpRequest) -> HttpResponse:
    """Come in with a ticket of the operations host."""
    try:
        visit, account = visit_enter(shop=request.shop, ticket=request.GET.get("ticket", ""))  # type: ignore[attr-defined]
    except TicketRefused as refused:
        return _told(request, _("没有进店"), str(refused), status=refused.status)
    logout(request)
    login(request, account, backend=_BACKEND)
    request.session[SESSION_KEY] = visit.pk
    request.session.set_expiry(VISIT_SECONDS)
    return redirect("manage:index")


def visit_guard(request: HttpRequest) -> HttpResponse | None:
    """Whoever visits has a visit that goes on, or is sent away; `request.visit` is for the page to say so.

    What they may do meanwhile is in the table of rights.
    """
    user = request.user
    if not isinstance(user, User) or not is_visitor(user):
        return None
    shop_id = int(request.shop.pk)  # type: ignore[attr-defined]
    visit = visit_going_on(visit_id=request.session.get(SESSION_KEY), shop_id=shop_id, user=user)
    if visit is None:
        logout(request)
        return _told(request, _("这次进店已经结束"), _("要再看，回运营台再开一张入场券。"), status=403)
    request.visit = visit  # type: ignore[attr-defined]
    if request.method == "POST" and request.resolver_match and request.resolver_match.url_name == "logout":
        visit_end(visit_id=visit.pk)
    return None


def _told(request: HttpRequest, heading: str, text: str, *, status: int) -> HttpResponse:
    """A page of its own: nobody is signed in."""
    return shop_site.render(request, "staff/visit_told.html", {"title": heading, "text": text}, status=status)
