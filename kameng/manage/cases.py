"""An owner's cases: what was held back or taken down, why, what to change, and saying that it is wrong."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.models import Variant
from compliance.desk.models import Appeal
from compliance.desk.selectors import STATE_TONES, appealable_until
from compliance.desk.services import APPEAL, LONGEST_APPEAL, appeal_make
from compliance.gate.models import Case, SubjectKind
from compliance.gate.selectors import case_words, cases_of_shop
from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from kameng.manage.look import SHOP_GROUP
from resellers.models import Reseller

#: Words of a shop that have a page of their own.
ANNOUNCED = frozenset({"announcement", "announcement_en"})


class AppealForm(StaffForm):
    """Why a decision is wrong."""

    case = forms.IntegerField(widget=forms.HiddenInput)
    text = forms.CharField(
        label=gettext_lazy("为什么不对"), max_length=LONGEST_APPEAL, widget=forms.Textarea({"rows": 4}),
        help_text=gettext_lazy("写清楚这件商品是什么、有什么凭据。一个决定只能申诉一次，由另一位审核员看。"),
    )  # fmt: skip


@shop_site.page("cases/", name="cases", nav=Nav(SHOP_GROUP, gettext_lazy("合规"), "shield", 46))
@require_http_methods(["GET", "HEAD", "POST"])
def cases(request: HttpRequest) -> HttpResponse:
    """The shop's cases, the newest first; those about which something can be done say what."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    refused: AppealForm | None = None
    if request.method == "POST":
        form = AppealForm(request.POST, auto_id="id_refused_%s")
        if form.is_valid():
            typed = form.cleaned_data
            try:
                appeal = appeal_make(
                    case_id=typed["case"], schema_name=shop.schema_name, text=typed["text"], by=actor_of(request)
                )
            except Problem as problem:
                add_problem(form, problem)
            else:
                write_down(request, appeal.case, CHANGE, _("提交申诉"))
                messages.success(request, _("已提交申诉，由另一位审核员复核"))
                return redirect("manage:cases")
        refused = form
    page = Paginator(cases_of_shop(shop.schema_name).exclude(kind=Case.Kind.APPEALED), PER_PAGE).get_page(
        request.GET.get("page")
    )
    rows = list(page)
    context = {
        "title": _("合规"),
        "rows": _shown(request, rows, refused),
        "page_obj": page,
        "refused": refused,
    }
    return shop_site.render(request, "staff/cases.html", context, status=422 if refused is not None else 200)


def _shown(request: HttpRequest, rows: list[Case], refused: AppealForm | None) -> list[dict[str, Any]]:
    appeals = {appeal.case_id: appeal for appeal in Appeal.objects.filter(case__in=rows)}
    skus = dict(
        Variant.objects.filter(
            pk__in=[case.subject_id for case in rows if case.subject_kind == SubjectKind.LISTING]
        ).values_list("pk", "sku")
    )
    now, shown = timezone.now(), []
    for case in rows:
        until = appealable_until(case, APPEAL)
        can_appeal = case.pk not in appeals and until is not None and now <= until
        appeal = appeals.get(case.pk)
        is_reversed = appeal is not None and appeal.outcome == Appeal.Outcome.REVERSED
        is_refused = refused is not None and str(refused["case"].value()) == str(case.pk)
        edit_page, edit_url = _edit(case, skus)
        shown.append(
            {
                "case": case,
                # What was decided no longer holds where somebody else thought otherwise.
                "tone": "ok" if is_reversed else STATE_TONES[Case.State(case.state)],
                "word": _("申诉成立，已恢复") if is_reversed else case.get_state_display(),
                "words": [] if is_reversed else case_words(case),
                "edit_url": edit_url,
                "may_edit": shop_site.may(request, edit_page),
                "appeal": appeal,
                "until": until,
                "form": (refused if is_refused else AppealForm(auto_id=f"id_{case.pk}_%s", initial={"case": case.pk}))
                if can_appeal or is_refused
                else None,
            }
        )
    return shown


def _edit(case: Case, skus: dict[int, str]) -> tuple[str, str]:
    """The page on which the words are changed, by its name, and its address; empty where there is none."""
    if case.subject_kind in (SubjectKind.SHOP, SubjectKind.PICTURE):
        findings = case.screening.findings if case.screening is not None else []
        fields = {str(finding.get("field", "")) for finding in findings}
        announced = case.subject_kind == SubjectKind.SHOP and fields and fields <= ANNOUNCED
        name = "announcement" if announced else "look"
        return name, reverse(f"manage:{name}")
    if case.subject_kind == SubjectKind.OWN_GOOD:
        return "own_good", reverse("manage:own_good", args=[case.subject_id])
    if case.subject_kind == SubjectKind.PLACEMENT:
        return "product_name", reverse("manage:product_name", args=[case.subject_id])
    sku = skus.get(case.subject_id)
    return "goods", f"{reverse('manage:goods')}?{urlencode({'q': sku})}" if sku else ""
