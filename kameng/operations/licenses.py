"""Suppliers' licenses and what each category requires: for operators."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Brand, Category, Variant
from compliance.models import Kind, License
from compliance.selectors import license_state, licenses_in_force, papers_of, required_kinds
from compliance.services import Terms, license_add, license_replace, license_revoke, requirements_set
from compliance.validity import NOTICES, State, lacking
from fulfillment.suppliers.admin.group import GROUP
from fulfillment.suppliers.models import Supplier, SupplierOffer
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem

STATES: Mapping[State, tuple[str, Any]] = {
    State.VALID: ("ok", gettext_lazy("有效")),
    State.EXPIRING: ("warn", gettext_lazy("快到期")),
    State.EXPIRED: ("bad", gettext_lazy("已过期")),
    State.FUTURE: ("neutral", gettext_lazy("还没生效")),
    State.REPLACED: ("neutral", gettext_lazy("已被续期替换")),
    State.REVOKED: ("neutral", gettext_lazy("已作废")),
}
#: The filters of the list, as they stand in the address.
_SHOWN: tuple[tuple[str, Any], ...] = (
    ("", gettext_lazy("在用的")),
    ("expiring", gettext_lazy("快到期")),
    ("expired", gettext_lazy("已过期")),
    ("history", gettext_lazy("历史")),
)
#: How many variants a preview names.
NAMED = 12


class LicenseForm(StaffForm):
    """What a license says; empty scopes are everything."""

    supplier = forms.ChoiceField(label=gettext_lazy("供应商"))
    kind = forms.ChoiceField(label=gettext_lazy("种类"), choices=Kind.choices)
    number = forms.CharField(label=gettext_lazy("编号"), max_length=80)
    issuer = forms.CharField(label=gettext_lazy("发证机关或授权方"), max_length=120)
    valid_from = forms.DateField(
        label=gettext_lazy("生效日"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    valid_until = forms.DateField(
        label=gettext_lazy("到期日"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("这一天还有效；长期有效就留空"),
    )
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("限于类目"), required=False, help_text=gettext_lazy("都不选就是所有类目")
    )
    brands = forms.MultipleChoiceField(
        label=gettext_lazy("限于品牌"), required=False, help_text=gettext_lazy("都不选就是所有品牌")
    )
    note = forms.CharField(label=gettext_lazy("备注"), required=False, max_length=400)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices = {
            "supplier": Supplier.objects.values_list("code", "name"),
            "categories": Category.objects.values_list("slug", "name"),
            "brands": Brand.objects.values_list("slug", "name"),
        }
        for name, rows in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = list(rows)

    def terms(self) -> Terms:
        """As the service takes them."""
        told = {name: value for name, value in self.cleaned_data.items() if name != "supplier"}
        return Terms(**{**told, "categories": tuple(told["categories"]), "brands": tuple(told["brands"])})


class RequirementForm(StaffForm):
    """Which licenses a category requires."""

    category = forms.CharField(widget=forms.HiddenInput)
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("要求的证照"),
        required=False,
        choices=Kind.choices,
        widget=forms.CheckboxSelectMultiple,
    )


def _initial(paper: License) -> dict[str, Any]:
    names = ("kind", "number", "issuer", "valid_from", "valid_until", "categories", "brands", "note")
    return {"supplier": paper.holder, **{name: getattr(paper, name) for name in names}}


def _chosen(show: str) -> Any:
    today = timezone.localdate()
    if show == "history":
        return License.objects.exclude(replaced_by=None, revoked_at=None).order_by("-pk")
    found = licenses_in_force()
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
    categories = dict(Category.objects.values_list("slug", "name"))
    brands = dict(Brand.objects.values_list("slug", "name"))
    rows = []
    for paper in page:
        tone, word = STATES[license_state(paper)]
        scope = [*_names(paper.categories, categories), *_names(paper.brands, brands)]
        rows.append(
            {
                "license": paper,
                "supplier": suppliers.get(paper.holder, paper.holder),
                "tone": tone,
                "word": word,
                "scope": scope,
            }
        )
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
        "form": form or LicenseForm(initial=_initial(former) if former else {"supplier": supplier}),
    }
    return operations_site.render(request, "staff/licenses.html", context, status=422 if form else 200)


def _names(slugs: Iterable[str], known: Mapping[str, str]) -> list[str]:
    return [known.get(slug, slug) for slug in slugs]


@operations_site.page("licenses/", name="licenses", nav=Nav(GROUP, gettext_lazy("供应商证照"), "badge", 42))
@require_http_methods(["GET", "HEAD", "POST"])
def licenses(request: HttpRequest) -> HttpResponse:
    """Every license, those that end soonest first; a POST adds, renews or revokes one."""
    renewed = request.POST.get("former") or request.GET.get("renew") or ""
    former = licenses_in_force().filter(pk=renewed).first() if renewed.isdecimal() else None
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


def _without_supplier(category: Category, kinds: list[str]) -> list[Variant]:
    """The variants of a category on sale now that nobody could supply if it required these kinds."""
    offers = list(
        SupplierOffer.objects.filter(
            Q(variant__product__category=category, variant__is_available=True),
            is_active=True, is_listed=True, supplier__is_active=True, supplier__eliminated_at=None, cost__isnull=False,
        ).exclude(stock=0).select_related("supplier", "variant__product__brand")
    )  # fmt: skip
    papers, today = papers_of({offer.supplier.code for offer in offers}), timezone.localdate()
    left: dict[int, Variant] = {}
    kept = set()
    for offer in offers:
        brand = offer.variant.product.brand
        where = {"category": category.slug, "brand": brand.slug if brand else ""}
        left[offer.variant_id] = offer.variant
        if not lacking(kinds, papers.get(offer.supplier.code, []), **where, on=today):
            kept.add(offer.variant_id)
    return [variant for pk, variant in left.items() if pk not in kept]


@operations_site.page(
    "license-requirements/",
    name="license_requirements",
    nav=Nav(GROUP, gettext_lazy("证照要求"), "checklist", 43),
)
@require_http_methods(["GET", "HEAD", "POST"])
def requirements(request: HttpRequest) -> HttpResponse:
    """What each category requires; a POST shows what would leave sale, and saves once that was confirmed."""
    preview: dict[str, Any] | None = None
    if request.method == "POST":
        form = RequirementForm(request.POST)
        category = Category.objects.filter(slug=request.POST.get("category", "")).first()
        if category is None or not form.is_valid():
            raise Http404
        kinds = sorted(form.cleaned_data["kinds"])
        gone = _without_supplier(category, kinds)
        if not gone or request.POST.get("act") == "confirm":
            if requirements_set(category=category.slug, kinds=kinds, actor=actor_of(request)):
                write_down(request, category, CHANGE, _kinds(kinds) or _("不要求证照"))
            messages.success(request, _("%(name)s 的证照要求已保存") % {"name": category})
            return redirect("operations:license_requirements")
        preview = {"category": category, "kinds": kinds, "words": _kinds(kinds), "gone": gone[:NAMED],
                   "count": len(gone)}  # fmt: skip
    required = required_kinds()
    rows = [
        {
            "category": category,
            "words": _kinds(required.get(category.slug, [])),
            "form": RequirementForm(
                initial={"category": category.slug, "kinds": required.get(category.slug, [])},
                auto_id=f"id_{category.slug}_%s",
            ),
        }
        for category in Category.objects.all()
    ]
    context = {"title": _("证照要求"), "rows": rows, "preview": preview}
    return operations_site.render(request, "staff/license_requirements.html", context)


def _kinds(kinds: Iterable[str]) -> str:
    return "、".join(str(Kind(kind).label) for kind in kinds)
