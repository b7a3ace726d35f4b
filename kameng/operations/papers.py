"""Sellers' papers, for operators: what owners handed in, held against its scans, and what operators record."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from compliance.desk.services import HELD
from compliance.models import License
from compliance.paper_desk import paper_claim, paper_claim_next, paper_release, paper_undo, paper_undoable
from compliance.paper_reasons import REASONS
from compliance.papers import REVIEW_DUE, paper_confirm, paper_send_back, reasons_told
from compliance.selectors import licenses_in_force, papers_of_seller, papers_waiting
from compliance.services import license_add, license_name, license_replace, license_revoke
from compliance.trail.selectors import entries_of
from compliance.validity import NOTICES
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.paper_faces import TermsForm, initial_of, rows_of
from resellers.models import Reseller

Holder, Review = License.Holder, License.Review
WAITING = "public.compliance_license WHERE review = 'waiting' AND revoked_at IS NULL"
#: The filters of the list, as they stand in the address.
_SHOWN: tuple[tuple[str, Any], ...] = (
    ("", gettext_lazy("在用的")),
    ("waiting", gettext_lazy("等待核对")),
    ("expiring", gettext_lazy("快到期")),
    ("expired", gettext_lazy("已过期")),
    ("history", gettext_lazy("历史")),
)


class PaperForm(TermsForm):
    """What a paper of a seller says."""

    shop = forms.ChoiceField(label=gettext_lazy("店铺"))
    field_order = ("shop",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.choose("shop", _names().items())


class RefuseForm(StaffForm):
    """Why a paper does not do, or counts no more."""

    reasons = forms.MultipleChoiceField(
        label=gettext_lazy("理由"),
        choices=[(code, format_lazy("{} {}", code, reason.label)) for code, reason in REASONS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    statement = forms.CharField(
        label=gettext_lazy("给店主的说明"), max_length=1000, required=False, widget=forms.Textarea({"rows": 3}),
        help_text=gettext_lazy("留空按所选理由自动写"),
    )  # fmt: skip


def _names() -> dict[str, str]:
    """Shops by slug. The house shop needs no papers, but those of brands that it has speak for the platform's goods."""
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name()).order_by("is_house", "pk")
    return {
        shop.slug: _("%(name)s（平台自营）") % {"name": shop.name} if shop.is_house else shop.name for shop in shops
    }


def _chosen(show: str) -> "QuerySet[License]":
    today = timezone.localdate()
    if show == "waiting":
        return papers_waiting()
    if show == "history":
        return License.objects.filter(holder_kind=Holder.SELLER).order_by("-pk")
    found = licenses_in_force().filter(holder_kind=Holder.SELLER)
    if show == "expiring":
        found = found.filter(valid_until__gte=today, valid_until__lte=today + timedelta(days=NOTICES[0]))
    if show == "expired":
        found = found.filter(valid_until__lt=today)
    return found.order_by("valid_until", "pk")


@operations_site.page(
    "papers/", name="papers", nav=Nav(gettext_lazy("合规"), gettext_lazy("店主证照"), "badge", 61, waiting=WAITING)
)
@require_http_methods(["GET", "HEAD", "POST"])
def papers(request: HttpRequest) -> HttpResponse:
    """Every seller's papers, those that end soonest first; a POST records one that an operator has seen."""
    form = PaperForm(request.POST if request.method == "POST" else None, initial={"shop": request.GET.get("shop", "")})
    if request.method == "POST" and form.is_valid():
        try:
            saved = license_add(seller=form.cleaned_data["shop"], terms=form.terms(), actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, saved, ADDITION, str(saved))
            messages.success(request, _("%(license)s 已录入，马上生效；请附上扫描件") % {"license": saved})
            return redirect("operations:paper", pk=saved.pk)
    show = request.GET.get("show", "")
    show = show if show in dict(_SHOWN) else ""
    page = Paginator(_chosen(show), PER_PAGE).get_page(request.GET.get("page"))
    names = _names()
    context = {
        "title": _("店主证照"),
        "rows": [{**row, "shop": names.get(row["license"].holder, row["license"].holder)} for row in rows_of(page)],
        "page_obj": page,
        "shown": _SHOWN,
        "show": show,
        "form": form,
    }
    return operations_site.render(request, "staff/papers.html", context, status=422 if form.errors else 200)


@operations_site.page("papers/<int:pk>/", name="paper")
@require_http_methods(["GET", "HEAD", "POST"])
def paper(request: HttpRequest, pk: int) -> HttpResponse:
    """One paper beside its scans: confirm it or send it back; what counts is renewed or revoked here."""
    known = License.objects.filter(pk=pk, holder_kind=Holder.SELLER).select_related("renews", "replaced_by").first()
    if known is None:
        raise Http404
    act, is_post = request.POST.get("act", ""), request.method == "POST"
    refuse = RefuseForm(request.POST if is_post and act in ("send_back", "revoke") else None)
    terms = TermsForm(request.POST if act == "replace" else None, initial=initial_of(known))
    if is_post:
        does: Callable[[], HttpResponse] | None = {
            "claim": lambda: _claimed(request, known),
            "release": lambda: _released(request, known),
            "next": lambda: _next(request, after=known.pk),
            "undo": lambda: _undone(request, known),
            "confirm": lambda: _confirmed(request, known),
            "send_back": lambda: _sent_back(request, known, refuse),
            "revoke": lambda: _revoked(request, known, refuse),
            "replace": lambda: _replaced(request, known, terms),
        }.get(act)
        if does is None:
            raise Http404
        form = {"replace": terms, "send_back": refuse, "revoke": refuse}.get(act)
        if form is None or form.is_valid():
            try:
                return does()
            except Problem as refused:
                if form is None:
                    messages.error(request, str(refused))
                    return redirect("operations:paper", pk=known.pk)
                add_problem(form, refused)
    context = _context(request, known) | {"refuse": refuse, "form": terms, "act": act}
    status = 422 if refuse.errors or terms.errors else 200
    return operations_site.render(request, "staff/paper.html", context, status=status)


def _context(request: HttpRequest, known: License) -> dict[str, Any]:
    seen = entries_of(subject=license_name(known)).filter(action="license.scan_seen", actor=actor_of(request))
    others = papers_of_seller(known.holder).exclude(pk=known.pk)
    (row,) = rows_of([known])
    is_live = known.replaced_by_id is None and known.revoked_at is None
    return {
        "title": str(known),
        "up_url": reverse("operations:papers"),
        "up_title": _("店主证照"),
        "row": row,
        "paper": known,
        "shop": Reseller.objects.filter(slug=known.holder).first(),
        "scans": list(known.scans.defer("sealed")),
        "seen": set(seen.values_list("data__scan", flat=True)),
        "others": rows_of(others[:PER_PAGE]),
        "is_waiting": is_live and known.review == Review.WAITING,
        "is_counting": is_live and known.review == Review.CONFIRMED,
        "due_at": known.created_at + REVIEW_DUE,
        "is_mine": known.in_hand_of == actor_of(request),
        "is_taken": known.in_hand_of not in ("", actor_of(request)),
        "held_minutes": int(HELD.total_seconds() // 60),
        "last": paper_undoable(actor_of(request)),
    }


def _claimed(request: HttpRequest, known: License) -> HttpResponse:
    paper_claim(license_id=known.pk, actor=actor_of(request))
    return redirect("operations:paper", pk=known.pk)


def _released(request: HttpRequest, known: License) -> HttpResponse:
    paper_release(license_id=known.pk, actor=actor_of(request))
    return redirect("operations:review")


def _undone(request: HttpRequest, known: License) -> HttpResponse:
    paper_undo(license_id=known.pk, actor=actor_of(request))
    messages.success(request, _("已撤回对“%(title)s”的决定") % {"title": known})
    return redirect("operations:paper", pk=known.pk)


def _next(request: HttpRequest, *, after: int | None = None) -> HttpResponse:
    """The next paper that waits, in one's own hand, or the queue."""
    following = paper_claim_next(actor=actor_of(request), after=after)
    return redirect("operations:paper", pk=following.pk) if following is not None else redirect("operations:review")


def _confirmed(request: HttpRequest, known: License) -> HttpResponse:
    done = paper_confirm(license_id=known.pk, actor=actor_of(request))
    messages.success(request, _("%(license)s 已确认，马上生效") % {"license": done})
    return _next(request)


def _sent_back(request: HttpRequest, known: License, form: RefuseForm) -> HttpResponse:
    done = paper_send_back(license_id=known.pk, actor=actor_of(request), **form.cleaned_data)
    messages.success(request, _("%(license)s 已退回，店主看得到原因") % {"license": done})
    return _next(request)


def _revoked(request: HttpRequest, known: License, form: RefuseForm) -> HttpResponse:
    codes, told = reasons_told(**form.cleaned_data)
    if license_revoke(license_id=known.pk, actor=actor_of(request), reasons=codes, statement=told):
        write_down(request, known, CHANGE, _("作废了证照"))
    messages.success(request, _("%(license)s 已作废") % {"license": known})
    return redirect("operations:paper", pk=known.pk)


def _replaced(request: HttpRequest, known: License, form: TermsForm) -> HttpResponse:
    saved = license_replace(license_id=known.pk, terms=form.terms(), actor=actor_of(request))
    write_down(request, saved, CHANGE, str(saved))
    messages.success(request, _("%(license)s 已录入，马上生效；请附上扫描件") % {"license": saved})
    return redirect("operations:paper", pk=saved.pk)
