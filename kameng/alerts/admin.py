"""What a person should do something about: for operators."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kameng.admin.bases import PER_PAGE, actor_of, write_down
from kameng.admin.sites import Nav, operations_site
from kameng.alerts.models import Alert
from kameng.alerts.services import alert_close
from kameng.alerts.words import alert_words

LEVEL_TONES = {Alert.Level.URGENT: "bad", Alert.Level.WARNING: "warn"}
#: Urgent first, then whatever has waited longest.
_URGENCY = Case(When(level=Alert.Level.URGENT, then=Value(0)), default=Value(1), output_field=IntegerField())


#: The page to act on, by the beginning of a kind, where the subject is no part of the address.
_PAGES = {
    "supplier.duplicate": "duplicates",
    "supplier.": "suppliers_supplier_changelist",
    "price.": "prices",
    "rate.": "rates",
}
#: Kinds whose subject is the number of an attempt.
_ATTEMPTS = ("attempt.needs_person", "supplier.reversed")


def _way(alert: Alert) -> str:
    """Where to act: what the alert itself names, if that is a way inside the site, or what its kind leads to."""
    if alert.url:
        return alert.url if alert.url.startswith("/") and not alert.url.startswith("//") else ""
    if alert.kind in _ATTEMPTS:
        return reverse("operations:attempt", args=[alert.subject])
    if alert.kind == "supplier.code_seen_before" and alert.data.get("reference"):
        return reverse("operations:attempt", args=[alert.data["reference"]])
    if alert.kind == "supplier.dependence":
        return f"{reverse('operations:ranking')}?{urlencode({'category': alert.subject})}"
    if alert.kind.startswith("cost."):
        return f"{reverse('operations:ranking')}?{urlencode({'variant': alert.subject})}"
    for beginning, page in _PAGES.items():
        if alert.kind.startswith(beginning):
            return reverse(f"operations:{page}")
    return ""


@operations_site.page(
    "alerts/",
    name="alerts",
    nav=Nav(
        gettext_lazy("业务"),
        gettext_lazy("提醒"),
        "priority_high",
        8,
        waiting="public.alerts_alert WHERE closed_at IS NULL",
    ),
)
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """Open alerts, urgent ones first; or those that are over, newest first."""
    is_over = request.GET.get("show") == "over"
    if is_over:
        found = Alert.objects.filter(closed_at__isnull=False).order_by("-closed_at", "-pk")
    else:
        found = Alert.objects.filter(closed_at__isnull=True).order_by(_URGENCY, "created_at", "pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    rows = [
        {
            "alert": alert,
            "words": alert_words(alert),
            "tone": LEVEL_TONES[Alert.Level(alert.level)] if alert.closed_at is None else "neutral",
            "level": Alert.Level(alert.level).label if alert.closed_at is None else _("已结束"),
            "url": _way(alert),
        }
        for alert in page
    ]
    context = {"title": _("提醒"), "rows": rows, "page_obj": page, "is_over": is_over}
    return operations_site.render(request, "staff/alerts.html", context)


@operations_site.page("alerts/<int:alert_id>/close/", name="alert_close")
@require_POST
def close(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Somebody has dealt with it."""
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is None:
        raise Http404
    if alert_close(alert_id=alert_id, actor=actor_of(request)):
        write_down(request, alert, CHANGE, _("已处理"))
        messages.success(request, _("已标记处理；同样的情况再出现会重新提醒"))
    else:
        messages.info(request, _("这条提醒已经结束了"))
    return redirect("operations:alerts")
