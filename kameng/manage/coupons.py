"""Coupons that a shop's owner gives, out of what the owner earns: made, looked at, and ended."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from catalog.listings.shelf import shelf
from customers.coupons.exceptions import CouponInvalid
from customers.coupons.models import Coupon
from customers.coupons.reach import Reach, reach_of
from customers.coupons.selectors import coupons_of_owner
from customers.coupons.services import coupon_change, coupon_check, coupon_open
from customers.coupons.words import coupon_name
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.coupon_forms import CouponForm, LimitsForm, coupon_row, coupon_shared, limits_of
from resellers.links import shop_url
from resellers.models import Reseller

GROUP = gettext_lazy("营销")


def _shop(request: HttpRequest) -> Reseller:
    return request.shop  # type: ignore[attr-defined, no-any-return]


@shop_site.page("coupons/", name="coupons", nav=Nav(GROUP, gettext_lazy("优惠券"), "sell", 30))
@require_safe
def coupons(request: HttpRequest) -> HttpResponse:
    """All of them, with what they cost so far."""
    now = timezone.now()
    context = {
        "title": _("优惠券"),
        "rows": [
            {**coupon_row(one, now=now), "url": reverse("manage:coupon", args=[one.pk])}
            for one in coupons_of_owner(_shop(request).pk)
        ],
        "new_url": reverse("manage:coupon_new") if shop_site.may(request, "coupon_new", sends=True) else "",
        "is_owners": True,
    }
    return shop_site.render(request, "staff/coupons.html", context)


@shop_site.page("coupons/new/", name="coupon_new")
@require_http_methods(["GET", "HEAD", "POST"])
def coupon_new(request: HttpRequest) -> HttpResponse:
    """A new one; what it would cost is shown before it is made."""
    shop = _shop(request)
    form = CouponForm(request.POST if request.method == "POST" else None, shop_id=shop.pk)
    reach: Reach | None = None
    if request.method == "POST" and form.is_valid():
        try:
            draft = coupon_check(wanted=form.wanted, shop=shop, borne_by=Coupon.Bearer.OWNER)
            reach = reach_of(draft.terms, shelf(shop))
            if request.POST.get("act") == "open":
                made = coupon_open(wanted=form.wanted, shop=shop, borne_by=Coupon.Bearer.OWNER, actor=actor_of(request))
                said = {"code": made.code, "name": coupon_name(made)}
                write_down(request, made, ADDITION, _("新建优惠券 %(code)s：%(name)s") % said)
                messages.success(request, _("优惠券 %(code)s 建好了，把链接或券码发给顾客就能用") % said)
                return redirect("manage:coupon", made.pk)
        except CouponInvalid as refused:
            add_problem(form, refused)
    context: dict[str, Any] = {
        "title": _("新建优惠券"),
        "up_url": reverse("manage:coupons"),
        "up_title": _("优惠券"),
        "form": form,
        "reach": reach,
        "is_owners": True,
    }
    return shop_site.render(request, "staff/coupon_new.html", context, status=422 if form.errors else 200)


@shop_site.page("coupons/<int:coupon_id>/", name="coupon")
@require_http_methods(["GET", "HEAD", "POST"])
def coupon(request: HttpRequest, coupon_id: int) -> HttpResponse:
    """One: what it gives, what it cost, and how long it goes on."""
    shop = _shop(request)
    found = next((one for one in coupons_of_owner(shop.pk) if one.pk == coupon_id), None)
    if found is None:
        raise Http404
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=limits_of(found))
    if request.method == "POST" and form.is_valid():
        try:
            changed = coupon_change(coupon_id=found.pk, **form.cleaned_data)
        except CouponInvalid as refused:
            add_problem(form, refused)
        else:
            write_down(request, changed, CHANGE, limits_said(changed))
            messages.success(request, _("已保存"))
            return redirect("manage:coupon", found.pk)
    context = {
        "title": coupon_name(found),
        "up_url": reverse("manage:coupons"),
        "up_title": _("优惠券"),
        **coupon_row(found, now=timezone.now()),
        "form": form if shop_site.may(request, "coupon", sends=True) else None,
        "reach": reach_of(found.terms, shelf(shop)),
        "shared": coupon_shared(found, address=shop_url(shop) or request.build_absolute_uri("/")),
        "is_owners": True,
    }
    return shop_site.render(request, "staff/coupon.html", context, status=422 if form.errors else 200)


def limits_said(changed: Coupon) -> str:
    """What the list of changes says."""
    facts = {"code": changed.code}
    return (_("停用优惠券 %(code)s") if changed.is_paused else _("修改优惠券 %(code)s 的期限和张数")) % facts
