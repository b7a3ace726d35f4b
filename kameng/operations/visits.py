"""Letting oneself into a shop's admin: why, and to look or to help; and who has been there."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_public_schema_name

from compliance.visits.selectors import visits_of
from compliance.visits.services import LONGEST_REASON, TICKET_SECONDS, VISIT_SECONDS, visit_ask
from kameng.accounts.confirming import CodeField, has_second_factor, is_fresh, second_factor_require
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import operations_site
from kameng.core.problems import Problem
from resellers.links import shop_url
from resellers.models import Reseller

LOOK, HELP = "look", "help"


class VisitForm(StaffForm):
    """A reason, and whether to change anything."""

    reason = forms.CharField(
        label=gettext_lazy("为什么要进店"), max_length=LONGEST_REASON, widget=forms.Textarea({"rows": 2}),
        help_text=gettext_lazy("店主在操作记录里看得到"),
    )  # fmt: skip
    how = forms.ChoiceField(
        label=gettext_lazy("怎么进"),
        choices=[
            (LOOK, gettext_lazy("只读：只看，什么都不能改")),
            (HELP, gettext_lazy("协助：可以改商品、价格和装修，要两步验证")),
        ],
        initial=LOOK,
    )
    code = CodeField(required=False, help_text=gettext_lazy("选了协助才要填：手机上的 6 位数字，或一个备用码"))

    def __init__(self, *args: object, request: HttpRequest) -> None:
        super().__init__(*args)
        if is_fresh(request) or not has_second_factor(request):
            del self.fields["code"]


@operations_site.page("shops/<slug:slug>/visit/", name="shop_visit")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def visit(request: HttpRequest, slug: str) -> HttpResponse:
    """The form, or the ticket that it made: a link that lets this browser in once, within a minute."""
    shop = get_object_or_404(Reseller.objects.exclude(schema_name=get_public_schema_name()), slug=slug)
    form = VisitForm(request.POST or None, request=request)
    address = ""
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            if typed["how"] == HELP:
                second_factor_require(request, typed.get("code", ""))
            _asked, ticket = visit_ask(
                shop=shop, by=actor_of(request), reason=typed["reason"], helps=typed["how"] == HELP
            )
        except Problem as refused:
            add_problem(form, refused)
        else:
            address = f"{shop_url(shop)}manage/visit/?{urlencode({'ticket': ticket})}"
    context = {
        "title": _("进入“%(shop)s”的店铺后台") % {"shop": shop.name},
        "visited": shop,
        "form": form,
        "address": address,
        "has_factor": has_second_factor(request),
        "visits": visits_of(shop.pk),
        "minutes": VISIT_SECONDS // 60,
        "seconds": TICKET_SECONDS,
    }
    status = 422 if request.method == "POST" and not address else 200
    return operations_site.render(request, "staff/operations_visit.html", context, status=status)
