"""What a break means and what to do about it, in the reader's language."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kameng.reconciliation.models import Break

Kind = Break.Kind

#: What happened, and the step to take. Nothing is ever adjusted by itself.
STEPS: Mapping[Break.Kind, tuple[Promise, Promise]] = {
    Kind.NOT_OURS: (
        _("渠道账单里有这笔收款，我们没有对应的付款单。"),
        _("到渠道后台按渠道单号查买家和用途。不是本平台的订单，就在渠道后台退款，把退款单号写进处理依据。"),
    ),
    Kind.NOT_THEIRS: (
        _("我们记了已收款，该收款账户的账单里没有。"),
        _("打开订单点“再查一次”。渠道说没收到，就先停止发货，再按付款争议处理。"),
    ),
    Kind.AMOUNT: (
        _("同一笔收款，两边金额不同。"),
        _("以渠道实收为准：少收的联系买家补款或退款，多收的退回差额。"),
    ),
    Kind.STATE: (
        _("渠道已经收到钱，我们这边还没有记为已收款。"),
        _("打开订单点“再查一次”，入账后会自动发货或退款；被拒收的通知在“收到的通知”里看原因。"),
    ),
    Kind.REFUND_NOT_OURS: (
        _("渠道账单里有这笔退款，我们没有发起过。"),
        _("查是谁在渠道后台直接退的款；确认后停止该订单的发货，并把经过写进处理依据。"),
    ),
    Kind.REFUND_NOT_THEIRS: (
        _("我们记了已退款，渠道账单里没有。"),
        _("人工退款的，核对转账凭证后结案；其余的到渠道后台查这笔退款，没退成就重新退。"),
    ),
    Kind.REFUND_AMOUNT: (
        _("同一笔退款，两边金额不同。"),
        _("以渠道实退为准：少退的补退，多退的联系渠道或买家追回。"),
    ),
    Kind.REFUND_STATE: (
        _("同一笔退款，一边说退成了，另一边不是。"),
        _("打开订单查看退款：渠道已退成的等查询更新；渠道没退成的按退款失败处理，重新退或人工退。"),
    ),
    Kind.ACCOUNT: (
        _("这笔钱记在另一个收款账户名下。"),
        _("核对两个收款账户的商户号；配置写错了就改配置，账本按实际账户更正。"),
    ),
    Kind.FEE: (
        _("渠道扣的手续费与我们记的不同。"),
        _("核对签约费率和该账户的费率设置；费率变了就更新设置，扣错了就找渠道。"),
    ),
    Kind.DUPLICATE: (
        _("同一个单号在账单里出现了不止一次。"),
        _("按渠道单号逐笔核实：真的收了两次，就把多收的退回。"),
    ),
    Kind.CURRENCY: (
        _("账单里的币种不是人民币，金额没有比较。"),
        _("到渠道后台查这笔的标价币种和结算金额，按结算金额核对。"),
    ),
    Kind.LEDGER: (
        _("付款单或退款单与账本里的分录不一致。"),
        _("先运行 audit 看 I1，再查这笔订单的分录；更正要用冲销分录，不能改原分录。"),
    ),
    Kind.SUPPLY_NOT_OURS: (
        _("供应商扣了这笔款，我们没有这张采购单。"),
        _("把采购单号发给供应商核实；不是我们下的，要求退回。"),
    ),
    Kind.SUPPLY_NOT_THEIRS: (
        _("我们记了到货，供应商账单里没有。"),
        _("请供应商确认是否漏记；货没真正到账的，按售后处理。"),
    ),
    Kind.SUPPLY_CHARGED: (
        _("这次采购没成，供应商却扣了款。"),
        _("请供应商核实；若对方其实交付了，登记为重复供货再索回，没交付就要求退款。"),
    ),
    Kind.SUPPLY_NOT_CHARGED: (
        _("供应商说这单没成或已退款，我们记了到货。"),
        _("核实买家是否真的收到：没收到就补发或退款。"),
    ),
    Kind.SUPPLY_AMOUNT: (
        _("同一张采购单，供应商扣的钱与我们记的成本不同。"),
        _("核对报价变动时间；对方多扣的要求退回，报价没更新的先更新再结案。"),
    ),
    Kind.SUPPLY_STATE: (
        _("供应商已扣款，我们这边还没有结果，或已被对方撤销。"),
        _("到“待核实采购”里核实结果；被撤销的要求供应商退款，并看下一期账单有没有退回。"),
    ),
    Kind.SUPPLY_DUPLICATE: (
        _("同一张采购单被扣了不止一次。"),
        _("向供应商索回多扣的部分，并登记为重复供货。"),
    ),
    Kind.SUPPLY_CURRENCY: (
        _("账单的币种不是这家供应商的结算币种，金额没有比较。"),
        _("核对供应商的结算币种设置，或请对方按约定的币种重出账单。"),
    ),
    Kind.SUPPLY_LEDGER: (
        _("采购单的成本与账本里的分录不一致。"),
        _("先运行 audit 看 I1，再查这张采购单的分录；更正要用冲销分录，不能改原分录。"),
    ),
}

#: How a thing stood, by the word that one of the books has for it.
_STATES: Mapping[str, Promise] = {
    "created": _("已创建"),
    "pending": _("处理中"),
    "confirmed": _("已收款"),
    "canceled": _("已关闭"),
    "failed": _("未成功"),
    "succeeded": _("成功"),
    "by_hand": _("人工退款"),
    "intended": _("准备提交"),
    "accepted": _("对方已受理"),
    "unknown": _("结果未知"),
    "partial": _("部分成功"),
    "rejected": _("未成"),
    "reversed": _("被撤销"),
    "done": _("已完成"),
    "open": _("处理中"),
    "ledger": _("账本"),
}


def state_words(state: str) -> str:
    """A state in the reader's language; what is not one of ours as it is."""
    return str(_STATES.get(state, state))
