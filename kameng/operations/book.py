"""The platform's book: what lies on every account at this moment, and what it adds up to."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from customers.coupons.models import Coupon
from fulfillment.suppliers.models import Supplier
from kameng.admin.sites import Nav, operations_site
from kameng.operations.lists import GROUP
from payments.merchants.models import GatewayAccount
from resellers.clients.models import Client
from resellers.ledger.balances import balances
from resellers.ledger.models import Account
from resellers.models import Reseller

Name = Account.Name
#: What it means that something lies there, for who does not keep books.
MEANINGS = {
    Name.CLEARING: gettext_lazy("支付渠道里属于平台的钱：收到的减去退掉的"),
    Name.ORDERS: gettext_lazy("已收款、还没到账也没开始退的订单"),
    Name.REFUNDS: gettext_lazy("已决定退、渠道还没退成的"),
    Name.SALES: gettext_lazy("已到账订单的供货价；直营店是全部售价"),
    Name.COST: gettext_lazy("为已到账的货付给渠道的成本"),
    Name.SUPPLIER: gettext_lazy("渠道已交货、从预存款里扣或待付的"),
    Name.INVENTORY: gettext_lazy("自有卡密已用掉的成本"),
    Name.DUPLICATES: gettext_lazy("多买的货，等着向渠道索回或自行承担"),
    Name.FEES: gettext_lazy("支付渠道收的、由平台承担的手续费；退款时渠道退回的已减去"),
    Name.PENDING: gettext_lazy("店主赚的，还没过结算期"),
    Name.AVAILABLE: gettext_lazy("店主赚的，可以提现"),
    Name.WITHDRAWALS: gettext_lazy("店主申请提现、还没打出去的"),
    Name.PAYOUTS: gettext_lazy("已经从平台账户打给店主的"),
    Name.WITHDRAWAL_FEES: gettext_lazy("提现时从店主那里收的手续费"),
    Name.PREPAID: gettext_lazy("下游客户预存、还没花掉的"),
    Name.TRANSFERS: gettext_lazy("直营店的下游客户直接转给平台的"),
    Name.DEPOSIT: gettext_lazy("店主放在平台、没有冻结的保证金"),
    Name.DEPOSIT_HELD: gettext_lazy("店主自收的订单冻结的供货价，到账后归平台，退款后还回保证金"),
    Name.TOP_UPS: gettext_lazy("店主转到平台账户、两位运营确认过的"),
    Name.OWN_CLEARING: gettext_lazy("店主自己的收款账户里经这些订单收进的，减去退掉的；不是平台的钱"),
    Name.TAKINGS: gettext_lazy("店主自收、货已到账的售价，减去渠道手续费和退掉的；不是平台的钱"),
    Name.RENTS: gettext_lazy("店主用可提现余额付的年费和升级差价；在线付的在供货收入里"),
    Name.COMMISSIONS: gettext_lazy("分给邀请人的：被邀请的店主付的套餐钱的一部分，减去退回的"),
    Name.WALLET: gettext_lazy("顾客余额里还没花掉的"),
    Name.POINTS: gettext_lazy("顾客手里的积分值的钱"),
    Name.COUPONS: gettext_lazy("平台和直营店的优惠券抵掉的、直营店送的积分，减去退回的"),
}
_OWNERS: Mapping[Account.Name, Callable[[], Mapping[int, str]]] = {
    Name.CLEARING: lambda: dict(GatewayAccount.objects.values_list("pk", "name")),
    Name.OWN_CLEARING: lambda: dict(GatewayAccount.objects.values_list("pk", "name")),
    Name.FEES: lambda: dict(GatewayAccount.objects.values_list("pk", "name")),
    Name.SUPPLIER: lambda: dict(Supplier.objects.values_list("pk", "name")),
    Name.DUPLICATES: lambda: dict(Supplier.objects.values_list("pk", "name")),
    Name.COUPONS: lambda: dict(Coupon.objects.values_list("pk", "code")),
    Name.PREPAID: lambda: dict(Client.objects.values_list("pk", "name")),
}


@operations_site.page("book/", name="book", nav=Nav(GROUP, gettext_lazy("账本"), "account_balance", 16))
@require_safe
def book(request: HttpRequest) -> HttpResponse:
    """Every account with its balance; shops and suppliers below the sum of theirs."""
    known = balances()
    shops = dict(Reseller.objects.values_list("pk", "name"))
    groups: list[dict[str, Any]] = []
    for name in Name:
        owned = sorted(((owner, amount) for (which, owner), amount in known.items() if which == name), key=_largest)
        names = _OWNERS.get(name, lambda: shops)() if any(owner for owner, _amount in owned) else {}
        groups.append(
            {
                "name": name.label,
                "meaning": MEANINGS[name],
                "is_debit": name in Account.DEBIT,
                "amount": sum((amount for _owner, amount in owned), Decimal(0)),
                "owned": [
                    {"name": names.get(owner, f"#{owner}"), "amount": amount} for owner, amount in owned if owner
                ],
            }
        )
    debit = sum((group["amount"] for group in groups if group["is_debit"]), Decimal(0))
    credit = sum((group["amount"] for group in groups if not group["is_debit"]), Decimal(0))
    context = {"title": _("账本"), "groups": groups, "debit": debit, "credit": credit, "is_empty": not known}
    return operations_site.render(request, "staff/book.html", context)


def _largest(row: tuple[int, Decimal]) -> Decimal:
    return -abs(row[1])
