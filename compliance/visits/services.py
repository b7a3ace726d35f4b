"""Letting platform staff into a shop's admin: a ticket of a minute, a session of half an hour, a line in every book.

A ticket is signed for one shop and names its row, which remembers that it was used. Whoever comes in acts under an
account of the shop's schema that has no password, is in charge of nobody, and counts only with a visit that goes on.
"""

from datetime import timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.core import signing
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from compliance.trail.services import entry_append
from compliance.visits.models import Visit
from kameng.accounts.models import User
from kameng.accounts.services import visitor_account, visitor_account_close
from kameng.core.problems import Invalid, Problem
from kameng.outbox.services import publish
from resellers.models import Reseller

TICKET_SECONDS, VISIT_SECONDS = 60, 1800
SHORTEST_REASON, LONGEST_REASON = 4, 200


class TicketRefused(Problem):
    """A ticket lets nobody in: it is another shop's, was changed, came too late, or was used."""

    code = "ticket_refused"
    status = 403
    message = gettext_lazy("这张入场券不能用：不是这家店的，或被改过")


def _salt(shop: Reseller) -> str:
    return f"visit/{shop.schema_name}"


@transaction.atomic
def visit_ask(*, shop: Reseller, by: str, reason: str, helps: bool) -> tuple[Visit, str]:
    """Let an operator into a shop once, within a minute; the ticket for it. Raises `Invalid` without a reason."""
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        text = _("写清为什么要进店，4 到 200 个字；店主看得到")
        raise Invalid(text, fields={"reason": text})
    asked = Visit.objects.create(shop=shop, by=by, reason=reason, helps=helps)
    return asked, signing.dumps(asked.pk, salt=_salt(shop))


@transaction.atomic
def visit_enter(*, shop: Reseller, ticket: str) -> tuple[Visit, User]:
    """Take a ticket, in the shop's schema: the visit that begins, and the account to sign in.

    Raises `TicketRefused`.
    """
    try:
        visit_id = signing.loads(ticket, salt=_salt(shop), max_age=TICKET_SECONDS)
    except signing.SignatureExpired as late:
        raise TicketRefused(_("这张入场券过期了，只在一分钟内有效，回运营台再开一张")) from late
    except signing.BadSignature as foreign:
        raise TicketRefused from foreign
    visit = Visit.objects.select_for_update().filter(pk=visit_id, shop=shop).first()
    if visit is None:
        raise TicketRefused
    if visit.entered_at is not None:
        raise TicketRefused(_("这张入场券已经用过，回运营台再开一张"))
    for earlier in Visit.objects.filter(shop=shop, by=visit.by, entered_at__isnull=False, ended_at__isnull=True):
        visit_end(visit_id=earlier.pk)
    visit.entered_at = timezone.now()
    visit.until = visit.entered_at + timedelta(seconds=VISIT_SECONDS)
    visit.save(update_fields=["entered_at", "until"])
    account = visitor_account(name=visit.name)
    publish("visit.over", delay=VISIT_SECONDS, visit_id=visit.pk)
    told = {"by": visit.name, "how": _("协助") if visit.helps else _("只读"), "reason": visit.reason}
    _write(visit, account, _("平台员工 %(by)s 进入店铺后台（%(how)s）：%(reason)s") % told)
    data = {"visit": visit.pk, "reason": visit.reason, "helps": visit.helps, "until": visit.until}
    entry_append(actor=visit.by, subject=f"shop:{shop.slug}", action="shop.visited", data=data)
    return visit, account


@transaction.atomic
def visit_end(*, visit_id: int) -> None:
    """End a visit, in the shop's schema: its session is worth nothing from here on. Once."""
    visit = Visit.objects.select_for_update(of=("self",)).select_related("shop").get(pk=visit_id)
    if visit.entered_at is None or visit.ended_at is not None:
        return
    now = timezone.now()
    is_late = visit.until is not None and visit.until <= now
    visit.ended_at = now
    visit.save(update_fields=["ended_at"])
    account = visitor_account_close(name=visit.name)
    told = {"by": visit.name, "why": _("时间到") if is_late else _("自己离开")}
    _write(visit, account, _("平台员工 %(by)s 离开店铺后台（%(why)s）") % told)
    data = {"visit": visit.pk, "is_late": is_late}
    entry_append(actor=visit.by, subject=f"shop:{visit.shop.slug}", action="shop.visit_ended", data=data)


def visit_over(*, visit_id: int) -> float | None:
    """Its time may be over; in how many seconds it will be, if not."""
    visit = Visit.objects.get(pk=visit_id)
    if visit.until is not None and visit.ended_at is None:
        left = (visit.until - timezone.now()).total_seconds()
        if left > 0:
            return left
        visit_end(visit_id=visit_id)
    return None


def _write(visit: Visit, account: User, message: str) -> None:
    LogEntry.objects.create(
        user=account, object_id=str(visit.pk), object_repr=_("进店 #%(id)s") % {"id": visit.pk}, action_flag=CHANGE,
        change_message=message[:1000],
    )  # fmt: skip
