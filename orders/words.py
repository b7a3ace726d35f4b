"""What we tell people about an order in each state: the one source for pages, messages and mail.

A sentence names the facts it needs as placeholders. Where a fact is not known, the next, plainer sentence is taken:
nothing is made up, and no page ever shows a hole. Deadlines are clock times, and where money is in doubt the sentence
says where the money is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Tone = Literal["neutral", "info", "ok", "warn", "bad"]
Action = Literal["", "pay", "check", "support", "reveal", "reorder", "order_again"]
Sentence = str | Promise

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Words:
    """The words of one state.

    `headlines` and `details` are candidates, best first; the first whose placeholders are all known is used.
    `final` means that nothing more happens by itself, so that pages stop asking.
    """

    tone: Tone
    badge: Sentence
    headlines: tuple[Sentence, ...]
    details: tuple[Sentence, ...] = ()
    action: Action = ""
    final: bool = False


@dataclass(frozen=True)
class StateText:
    """The words of one order, filled in, in the reader's language."""

    state: str
    tone: Tone
    badge: str
    headline: str
    detail: str
    action: Action
    action_label: str
    final: bool


STATE_WORDS: Final[Mapping[str, Words]] = {
    "created": Words(
        tone="neutral",
        badge=_("待付款"),
        headlines=(_("等你付款"),),
        details=(_("%(deadline)s 前付款有效，超时自动取消"), _("超时自动取消，不会扣款")),
        action="pay",
    ),
    "pay_confirming": Words(
        tone="info",
        badge=_("确认付款中"),
        headlines=(_("正在确认你的付款"),),
        details=(_("通常 1 分钟内；请不要重复付款"),),
        action="check",
    ),
    "paid": Words(
        tone="info",
        badge=_("已付款"),
        headlines=(
            _("已付款，马上充到 %(name)s"),
            _("已付款，马上出卡"),
        ),
        details=(_("这一页会自己更新，不用刷新"),),
    ),
    "delivering": Words(
        tone="info",
        badge=_("充值中"),
        headlines=(
            _("已付款，正在充到 %(name)s"),
            _("已付款，正在出卡"),
        ),
        details=(
            _("一半 %(p50)s内到账，九成 %(p90)s内到账"),
            _("这一页会自己更新；到不了就全额退款"),
        ),
    ),
    "by_owner": Words(
        tone="info",
        badge=_("店主处理中"),
        headlines=(_("已付款，店主正在手工处理"),),
        details=(_("%(due)s 前交付；到时没有交付，自动全额退款"), _("没有交付就自动全额退款")),
        action="support",
    ),
    "delayed": Words(
        tone="warn",
        badge=_("比平时慢"),
        headlines=(_("比平时慢，我们在盯着"),),
        details=(
            _("渠道还没给结果，%(deadline)s 前给你结论：到账，或全额退款"),
            _("渠道还没给结果；最后要么到账，要么全额退款"),
        ),
        action="support",
    ),
    "verifying": Words(
        tone="warn",
        badge=_("核实中"),
        headlines=(_("渠道没有回复，正在核实"),),
        details=(
            _("先核实再处理，避免重复充值；最晚 %(deadline)s 给你结论"),
            _("先核实再处理，避免重复充值；钱还在，不会丢"),
        ),
        action="support",
    ),
    "switching": Words(
        tone="info",
        badge=_("换渠道中"),
        headlines=(_("上一个渠道没有充成，已换渠道"),),
        details=(_("不会多扣你的钱"),),
    ),
    "delivered": Words(
        tone="ok",
        badge=_("已到账"),
        headlines=(_("已充到 %(name)s"), _("已到账")),
        details=(
            _("%(time)s 到账，用时 %(duration)s"),
            _("%(time)s 到账"),
            _("没看到？先退出重进一次；还没有就联系客服"),
        ),
        action="reorder",
        final=True,
    ),
    "plan_under_way": Words(
        tone="info",
        badge=_("办理中"),
        headlines=(_("已付款，正在办 %(shop)s 的套餐"), _("已付款，正在办套餐")),
        details=(_("这一页会自己更新；办不成就全额退款"),),
    ),
    "plan_opened": Words(
        tone="ok",
        badge=_("已开通"),
        headlines=(_("%(shop)s 的套餐办好了"), _("套餐办好了")),
        details=(_("%(time)s 办好，用时 %(duration)s"), _("店铺可以用了")),
        final=True,
    ),
    "plan_renewed": Words(
        tone="ok",
        badge=_("已续期"),
        headlines=(_("%(shop)s 的套餐续好了"), _("套餐续好了")),
        details=(_("%(time)s 办好，用时 %(duration)s"), _("店铺接着用")),
        final=True,
    ),
    "codes_ready": Words(
        tone="ok",
        badge=_("已出卡"),
        headlines=(_("卡密已备好"),),
        details=(_("先看使用方法再显示；显示后不支持无理由退款"),),
        action="reveal",
        final=True,
    ),
    "partial": Words(
        tone="warn",
        badge=_("部分到账"),
        headlines=(_("%(done)s/%(count)s 已到账"), _("一部分已到账")),
        details=(_("剩下的 %(deadline)s 前到账或退款"), _("剩下的要么到账，要么自动退款")),
    ),
    "failed_refunding": Words(
        tone="warn",
        badge=_("退款中"),
        headlines=(_("%(shop)s 的套餐没有办成，正在全额退款"), _("没充成，正在全额退款")),
        details=(
            _("退到%(wallet)s，马上可用"),
            _("退到%(method)s，%(eta)s"),
            _("退到%(method)s，不用你操作"),
            _("原路退回，不用你操作"),
        ),
    ),
    "refunded": Words(
        tone="neutral",
        badge=_("已退款"),
        headlines=(_("已退 %(amount)s 到%(method)s"), _("已全额退款")),
        details=(
            _("%(time)s 已退到%(wallet)s，马上可用"),
            _("已退到%(wallet)s，马上可用"),
            _("%(time)s 已退；没看到？银行卡可能要等 1–3 个工作日"),
            _("没看到？银行卡可能要等 1–3 个工作日"),
        ),
        action="reorder",
        final=True,
    ),
    "partly_refunded": Words(
        tone="neutral",
        badge=_("部分退款"),
        headlines=(_("已退 %(amount)s 到%(method)s，其余已到账"), _("一部分已到账，其余已退款")),
        details=(
            _("%(time)s 已退到%(wallet)s，马上可用"),
            _("已退到%(wallet)s，马上可用"),
            _("%(time)s 已退；没看到？银行卡可能要等 1–3 个工作日"),
            _("没看到？银行卡可能要等 1–3 个工作日"),
        ),
        action="reorder",
        final=True,
    ),
    "expired": Words(
        tone="neutral",
        badge=_("已取消"),
        headlines=(_("超时未付款，订单已取消"),),
        details=(_("没有扣款。如果你已经付了，这里会自动更新：有货就充，没货就退"),),
        action="order_again",
        final=True,
    ),
    "canceled": Words(
        tone="neutral",
        badge=_("已取消"),
        headlines=(_("订单已取消"),),
        details=(_("没有扣款"),),
        action="order_again",
        final=True,
    ),
    "late_payment": Words(
        tone="warn",
        badge=_("处理中"),
        headlines=(_("收到一笔迟到的付款"),),
        details=(_("有货就继续充；没货 %(eta)s 内退回"), _("有货就继续充；没货就原路退回")),
    ),
    "on_hold": Words(
        tone="warn",
        badge=_("需要核验"),
        headlines=(_("这单需要核验一下"),),
        details=(_("%(reason)s；不核验会全额退款"), _("请联系客服核验；不核验会全额退款")),
        action="support",
    ),
    "manual": Words(
        tone="warn",
        badge=_("人工处理中"),
        headlines=(_("这单转给人工处理了"),),
        details=(
            _("%(deadline)s 前给你结论：到账，或全额退款"),
            _("最后要么到账，要么全额退款；钱不会丢"),
        ),
        action="support",
    ),
}

#: The state of a delivered order by what it paid for, of `Application.Kind`.
PLAN_DONE: Final[Mapping[str, str]] = {"opening": "plan_opened", "renewal": "plan_renewed"}

ACTION_LABELS: Final[Mapping[Action, Sentence]] = {
    "": "",
    "pay": _("去付款"),
    "check": _("我已付款，查结果"),
    "support": _("联系客服"),
    "reveal": _("显示卡密"),
    "reorder": _("再来一单"),
    "order_again": _("重新下单"),
}


def state_text(state: str, facts: Mapping[str, object] | None = None) -> StateText:
    """The words for an order in `state`, in the active language.

    `facts` fill placeholders, already in the reader's form: `name` (the account that is topped up; left out for codes),
    `shop` (the address of the shop that a plan is for; of plans alone), `wallet` (where all that goes back goes into
    one), `deadline`, `due` and `time` (clock times), `p50`, `p90`, `duration` and `eta` (durations), `method`, `amount`
    (with currency), `done`, `count`, `reason`. An empty or missing fact counts as unknown. Raises `KeyError` for a
    state that has no words.
    """
    words = STATE_WORDS[state]
    known = {name: value for name, value in (facts or {}).items() if value not in (None, "")}
    return StateText(
        state=state,
        tone=words.tone,
        badge=str(words.badge),
        headline=_filled(words.headlines, known),
        detail=_filled(words.details, known),
        action=words.action,
        action_label=str(ACTION_LABELS[words.action]),
        final=words.final,
    )


def _filled(candidates: tuple[Sentence, ...], known: Mapping[str, object]) -> str:
    for candidate in candidates:
        sentence = str(candidate)
        if known.keys() >= set(_PLACEHOLDER.findall(sentence)):
            return sentence % known
    return ""
