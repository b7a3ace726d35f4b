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
#: Where the owner's money, keys and own log-in are: no visitor even looks at these pages.
CLOSED = frozenset({"withdrawals", "withdrawal_cancel", "clients", "client", "second_factor", "password_change"})
#: What a visitor who helps may send: goods, prices, and how the shop looks. Any other form is refused, also a new one.
HELPED = frozenset({
    "goods", "goods_save", "range", "prices", "price_change_undo", "listings_pricerule_add",
    "listings_pricerule_change", "listings_pricerule_delete", "look", "look_preview",
})  # fmt: skip


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


@shop_site.guard
def visitor_guard(request: HttpRequest) -> HttpResponse | None:
    """Whoever visits looks, and changes what they were let in to change; `request.visit` is for the page to say so."""
    user = request.user
    if not isinstance(user, User) or not is_visitor(user):
        return None
    shop_id = int(request.shop.pk)  # type: ignore[attr-defined]
    visit = visit_going_on(visit_id=request.session.get(SESSION_KEY), shop_id=shop_id, user=user)
    name = request.resolver_match.url_name if request.resolver_match else ""
    if visit is None:
        logout(request)
        return _told(request, _("这次进店已经结束"), _("要再看，回运营台再开一张入场券。"), status=403)
    request.visit = visit  # type: ignore[attr-defined]
    if name == "logout":
        if request.method == "POST":
            visit_end(visit_id=visit.pk)
        return None
    if name in CLOSED:
        return _refused(request, _("平台员工看不了也动不了店主的钱、密钥和登录方式。"))
    if request.method not in ("GET", "HEAD") and not (visit.helps and name in HELPED):
        is_open_to_help = not visit.helps and name in HELPED
        return _refused(
            request,
            _("这次是只读进店，什么都没有改。要协助店主，回运营台选“协助”再进。")
            if is_open_to_help
            else _("平台员工不替店主做这一步，什么都没有改。"),
        )
    return None


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    context = {"title": _("这一步没有做"), "text": text}
    return shop_site.render(request, "staff/visit_refused.html", context, status=403)


def _told(request: HttpRequest, heading: str, text: str, *, status: int) -> HttpResponse:
    """A page of its own: nobody is signed in."""
    return shop_site.render(request, "staff/visit_told.html", {"title": heading, "text": text}, status=status)
