"""Papers that owners hand in: they count for nothing until an operator has held them against their scans.

What was handed in is never changed: who decides decides about exactly what they saw. Locks: the paper, then the one
that it renews, then its shop, then the head of the audit trail.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from compliance.models import Kind, License
from compliance.paper_reasons import REASONS, paper_statement
from compliance.scans.services import scan_add
from compliance.selectors import papers_waiting
from compliance.services import (
    IN_TURN,
    Terms,
    license_known,
    license_locked,
    license_name,
    license_of,
    license_said,
    license_succeeded,
    license_told,
)
from compliance.trail.selectors import entries_of
from compliance.trail.services import entry_append
from kameng.core import sql
from kameng.core.problems import Invalid, NotFound, Problem

#: Until when somebody should have looked at a paper.
REVIEW_DUE = timedelta(hours=24)
#: Papers of one shop that may wait at a time.
MOST_WAITING = 20
LONGEST_STATEMENT = 1000
#: Pictures that are handed in together: what fits into one request.
MOST_PICTURES = 5

Holder, Review = License.Holder, License.Review


class PaperDecided(Problem):
    """Somebody else has decided about it, or its owner took it back."""

    code = "paper_decided"
    status = 409
    message = gettext_lazy("这份证照已经核对过，或者店主已经撤回")


class PaperClaimed(Problem):
    """Somebody else has it in hand."""

    code = "paper_claimed"
    status = 409
    message = gettext_lazy("另一位同事正在核对这份证照")


class ScanUnseen(Problem):
    """Nobody confirms what they have not looked at."""

    code = "scan_unseen"
    status = 409
    message = gettext_lazy("请先打开扫描件对照，再确认")


class ReasonMissing(Problem):
    """The owner has to know why."""

    code = "reason_missing"
    message = gettext_lazy("请选理由，店主要知道改什么")


@transaction.atomic
def paper_hand_in(
    *, seller: str, terms: Terms, uploads: Sequence[bytes], by: str, former: int | None = None
) -> License:
    """An owner hands in a paper with its scans; the same one again, while it waits, is the one there is.

    `former` is one of the shop's own: what counts goes on counting until this one is confirmed in its place; what was
    sent back is put away. Raises `NotFound` for a former one that is not the shop's, and `Invalid` with the fields of
    the terms and `file`; nothing is kept then.
    """
    paper = license_of(Holder.SELLER, seller, terms, by)
    sql.later_anywhere(IN_TURN, [f"papers/{seller}"])
    if paper.kind == Kind.BRAND and not paper.brands:
        raise Invalid(fields={"brands": _("品牌授权要选是哪些品牌")})
    known = license_known(paper, review=Review.WAITING)
    if known is not None:
        return known
    if not uploads:
        raise Invalid(fields={"file": _("请附上证照的照片或扫描件")})
    if len(uploads) > MOST_PICTURES:
        raise Invalid(fields={"file": _("一份证照最多 %(limit)s 张扫描件") % {"limit": MOST_PICTURES}})
    if papers_waiting().filter(holder_kind=Holder.SELLER, holder=seller).count() >= MOST_WAITING:
        raise Invalid(_("已经有 %(limit)s 份在等待核对，请等有结果再提交") % {"limit": MOST_WAITING})
    before = _former(former, seller) if former is not None else None
    if before is not None and before.review == Review.SENT_BACK:
        License.objects.filter(pk=before.pk).update(revoked_at=Now())
        paper.renews_id = before.renews_id
    elif before is not None:
        paper.renews = before
    if paper.renews_id and papers_waiting().filter(renews=paper.renews_id).exists():
        raise Invalid(_("这份证照的续期已经在等待核对"))
    paper.review = Review.WAITING
    paper.save()
    for upload in uploads:
        scan_add(license_id=paper.pk, upload=upload, actor=by)
    said = {**license_said(paper), "renews": paper.renews_id}
    entry_append(actor=by, subject=license_name(paper), action="license.handed_in", data=said)
    return paper


@transaction.atomic
def paper_take_back(*, license_id: int, seller: str, by: str) -> None:
    """An owner takes back what waits, or puts away what was sent back; a second time changes nothing.

    Raises `NotFound` for what is not the shop's, and `PaperDecided` for what was confirmed meanwhile.
    """
    paper = _own(license_id, seller)
    if paper.revoked_at is not None:
        return
    if paper.review == Review.CONFIRMED:
        raise PaperDecided
    License.objects.filter(pk=paper.pk).update(revoked_at=Now())
    entry_append(actor=by, subject=license_name(paper), action="license.taken_back", data=license_said(paper))


@transaction.atomic
def paper_confirm(*, license_id: int, actor: str) -> License:
    """What an owner handed in is as its scan says: it counts from now on, in the place of what it renews.

    Raises `NotFound`, `PaperDecided`, `PaperClaimed`, and `ScanUnseen` where whoever confirms has not opened a scan of
    it.
    """
    paper = _waiting(license_id, actor)
    seen = entries_of(subject=license_name(paper)).filter(action="license.scan_seen", actor=actor)
    if not seen.exists():
        raise ScanUnseen
    _reviewed(paper, Review.CONFIRMED, actor)
    former = license_locked(paper.renews_id) if paper.renews_id else None
    license_told(paper)
    if former is not None and former.replaced_by_id is None and former.revoked_at is None:
        license_succeeded(former, paper, actor=actor)
    entry_append(actor=actor, subject=license_name(paper), action="license.confirmed", data=license_said(paper))
    return paper


@transaction.atomic
def paper_send_back(*, license_id: int, actor: str, reasons: Sequence[str], statement: str = "") -> License:
    """What an owner handed in does not do. `reasons` are codes of `REASONS`, of which the statement to the owner is
    made unless another was written. Raises `NotFound`, `PaperDecided`, `PaperClaimed`, and `ReasonMissing`."""
    codes, told = reasons_told(reasons, statement)
    paper = _waiting(license_id, actor)
    paper.reasons, paper.statement = codes, told
    _reviewed(paper, Review.SENT_BACK, actor)
    said = {**license_said(paper), "reasons": codes, "statement": told}
    entry_append(actor=actor, subject=license_name(paper), action="license.sent_back", data=said)
    return paper


def reasons_told(reasons: Sequence[str], statement: str) -> tuple[list[str], str]:
    """The codes that there are, and what the owner is told. Raises `ReasonMissing`."""
    codes = [code for code in dict.fromkeys(reasons) if code in REASONS]
    if not codes:
        raise ReasonMissing(fields={"reasons": ReasonMissing.message})
    return codes, statement.strip()[:LONGEST_STATEMENT] or paper_statement(codes)


def _waiting(license_id: int, actor: str) -> License:
    paper = license_locked(license_id)
    if paper.review != Review.WAITING or paper.revoked_at is not None:
        raise PaperDecided
    if paper.in_hand_of not in ("", actor):
        raise PaperClaimed
    return paper


def _own(license_id: int, seller: str) -> License:
    paper = license_locked(license_id)
    if (paper.holder_kind, paper.holder) != (Holder.SELLER, seller):
        raise NotFound
    return paper


def _former(license_id: int, seller: str) -> License:
    paper = _own(license_id, seller)
    if paper.replaced_by_id is not None or paper.revoked_at is not None or paper.review == Review.WAITING:
        raise Invalid(_("这份证照已经续期或作废，请到最新的一份上改"))
    return paper


def _reviewed(paper: License, review: str, actor: str) -> None:
    paper.review, paper.reviewed_by, paper.reviewed_at = review, actor, timezone.now()
    paper.claimed_by, paper.claimed_until = "", None
    told = ("reasons", "statement", "claimed_by", "claimed_until")
    paper.save(update_fields=["review", "reviewed_by", "reviewed_at", *told])
