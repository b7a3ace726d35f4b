"""Who opens which page of a shop's admin and who sends its form: all of it in one table, and nowhere else.

Owners do everything. Others have roles. Platform staff, who come for a while (`kameng.manage.visits`), look, and where
they come to help they also send what is marked so. A page that is not in the table is the owners' alone.
"""

from dataclasses import dataclass
from enum import Enum, auto

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from kameng.accounts.models import Role, User
from kameng.accounts.services import is_visitor
from kameng.admin.sites import EARNINGS, shop_site
from kameng.manage.visits import visit_guard

Roles = frozenset[Role]
SUPPORT, GOODS, FINANCE = (frozenset({role}) for role in Role)
#: Everybody of the shop, also who has no role yet; and only its owners.
ALL, NONE = frozenset(Role), frozenset[Role]()


class Visitors(Enum):
    """What a page is to platform staff who visit."""

    #: The owner's money, keys and log-ins: they do not even look.
    CLOSED = auto()
    #: They look, and send nothing.
    LOOK = auto()
    #: Who came to help sends its form too: goods, prices, words and looks, which owners most often cannot manage.
    HELP = auto()


@dataclass(frozen=True, slots=True)
class Right:
    """Who, besides the owners."""

    opens: Roles
    sends: Roles
    visitors: Visitors = Visitors.LOOK


def _one_thing(roles: Roles, visitors: Visitors = Visitors.LOOK) -> Right:
    """Whoever opens it sends it."""
    return Right(roles, roles, visitors)


_OWNERS, _OWNERS_ALONE = _one_thing(NONE), _one_thing(NONE, Visitors.CLOSED)
_OWN_ACCOUNT = _one_thing(ALL, Visitors.CLOSED)
_GOODS = _one_thing(GOODS, Visitors.HELP)
_MONEY = Right(FINANCE, NONE, Visitors.CLOSED)

#: By the names of pages, as addresses are made of them, and what of them is seen elsewhere.
RIGHTS: dict[str, Right] = {
    "index": _one_thing(ALL),
    "login": _one_thing(ALL),
    "logout": _one_thing(ALL),
    "jsi18n": _one_thing(ALL),
    "password_change": _OWN_ACCOUNT,
    "password_change_done": _OWN_ACCOUNT,
    "second_factor": _OWN_ACCOUNT,
    # Orders and those who place them.
    "orders_order_changelist": _one_thing(SUPPORT | FINANCE),
    "orders_order_change": _one_thing(SUPPORT | FINANCE),
    "orders_export": Right(FINANCE, FINANCE, Visitors.CLOSED),
    "customers": _one_thing(SUPPORT),
    "customer": _one_thing(SUPPORT),
    # Goods and prices.
    "goods": _GOODS,
    "goods_save": _GOODS,
    "range": _GOODS,
    "prices": _GOODS,
    "price_changes": _GOODS,
    "price_change_undo": _GOODS,
    "product_name": _GOODS,
    "listings_pricerule_changelist": _GOODS,
    "listings_pricerule_add": _GOODS,
    "listings_pricerule_change": _GOODS,
    "listings_pricerule_delete": _GOODS,
    "own_goods": _GOODS,
    "own_good_new": _GOODS,
    "own_good": _GOODS,
    # What is in stock is worth money to whoever reads it: nobody from outside.
    "own_codes": _one_thing(GOODS, Visitors.CLOSED),
    "own_import": _one_thing(GOODS, Visitors.CLOSED),
    "by_hand": _one_thing(SUPPORT),
    # What comes off prices is taken from what the owner earns.
    "coupons": Right(GOODS, NONE),
    "coupon": Right(GOODS, NONE),
    "coupon_new": _OWNERS,
    "cases": _one_thing(GOODS),
    # What the shop says and hands on.
    "announcement": _one_thing(GOODS | SUPPORT, Visitors.HELP),
    "points": _OWNERS,
    "share": _one_thing(ALL),
    "share_file": _one_thing(ALL),
    "look": _one_thing(NONE, Visitors.HELP),
    "look_swatches": _one_thing(NONE, Visitors.HELP),
    "look_preview": _one_thing(NONE, Visitors.HELP),
    # Money. Who sees orders alone does not see what they bring. Taking it out is the owners', with their second factor.
    EARNINGS: Right(FINANCE | GOODS, NONE),
    "statement": _one_thing(FINANCE),
    "statement_file": _one_thing(FINANCE),
    "statement_print": _one_thing(FINANCE),
    "deposit": Right(FINANCE, NONE),
    "withdrawals": _MONEY,
    "withdrawal_cancel": _OWNERS_ALONE,
    # Nothing is moved by it, and in a stolen session it is the owner's own account that is held back.
    "payee_cancel": _one_thing(FINANCE, Visitors.CLOSED),
    # Who may come in, and what was done.
    "staff": _OWNERS,
    "staff_member": _OWNERS_ALONE,
    "changes": _OWNERS,
    "changes_file": _OWNERS_ALONE,
    # The shop itself.
    "clients": _OWNERS_ALONE,
    "client": _OWNERS_ALONE,
    "papers": _OWNERS,
    "paper_scan": _OWNERS,
    "domains": _OWNERS,
    "plan": _OWNERS,
    "setup": _OWNERS,
    # The framework's own: nobody adds orders or removes them, and an address that is none leads nowhere.
    "": Right(ALL, NONE),
    "app_list": Right(ALL, NONE),
    "search": Right(ALL, NONE),
    "orders_order_add": _OWNERS,
    "orders_order_delete": _OWNERS,
    "autocomplete": _OWNERS,
    "view_on_site": _OWNERS,
}


def right_of(name: str) -> Right:
    """The entry of a page; the owners' alone where there is none."""
    return RIGHTS.get(name, _OWNERS_ALONE)


@shop_site.rights
def may(request: HttpRequest, name: str, sends: bool = False) -> bool:
    """Whether whoever asks may open the page of that name, or send its form."""
    user, right = request.user, right_of(name)
    if not isinstance(user, User):
        return False
    if is_visitor(user):
        visit = getattr(request, "visit", None)
        helps = sends and visit is not None and visit.helps and right.visitors is Visitors.HELP
        return helps or (not sends and right.visitors is not Visitors.CLOSED)
    roles = right.sends if sends else right.opens
    return user.is_superuser or roles == ALL or not roles.isdisjoint(user.roles)


def roles_text(user: AbstractBaseUser | AnonymousUser) -> str:
    """What somebody is in the shop, in words."""
    if not isinstance(user, User):
        return ""
    if user.is_superuser:
        return _("店主")
    return "、".join(str(role.label) for role in Role if role in user.roles)


@shop_site.guard
def guard(request: HttpRequest) -> HttpResponse | None:
    """A page in words instead of one that is not theirs; who is not signed in is asked to sign in, by the site."""
    if (instead := visit_guard(request)) is not None:
        return instead
    if not shop_site.has_permission(request):
        return None
    name = (request.resolver_match.url_name if request.resolver_match else "") or ""
    sends = request.method not in ("GET", "HEAD") and name != "logout"
    if may(request, name, sends):
        return None
    said = _to_a_visitor(request, name) if is_visitor(request.user) else _to_staff(request, sends)
    title = _("这一步没有做") if sends else _("这一页打不开")
    return shop_site.render(request, "staff/refused.html", {"title": title, "text": said}, status=403)


def _to_staff(request: HttpRequest, sends: bool) -> str:
    told = {"roles": roles_text(request.user) or _("还没有定")}
    if sends:
        return _("你的身份（%(roles)s）不能做这一步，什么都没有改。要做，请店主在“员工”里给你加身份。") % told
    return _("这一页不归你的身份（%(roles)s）管。要看，请店主在“员工”里给你加身份。") % told


def _to_a_visitor(request: HttpRequest, name: str) -> str:
    right = right_of(name)
    if right.visitors is Visitors.CLOSED:
        return _("平台员工看不了也动不了店主的钱、密钥和登录方式。")
    if right.visitors is Visitors.HELP:
        return _("这次是只读进店，什么都没有改。要协助店主，回运营台选“协助”再进。")
    return _("平台员工不替店主做这一步，什么都没有改。")
