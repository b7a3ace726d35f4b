"""Owners' papers on the desk, as cases are there: in somebody's hand, the next one, and decisions that are taken back.

A paper is claimed by a row of its own being changed, which deciding holds: no claim is needed beforehand.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.desk.services import HELD, UNDO
from compliance.gate.exceptions import UndoTooLate
from compliance.models import License
from compliance.papers import PaperClaimed, PaperDecided
from compliance.selectors import papers_waiting
from compliance.services import license_locked, license_name, license_said, license_told
from compliance.trail.services import entry_append
from kameng.core.problems import NotFound

Review = License.Review


def _free(actor: str) -> Q:
    """What nobody else has in hand."""
    return Q(claimed_by__in=("", actor)) | Q(claimed_until=None) | Q(claimed_until__lte=timezone.now())


def paper_claim(*, license_id: int, actor: str) -> None:
    """Take a paper that waits in hand for 15 minutes, again or for the first time.

    Raises `PaperClaimed` while somebody else has it, `PaperDecided` where nothing is to decide, and `NotFound`.
    """
    waits = papers_waiting().filter(pk=license_id)
    if waits.filter(_free(actor)).update(claimed_by=actor, claimed_until=timezone.now() + HELD):
        return
    if not License.objects.filter(pk=license_id).exists():
        raise NotFound
    raise PaperClaimed if waits.exists() else PaperDecided


def paper_release(*, license_id: int, actor: str) -> None:
    """Put it back. What is not in one's own hand is left alone."""
    License.objects.filter(pk=license_id, claimed_by=actor).update(claimed_by="", claimed_until=None)


def paper_claim_next(*, actor: str, after: int | None = None) -> License | None:
    """Take the paper in hand that waits longest and that nobody else has; None where there is none.

    One that is passed over (`after`) is put back, and the next is the one behind it; after the last comes the first.
    """
    free = papers_waiting().filter(_free(actor))
    passed = License.objects.filter(pk=after).first() if after else None
    turns: list[QuerySet[License]] = [free]
    if passed is not None:
        paper_release(license_id=passed.pk, actor=actor)
        free = free.exclude(pk=passed.pk)
        later = Q(created_at__gt=passed.created_at) | Q(created_at=passed.created_at, pk__gt=passed.pk)
        turns = [free.filter(later), free]
    for paper in (paper for turn in turns for paper in turn[:10]):
        try:
            paper_claim(license_id=paper.pk, actor=actor)
        except (PaperClaimed, PaperDecided):
            continue
        return paper
    return None


def paper_undoable(actor: str, within: timedelta = UNDO) -> License | None:
    """The last decision about a paper that somebody may still take back."""
    mine = License.objects.filter(reviewed_by=actor, reviewed_at__gte=timezone.now() - within)
    return (
        mine.filter(replaced_by=None, revoked_at=None).exclude(review=Review.WAITING).order_by("-reviewed_at").first()
    )


@transaction.atomic
def paper_undo(*, license_id: int, actor: str) -> License:
    """Take a decision of one's own back, within ten minutes: the paper waits again, in one's own hand, and what it had
    replaced counts again.

    Raises `NotFound`, `UndoTooLate`, and `PaperDecided` where it was replaced, revoked or handed in anew since.
    """
    paper = license_locked(license_id)
    if paper.reviewed_at is None or paper.review == Review.WAITING:
        raise PaperDecided
    if paper.replaced_by_id is not None or paper.revoked_at is not None:
        raise PaperDecided
    if paper.reviewed_by != actor or paper.reviewed_at < timezone.now() - UNDO:
        raise UndoTooLate
    undone = {**license_said(paper), "was": paper.review, "reasons": paper.reasons, "statement": paper.statement}
    did_count = paper.review == Review.CONFIRMED
    if did_count:
        for former in License.objects.select_for_update().filter(replaced_by=paper):
            # The watch looks at it anew, and gives the notices that ended with it.
            former.replaced_by, former.watched_on, former.warned_days = None, None, None
            former.save(update_fields=["replaced_by", "watched_on", "warned_days"])
    elif paper.renews_id and papers_waiting().filter(renews=paper.renews_id).exists():
        raise PaperDecided
    paper.review, paper.reviewed_by, paper.reviewed_at = Review.WAITING, "", None
    paper.reasons, paper.statement = [], ""
    paper.claimed_by, paper.claimed_until = actor, timezone.now() + HELD
    paper.save(
        update_fields=[
            "review", "reviewed_by", "reviewed_at", "reasons", "statement", "claimed_by", "claimed_until",
        ]
    )  # fmt: skip
    if did_count:
        license_told(paper)
    entry_append(actor=actor, subject=license_name(paper), action="license.undone", data=undone)
    return paper
