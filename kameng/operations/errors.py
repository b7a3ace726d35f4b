"""What operators see when something is not there or not theirs: plain pages, without a shop's navigation."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import csrf


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """There is no such page."""
    return told(request, 404, _("页面不在了"), _("地址可能写错了，或者这条记录属于别的地方。"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Not with this account, or not at all."""
    return told(request, 403, _("不能这样打开"), _("这个账号没有这项权限，或者这一项不能这样修改。"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: here a plain page, in a shop the shop's own."""
    if getattr(request, "urlconf", None) != settings.PUBLIC_SCHEMA_URLCONF:
        return csrf.csrf_failure(request, reason)
    return told(request, 403, _("这一步没有做"), _("页面放太久，或请求不是从本站发出的。回到上一页刷新再试。"))


def told(request: HttpRequest, status: int, heading: str, text: str) -> HttpResponse:
    """A page that says so, and nothing else."""
    return render(request, "staff/error.html", {"heading": heading, "text": text}, status=status)
