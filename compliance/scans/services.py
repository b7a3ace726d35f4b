"""Keeping scans, and looking at them."""

import hashlib
import logging
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from compliance.models import License
from compliance.scans.models import Scan
from compliance.trail.services import entry_append
from kameng.core.pictures import PAPER, NotAPicture, Picture, scanned
from kameng.core.problems import Invalid, NotFound

logger = logging.getLogger(__name__)

#: Scans of one license.
MAX_SCANS = 12
_PDF, _SVG = b"%PDF-", (b"<svg", b"<?xml", b"<!doctype")


@transaction.atomic
def scan_add(*, license_id: int, upload: bytes, actor: str) -> Scan:
    """Keep a picture of a license; the same one again is the one there is. Raises `Invalid` and `NotFound`."""
    picture = _picture(upload)
    paper = License.objects.select_for_update(of=("self",)).filter(pk=license_id).first()
    if paper is None:
        raise NotFound
    sha256 = hashlib.sha256(picture.data).hexdigest()
    known = Scan.objects.filter(license=paper, sha256=sha256).defer("sealed").first()
    if known is not None:
        return known
    if Scan.objects.filter(license=paper).count() >= MAX_SCANS:
        raise Invalid(fields={"file": _("一份证照最多 %(limit)s 张扫描件") % {"limit": MAX_SCANS}})
    return _keep(Scan(license=paper, sha256=sha256, created_by=actor), picture)


@transaction.atomic
def proof_add(*, proves: str, upload: bytes, actor: str) -> Scan:
    """Keep a picture that proves something of what is no license: `break:12`. Raises `Invalid`."""
    picture = _picture(upload)
    sha256 = hashlib.sha256(picture.data).hexdigest()
    return _keep(Scan(proves=proves, sha256=sha256, created_by=actor), picture)


@transaction.atomic
def scan_open(*, scan_id: int, actor: str) -> Scan:
    """A scan with its picture, for somebody who then looks at it: that is written down first. Raises `NotFound`."""
    scan = Scan.objects.filter(pk=scan_id).first()
    if scan is None:
        raise NotFound
    said = {"scan": scan.pk, "sha256": scan.sha256}
    _write(scan, "scan_seen", actor, said)
    return scan


def _keep(scan: Scan, picture: Picture) -> Scan:
    scan.kind, scan.width, scan.height = picture.kind, picture.width, picture.height
    scan.data = picture.data
    scan.save(force_insert=True)
    _write(scan, "scan_added", scan.created_by, {"scan": scan.pk, "kind": scan.kind, "sha256": scan.sha256})
    return scan


def _write(scan: Scan, happened: str, actor: str, data: dict[str, Any]) -> None:
    kind, _separator, _number = scan.subject.partition(":")
    entry_append(actor=actor, subject=scan.subject, action=f"{kind}.{happened}", data=data)


def _picture(upload: bytes) -> Picture:
    if len(upload) > PAPER.bytes:
        raise Invalid(fields={"file": _("文件太大了，最多 %(limit)s MB") % {"limit": PAPER.megabytes}})
    beginning = upload[:512].lstrip().lower()
    if upload.startswith(_PDF):
        raise Invalid(fields={"file": _("不收 PDF：里面可能有脚本和附件。请把每一页存成图片（JPEG 或 PNG）再上传")})
    if beginning.startswith(_SVG):
        raise Invalid(fields={"file": _("不收 SVG 和网页：里面可能有脚本。请存成 JPEG、PNG 或 WebP 再上传")})
    try:
        return scanned(upload)
    except NotAPicture as error:
        logger.warning("a scan was refused: %s", error)
        text = _("这不是完整的 JPEG、PNG 或静态 WebP 图片，或者像素太多了（照片最多 5000 万，其他最多 2500 万）")
        raise Invalid(fields={"file": text}) from error
