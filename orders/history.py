"""An order's history in plain words, for the people behind the shop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import OrderEvent

Sentence = str | Promise

#: By event: tone and sentence. Placeholders are keys of the event's data; where one is missing, the sentence ends.
_SENTENCES: Mapping[str, tuple[str, Sentence]] = {
    "order.placed": ("neutral", gettext_lazy("买家下单")),
    "order.kept": ("neutral", gettext_lazy("存进了顾客账号")),
    "order.refunds_go": ("neutral", gettext_lazy("买家改了退款去向")),
    "order.checked": ("neutral", gettext_lazy("买家核对无误，去付款")),
    "order.paid": ("ok", gettext_lazy("订单已付款")),
    "order.fulfilled": ("ok", gettext_lazy("全部到账")),
    "order.expired": ("neutral", gettext_lazy("超时未付款，订单取消")),
    "order.canceled": ("neutral", gettext_lazy("订单取消")),
    "order.refunded": ("neutral", gettext_lazy("已全额退款")),
    "order.partly_refunded": ("warn", gettext_lazy("一部分已退款")),
    "line.queued": ("neutral", gettext_lazy("排队充值")),
    "line.buying": ("info", gettext_lazy("渠道处理中")),
    "line.verifying": ("warn", gettext_lazy("渠道没有明确答复，正在核实")),
    "line.manual": ("bad", gettext_lazy("转给人工处理")),
    "line.delivered": ("ok", gettext_lazy("到账")),
    "line.failed": ("warn", gettext_lazy("没有充成，开始退款")),
    "line.refunded": ("neutral", gettext_lazy("这一项已退款")),
    "payment.created": ("neutral", gettext_lazy("发起付款")),
    "payment.confirmed": ("ok", gettext_lazy("收到付款 ¥%(amount)s")),
    "payment.refused": ("bad", gettext_lazy("收到的付款对不上，没有入账")),
    "payment.disproved": ("bad", gettext_lazy("支付平台收回了这笔付款：交易属于另一笔付款")),
    "payment.rebooked": ("warn", gettext_lazy("支付平台更正了这笔付款的交易号")),
    "refund.asked": ("warn", gettext_lazy("工作人员申请退款 ¥%(amount)s，等另一位复核")),
    "refund.approved": ("info", gettext_lazy("退款复核通过")),
    "refund.rejected": ("neutral", gettext_lazy("退款没有批准")),
    "refund.created": ("warn", gettext_lazy("发起退款 ¥%(amount)s")),
    "refund.succeeded": ("ok", gettext_lazy("退款到账 ¥%(amount)s")),
    "refund.failed": ("bad", gettext_lazy("退款没有成功，需要人工处理")),
    "refund.retried": ("info", gettext_lazy("重新提交退款")),
    "refund.by_hand": ("info", gettext_lazy("人工退款，已核对")),
    "refund.mismatch": ("bad", gettext_lazy("渠道说的退款金额对不上：¥%(theirs)s")),
    "refund.short": ("bad", gettext_lazy("收到的钱不够退，差 ¥%(amount)s")),
    "supplier.rejected": ("warn", gettext_lazy("渠道没有充成，换下一家")),
    "supplier.contradiction": ("bad", gettext_lazy("渠道事后改口，需要人工核对")),
    "supplier.code_seen_before": ("bad", gettext_lazy("渠道给的卡密以前出现过，没有交付")),
    "fulfillment.retried": ("info", gettext_lazy("重新查看充值结果")),
    "decision.asked": ("warn", gettext_lazy("工作人员要人工处理 ¥%(amount)s，等另一位复核")),
    "decision.agreed": ("info", gettext_lazy("人工处理复核通过")),
    "decision.rejected": ("neutral", gettext_lazy("人工处理没有批准")),
    "owner.delivered": ("ok", gettext_lazy("店主手工交付")),
    "owner.refused": ("warn", gettext_lazy("店主不能交付，退款")),
    "points.earned": ("neutral", gettext_lazy("送出积分 %(points)s")),
    "points.taken": ("neutral", gettext_lazy("退款收回积分 %(points)s，已花掉收不回 %(gone)s")),
    "codes.revealed": ("neutral", gettext_lazy("查看了卡密")),
    "order.forgotten": ("neutral", gettext_lazy("删除了联系方式和账号")),
    "order.looked_into": ("neutral", gettext_lazy("查看了完整的账号和联系方式")),
}
#: What only operators are told beside the sentence.
_DETAILS = ("payment", "refund", "reference", "code", "gateway", "says", "reason", "note")
_ACTORS: Mapping[str, Sentence] = {
    "shopper": gettext_lazy("买家"),
    "system": gettext_lazy("系统"),
    "worker": gettext_lazy("系统"),
    "schedule": gettext_lazy("系统定时查询"),
    "cashier": gettext_lazy("收银台查询"),
    "return": gettext_lazy("付款返回"),
    "notice": gettext_lazy("支付通知"),
    "callback": gettext_lazy("渠道回调"),
    "staff": gettext_lazy("平台工作人员"),
    "refusal": gettext_lazy("系统"),
    "client": gettext_lazy("下游客户"),
    "retention": gettext_lazy("到期自动"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened."""

    at: datetime
    tone: str
    text: str
    who: str
    detail: str = ""


def history(events: Iterable[OrderEvent], *, for_operator: bool) -> list[Told]:
    """What happened, oldest first. Operators also see numbers and codes of the other side."""
    return [_told(event, for_operator=for_operator) for event in events]


def _told(event: OrderEvent, *, for_operator: bool) -> Told:
    tone, sentence = _SENTENCES.get(event.name, ("neutral", event.name))
    try:
        text = str(sentence) % event.data
    except (KeyError, TypeError, ValueError):
        text = str(sentence).partition("%")[0].rstrip(" ¥：")
    if event.data.get("surplus"):
        text = _("%(sentence)s（多付的，会自动退回）") % {"sentence": text}
    if event.data.get("late"):
        text = _("%(sentence)s（过期之后才付的）") % {"sentence": text}
    detail = " · ".join(str(event.data[name]) for name in _DETAILS if event.data.get(name)) if for_operator else ""
    return Told(event.created_at, tone, text, actor_name(event.actor, for_operator=for_operator), detail)


def actor_name(actor: str, *, for_operator: bool) -> str:
    """Who did it, by its kind; only operators are told names of staff and suppliers."""
    kind, _separator, name = actor.replace(":", " ", 1).partition(" ")
    known = str(_ACTORS.get(kind, _("系统")))
    return f"{known} {name}" if name and for_operator else known
