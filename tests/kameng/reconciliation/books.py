"""A day in our books, and the bills that would agree with it, for tests to spoil."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from catalog.models import Variant
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import Supplier
from kameng.reconciliation.models import Break, Side, Statement
from kameng.reconciliation.ours import CHINA
from kameng.reconciliation.parties import Party, supplier_party
from kameng.reconciliation.services import gateway_reconcile, supplier_reconcile
from kameng.reconciliation.storing import Line
from payments.gateways.base import BillKind, BillRow
from payments.merchants.models import GatewayAccount
from payments.models import Payment, Refund
from payments.refunds import refund_request
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale
from tests.flows import TOPPED_UP, drain, fulfill, paid


def some_day(*, days_ago: int = 3) -> date:
    """A day that is over, on China's calendar."""
    return timezone.localdate() - timedelta(days=days_ago)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=CHINA)


@dataclass
class Day:
    """What happened in one shop on one day, and what both sides would write about it."""

    shop: Reseller
    day: date
    variant: Variant

    def sell(self, *, at: datetime | None = None, buys: bool = True) -> Payment:
        """A paid order, delivered by the first supplier if it `buys`."""
        order = paid(self.shop, self.variant)
        if buys:
            ScriptedSupplier.on_submit("first", TOPPED_UP)
            fulfill(order)
            drain()
        when = at or noon(self.day)
        Payment.objects.filter(order=order).update(created_at=when - timedelta(minutes=1), confirmed_at=when)
        SupplierOrder.objects.filter(fulfillment__line__order=order).update(created_at=when, finished_at=when)
        return Payment.objects.get(order=order)

    def give_back(self, payment: Payment, amount: Decimal) -> Refund:
        """Some of it, all the way."""
        line = payment.order.lines.get()
        refund_request(payment_id=payment.pk, amount=amount, cause="test", reason="test", actor="test", line_id=line.pk)
        drain()
        Refund.objects.filter(payment=payment).update(created_at=noon(self.day), finished_at=noon(self.day))
        return Refund.objects.get(payment=payment)

    def row(self, of: Payment | Refund, **changes: Any) -> BillRow:
        """What the gateway writes about it."""
        is_refund = isinstance(of, Refund)
        row = BillRow(
            kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
            number=of.number,
            payment=of.payment.number if isinstance(of, Refund) else of.number,
            reference=f"T{of.number}",
            amount=of.amount,
            at=noon(self.day),
            fee=of.fee,
        )
        return replace(row, **changes)

    def buy_of(self, payment: Payment) -> SupplierOrder:
        return SupplierOrder.objects.get(fulfillment__line__order=payment.order)

    def line(self, buy: SupplierOrder, **changes: Any) -> Line:
        """What the supplier writes about an attempt."""
        line = Line("supply", buy.reference, "", "S1", buy.cost, None, "CNY", "done", noon(self.day))
        return replace(line, **changes)

    def reconcile(self, *rows: BillRow | Exception, day: date | None = None) -> Statement:
        """The gateway's bill says just this."""
        when = day or self.day
        ScriptedGateway.bills[when] = list(rows)
        return gateway_reconcile(party=gateway(), day=when)

    def reconcile_supplier(self, *lines: Line, day: date | None = None) -> Statement:
        """So does the first supplier's."""
        supplier = supplier_party(Supplier.objects.get(code="first"))
        return supplier_reconcile(party=supplier, day=day or self.day, lines=iter(lines), actor="staff:test")


def gateway() -> Party:
    account = GatewayAccount.objects.order_by("pk").first()
    assert account is not None
    return Party(Side.GATEWAY, account.pk, account.code, account.name)


def a_day(shop: Reseller) -> Day:
    GatewayAccountFactory(fee_percent=Decimal("0.6"))
    return Day(shop, some_day(), on_sale(suppliers=("first",)))


def breaks(*, status: str = "open") -> set[tuple[str, str]]:
    """Kind and number of each."""
    return set(Break.objects.filter(status=status).values_list("kind", "number"))
