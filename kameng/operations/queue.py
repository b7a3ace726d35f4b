"""Attempts that wait for a person: those without a clear answer, and those that a person delivers."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from fulfillment.reason_words import reason_words
from fulfillment.suppliers.models import Supplier
from kameng.admin.sites import Nav, operations_site
from kameng.operations.attempts import by_hand, when_unclear
from kameng.operations.cross_shop import BY_HAND, PER_PAGE, SUPPLIER_ORDERS, UNCLEAR, every_shop
from kameng.operations.lists import GROUP, as_json
from orders.admin import account_text
from orders.models import OrderLine

_TABS = {"unclear": UNCLEAR, "by_hand": BY_HAND}


@operations_site.page("unclear/", name="unclear", nav=Nav(GROUP, gettext_lazy("待核实采购"), "pending", 11))
@require_safe
def unclear(request: HttpRequest) -> HttpResponse:
    """What waits for a person over all shops, the oldest first, with everything that is needed to decide."""
    tab = "by_hand" if request.GET.get("tab") == "by_hand" else "unclear"
    shops, adapters = every_shop(), by_hand()
    counts = SUPPLIER_ORDERS.count(shops, conditions=_TABS, parameters=[adapters])
    rows: list[dict[str, Any]] = SUPPLIER_ORDERS.oldest(shops, where=[_TABS[tab]], parameters=[adapters])
    suppliers = Supplier.objects.in_bulk({row["supplier_id"] for row in rows})
    now = timezone.now()
    for row in rows:
        row["account"] = account_text(OrderLine(account=as_json(row["account"])))
        row["age"] = (now - row["created_at"]).total_seconds()
        row["reason"] = reason_words(row["code"]) if row["code"] else ""
        row["advice"] = when_unclear(suppliers[row["supplier_id"]]) if row["supplier_id"] in suppliers else ""
    context = {
        "title": _("待核实采购"),
        "tab": tab,
        "rows": rows,
        "counts": counts,
        "more": max(counts[tab] - PER_PAGE, 0),
    }
    return operations_site.render(request, "staff/unclear.html", context)
