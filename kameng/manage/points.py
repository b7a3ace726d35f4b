"""Points: how many customers get for a yuan, and how much of an order they may pay."""

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from kameng.manage.coupons import GROUP
from resellers.models import Reseller
from resellers.services import MOST_POINTS, shop_points_save


class PointsForm(StaffForm):
    """Two numbers."""

    per_yuan = forms.IntegerField(
        label=gettext_lazy("每消费 1 元送几分"), min_value=0, max_value=MOST_POINTS,
        help_text=gettext_lazy("100 分抵 1 元；填 0 就不送。已经送出的还能用"),
    )  # fmt: skip
    limit_percent = forms.IntegerField(
        label=gettext_lazy("一单最多抵百分之几"), min_value=1, max_value=100,
        help_text=gettext_lazy("按这一单的总价算"),
    )  # fmt: skip


@shop_site.page("points/", name="points", nav=Nav(GROUP, gettext_lazy("积分"), "currency_exchange", 31))
@require_http_methods(["GET", "HEAD", "POST"])
def points(request: HttpRequest) -> HttpResponse:
    """The form, and who bears what."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    initial = {"per_yuan": shop.points_per_yuan, "limit_percent": shop.points_limit_percent}
    form = PointsForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            shop_points_save(shop_id=shop.pk, **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            told = _("积分：每元送 %(per_yuan)s 分，一单最多抵 %(limit_percent)s%%") % form.cleaned_data
            write_down(request, shop, CHANGE, told)
            messages.success(request, _("保存好了，从下一笔到账的订单起"))
            return redirect("manage:points")
    context = {"title": _("积分"), "form": form, "shop_now": shop}
    return shop_site.render(request, "staff/points.html", context, status=422 if form.errors else 200)
