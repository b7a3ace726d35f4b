"""Pictures of protected brands, which operators keep: what pictures of shops are held against.

They are put together anew as every picture is, and shown to nobody but operators. One that no longer counts is kept for
the cases that it led to.
"""

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.models import Mark
from compliance.screening import pictures
from compliance.screening.pictures import Reference
from compliance.trail.services import entry_append
from kameng.core.pictures import Bounds, NotAPicture, Picture, rebuilt
from kameng.core.problems import Invalid, NotFound
from kameng.outbox.services import publish

#: Pictures of one brand.
MOST = 12
KINDS = frozenset({"png", "jpeg", "webp"})
BOUNDS = Bounds(2 * 1024 * 1024, 16_000_000, KINDS, (384, 384))
#: What was last read, and of which rows: rows are only ever added and taken out, so both numbers name them.
_known: tuple[tuple[int, int], tuple[Reference, ...]] = ((0, 0), ())


@transaction.atomic
def mark_add(*, brand: str, name: str, upload: bytes, actor: str) -> Mark:
    """Keep a picture of a brand (its code and its name); the pictures of shops are then looked at again. The same one
    again is the one there is. Raises `Invalid`, also for one by which nothing could be told apart."""
    picture = _picture(upload)
    taken = pictures.fingerprint(picture.data)
    if taken.is_plain:
        raise _refused(_("这张图太简单（单色，或者只有一两个字母），和很多图都像，不能当参考图。请换一张完整的标志"))
    known = Mark.objects.filter(brand=brand, retired_at=None)
    written = taken.written()
    same = known.filter(fingerprint=written).first()
    if same is not None:
        return same
    if known.count() >= MOST:
        raise _refused(_("一个品牌最多 %(limit)s 张参考图") % {"limit": MOST})
    mark = Mark.objects.create(
        brand=brand, name=name, kind=picture.kind, data=picture.data, fingerprint=written, created_by=actor[:80]
    )
    entry_append(actor=actor, subject=f"mark:{mark.pk}", action="mark.added", data={"brand": brand})
    publish("marks.changed")
    return mark


@transaction.atomic
def mark_retire(*, mark_id: int, actor: str) -> Mark:
    """Hold nothing against a picture any more; what it held back comes back. Raises `NotFound`."""
    mark = Mark.objects.select_for_update().filter(pk=mark_id).first()
    if mark is None:
        raise NotFound
    if mark.retired_at is None:
        mark.retired_at = timezone.now()
        mark.save(update_fields=["retired_at"])
        entry_append(actor=actor, subject=f"mark:{mark.pk}", action="mark.retired", data={"brand": mark.brand})
        publish("marks.changed")
    return mark


def references_now() -> tuple[Reference, ...]:
    """All that pictures are held against."""
    global _known
    rows = Mark.objects.filter(retired_at=None)
    held = rows.aggregate(count=Count("pk"), last=Max("pk"))
    version = (held["count"], held["last"] or 0)
    if version != _known[0]:
        _known = (version, tuple(map(_reference, rows.order_by("pk"))))
    return _known[1]


def _reference(mark: Mark) -> Reference:
    taken = pictures.read(mark.fingerprint) or pictures.fingerprint(bytes(mark.data))
    return Reference(mark.brand, mark.name, mark.pk, taken)


def _picture(upload: bytes) -> Picture:
    try:
        return rebuilt(upload, BOUNDS)
    except NotAPicture as error:
        raise _refused(_("要 2 MB 以内、完整的 PNG、JPEG 或静态 WebP 图片")) from error


def _refused(text: str) -> Invalid:
    return Invalid(fields={"file": text})
