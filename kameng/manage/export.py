"""The owner takes along what the shop has written down, whether it is open or closed."""

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from kameng.admin.bases import actor_of
from kameng.core.problems import Problem
from kameng.shop_export import export_answer
from resellers.models import Reseller


def shop_export(request: HttpRequest) -> HttpResponseBase:
    """Everything as one file. What is the house shop's is the platform's."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if shop.is_house:
        raise Http404
    try:
        return export_answer(shop, actor=actor_of(request))
    except Problem as refused:
        messages.error(request, str(refused))
        return redirect("manage:plan")
