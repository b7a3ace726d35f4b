"""Where an order's money is, from the payment to the owner's purse, by the book alone."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment.models import SupplierOrder
from fulfillment.outcomes import outcome_apply
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.duplicates import duplicate_close
from fulfillment.suppliers.models import DuplicateSupply, Supplier
from kameng.audit.services import audit
from orders.models import Order
from orders.statements import statement_of
from payments.gateways.base import RefundResult, RefundStatus
from payments.models import Refund
from payments.refund_outcomes import refund_apply
from payments.refunds import line_refund, refund_request
from resellers.ledger.balances import balance, balances
from resellers.ledger.models import Account, Journal
from resellers.ledger.posting import Name
from resellers.ledger.settlement import shop_settle
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale, open_payment, place, stocked
from tests.flows import REFUSED, TOPPED_UP, confirm, drain, fulfill, paid

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

PAID, SUPPLY = Decimal("60.00"), Decimal("57.00")
EARNED = PAID - SUPPLY
NOTHING = Decimal(0)


def book() -> dict[str, Decimal]:
    """What lies where, without accounts on which nothing is."""
    return {str(name): amount for (name, _owner), amount in balances().items() if amount}


def sound() -> None:
    """The audit finds nothing."""
    assert [example for verdict in audit() for example in verdict.examples] == []


def topped_up(shop: Reseller) -> Order:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    return order


def give_back(order: Order, amount: Decimal) -> Refund:
    """An operator returns so much of what was delivered."""
    refund = refund_request(
        payment_id=order.payments.get().pk,
        amount=amount,
        cause="ops:1",
        reason="商量好的",
        actor="ops",
        line_id=order.lines.get().pk,
    )
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference="R1")
    refund_apply(refund_id=refund.pk, result=done, actor="notice")
    return refund


def test_what_was_paid_is_owed_to_the_shopper(shop: Reseller) -> None:
    order = paid(shop, on_sale())
    assert book() == {"clearing": PAID, "orders": PAID}
    assert statement_of(shop, order, now=timezone.now()) is None
    sound()


def test_a_notice_heard_five_times_is_booked_once(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    for _ in range(5):
        confirm(payment)
    assert book() == {"clearing": PAID, "orders": PAID}


def test_what_arrived_is_earned_by_the_platform_and_the_owner(shop: Reseller) -> None:
    order = topped_up(shop)
    first = Supplier.objects.get(code="first").pk
    assert book() == {
        "clearing": PAID, "sales": SUPPLY, "pending": EARNED, "cost": Decimal(55), "supplier": Decimal(55)
    }  # fmt: skip
    assert (balance(Name.PENDING, shop.pk), balance(Name.SUPPLIER, first)) == (EARNED, Decimal(55))
    statement = statement_of(shop, order, now=timezone.now())
    assert statement is not None
    assert (statement.paid, statement.supply, statement.earned, statement.own) == (PAID, SUPPLY, EARNED, EARNED)
    assert not statement.is_available
    sound()


def test_the_house_shop_earns_for_the_platform_alone(shop: Reseller) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    topped_up(shop)
    assert (balance(Name.SALES), balance(Name.PENDING, shop.pk)) == (PAID, NOTHING)


def test_our_own_codes_are_taken_from_our_own_shelf(shop: Reseller) -> None:
    order = paid(shop, stocked(["CODE-0001"]))
    drain()
    order.refresh_from_db()
    assert (order.status, balance(Name.ORDERS, shop.pk), balance(Name.PENDING, shop.pk)) == (
        "fulfilled",
        NOTHING,
        EARNED,
    )
    sound()


def test_what_nobody_delivers_is_owed_until_the_gateway_has_sent_it(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(shop, on_sale())
    fulfill(order)
    line_refund(line_id=order.lines.get().pk)
    assert book() == {"clearing": PAID, "refunds": PAID}
    sound()
    drain()
    assert book() == {}
    sound()


def test_a_second_payment_is_owed_and_goes_back(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = place(shop, on_sale())
    one, two = open_payment(shop, order), open_payment(shop, order, channel="h5")
    confirm(one)
    confirm(two)
    assert balance(Name.ORDERS, shop.pk) == 2 * PAID
    drain()
    assert (balance(Name.ORDERS, shop.pk), balance(Name.CLEARING, one.account_id)) == (NOTHING, PAID)
    sound()


@pytest.mark.parametrize(
    ("back", "supply", "own"), [("60.00", "57.00", "3.00"), ("10.00", "9.50", "0.50"), ("0.01", "0.01", "0")]
)
def test_what_is_given_back_later_is_taken_from_both(shop: Reseller, back: str, supply: str, own: str) -> None:
    order = topped_up(shop)
    give_back(order, Decimal(back))
    assert balance(Name.SALES) == SUPPLY - Decimal(supply)
    assert balance(Name.PENDING, shop.pk) == EARNED - Decimal(own)
    assert balance(Name.REFUNDS, shop.pk) == 0
    statement = statement_of(shop, order, now=timezone.now())
    assert statement is not None
    assert (statement.taken_back, statement.own) == (Decimal(own), EARNED - Decimal(own))
    sound()


def test_what_comes_too_late_is_a_loss_until_somebody_bears_it(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    refused = SupplierOrder.objects.get(fulfillment__line__order=order, status="rejected")
    late = Outcome(OutcomeKind.DELIVERED, supplier_reference="S9", cost=Decimal("54.0000"))
    for _ in range(2):
        outcome_apply(supplier_order_id=refused.pk, outcome=late, actor="callback")
    assert balance(Name.DUPLICATES, refused.supplier_id) == balance(Name.SUPPLIER, refused.supplier_id) == 54
    duplicate = DuplicateSupply.objects.get()
    duplicate_close(duplicate_id=duplicate.pk, claimed=True, note="退了", actor="ops")
    assert balance(Name.DUPLICATES, refused.supplier_id) == balance(Name.SUPPLIER, refused.supplier_id) == 0


def ripen(shop: Reseller, days: int) -> Decimal:
    """Settle as on the day that is so many days from now; what became available."""
    return shop_settle(shop_id=shop.pk, day=timezone.localdate() + timedelta(days=days))


def test_what_was_earned_can_be_taken_after_a_week(shop: Reseller) -> None:
    order = topped_up(shop)
    assert ripen(shop, 7) == 0
    assert (balance(Name.PENDING, shop.pk), balance(Name.AVAILABLE, shop.pk)) == (EARNED, NOTHING)
    statement = statement_of(shop, order, now=timezone.now() + timedelta(days=7))
    assert statement is not None
    assert not statement.is_available
    assert statement.available_at == timezone.make_aware(
        datetime.combine(timezone.localdate() + timedelta(days=8), datetime.min.time())
    )
    assert [ripen(shop, 8) for _ in range(3)] == [EARNED, 0, 0]
    assert (balance(Name.PENDING, shop.pk), balance(Name.AVAILABLE, shop.pk)) == (NOTHING, EARNED)
    statement = statement_of(shop, order, now=timezone.now() + timedelta(days=8))
    assert statement is not None
    assert statement.is_available
    sound()


def test_what_is_taken_back_after_that_is_owed_and_set_against_what_comes_next(shop: Reseller) -> None:
    first = topped_up(shop)
    ripen(shop, 8)
    give_back(first, PAID)
    assert ripen(shop, 9) == -EARNED
    assert (balance(Name.PENDING, shop.pk), balance(Name.AVAILABLE, shop.pk)) == (NOTHING, NOTHING)
    topped_up(shop)
    assert ripen(shop, 10) == EARNED
    assert balance(Name.AVAILABLE, shop.pk) == EARNED


def aged(order: Order, days: int) -> None:
    """As if everything about the order had been booked that long ago."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("ALTER TABLE public.ledger_journal DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE public.ledger_journal SET posted_at = posted_at - %s * interval '1 day' WHERE order_number = %s",
            [days, order.number],
        )
        cursor.execute("ALTER TABLE public.ledger_journal ENABLE TRIGGER USER")


def test_what_is_taken_back_before_that_is_not_taken_from_what_is_ripe(shop: Reseller) -> None:
    """The order that is not ripe yet pays for its own refund."""
    ripe, fresh = topped_up(shop), topped_up(shop)
    aged(ripe, 8)
    give_back(fresh, Decimal("20.00"))
    assert ripen(shop, 0) == EARNED
    assert (balance(Name.PENDING, shop.pk), balance(Name.AVAILABLE, shop.pk)) == (Decimal("2.00"), EARNED)
    assert ripen(shop, 8) == Decimal("2.00")


def test_another_shop_is_settled_by_itself(shop: Reseller, other_shop: Reseller) -> None:
    topped_up(shop)
    assert shop_settle(shop_id=other_shop.pk, day=timezone.localdate() + timedelta(days=30)) == 0
    assert balance(Name.PENDING, shop.pk) == EARNED


#: What a hand in the tables does, and what the audit says of it.
TAMPERED = {
    "a payment without a journal": (
        "holds 60.00, the book says 0",
        "UPDATE payments_payment SET status = 'confirmed', confirmed_at = now() WHERE status = 'pending'",
    ),
    "a delivery that was not": ("holds 60.00, the book says 0", "UPDATE fulfillment_fulfillment SET status = 'buying'"),
    "a purchase that was not": (
        "is in the book, and nothing arrived",
        "UPDATE fulfillment_supplierorder SET status = 'rejected'",
    ),
    "another price": ("holds", "UPDATE orders_orderline SET price = price + 1"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_the_rows_say_otherwise_is_found(shop: Reseller, what: str) -> None:
    said, statement = TAMPERED[what]
    order = topped_up(shop)
    part = order.payments.get()
    part.pk, part.number, part.status, part.reference, part.confirmed_at = None, "SECOND", "pending", "", None
    part.save()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)
    found = next(verdict for verdict in audit() if verdict.code == "I1")
    assert any(said in example for example in found.examples), found.examples


def test_a_journal_that_was_forced_in_is_found(live_shop: Reseller) -> None:
    """With its guards switched off, as a table's owner can: the audit sees both."""
    journal = Journal(key="forged", kind=Journal.Kind.PAYMENT, size=2)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE public.ledger_journal DISABLE TRIGGER USER")
        try:
            journal.save()
            found = next(verdict for verdict in audit() if verdict.code == "I1")
        finally:
            cursor.execute("ALTER TABLE public.ledger_journal ENABLE TRIGGER USER")
    said = " ".join(found.examples)
    assert "forged has 0 of 2 entries" in said
    assert "without its guard ledger_journal_sums_to_zero" in said
    assert Account.objects.count() == 0
