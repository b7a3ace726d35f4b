"""Taking reports, and saying what came of them."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from compliance.reports.models import MAX_CONTACT, MAX_NOTE, MAX_TEXT, Report
from compliance.trail.services import entry_append
from kameng.core.problems import Invalid, NotFound

#: The same again within this time is a second click.
REPEATED = timedelta(minutes=10)
SHORTEST_NOTE = 4


def report_add(
    *, schema_name: str, product: str, product_name: str, kind: str, text: str = "", contact: str = ""
) -> Report:
    """Keep what a shopper says of a product; the same again is the one there is. Raises `Invalid`."""
    text, contact = text.strip().replace("\r\n", "\n"), " ".join(contact.split())
    errors = {}
    if kind not in Report.Kind.values:
        errors["kind"] = _("请选是什么问题")
    elif kind == Report.Kind.OTHER and not text:
        errors["text"] = _("请写一下是什么问题")
    if len(text) > MAX_TEXT:
        errors["text"] = _("最多 %(limit)s 个字，现在有 %(count)s 个") % {"limit": MAX_TEXT, "count": len(text)}
    elif "\0" in text:
        errors["text"] = _("有不能用的字符")
    if len(contact) > MAX_CONTACT or "\0" in contact:
        errors["contact"] = _("联系方式太长了，或有不能用的字符")
    if errors:
        raise Invalid(fields=errors)
    said = {
        "schema_name": schema_name, "product": product, "product_name": product_name, "kind": kind, "text": text,
        "contact": contact,
    }  # fmt: skip
    known = Report.objects.filter(**said, handled_at=None, created_at__gt=Now() - REPEATED).first()
    return known or Report.objects.create(**said)


@transaction.atomic
def report_handle(*, report_id: int, note: str, actor: str) -> bool:
    """Somebody has looked into it; `note` says what came of it. False where that was said before.

    Raises `Invalid` without a note, and `NotFound`.
    """
    note = " ".join(note.split())
    if not SHORTEST_NOTE <= len(note) <= MAX_NOTE:
        said = _("请写明怎么处理的，%(least)s 到 %(most)s 个字") % {"least": SHORTEST_NOTE, "most": MAX_NOTE}
        raise Invalid(fields={"note": said})
    report = Report.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise NotFound
    if report.handled_at is not None:
        return False
    report.handled_at, report.handled_by, report.note = Now(), actor, note
    report.save(update_fields=["handled_at", "handled_by", "note"])
    # Nothing of the shopper stays for good: neither their words nor where they can be reached.
    entry_append(
        actor=actor,
        subject=f"report:{report.pk}",
        action="report.handled",
        data={"schema": report.schema_name, "product": report.product, "kind": report.kind, "note": note},
    )
    return True


def contacts_forget(*, days: int) -> int:
    """Forget who reported what was handled so many days ago; how many."""
    old = Report.objects.filter(handled_at__lt=Now() - timedelta(days=days)).exclude(contact="")
    return old.update(contact="")
