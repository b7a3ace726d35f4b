"""Suppliers' licenses, for operators."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from compliance.models import License
from compliance.selectors import licenses_in_force
from compliance.services import license_add, license_replace, license_revoke
from compliance.validity import NOTICES
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.models import Supplier
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.paper_faces import TermsForm, initial_of, rows_of

#: The filters of the list, as they stand in the address.
_SHOWN: tuple[tuple[str, Any], ...] = (
    ("", gettext_lazy("在用的")),
    ("expiring", gettext_lazy("快到期")),
    ("expired", gettext_lazy("已过期")),
    ("history", gettext_lazy("历史")),
)


class LicenseForm(TermsForm):
    """What a license of a supplier says."""

    supplier = forms.ChoiceField(label=gettext_lazy("供应商"))
    field_order = ("supplier",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.choose("supplier", Supplier.objects.values_list("code", "name"))


def _of_suppliers() -> "QuerySet[License]":
    return licenses_in_force().filter(holder_kind=License.Holder.SUPPLIER)


def _chosen(show: str) -> Any:
    today = timezone.localdate()
    if show == "history":
        ended = License.objects.exclude(replaced_by=None, revoked_at=None)
        return ended.filter(holder_kind=License.Holder.SUPPLIER).order_by("-pk")
    found = _of_suppliers()
    if show == "expiring":
        found = found.filter(valid_until__gte=today, valid_until__lte=today + timedelta(days=NOTICES[0]))
    if show == "expired":
        found = found.filter(valid_until__lt=today)
    return found.order_by("valid_until", "pk")


def _page(request: HttpRequest, *, form: LicenseForm | None = None, former: License | None = None) -> HttpResponse:
    """The list, with the form beside it: empty, of a license to renew, or as it was refused."""
    show = request.GET.get("show", "")
    show = show if show in dict(_SHOWN) else ""
    found, supplier = _chosen(show), request.GET.get("supplier", "")
    if supplier:
        found = found.filter(holder=supplier)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    suppliers = dict(Supplier.objects.values_list("code", "name"))
    rows = [{**row, "supplier": suppliers.get(row["license"].holder, row["license"].holder)} for row in rows_of(page)]
    context = {
        "title": _("供应商证照"),
        "rows": rows,
        "page_obj": page,
        "shown": _SHOWN,
        "show": show,
        "supplier": suppliers.get(supplier, supplier),
        "code": supplier,
        "former": former,
        "scans": former.scans.defer("sealed") if former else (),
        "form": form
        or LicenseForm(initial=initial_of(former) | {"supplier": former.holder} if former else {"supplier": supplier}),
    }
    return operations_site.render(request, "staff/licenses.html", context, status=422 if form else 200)


@operations_site.page("licenses/", name="licenses", nav=Nav(GROUP, gettext_lazy("供应商证照"), "badge", 42))
@require_http_methods(["GET", "HEAD", "POST"])
def licenses(request: HttpRequest) -> HttpResponse:
    """Every license, those that end soonest first; a POST adds, renews or revokes one."""
    renewed = request.POST.get("former") or request.GET.get("renew") or ""
    former = _of_suppliers().filter(pk=renewed).first() if renewed.isdecimal() else None
    if request.method != "POST":
        return _page(request, former=former)
    if renewed and former is None:
        raise Http404
    if former is not None and request.POST.get("act") == "revoke":
        if license_revoke(license_id=former.pk, actor=actor_of(request)):
            write_down(request, former, CHANGE, _("作废了证照"))
        messages.success(request, _("%(license)s 已作废") % {"license": former})
        return redirect("operations:licenses")
    form = LicenseForm(request.POST)
    if former is not None:
        form.fields["supplier"].required = False
    if form.is_valid():
        try:
            if former is not None:
                saved = license_replace(license_id=former.pk, terms=form.terms(), actor=actor_of(request))
            else:
                saved = license_add(supplier=form.cleaned_data["supplier"], terms=form.terms(), actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, saved, CHANGE if former else ADDITION, str(saved))
            messages.success(request, _("%(license)s 已录入，马上生效") % {"license": saved})
            return redirect("operations:licenses")
    return _page(request, form=form, former=former)
