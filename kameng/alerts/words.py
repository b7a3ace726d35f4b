"""What an alert says, in the reader's language: made from its kind and data, in this one place.

Whoever raises an alert keeps facts in `data`, not sentences: the name of a supplier (`name`), figures, codes. A kind
that nobody has words for yet is shown by its name with what it carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.alerts.models import Alert


@dataclass(frozen=True, slots=True)
class Words:
    """What happened, what to do about it, and the facts that it rests on, each as label and value."""

    title: str
    advice: str
    facts: tuple[tuple[str, str], ...]


#: Kind: what happened, and what to do.
_KINDS: Mapping[str, tuple[Promise, Promise]] = {
    "reconciliation.breaks": (
        gettext_lazy("对账有差异"),
        gettext_lazy("打开对账，逐条指派和处理；没有一笔会自动调账。"),
    ),
    "reconciliation.no_bill": (
        gettext_lazy("取不到支付渠道的账单"),
        gettext_lazy("没出的会每小时再取；读不了的看说明，必要时到渠道后台下载核对。"),
    ),
    "supplier.breaker_open": (
        gettext_lazy("供应商熔断，暂时不向它采购"),
        gettext_lazy("到时会自动放一单试探，成了就恢复。一直不恢复就联系对方。"),
    ),
    "supplier.eliminated": (
        gettext_lazy("供应商自动停用：密钥或余额有问题"),
        gettext_lazy("查清密钥和余额，处理好以后在供应商列表里恢复。"),
    ),
    "supplier.balance_low": (
        gettext_lazy("供应商余额低于提醒线"),
        gettext_lazy("尽快充值，用完以后这个供应商会自动停用。"),
    ),
    "supplier.dependence": (
        gettext_lazy("一个类目太依赖一个供应商"),
        gettext_lazy("看看还有谁能供，给它们留一些量。"),
    ),
    "supplier.reversed": (
        gettext_lazy("供应商撤销了已经成功的采购"),
        gettext_lazy("货可能已经被收回，不会自动补买。核对买家是否还在用，再决定。"),
    ),
    "supplier.duplicate": (
        gettext_lazy("同一项买了两次"),
        gettext_lazy("别家已经交付，或款已退回，对方才说成功。向对方索回，或自行承担。"),
    ),
    "supplier.code_seen_before": (
        gettext_lazy("供应商给的卡密以前出现过"),
        gettext_lazy("这批卡密没有交付，已换别家。向对方要求补发或退款。"),
    ),
    "stock.foreign_codes": (
        gettext_lazy("店主导入的卡密里有别人的"),
        gettext_lazy(
            "这些卡密没有入库。数量多的，可能在一卡多卖，或者在试探别人的卡密：看看这家店的导入记录，问问货源。"
        ),
    ),
    "supplier.callbacks_refused": (
        gettext_lazy("收到很多验不过的供应商回调"),
        gettext_lazy(
            "有人在伪造，或一方的密钥换了。订单不受影响，结果照常查询；先核对两边的密钥，没换过就在网关处拦下来源。"
        ),
    ),
    "attempt.needs_person": (
        gettext_lazy("一笔采购结果不明，等人核实"),
        gettext_lazy("按对方文档和处理说明查清，再选已到账、没充成或再问一次。"),
    ),
    "payment.disproved": (
        gettext_lazy("已入账的付款其实没有付"),
        gettext_lazy(
            "支付平台的通知写错了单，查询后已更正，真正付款的订单照常处理。这一单可能已经交付，联系支付平台，再决定怎么追回。"
        ),
    ),
    "payment.contradiction": (
        gettext_lazy("支付平台说同一笔交易付了两张单"),
        gettext_lazy("登录支付平台后台核对这笔交易属于哪一单；另一单没有入账，钱已收到就要退回。"),
    ),
    "refund.needs_approval": (
        gettext_lazy("一笔退款等另一位复核"),
        gettext_lazy("金额超过了双人复核的额度：看清依据，再批准或不批准；发起的人不能批自己的。"),
    ),
    "decision.needs_approval": (
        gettext_lazy("一笔人工处理等另一位复核"),
        gettext_lazy(
            "记为已人工退款，或放弃充值并退款，金额超过了双人复核的额度：打开订单看清依据，再批准或不批准；提交的人不能批自己的。"
        ),
    ),
    "merchant.key_unknown": (
        gettext_lazy("支付宝换了证书，我们还没有新的"),
        gettext_lazy("它的答复不能相信，收款和退款都在等。到支付宝开放平台下载新的支付宝公钥证书，填进收款账户。"),
    ),
    "merchant.keys_changing": (
        gettext_lazy("有人换收款账户的密钥"),
        gettext_lazy("24 小时后才生效，在这之前钱还按旧密钥收。不是你们自己换的，马上撤销，并换掉那个人的登录密码。"),
    ),
    "merchant.account_new": (
        gettext_lazy("有人给已经在收款的店加了收款账户"),
        gettext_lazy(
            "24 小时后才开始收款，在这之前钱还按原来的账户收。不是你们自己加的，马上停用，并换掉那个人的登录密码。"
        ),
    ),
    "payee.changed": (
        gettext_lazy("店主换了收款账户"),
        gettext_lazy("24 小时后才能往新账户提现，店主可以撤销。有疑问就用原来的联系方式找店主核实，别用新留的。"),
    ),
    "deposit.low": (
        gettext_lazy("店主的保证金快用完了"),
        gettext_lazy("店主在店铺后台也看得到。提醒店主充值：用完以后，买家不能付到店主自己的收款账户。"),
    ),
    "deposit.exhausted": (
        gettext_lazy("店主的保证金不够，买家下不了单或付不了款"),
        gettext_lazy(
            "联系店主充值。能付到平台收款账户的店照常卖；只有店主自己收款的店现在接不了单。迟到的付款会从店主的账户自动退回。"
        ),
    ),
    "ledger.statement": (
        gettext_lazy("店主的月账单和账本对不上"),
        gettext_lazy("账单没有出给店主。运行 manage.py audit 找出差在哪笔，用一笔冲正补上，不要改已有的分录。"),
    ),
    "cost.above_supply": (
        gettext_lazy("成本高过供货价，已下架"),
        gettext_lazy("调供货价，或换更便宜的渠道。"),
    ),
    "cost.typed_long_ago": (
        gettext_lazy("手填的成本太久没核对"),
        gettext_lazy("这个供应商报不了价。核对成本后保存一次报价；一直不核对，到期就按成本不明下架。"),
    ),
    "rate.stale": (
        gettext_lazy("汇率太久没更新"),
        gettext_lazy("录入新汇率；太旧的汇率不能用来算成本。"),
    ),
    "price.jump": (
        gettext_lazy("对方报价变化很大"),
        gettext_lazy("核对是不是对方标错，再决定要不要继续卖。"),
    ),
    "price.odd": (
        gettext_lazy("对方报了一个不像价格的数"),
        gettext_lazy("在对方改正以前当作成本不明，不向它买。"),
    ),
    "cost.supply_raised": (
        gettext_lazy("成本上涨，供货价已按加价规则上调"),
        gettext_lazy("看看新的供货价是否合适；各店自己定的价可能要改。"),
    ),
    "license.expiring": (
        gettext_lazy("供应商的证照快到期"),
        gettext_lazy("向对方要续期的证照，录入后自动接上；过期以后，要求它的类目不再向这家采购。"),
    ),
    "license.expired": (
        gettext_lazy("供应商的证照已过期"),
        gettext_lazy("要求这份证照的类目已不向它采购。录入续期的证照，马上恢复。"),
    ),
    "paper.expiring": (
        gettext_lazy("店主的证照快到期"),
        gettext_lazy("店主在店铺后台也看得到。过期以后，要求它的类目在这家店自动停售；核对续期的证照后恢复。"),
    ),
    "paper.expired": (
        gettext_lazy("店主的证照已过期"),
        gettext_lazy("要求这份证照的类目已在这家店停售。店主提交续期的证照，核对后马上恢复。"),
    ),
    "plan.expiring": (
        gettext_lazy("店铺的套餐快到期"),
        gettext_lazy("店主在店铺后台也看得到。到期不续，店铺自动不接新订单，已付款的照常完成。"),
    ),
    "plan.expired": (
        gettext_lazy("店铺的套餐到期了"),
        gettext_lazy("店铺已不接新订单，店主续费后马上恢复。不打算续的，联系店主再关店。"),
    ),
    "domain.lost": (
        gettext_lazy("店铺的自有域名失效了"),
        gettext_lazy("店主在店铺后台也看得到。到时还没改好会自动解绑；有人抢注或域名到期，就提醒店主。"),
    ),
    "domain.unclear": (
        gettext_lazy("店铺的自有域名两天查不到结果"),
        gettext_lazy("查不到不算失效，店铺照常打开。看看我们的域名服务器设置，再请店主看看域名服务商。"),
    ),
    "price.sync_failed": (
        gettext_lazy("价目同步没有完成"),
        gettext_lazy("看失败的原因；下次从断开的地方接着读。"),
    ),
}

#: What data may carry: label by key, in the order in which facts are told.
_LABELS: Mapping[str, Promise] = {
    "name": gettext_lazy("供应商"),
    "supplier": gettext_lazy("供应商"),
    "license": gettext_lazy("证照编号"),
    "valid_until": gettext_lazy("有效期至"),
    "shop": gettext_lazy("店铺"),
    "schema": gettext_lazy("店铺"),
    "category": gettext_lazy("类目"),
    "variant": gettext_lazy("面额"),
    "sku": gettext_lazy("面额编码"),
    "reference": gettext_lazy("采购单号"),
    "order": gettext_lazy("订单"),
    "payment": gettext_lazy("支付单号"),
    "amount": gettext_lazy("金额"),
    "transaction": gettext_lazy("支付平台交易号"),
    "currency": gettext_lazy("币种"),
    "balance": gettext_lazy("余额"),
    "floor": gettext_lazy("提醒线"),
    "daily": gettext_lazy("最近 7 天平均每天冻结"),
    "lasts": gettext_lazy("还够几天"),
    "share": gettext_lazy("占比"),
    "days": gettext_lazy("天数"),
    "before": gettext_lazy("原来"),
    "after": gettext_lazy("现在"),
    "cost": gettext_lazy("成本"),
    "supply_price": gettext_lazy("供货价"),
    "supply": gettext_lazy("供货价"),
    "told": gettext_lazy("对方报的"),
    "problem": gettext_lazy("问题"),
    "supplier_sku": gettext_lazy("对方编码"),
    "as_of": gettext_lazy("时点"),
    "reason": gettext_lazy("原因"),
    "code": gettext_lazy("答复代码"),
    "note": gettext_lazy("说明"),
    "retry_at": gettext_lazy("下次试探"),
    "alternatives": gettext_lazy("还能供的"),
    "count": gettext_lazy("数量"),
    "quantity": gettext_lazy("数量"),
    "codes": gettext_lazy("卡密数"),
    "by": gettext_lazy("谁"),
    "account": gettext_lazy("收款账户"),
    "keys": gettext_lazy("换的键"),
}


def alert_words(alert: Alert) -> Words:
    """An alert in words."""
    title, advice = _KINDS.get(alert.kind, (None, None))
    if title is None:
        return Words(
            _("%(kind)s：%(subject)s") % {"kind": alert.kind, "subject": alert.subject}, "", _facts(alert.data)
        )
    return Words(str(title), str(advice), _facts(alert.data))


def _facts(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Known keys first and with their labels, others as they are called; nothing for what is empty."""
    known = [key for key in _LABELS if key in data]
    keys = [*known, *(key for key in data if key not in _LABELS)]
    told = [(str(_LABELS.get(key, key)), _told(key, data[key])) for key in keys]
    return tuple((label, text) for label, text in told if text)


def _told(key: str, value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, list):
        return "、".join(_told(key, one) for one in value)
    if key == "share" and isinstance(value, (int, float)):
        return f"{value * 100:.1f}%"
    if key == "reason":
        return _(str(value))  # ours are translated, what others wrote is not
    return str(value)
