"""One's own second factor, on both sites: set it up, see what is left of it, take it off."""

from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.accounts import totp
from kameng.accounts.confirming import CodeField
from kameng.accounts.models import SecondFactor, User
from kameng.accounts.second_factor import (
    SecondFactorRefused,
    recovery_renew,
    second_factor_begin,
    second_factor_confirm,
    second_factor_of,
    second_factor_remove,
)
from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, StaffSite, operations_site, shop_site
from kameng.core.problems import Problem


class BeginForm(StaffForm):
    """Who is at the keyboard."""

    password = forms.CharField(
        label=gettext_lazy("登录密码"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeForm(StaffForm):
    """A code for what is to happen now."""

    code = CodeField()


class FirstCodeForm(StaffForm):
    """The first code of a new key, which no recovery code can stand for."""

    code = CodeField(label=gettext_lazy("手机上显示的 6 位数字"), help_text="")


def _drawn(address: str) -> SafeString:
    """The code to scan, inside the page: it is nowhere else to be fetched."""
    drawn = segno.make(address, error="m", micro=False)
    title = _("给验证器应用扫的二维码")
    return mark_safe(
        drawn.svg_inline(border=4, light="#fff", title=title, lineclass=None, svgclass="k-scan", omitsize=True)
    )


def _scan(site: StaffSite, request: HttpRequest, key: str) -> dict[str, Any]:
    address = totp.address(key, issuer=site.title_for(request), account=request.user.get_username())
    return {"qr": _drawn(address), "key": " ".join(key[place : place + 4] for place in range(0, len(key), 4))}


def _page(site: StaffSite, request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    factor = second_factor_of(request.user.pk)
    context = {
        "title": _("两步验证"),
        "factor": factor,
        "left": len(factor.recovery) if factor else 0,
        "begin": BeginForm(),
        "first": FirstCodeForm(),
        "renew": CodeForm(auto_id="id_renew_%s"),
        "remove": CodeForm(auto_id="id_remove_%s"),
        **more,
    }
    return site.render(request, "staff/second_factor.html", context, status=status)


def _noted(request: HttpRequest, what: str) -> None:
    user = User.objects.get(pk=request.user.pk or 0)
    write_down(request, user, CHANGE, what)


def _begin(site: StaffSite, request: HttpRequest) -> HttpResponse:
    form = BeginForm(request.POST)
    if form.is_valid():
        try:
            key = second_factor_begin(user_id=request.user.pk or 0, password=form.cleaned_data["password"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            return _page(site, request, **_scan(site, request, key))
    return _page(site, request, status=422, begin=form)


def _confirm(site: StaffSite, request: HttpRequest) -> HttpResponse:
    form = FirstCodeForm(request.POST)
    if form.is_valid():
        try:
            codes = second_factor_confirm(user_id=request.user.pk or 0, code=form.cleaned_data["code"])
        except SecondFactorRefused as refused:
            messages.error(request, str(refused))
            return redirect(f"{site.name}:second_factor")
        except Problem as refused:
            add_problem(form, refused)
        else:
            _noted(request, _("启用了两步验证"))
            return _page(site, request, codes=codes)
    waiting = SecondFactor.objects.filter(user_id=request.user.pk or 0, confirmed_at__isnull=True).first()
    scan = _scan(site, request, waiting.key) if waiting else {}
    return _page(site, request, status=422, first=form, **scan)


def _renew(site: StaffSite, request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST, auto_id="id_renew_%s")
    if form.is_valid():
        try:
            codes = recovery_renew(user_id=request.user.pk or 0, code=form.cleaned_data["code"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            _noted(request, _("换了一批备用码"))
            return _page(site, request, codes=codes)
    return _page(site, request, status=422, renew=form)


def _remove(site: StaffSite, request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST, auto_id="id_remove_%s")
    if form.is_valid():
        try:
            second_factor_remove(user_id=request.user.pk or 0, code=form.cleaned_data["code"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            _noted(request, _("停用了两步验证"))
            messages.success(request, _("已停用两步验证；提现这类操作要重新启用才能做"))
            return redirect(f"{site.name}:second_factor")
    return _page(site, request, status=422, remove=form)


_ACTS = {"begin": _begin, "confirm": _confirm, "renew": _renew, "remove": _remove}


def _second_factor(site: StaffSite, request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(site, request)
    act = _ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    return act(site, request)


_NAV = Nav(gettext_lazy("设置"), gettext_lazy("两步验证"), "shield", 93)


@shop_site.page("second-factor/", name="second_factor", nav=_NAV)
@require_http_methods(["GET", "HEAD", "POST"])
def of_a_shop(request: HttpRequest) -> HttpResponse:
    """An owner's."""
    return _second_factor(shop_site, request)


@operations_site.page("second-factor/", name="second_factor", nav=_NAV)
@require_http_methods(["GET", "HEAD", "POST"])
def of_an_operator(request: HttpRequest) -> HttpResponse:
    """An operator's."""
    return _second_factor(operations_site, request)
