"""Plans, and how long each shop is there, for operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from compliance.tenures import shop_close, shop_plan_grant, shop_resume, shop_suspend
from kameng.admin.bases import PER_PAGE, ServiceAdmin, actor_of, write_down
from kameng.admin.forms import ServiceForm, StaffForm
from kameng.admin.sites import Nav, operations_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.opening.goods import plan_write
from kameng.shop_export import export_answer
from kameng.templatetags.staff import badge
from resellers.models import Reseller
from resellers.plans.models import Plan
from resellers.plans.services import tenures
from resellers.plans.standing import Standing, standing

GROUP = gettext_lazy("平台")
TONES = {Standing.OPEN: "ok", Standing.EXPIRED: "warn", Standing.SUSPENDED: "bad", Standing.CLOSED: "neutral"}
WORDS = {
    Standing.OPEN: gettext_lazy("正常"),
    Standing.EXPIRED: gettext_lazy("已到期"),
    Standing.SUSPENDED: gettext_lazy("停业中"),
    Standing.CLOSED: gettext_lazy("已关店"),
}


class PlanForm(ServiceForm):
    """A plan."""

    class Meta:
        model = Plan
        fields = (
            "code", "name", "name_en", "opening_fee", "yearly_rent", "supply_discount", "commission", "features",
            "features_en", "position", "is_offered",
        )  # fmt: skip
        help_texts = {"features": gettext_lazy("用逗号隔开"), "features_en": gettext_lazy("用逗号隔开")}


class PlanAdmin(ServiceAdmin):
    """What owners can choose. Shops that have a plan keep the terms that they bought it on."""

    form = PlanForm
    nav = Nav(GROUP, gettext_lazy("套餐"), "badge", 21)
    list_display = ("name", "opening_fee", "yearly_rent", "supply_discount", "commission", "offered")
    ordering = ("position", "pk")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A code stays."""
        return ("code",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service, which also sells it so."""
        plan_write(plan=obj)

    @display(description=gettext_lazy("状态"), ordering="is_offered")
    def offered(self, plan: Plan) -> SafeString:
        """Whether it can be chosen."""
        return badge("ok", _("可以选")) if plan.is_offered else badge("neutral", _("不再提供"))


operations_site.register(Plan, PlanAdmin)


class TenureForm(StaffForm):
    """What is done about a shop's time."""

    shop = forms.IntegerField(widget=forms.HiddenInput)
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    plan = forms.ModelChoiceField(Plan.objects.all(), required=False)
    reason = forms.CharField(max_length=200, required=False)


def _grant(form: TenureForm, actor: str) -> str:
    typed = form.cleaned_data
    if typed["plan"] is None:
        raise Problem(_("请选一个套餐"))
    given = shop_plan_grant(shop_id=typed["shop"], plan=typed["plan"], key=f"granted:{typed['key']}", actor=actor)
    return _("已给一年“%(plan)s”") % {"plan": given.plan.name}


def _suspend(form: TenureForm, actor: str) -> str:
    shop_suspend(shop_id=form.cleaned_data["shop"], reason=form.cleaned_data["reason"], actor=actor)
    return _("已停业，店主看得到原因")


def _resume(form: TenureForm, actor: str) -> str:
    shop_resume(shop_id=form.cleaned_data["shop"], actor=actor)
    return _("已恢复营业")


def _close(form: TenureForm, actor: str) -> str:
    shop_close(shop_id=form.cleaned_data["shop"], reason=form.cleaned_data["reason"], actor=actor)
    return _("已关店，到期的收入已经结算")


_ACTS = {"grant": _grant, "suspend": _suspend, "resume": _resume, "close": _close}


@operations_site.page("tenures/", name="tenures", nav=Nav(GROUP, gettext_lazy("店铺套餐"), "schedule", 22))
@require_http_methods(["GET", "HEAD", "POST"])
def tenures_page(request: HttpRequest) -> HttpResponseBase:
    """Every sub-site with its plan and its end; give a year, suspend, resume, close, or take its data along."""
    error = ""
    if request.method == "POST":
        form = TenureForm(request.POST)
        act = request.POST.get("act", "")
        if act not in {*_ACTS, "export"} or not form.is_valid():
            raise Http404
        shop = Reseller.objects.filter(pk=form.cleaned_data["shop"], is_house=False).first()
        if shop is None or shop.schema_name == get_public_schema_name():
            raise Http404
        try:
            if act == "export":
                return export_answer(shop, actor=actor_of(request))
            said = _ACTS[act](form, actor_of(request))
        except Problem as refused:
            error = f"{shop.name}：{refused}"
        else:
            write_down(request, shop, CHANGE, said)
            messages.success(request, f"{shop.name}：{said}")
            return redirect("operations:tenures")
    found = Reseller.objects.filter(is_house=False).exclude(schema_name=get_public_schema_name()).order_by("-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    known, now = tenures(list(page)), timezone.now()
    rows = []
    for shop in page:
        tenure = known.get(shop.pk)
        state = standing(tenure, now)
        rows.append(
            {"shop": shop, "tenure": tenure, "standing": state.value, "tone": TONES[state], "word": WORDS[state]}
        )
    context = {
        "title": _("店铺套餐"),
        "rows": rows,
        "page_obj": page,
        "plans": Plan.objects.all(),
        "key": random_id(20),
        "error": error,
    }
    status = 422 if error else 200
    return operations_site.render(request, "staff/operations_tenures.html", context, status=status)
