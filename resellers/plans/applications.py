"""Applying for a shop, or for another year of one: written down and held while it waits for its money."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from kameng.accounts.models import User
from kameng.core.ids import random_id
from kameng.core.problems import StrOrPromise
from resellers.models import Domain, Reseller
from resellers.plans.exceptions import ApplicationInvalid, PlanRefused
from resellers.plans.models import CODE_LENGTH, Application, Plan, Tenure
from resellers.plans.subdomains import Refusal, refusal_of, skeleton

Kind, Status = Application.Kind, Application.Status
LONGEST_NAME, SHORTEST_NAME = 40, 2
#: What nobody paid for is forgotten after so long, with the password that it brought.
FORGOTTEN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody filled in."""

    plan: str
    name: str
    slug: str
    focus: str
    username: str
    password: str
    agrees: bool


def host_of(slug: str) -> str:
    """Where a shop of that name answers."""
    return f"{slug}.{settings.SHOPS_DOMAIN}"


def plans_offered() -> list[Plan]:
    """What can be chosen, in the platform's order."""
    return list(Plan.objects.filter(is_offered=True))


def subdomain_wrong(slug: str, *, besides: str = "") -> str:
    """Why a subdomain cannot be had, in words; empty where it can. `besides` is the code of the application that holds
    it already."""
    if wrong := _name_wrong(slug):
        return wrong
    if _is_taken(slug):
        return _("这个地址已经有店铺在用，换一个试试")
    held = Application.objects.filter(
        slug=slug, kind=Kind.OPENING, status=Status.WAITING, reserved_until__gt=timezone.now()
    ).exclude(code=besides)
    if until := held.values_list("reserved_until", flat=True).first():
        minutes = max(1, -(-int((until - timezone.now()).total_seconds()) // 60))
        return _("有人刚申请了这个地址，还没付款；%(minutes)s 分钟后再试，或换一个") % {"minutes": minutes}
    return ""


def _name_wrong(slug: str) -> str:
    platform = {host.partition(".")[0] for host in (settings.OPERATIONS_HOST, settings.SHOPS_DOMAIN)}
    texts = {
        Refusal.MALFORMED: _("3 到 31 个小写字母或数字，以字母开头"),
        Refusal.RESERVED: _("这个名字平台留着自己用，换一个试试"),
        Refusal.LOOKS_ALIKE: _("这个名字和平台或支付公司的太像了，换一个试试"),
    }
    refused = refusal_of(slug, platform)
    return texts[refused] if refused is not None else ""


def _is_taken(slug: str) -> bool:
    if Reseller.objects.filter(slug=slug).exists() or Domain.objects.filter(domain=host_of(slug)).exists():
        return True
    look = skeleton(slug)
    near = Reseller.objects.filter(slug__startswith=slug[0]).values_list("slug", flat=True)
    return any(skeleton(known) == look for known in near)


@transaction.atomic
def application_submit(
    *, wish: Wish, inviter_id: int | None, again: str = "", refused: dict[str, StrOrPromise] | None = None
) -> Application:
    """Write down what somebody wants, and hold the subdomain for them as long as an order waits for its money.

    `again` is the code of an application of the same browser that may be written anew, `refused` is what others have
    found wrong. Raises `ApplicationInvalid`; nothing is held then.
    """
    plan = Plan.objects.filter(code=wish.plan, is_offered=True).first()
    wrong: dict[str, StrOrPromise] = {}
    if plan is None:
        wrong["plan"] = _("请选一个套餐")
    name = " ".join(wish.name.split())
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME:
        wrong["name"] = _("店名要 %(shortest)s 到 %(longest)s 个字") % {
            "shortest": SHORTEST_NAME,
            "longest": LONGEST_NAME,
        }
    slug = wish.slug.strip().lower()
    if text := subdomain_wrong(slug, besides=again):
        wrong["slug"] = text
    if wish.focus not in Application.Focus.values:
        wrong["focus"] = _("请选经营方向")
    wrong |= _account_wrong(wish)
    if not wish.agrees:
        wrong["agrees"] = _("请先看过并同意条款")
    wrong = {**(refused or {}), **wrong}
    if wrong or plan is None:
        raise ApplicationInvalid(fields=wrong)
    now = timezone.now()
    _let_go(slug, now, again)
    try:
        with transaction.atomic():
            return Application.objects.create(
                code=random_id(CODE_LENGTH),
                kind=Kind.OPENING,
                plan=plan,
                slug=slug,
                name=name,
                focus=wish.focus,
                username=wish.username.strip(),
                password=make_password(wish.password),
                inviter_id=inviter_id,
                reserved_until=now + timedelta(seconds=settings.ORDER_EXPIRES_SECONDS),
            )
    except IntegrityError as error:
        # Somebody else came in the same moment; the database lets one of them hold it.
        raise ApplicationInvalid(fields={"slug": _("有人刚刚申请了这个地址，换一个试试")}) from error


def _account_wrong(wish: Wish) -> dict[str, StrOrPromise]:
    wrong: dict[str, StrOrPromise] = {}
    username = wish.username.strip()
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError:
        wrong["username"] = _("登录名只能用文字、数字和 @ . + - _")
    if not 3 <= len(username) <= 60:
        wrong["username"] = _("登录名要 3 到 60 个字符")
    try:
        validate_password(wish.password, User(username=username))
    except ValidationError as error:
        wrong["password"] = " ".join(error.messages)
    return wrong


def _let_go(slug: str, now: datetime, again: str) -> None:
    """What held the subdomain for too long, or is written anew, holds it no more."""
    over = Application.objects.filter(slug=slug, kind=Kind.OPENING, status=Status.WAITING)
    over.filter(Q(reserved_until__lte=now) | Q(code=again)).update(status=Status.LAPSED)


@transaction.atomic
def renewal_ask(*, shop_id: int) -> Application:
    """An owner wants to pay for another year with an order; the one that waits already where there is one.

    Raises `PlanRefused` for a shop that has no plan, or is closed.
    """
    tenure = (
        Tenure.objects.select_for_update(of=("self",)).select_related("subscription").filter(shop_id=shop_id).first()
    )
    if tenure is None or tenure.subscription is None or tenure.closed_at is not None:
        raise PlanRefused(_("这家店没有套餐，或已经关闭"))
    waiting = Application.objects.filter(shop_id=shop_id, kind=Kind.RENEWAL, status=Status.WAITING)
    found = waiting.filter(plan_id=tenure.subscription.plan_id).first()
    return found or Application.objects.create(
        code=random_id(CODE_LENGTH), kind=Kind.RENEWAL, plan_id=tenure.subscription.plan_id, shop_id=shop_id
    )


def renewal_refusal(application: Application) -> str:
    """Why a renewal that was asked for cannot be paid any more, in words; empty where it can."""
    tenure = Tenure.objects.select_related("subscription").filter(shop_id=application.shop_id).first()
    if tenure is None or tenure.subscription is None or tenure.closed_at is not None:
        return str(Application.Refusal.GONE.label)
    if tenure.subscription.plan_id != application.plan_id:
        return _("这家店换了套餐，请回店铺后台按新套餐续费")
    return ""


def application_ordered(*, application_id: int, order_number: str, expires_at: datetime) -> None:
    """The order that pays for it, as long as which it is held."""
    Application.objects.filter(pk=application_id).update(order_number=order_number, reserved_until=expires_at)


def applications_forget() -> int:
    """Forget what nobody ever paid for, and every password that is left over; how many were forgotten. Run by beat.

    One whose latest order is younger is kept: its money may be on its way.
    """
    before = timezone.now() - timedelta(days=FORGOTTEN_DAYS)
    old = Application.objects.filter(Q(reserved_until=None) | Q(reserved_until__lt=before), created_at__lt=before)
    old.exclude(password="").update(password="")
    gone, _by_model = old.filter(status__in=(Status.WAITING, Status.LAPSED)).delete()
    return gone
