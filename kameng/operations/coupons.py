"""Coupons that the platform gives, in one shop or in all: made with a second factor, for they are its money."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from compliance.trail.services import entry_append
from customers.coupons.models import Coupon
from customers.coupons.selectors import coupons_of_platform
from customers.coupons.services import coupon_change, coupon_open
from customers.coupons.words import coupon_name
from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import Problem
from kameng.coupon_forms import CouponForm, LimitsForm, coupon_row, coupon_shared, limits_of
from kameng.operations.cross_shop import every_shop
from resellers.links import shop_url
from resellers.models import Reseller

GROUP = gettext_lazy("营销")


class PlatformCouponForm(CouponForm, ConfirmedForm):
    """The same, and where it holds."""

    shop = forms.ModelChoiceField(
        label=gettext_lazy("店铺"), queryset=Reseller.objects.none(), required=False,
        empty_label=gettext_lazy("所有店铺"),
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["shop"]
        field.queryset = Reseller.objects.filter(pk__in=[shop.pk for shop in every_shop()]).order_by("name")


@operations_site.page("coupons/", name="coupons", nav=Nav(GROUP, gettext_lazy("优惠券"), "sell", 18))
@require_safe
def coupons(request: HttpRequest) -> HttpResponse:
    """All of them, with what they cost so far."""
    now = timezone.now()
    context = {
        "title": _("优惠券"),
        "rows": [
            {**coupon_row(one, now=now), "url": reverse("operations:coupon", args=[one.pk])}
            for one in coupons_of_platform()
        ],
        "new_url": reverse("operations:coupon_new"),
    }
    return operations_site.render(request, "staff/coupons.html", context)


@operations_site.page("coupons/new/", name="coupon_new")
@require_http_methods(["GET", "HEAD", "POST"])
def coupon_new(request: HttpRequest) -> HttpResponse:
    """A new one."""
    form = PlatformCouponForm(request.POST if request.method == "POST" else None, request=request)
    if request.method == "POST" and form.is_valid():
        try:
            made = _made(request, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            messages.success(request, _("优惠券 %(code)s 建好了，把链接或券码发给顾客就能用") % {"code": made.code})
            return redirect("operations:coupon", made.pk)
    context = {
        "title": _("新建优惠券"),
        "up_url": reverse("operations:coupons"),
        "up_title": _("优惠券"),
        "form": form,
        "has_factor": has_second_factor(request),
        "factor_url": reverse("operations:second_factor"),
    }
    return operations_site.render(request, "staff/coupon_new.html", context, status=422 if form.errors else 200)


def _made(request: HttpRequest, form: PlatformCouponForm) -> Coupon:
    form.confirm()
    with transaction.atomic():
        actor, shop = actor_of(request), form.cleaned_data["shop"]
        made = coupon_open(wanted=form.wanted, shop=shop, borne_by=Coupon.Bearer.PLATFORM, actor=actor)
        said = {"code": made.code, "name": coupon_name(made)}
        write_down(request, made, ADDITION, _("新建优惠券 %(code)s：%(name)s") % said)
        data = {**said, "shop": shop.slug if shop is not None else ""}
        entry_append(actor=actor, subject=f"coupon:{made.pk}", action="coupon.opened", data=data)
    return made


@operations_site.page("coupons/<int:coupon_id>/", name="coupon")
@require_http_methods(["GET", "HEAD", "POST"])
def coupon(request: HttpRequest, coupon_id: int) -> HttpResponse:
    """One: what it gives, what it cost, and how long it goes on."""
    found = next((one for one in coupons_of_platform() if one.pk == coupon_id), None)
    if found is None:
        raise Http404
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=limits_of(found))
    if request.method == "POST" and form.is_valid():
        try:
            _changed(request, found, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            messages.success(request, _("已保存"))
            return redirect("operations:coupon", found.pk)
    context = {
        "title": coupon_name(found),
        "up_url": reverse("operations:coupons"),
        "up_title": _("优惠券"),
        **coupon_row(found, now=timezone.now()),
        "shared": coupon_shared(found, address=_address(found)),
        "form": form,
    }
    return operations_site.render(request, "staff/coupon.html", context, status=422 if form.errors else 200)


def _address(coupon: Coupon) -> str:
    """Of the shop where it holds; of the house shop, where it holds in all."""
    shop = coupon.shop or Reseller.objects.filter(is_house=True).order_by("pk").first()
    return shop_url(shop) if shop is not None else ""


def _changed(request: HttpRequest, found: Coupon, form: LimitsForm) -> None:
    with transaction.atomic():
        changed = coupon_change(coupon_id=found.pk, **form.cleaned_data)
        facts = {"code": changed.code}
        said = _("停用优惠券 %(code)s") if changed.is_paused else _("修改优惠券 %(code)s 的期限和张数")
        write_down(request, changed, CHANGE, said % facts)
        data = {"code": changed.code, "use_limit": changed.use_limit, "is_paused": changed.is_paused}
        entry_append(actor=actor_of(request), subject=f"coupon:{changed.pk}", action="coupon.changed", data=data)
