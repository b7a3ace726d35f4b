"""Every class of break is found where it was seeded, and nothing else is."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from customers.accounts import customer_open
from customers.models import Route
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import Supplier
from kameng.reconciliation.models import Break, Statement
from orders.keeping import order_keep, refund_route_choose
from payments.gateways.base import BillState
from payments.models import Payment, Refund
from resellers.ledger.posting import Kind as JournalKind
from resellers.ledger.posting import Move, Name, post
from resellers.models import Reseller
from tests.factories import GatewayAccountFactory
from tests.kameng.reconciliation.books import a_day, breaks, noon

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

Kind = Break.Kind
CENT = Decimal("0.01")


def test_every_class_is_found_where_it_was_seeded_and_nothing_else(shop: Reseller) -> None:
    day = a_day(shop)
    well = [day.sell() for _ in range(2)]
    absent, amount, state, elsewhere, fee, booked = (day.sell(buys=False) for _ in range(6))
    twice, dollars, several = (day.sell() for _ in range(3))
    Payment.objects.filter(pk=state.pk).update(status="canceled", confirmed_at=None)
    post(
        f"disproved:{state.number}:1", JournalKind.DISPROVED,
        [Move(Name.CLEARING, -state.amount, state.account_id), Move(Name.ORDERS, state.amount, shop.pk)],
        shop_id=shop.pk,
    )  # fmt: skip
    other = GatewayAccountFactory()
    Payment.objects.filter(pk=elsewhere.pk).update(account_id=other.pk)
    post(
        f"disproved:{booked.number}:1", JournalKind.DISPROVED,
        [Move(Name.CLEARING, -CENT, booked.account_id), Move(Name.ORDERS, CENT, shop.pk)], shop_id=shop.pk,
    )  # fmt: skip
    back, back_absent, back_amount, back_open, back_failed = (
        day.give_back(payment, Decimal("1.00")) for payment in (well[0], well[1], several, twice, dollars)
    )
    Refund.objects.filter(pk=back_open.pk).update(status="pending", finished_at=None)

    statement = day.reconcile(
        *(day.row(payment) for payment in (*well, booked, several, elsewhere)),
        day.row(back),
        day.row(well[0], number="NOBODYS", reference="T-stranger", amount=Decimal("9.00")),
        day.row(well[0], number="", reference="T-nameless", amount=Decimal("8.00")),
        day.row(amount, amount=amount.amount + CENT),
        day.row(state),
        day.row(fee, fee=fee.fee - CENT),
        day.row(twice),
        day.row(twice, reference="T-again"),
        day.row(dollars, currency="USD"),
        day.row(back, number="RNOBODYS"),
        day.row(back_amount, amount=Decimal("2.00")),
        day.row(back_open),
        day.row(back_failed, state=BillState.FAILED),
    )
    assert breaks() == {
        (Kind.NOT_OURS, "NOBODYS"),
        (Kind.NOT_OURS, "T-nameless"),
        (Kind.NOT_THEIRS, absent.number),
        (Kind.AMOUNT, amount.number),
        (Kind.STATE, state.number),
        (Kind.ACCOUNT, elsewhere.number),
        (Kind.FEE, fee.number),
        (Kind.DUPLICATE, twice.number),
        (Kind.CURRENCY, dollars.number),
        (Kind.LEDGER, booked.number),
        (Kind.LEDGER, back_open.number),
        (Kind.REFUND_NOT_OURS, "RNOBODYS"),
        (Kind.REFUND_NOT_THEIRS, back_absent.number),
        (Kind.REFUND_AMOUNT, back_amount.number),
        (Kind.REFUND_STATE, back_open.number),
        (Kind.REFUND_STATE, back_failed.number),
    }
    assert statement.status == Statement.Status.DONE
    assert statement.rows == 18
    seen = Break.objects.get(kind=Kind.AMOUNT)
    assert (seen.ours, seen.theirs) == (amount.amount, amount.amount + CENT)
    assert (seen.schema_name, seen.order_number) == (shop.schema_name, amount.order.number)


def test_every_class_of_a_suppliers_bill_is_found_and_nothing_else(shop: Reseller) -> None:
    day = a_day(shop)
    sold = [day.buy_of(day.sell()) for _ in range(10)]
    well, partial, absent, charged, not_charged, amount, open_one, twice, dollars, unbooked = sold
    for buy, status in ((partial, "partial"), (charged, "rejected"), (open_one, "unknown")):
        SupplierOrder.objects.filter(pk=buy.pk).update(status=status)
    # As it was refused: nothing of it is in the book, which knows no purchase of this number.
    SupplierOrder.objects.filter(pk=charged.pk).update(reference=f"{charged.reference[:-1]}-")
    SupplierOrder.objects.filter(pk=unbooked.pk).update(cost=unbooked.cost + 1)
    charged.refresh_from_db()
    unbooked.refresh_from_db()

    statement = day.reconcile_supplier(
        day.line(well),
        day.line(partial),
        day.line(charged),
        day.line(not_charged, state="failed"),
        day.line(amount, amount=amount.cost + CENT),
        day.line(open_one),
        day.line(twice),
        day.line(twice),
        day.line(dollars, currency="USD"),
        day.line(unbooked, amount=unbooked.cost - 1),
        day.line(well, number="001NOBODYS"),
    )

    assert breaks() == {
        (Kind.SUPPLY_NOT_THEIRS, absent.reference),
        (Kind.SUPPLY_CHARGED, charged.reference),
        (Kind.SUPPLY_NOT_CHARGED, not_charged.reference),
        (Kind.SUPPLY_AMOUNT, amount.reference),
        (Kind.SUPPLY_STATE, open_one.reference),
        (Kind.SUPPLY_DUPLICATE, twice.reference),
        (Kind.SUPPLY_CURRENCY, dollars.reference),
        (Kind.SUPPLY_LEDGER, unbooked.reference),
        (Kind.SUPPLY_NOT_OURS, "001NOBODYS"),
    }
    assert statement.uploaded_by == "staff:test"
    SupplierOrder.objects.filter(pk=well.pk).update(status="reversed")
    day.reconcile_supplier(day.line(well))
    assert (Kind.SUPPLY_STATE, well.reference) in breaks()
    later = day.day + timedelta(days=1)
    day.reconcile_supplier(day.line(well, state="failed", at=noon(later)), day=later)
    assert (Kind.SUPPLY_STATE, well.reference) not in breaks()


def test_a_bill_that_says_what_we_say_agrees_to_the_fen(shop: Reseller) -> None:
    day = a_day(shop)
    first, second = day.sell(), day.sell()
    back = day.give_back(second, Decimal("1.50"))
    statement = day.reconcile(day.row(first), day.row(second), day.row(back))
    assert breaks() == set()
    assert (statement.matched, statement.rows, statement.in_transit) == (3, 3, 0)
    assert statement.theirs_in == statement.ours_in == statement.ledger_in == first.amount + second.amount
    assert statement.theirs_back == statement.ours_back == statement.ledger_back == Decimal("1.50")
    assert Supplier.objects.get(code="first").currency == "CNY"
    bought = day.reconcile_supplier(*(day.line(day.buy_of(payment)) for payment in (first, second)))
    assert breaks() == set()
    assert bought.theirs_in == bought.ours_in == bought.ledger_in == Decimal(110)


def test_what_went_into_a_wallet_is_in_no_bill(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell()
    customer = customer_open(contact="13900000000", password="correct-horse-9")
    order_keep(order_id=payment.order_id, customer=customer, is_own_device=True)
    refund_route_choose(order_id=payment.order_id, customer=customer, to=Route.WALLET)
    payment.order.refresh_from_db()
    back = day.give_back(payment, Decimal("1.50"))
    assert (back.route, back.status) == ("wallet", "succeeded")
    statement = day.reconcile(day.row(payment))
    assert breaks() == set()
    assert statement.ours_back == statement.ledger_back == 0
    day.reconcile(day.row(payment), day.row(back))
    assert breaks() == {(Kind.REFUND_NOT_OURS, back.number)}


def test_money_near_midnight_is_in_transit_until_the_next_bill_tells_of_it(shop: Reseller) -> None:
    day = a_day(shop)
    midnight = noon(day.day) + timedelta(hours=12)
    late = day.sell(at=midnight - timedelta(seconds=2), buys=False)
    early = day.sell(at=midnight + timedelta(seconds=3), buys=False)
    next_day = day.day + timedelta(days=1)
    # The gateway's clock is the other way round: what we had before midnight, it had after, and the reverse.
    statement = day.reconcile(day.row(early, at=midnight - timedelta(seconds=1)))
    assert breaks() == set()
    assert statement.in_transit == 1
    day.reconcile(replace(day.row(late), at=midnight + timedelta(seconds=1)), day=next_day)
    assert breaks() == set()
    assert Statement.objects.get(day=day.day).in_transit == 0
    day.reconcile(day=next_day)
    assert breaks() == {(Kind.NOT_THEIRS, late.number)}
    assert Break.objects.get().day == day.day
