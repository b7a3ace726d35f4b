"""An owner's page about the shop's time: the plan, until when, another year, a better plan, and whom they invited."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.db.models import F, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from compliance.tenures import shop_renew, shop_upgrade
from kameng.accounts.confirming import ConfirmedForm, has_second_factor, is_fresh
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.manage.export import shop_export
from resellers.ledger.balances import balance
from resellers.ledger.posting import Name
from resellers.links import shop_url
from resellers.models import Reseller
from resellers.plans.applications import renewal_ask
from resellers.plans.commissions import invitation_of, may_invite
from resellers.plans.exceptions import PlanRefused
from resellers.plans.models import Affiliate, Application, Commission, Subscription, Tenure
from resellers.plans.services import plans_above, price_of_upgrade
from resellers.plans.standing import Standing, days_left, standing, tenure_of
from resellers.plans.terms import told

ROWS_SHOWN = 20


class PayForm(ConfirmedForm):
    """Out of the balance, at the price that was shown."""

    quoted = forms.DecimalField(max_digits=10, decimal_places=2, widget=forms.HiddenInput)
    plan = forms.IntegerField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)


def tenure_read(shop_id: int) -> Tenure | None:
    """How the shop stands, with its plan."""
    return Tenure.objects.select_related("subscription__plan").filter(shop_id=shop_id).first()


def plan_notice(shop: Reseller) -> dict[str, Any]:
    """What the first page says about the shop's time; nothing while all is well. A second late at most."""
    tenure = tenure_of(shop)
    now = timezone.now()
    state = standing(tenure, now)
    if tenure is None or (state is Standing.OPEN and tenure.paid_until is None):
        return {}
    days = days_left(tenure.paid_until, now) if tenure.paid_until else 0
    if state is Standing.OPEN and told(days) is None:
        return {}
    return {"standing": state.value, "days": days, "tenure": tenure}


def _page(request: HttpRequest, *, status: int = 200, form: PayForm | None = None) -> HttpResponse:
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    tenure, now = tenure_read(shop.pk), timezone.now()
    current = tenure.subscription if tenure is not None else None
    context: dict[str, Any] = {
        "title": _("套餐"),
        "tenure": tenure,
        "standing": standing(tenure, now).value,
        "current": current,
        "form": form or PayForm(request=request),
        "is_house": shop.is_house,
        "pay_url": _pay_url(request, shop),
        "has_factor": has_second_factor(request),
        "is_fresh": is_fresh(request),
        "key": random_id(20),
        "rows": Subscription.objects.filter(shop_id=shop.pk).select_related("plan")[:ROWS_SHOWN],
    }
    if tenure is not None and current is not None and tenure.paid_until is not None:
        context |= {
            "days": days_left(tenure.paid_until, now),
            "available": balance(Name.AVAILABLE, shop.pk),
            "upgrades": [
                {"plan": plan, "price": price_of_upgrade(current.plan, plan, tenure.paid_until, now)}
                for plan in plans_above(current.plan)
            ],
            **_invitations(shop),
        }
    return shop_site.render(request, "staff/plan.html", context, status=status)


def _pay_url(request: HttpRequest, shop: Reseller) -> str:
    """Where the year that was just asked for is paid for."""
    asked = Application.objects.filter(
        code=request.GET.get("order", ""), shop_id=shop.pk, status=Application.Status.WAITING
    ).first()
    return f"{_house_url()}apply/renew/{asked.code}/" if asked is not None else ""


def _invitations(shop: Reseller) -> dict[str, Any]:
    mine = Commission.objects.filter(inviter_id=shop.pk)
    earned = mine.aggregate(sum=Sum(F("amount") - F("taken_back")))["sum"]
    return {
        "may_invite": may_invite(shop.pk),
        "invitation_url": f"{_house_url()}apply/?from={invitation_of(shop)}",
        "invited": Affiliate.objects.filter(inviter_id=shop.pk).count(),
        "commissions": earned or Decimal(0),
    }


def _house_url() -> str:
    house = Reseller.objects.filter(is_house=True).order_by("pk").first()
    return shop_url(house) if house is not None else f"{settings.PUBLIC_SCHEME}://{settings.SHOPS_DOMAIN}/"


def _renew(request: HttpRequest, shop: Reseller, typed: dict[str, Any]) -> str:
    bought = shop_renew(shop_id=shop.pk, key=typed["key"], quoted=typed["quoted"], actor=actor_of(request))
    return _("已用余额续费一年，付了 %(price)s 元") % {"price": bought.price_paid}


def _upgrade(request: HttpRequest, shop: Reseller, typed: dict[str, Any]) -> str:
    bought = shop_upgrade(
        shop_id=shop.pk,
        plan_id=typed["plan"] or 0,
        key=typed["key"],
        quoted=typed["quoted"],
        actor=actor_of(request),
    )
    return _("已升级到“%(plan)s”，付了 %(price)s 元") % {"plan": bought.plan.label, "price": bought.price_paid}


_ACTS: dict[str, Any] = {"renew": _renew, "upgrade": _upgrade}


@shop_site.page("plan/", name="plan", nav=Nav(gettext_lazy("店铺"), gettext_lazy("套餐"), "storefront", 45))
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest) -> HttpResponseBase:
    """The plan, and what can be done about it."""
    if request.method != "POST":
        return _page(request)
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    act = request.POST.get("act", "")
    if act == "export":
        return shop_export(request)
    if act == "order":
        try:
            asked = renewal_ask(shop_id=shop.pk)
        except PlanRefused as refused:
            messages.error(request, str(refused))
            return redirect("manage:plan")
        # A form may not lead to another host, so the page says where to go on.
        return redirect(f"{reverse('manage:plan')}?order={asked.code}")
    if act not in _ACTS:
        raise Http404
    form = PayForm(request.POST, request=request)
    if form.is_valid():
        try:
            form.confirm()
            said = _ACTS[act](request, shop, form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, shop, CHANGE, said)
            messages.success(request, said)
            return redirect("manage:plan")
    return _page(request, status=422, form=form)
