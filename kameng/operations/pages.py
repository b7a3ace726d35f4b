"""The operators' pages: today, and one order with everything about it."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe
from django_tenants.utils import tenant_context

from fulfillment.decisions import attempt_fail_agree, fulfillment_give_up, fulfillment_retry, give_up_agree
from fulfillment.models import Fulfillment, SupplierOrder
from kameng.accounts.confirming import has_second_factor, is_fresh, second_factor_require
from kameng.admin.bases import actor_of
from kameng.admin.panels import Panel, Viewer
from kameng.admin.sites import operations_site
from kameng.alerts.selectors import alerts_open
from kameng.core.ids import normalize
from kameng.core.problems import Problem
from kameng.inbox.models import InboxEvent
from kameng.operations.cross_shop import (
    every_shop,
    shops_that_sold,
)
from kameng.operations.figures import figures, waiting
from orders.admin import order_context
from orders.decisions import decision_reject, decision_said
from orders.events import event_write
from orders.models import Decision, Order
from payments.approvals import refund_by_hand, refund_by_hand_agree, refund_retry
from payments.gateways.base import GatewayError
from payments.models import Payment, Refund
from payments.services import payment_ask
from resellers.links import shop_url
from resellers.models import Reseller

SHORTEST_REASON = 6
LONGEST_REFERENCE = 64


@operations_site.home
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Today, and what waits for a person."""
    today = figures(shops_that_sold())
    return operations_site.render(
        request,
        "staff/operations_home.html",
        {
            "title": _("今天"),
            "today": today,
            "waiting": waiting(),
            "alerts": alerts_open(),
            "manual": [shop for shop in today.shops if shop.manual],
            "refund_failed": [shop for shop in today.shops if shop.refund_failed],
            "refund_waiting": [shop for shop in today.shops if shop.refund_waiting],
        },
    )


def _shop_or_404(slug: str) -> Reseller:
    found = next((shop for shop in every_shop() if shop.slug == slug), None)
    if found is None:
        raise Http404
    return found


@operations_site.page("orders/<slug:shop>/<str:number>/", name="order")
@require_safe
def order(request: HttpRequest, shop: str, number: str) -> HttpResponse:
    """One order with everything about it, whichever shop it belongs to."""
    return _order_page(request, _shop_or_404(shop), number, in_full=False)


def _order_page(request: HttpRequest, shop: Reseller, number: str, *, in_full: bool) -> HttpResponse:
    act_url = reverse("operations:order_act", args=[shop.slug, normalize(number)])
    actor, has_factor, needs_code = actor_of(request), has_second_factor(request), not is_fresh(request)
    with tenant_context(shop):
        found = Order.objects.filter(number=normalize(number)).first()
        if found is None:
            raise Http404
        context = order_context(operations_site, found, Viewer(is_operator=True, act_url=act_url, in_full=in_full))
        decisions = [{"decision": one, "is_own": one.actor == actor} for one in found.decisions.order_by("pk")]
        subjects = [
            *found.payments.values_list("number", flat=True),
            *Refund.objects.filter(payment__order=found).values_list("number", flat=True),
            *SupplierOrder.objects.filter(fulfillment__line__order=found).values_list("reference", flat=True),
        ]
    notices = list(InboxEvent.objects.filter(subject__in=subjects).defer("body", "headers").order_by("pk"))
    if notices:
        panel = Panel(_("收到的通知"), "staff/_notices.html", {"notices": notices})
        context["panels"] = [*context["panels"], panel]
    if decisions:
        told = {"decisions": decisions, "has_factor": has_factor, "needs_code": needs_code, "act_url": act_url}
        context["panels"] = [Panel(_("人工处理"), "staff/_decisions.html", told), *context["panels"]]
    own = {
        "shop_name": shop.name,
        "shop_url": shop_url(shop),
        "up_url": reverse("operations:orders"),
        "up_title": pgettext("多个", "订单"),
        "act_url": act_url,
        "refund_url": reverse("operations:refund_ask", args=[shop.slug, found.number]) if found.paid_at else "",
    }
    return operations_site.render(request, "staff/operations_order.html", {**context, **own})


def _ask(request: HttpRequest, order: Order, row_id: int) -> str:
    payment = Payment.objects.filter(pk=row_id, order=order).first()
    if payment is None:
        raise Http404
    try:
        payment_ask(payment_id=payment.pk, actor=actor_of(request))
    except GatewayError as error:
        raise Problem(_("支付渠道没有给出答复：%(error)s") % {"error": error}) from error
    payment.refresh_from_db()
    status = Payment.Status(payment.status).label
    return _("支付渠道的答复：%(status)s") % {"status": status}


def _retry(request: HttpRequest, order: Order, row_id: int) -> str:
    fulfillment_retry(fulfillment_id=_work(order, row_id).pk, actor=actor_of(request))
    return _("已安排重新查看，几秒后刷新看结果")


def _give_up(request: HttpRequest, order: Order, row_id: int) -> str:
    work = _work(order, row_id)
    reason = " ".join(request.POST.get("reason", "").split())[:150]
    if len(reason) < SHORTEST_REASON:
        raise Problem(_("请写明依据，至少 %(count)s 个字") % {"count": SHORTEST_REASON})
    if work.status != Fulfillment.Status.MANUAL:
        raise Problem(_("这一项不在等人处理，不能放弃"))
    return decision_said(fulfillment_give_up(fulfillment_id=work.pk, actor=actor_of(request), reason=reason))


def _work(order: Order, row_id: int) -> Fulfillment:
    work = Fulfillment.objects.filter(pk=row_id, line__order=order).first()
    if work is None:
        raise Http404
    return work


def _refund_again(request: HttpRequest, order: Order, row_id: int) -> str:
    refund = Refund.objects.filter(pk=row_id, payment__order=order).first()
    if refund is None:
        raise Http404
    try:
        refund_retry(refund_id=refund.pk, actor=actor_of(request))
    except GatewayError as error:
        raise Problem(_("支付渠道没有给出答复：%(error)s") % {"error": error}) from error
    return _("已重新提交退款")


def _refund_by_hand(request: HttpRequest, order: Order, row_id: int) -> str:
    refund = Refund.objects.filter(pk=row_id, payment__order=order).first()
    if refund is None:
        raise Http404
    reference = "".join(request.POST.get("reference", "").split())
    note = " ".join(request.POST.get("note", "").split())[:150]
    if not 4 <= len(reference) <= LONGEST_REFERENCE:
        raise Problem(_("请填退款凭证的单号，4 到 64 个字符"))
    if len(note) < SHORTEST_REASON:
        raise Problem(_("请写明依据，至少 %(count)s 个字") % {"count": SHORTEST_REASON})
    return decision_said(refund_by_hand(refund_id=refund.pk, reference=reference, note=note, actor=actor_of(request)))


def _decision(order: Order, row_id: int) -> Decision:
    decision: Decision | None = order.decisions.filter(pk=row_id).first()
    if decision is None:
        raise Http404
    return decision


def _agree(request: HttpRequest, order: Order, row_id: int) -> str:
    decision = _decision(order, row_id)
    does = {
        Decision.Kind.BY_HAND: refund_by_hand_agree,
        Decision.Kind.GIVE_UP: give_up_agree,
        Decision.Kind.FAIL: attempt_fail_agree,
    }[Decision.Kind(decision.kind)]
    return decision_said(does(decision_id=decision.pk, actor=actor_of(request)))


def _disagree(request: HttpRequest, order: Order, row_id: int) -> str:
    reason = request.POST.get("reason", "")
    decision_reject(decision_id=_decision(order, row_id).pk, reason=reason, actor=actor_of(request))
    return _("没有批准，什么都没有动")


#: What an operator may do to an order: each calls a service in the order's own schema and says what came of it.
_ACTS: dict[str, Callable[[HttpRequest, Order, int], str]] = {
    "payment_ask": _ask,
    "fulfillment_retry": _retry,
    "fulfillment_give_up": _give_up,
    "refund_retry": _refund_again,
    "refund_by_hand": _refund_by_hand,
    "decision_agree": _agree,
    "decision_reject": _disagree,
}
#: What takes a code of the second factor.
_CONFIRMED = frozenset({"decision_agree"})


@operations_site.page("orders/<slug:shop>/<str:number>/act/", name="order_act")
@require_POST
def order_act(request: HttpRequest, shop: str, number: str) -> HttpResponse:
    """Do one thing to an order, or look at it in full, which is written down."""
    found_shop = _shop_or_404(shop)
    act = request.POST.get("act", "")
    actor_of(request)  # the account is read here, in its own schema, before another one is entered
    if act == "look_in_full":
        with tenant_context(found_shop):
            order = Order.objects.filter(number=normalize(number)).first()
            if order is None:
                raise Http404
            event_write(order, "order.looked_into", actor=actor_of(request))
        return _order_page(request, found_shop, number, in_full=True)
    row_id = request.POST.get("id", "")
    if act not in _ACTS or not (row_id.isascii() and row_id.isdigit() and len(row_id) < 19):
        raise Http404
    back = redirect("operations:order", shop=found_shop.slug, number=normalize(number))
    try:
        if act in _CONFIRMED:
            second_factor_require(request, request.POST.get("code", ""))
    except Problem as refused:
        messages.error(request, str(refused))
        return back
    with tenant_context(found_shop):
        order = Order.objects.filter(number=normalize(number)).first()
        if order is None:
            raise Http404
        try:
            said = _ACTS[act](request, order, int(row_id))
        except Problem as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, said)
    return back
