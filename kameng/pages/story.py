"""What an order's page tells: one state in words, at most four steps, and where the money is.

Reads, decides nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from customers.models import Route
from fulfillment.by_owner import REFUND_REASONS
from fulfillment.models import Fulfillment
from kameng.opening.goods import ADDRESS
from kameng.templatetags.shop import money
from orders.faces import account_summary
from orders.models import Order, OrderLine
from orders.words import PLAN_DONE, StateText, state_text
from payments.faces import due_of, gateway_name, refund_method
from payments.models import Payment, Refund
from payments.purses import COUPON, WALLET, WITHOUT_MONEY
from resellers.plans.skus import PRODUCT, kind_of

#: Longer than this without a result is slower than usual, as long as nothing better was measured.
SLOW_SECONDS = 600
#: So is longer than this before anybody has been asked for the goods: the next moment is no longer a promise to make.
QUEUED_SECONDS = 60
CODE = "code"

LineStatus = OrderLine.Status
_UNDER_WAY = {LineStatus.QUEUED, LineStatus.BUYING, LineStatus.VERIFYING, LineStatus.MANUAL}


@dataclass(frozen=True, slots=True)
class Step:
    """A mark on the order's line of time: `done`, `now`, `todo` or `bad`."""

    label: str
    state: str
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefundFace:
    """A refund as the page shows it."""

    tone: str
    label: str
    amount: Decimal
    text: str
    eta: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the page says about what happened."""

    #: As they were at one moment, whatever was known of the order before.
    order: Order
    lines: list[OrderLine]
    status: StateText
    steps: list[Step]
    refunds: list[RefundFace]
    version: str
    waited: int
    paid_with: str
    refunded: Decimal
    #: Why the owner did not deliver a good of their own.
    why: str
    #: Lines with which the owner wrote something, by their ids.
    notes: frozenset[int]

    @property
    def waited_text(self) -> str:
        """`2:07`."""
        return f"{self.waited // 60}:{self.waited % 60:02d}"


def order_story(order: Order) -> Story:
    """The story of an order at this moment, in the reader's language."""
    # Order and lines in one statement. Where each is read by itself, goods may arrive in between: a page would say that
    # all is there, stop asking, and lack what came.
    lines = list(OrderLine.objects.filter(order_id=order.pk).select_related("order"))
    order = lines[0].order
    payments = list(order.payments.filter(status=Payment.Status.CONFIRMED))
    asked = Refund.objects.filter(payment__order=order).exclude(status=Refund.Status.REJECTED)
    refunds = list(asked.select_related("payment").order_by("pk"))
    works = list(Fulfillment.objects.filter(line__order=order))
    money_back = [refund for refund in refunds if refund.payment.gateway not in WITHOUT_MONEY]
    state = display_state(order, lines, works)
    if money_back and order.status in (Order.Status.EXPIRED, Order.Status.CANCELED):
        state = "late_payment"  # money came, and goes back: nobody is told that none was taken
    covering = [payment.gateway for payment in payments if not payment.is_surplus]
    moneys = [gateway for gateway in covering if gateway not in WITHOUT_MONEY]
    paid_with = "、".join(
        dict.fromkeys(gateway_name(gateway) for gateway in moneys or (covering if order.paid_at else []))
    )
    by_coupon_alone = all(gateway == COUPON.gateway for gateway in covering)
    without_money = _("已用优惠券付清") if by_coupon_alone else _("已全部抵扣")
    status = state_text(state, {**_facts(order, lines, money_back, paid_with), **_by_owner(works)})
    settled = sum((refund.amount for refund in money_back if refund.status == Refund.Status.SUCCEEDED), Decimal(0))
    seen = [
        order.status,
        state,
        *(line.status for line in lines),
        *(f"{refund.pk}{refund.status}" for refund in refunds),
    ]
    waiting = order.paid_at is not None and any(line.status in _UNDER_WAY for line in lines)
    return Story(
        order=order,
        lines=lines,
        status=status,
        steps=_steps(
            order,
            lines,
            state,
            money_paid=due_of(order).amount,
            without_money=without_money,
            is_owners=any(work.due_at for work in works),
        ),
        refunds=[_refund_face(refund) for refund in refunds],
        version=hashlib.sha256("|".join(seen).encode()).hexdigest()[:12],
        waited=int((timezone.now() - order.paid_at).total_seconds()) if waiting and order.paid_at else 0,
        paid_with=paid_with,
        refunded=settled,
        why=next((gettext(work.note) for work in works if work.due_at and work.note in REFUND_REASONS.values()), ""),
        notes=frozenset(work.line_id for work in works if work.sealed_note),
    )


def display_state(order: Order, lines: Sequence[OrderLine], works: Sequence[Fulfillment]) -> str:
    """Which of the states in `orders.words` an order shows."""
    if order.status == Order.Status.PENDING:
        return "created" if order.expires_at > timezone.now() else "pay_confirming"
    if order.status in (
        Order.Status.EXPIRED,
        Order.Status.CANCELED,
        Order.Status.REFUNDED,
        Order.Status.PARTLY_REFUNDED,
    ):
        return str(order.status)
    kinds = {line.status for line in lines}
    plan = kind_of(lines[0].product_slug, lines[0].sku)
    if kinds == {LineStatus.DELIVERED}:
        if plan:
            return PLAN_DONE[plan]
        return "codes_ready" if any(line.kind == CODE for line in lines) else "delivered"
    for status, state in ((LineStatus.MANUAL, "manual"), (LineStatus.VERIFYING, "verifying")):
        if status in kinds:
            return state
    if LineStatus.DELIVERED in kinds and kinds & _UNDER_WAY:
        return "partial"
    if kinds & {LineStatus.FAILED, LineStatus.REFUNDED} and not kinds & _UNDER_WAY:
        return "failed_refunding"
    if any(work.due_at and work.finished_at is None for work in works):
        return "by_owner"
    slow = SLOW_SECONDS if LineStatus.BUYING in kinds else QUEUED_SECONDS
    if order.paid_at and timezone.now() - order.paid_at > timedelta(seconds=slow):
        return "delayed"
    if plan:
        return "plan_under_way"
    if LineStatus.BUYING in kinds:
        return "switching" if any(work.attempts > 1 for work in works) else "delivering"
    return "paid"


def _clock(moment: datetime | None) -> str:
    return localtime(moment).strftime("%H:%M") if moment else ""


def _duration(seconds: float) -> str:
    seconds = max(1, int(seconds))
    if seconds < 60:
        return _("%(count)s 秒") % {"count": seconds}
    return _("%(minutes)s 分 %(seconds)s 秒") % {"minutes": seconds // 60, "seconds": seconds % 60}


def _by_owner(works: Sequence[Fulfillment]) -> dict[str, object]:
    """Until when the owner delivers, with the day unless that is today; once they did, what arrived need not be a
    top-up of anything."""
    due = max((work.due_at for work in works if work.due_at), default=None)
    if due is None:
        return {}
    moment = localtime(due)
    return {"name": "", "due": moment.strftime("%H:%M" if moment.date() == timezone.localdate() else "%m-%d %H:%M")}


def _facts(order: Order, lines: Sequence[OrderLine], refunds: Sequence[Refund], paid_with: str) -> dict[str, object]:
    line = lines[0]
    finished = order.finished_at
    decided = [refund for refund in refunds if refund.status != Refund.Status.WAITING]
    amount = sum((refund.amount for refund in decided), Decimal(0))
    into_wallet = bool(decided) and all(_into_wallet(refund) for refund in decided)
    if order.status == Order.Status.PENDING:
        deadline: datetime | None = order.expires_at
    else:
        deadline = order.paid_at + timedelta(seconds=settings.UNKNOWN_LIMIT_SECONDS) if order.paid_at else None
    of_plan = line.product_slug == PRODUCT
    return {
        "name": "" if line.kind == CODE or of_plan else account_summary(line),
        "shop": line.account_values.get(ADDRESS, "") if of_plan else "",
        "deadline": _clock(deadline),
        "time": _clock(finished),
        "duration": _duration((finished - order.paid_at).total_seconds()) if finished and order.paid_at else "",
        "method": gateway_name(WALLET.gateway) if into_wallet else paid_with,
        "wallet": gateway_name(WALLET.gateway) if into_wallet else "",
        "amount": money(amount) if amount else "",
        "done": sum(found.status == LineStatus.DELIVERED for found in lines),
        "count": len(lines),
    }


def _steps(
    order: Order, lines: Sequence[OrderLine], state: str, *, money_paid: Decimal, without_money: str, is_owners: bool
) -> list[Step]:
    placed = Step(_("已下单"), "done", order.created_at)
    if order.status in (Order.Status.EXPIRED, Order.Status.CANCELED):
        is_late = state == "late_payment"
        return [placed, Step(_("已取消，付的钱原路退回") if is_late else _("已取消，没有扣款"), "bad")]
    if order.paid_at is None:
        return [placed, Step(_("付款"), "now"), Step(_("到账"), "todo")]
    of_plan = lines[0].product_slug == PRODUCT
    told = _("已付款 %(amount)s") % {"amount": money(money_paid)} if money_paid else without_money
    paid = Step(told, "done", order.paid_at)
    if state in ("failed_refunding", "refunded", "partly_refunded"):
        returned = state != "failed_refunding"
        return [
            placed,
            paid,
            Step(
                _("没有办成") if of_plan else _("店主没有交付") if is_owners else _("渠道没有充成"),
                "bad",
            ),
            Step(_("已退款") if returned else _("原路退款中"), "done" if returned else "now", order.finished_at),
        ]
    is_code = lines[0].kind == CODE
    done = state in ("delivered", "codes_ready", *PLAN_DONE.values())
    note = {"switching": _("上一个渠道没有充成，已换一家"), "verifying": _("渠道没有回复，正在核实")}.get(state, "")
    if of_plan:
        return [
            placed,
            paid,
            Step(_("套餐办好了"), "done", order.finished_at) if done else Step(_("办理套餐"), "now"),
        ]
    if is_owners:
        working = Step(_("店主已处理"), "done") if done else Step(_("店主处理中"), "now")
    elif done:
        working = Step(_("已出卡") if is_code else _("渠道已处理"), "done")
    else:
        working = Step(_("出卡中") if is_code else _("渠道处理中"), "now", note=note)
    end = Step(_("卡密已备好") if is_code else _("已到账"), "done", order.finished_at)
    return [placed, paid, working, end if done else Step(_("出卡") if is_code else _("到账"), "todo")]


def _refund_face(refund: Refund) -> RefundFace:
    finished, into_wallet = refund.status == Refund.Status.SUCCEEDED, _into_wallet(refund)
    if refund.payment.gateway in WITHOUT_MONEY:
        is_whole = refund.amount == refund.payment.amount
        text = _("优惠券退回，可以再用") if is_whole else _("优惠券抵扣的部分，不退现金")
        if refund.payment.gateway != COUPON.gateway:
            text = _("积分退回，马上可用")
        label = _("已退回") if finished else _("退回中")
        return RefundFace("ok" if finished else "info", label, refund.amount, text, "", refund.finished_at)
    text = _("退到%(method)s") % {"method": refund_method(refund.payment.gateway, refund.route)}
    if finished:
        tone, label, eta = "ok", _("已退款"), _("已在余额里，马上可用") if into_wallet else ""
    elif refund.status == Refund.Status.WAITING:
        tone, label, eta = "info", _("退款审核中"), _("金额较大，要两位工作人员确认")
    elif refund.status == Refund.Status.FAILED:
        tone, label, eta = "warn", _("人工处理中"), _("渠道没有退成，客服会处理，钱不会丢")
    elif into_wallet:
        tone, label, eta = "info", _("退款中"), _("马上退到余额")
    else:
        tone, label, eta = "info", _("退款中"), _("零钱和余额一般马上到，银行卡 1–3 个工作日")
    return RefundFace(tone, label, refund.amount, text, eta, refund.finished_at)


def _into_wallet(refund: Refund) -> bool:
    return refund.route == Route.WALLET or refund.payment.gateway == WALLET.gateway
