"""Scans of licenses, for operators: to add, and to look at; and pictures that prove something else, to look at."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from compliance.models import License
from compliance.scans.services import scan_add, scan_open
from kameng.admin.bases import actor_of
from kameng.admin.sites import operations_site
from kameng.core.pictures import PAPER
from kameng.core.problems import NotFound, Problem
from kameng.paper_faces import picture


@operations_site.page("licenses/<int:license_id>/scans/", name="license_scans")
@require_POST
def add(request: HttpRequest, license_id: int) -> HttpResponse:
    """One picture more of a license."""
    upload = request.FILES.get("file")
    try:
        if upload is None:
            raise Problem(_("请选一个文件"))
        # No more than one byte too many is read of what is too large.
        scan_add(license_id=license_id, upload=upload.read(PAPER.bytes + 1), actor=actor_of(request))
    except NotFound as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, str(refused.fields.get("file", refused)))
    else:
        messages.success(request, _("扫描件已保存"))
    if License.objects.filter(pk=license_id, holder_kind=License.Holder.SELLER).exists():
        return redirect("operations:paper", pk=license_id)
    return redirect(f"{reverse('operations:licenses')}?renew={license_id}#license-scans")


@operations_site.page("license-scans/<int:scan_id>/", name="license_scan")
@require_GET
@never_cache
def look(request: HttpRequest, scan_id: int) -> HttpResponse:
    """A scan, once it is written down who looks."""
    try:
        return picture(scan_open(scan_id=scan_id, actor=actor_of(request)))
    except NotFound as error:
        raise Http404 from error
