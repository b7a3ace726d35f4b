"""What a guest may ask of their own data: a copy of it, and that it is forgotten."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from catalog.listings.views import page
from kameng.privacy.forgetting import NotOver, order_forget
from kameng.privacy.taking_along import data_of
from orders.views import order_prove


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def personal_data(request: HttpRequest) -> HttpResponse:
    """The order is proven as on the page that finds orders: every miss gets the same answer."""
    values = {"number": request.POST.get("number", "")[:40], "contact": request.POST.get("contact", "")[:120]}
    if request.method != "POST":
        return _page(request, {"values": values})
    order, refusal = order_prove(request, values["number"], values["contact"])
    if order is None:
        return _page(request, {"values": values, "error": str(refusal.message)}, status=refusal.status)
    if request.POST.get("act") != "forget":
        answer = JsonResponse(data_of(order), json_dumps_params={"ensure_ascii": False, "indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="order-{order.number}.json"'
        return answer
    if not request.POST.get("sure"):
        return _page(request, {"values": values, "unsure": _("请先勾选，再删除")}, status=422)
    try:
        order_forget(order_id=order.pk, actor="shopper")
    except NotOver as refused:
        return _page(request, {"values": values, "unsure": str(refused)}, status=refused.status)
    return _page(request, {"values": {}, "forgotten": order.grouped_number})


def _page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return page(request, "shop/personal_data.html", context, status=status)
