"""From paid to delivered: who is asked, and what a definite answer leads to."""

from decimal import Decimal

import pytest

from catalog.models import Variant
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.services import (
    fulfillment_run,
    order_fulfill,
)
from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind
from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
from orders.models import Order, OrderEvent
from orders.services import Buyer, LineRequest, order_place
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import CONTACT, code_on_sale, on_sale, open_payment, stocked
from tests.flows import (
    FAILED,
    NOT_SENT,
    REFUSED,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    codes,
    confirm,
    delivered_codes,
    drain,
    events,
    fulfill,
    outbox,
    paid,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


# --- the plain way --------------------------------------------------------------------------------


def test_the_first_ranked_supplier_delivers_and_nobody_else_is_asked(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())

    assert fulfill(order) is None

    assert states(order) == ("fulfilled", "delivered")
    assert attempts(order) == [("first", "succeeded")]
    assert ScriptedSupplier.bought_from() == ["first"]
    buy = SupplierOrder.objects.get()
    assert (buy.supplier_reference, buy.cost, buy.quantity) == ("S1", Decimal("55.0000"), 1)
    assert Delivery.objects.get().stock_code_id is None
    assert (order.finished_at is not None, buy.finished_at is not None) == (True, True)
    assert events(order, "line.buying", "line.delivered", "order.fulfilled") == [
        "line.buying", "line.delivered", "order.fulfilled",
    ]  # fmt: skip


def test_the_supplier_is_told_the_account_and_our_number(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale(), quantity=2)
    fulfill(order)
    ((verb, _, attempt),) = ScriptedSupplier.calls
    buy = SupplierOrder.objects.get()
    assert (verb, attempt.reference, attempt.sku, attempt.quantity) == ("submit", buy.reference, "S-1", 2)
    assert attempt.account == {"uid": "482019375"}
    assert (attempt.max_cost, attempt.wants_codes) == (Decimal("120.00"), False)
    assert attempt.callback_url.endswith("/webhooks/suppliers/first/")
    assert len(buy.reference) == 19


def test_the_attempt_is_stored_before_anything_is_sent(shop: Reseller) -> None:
    seen: list[str] = []

    def look(attempt: Attempt) -> Outcome:
        seen.append(SupplierOrder.objects.get(reference=attempt.reference).status)
        return TOPPED_UP

    ScriptedSupplier.on_submit("first", look)
    fulfill(paid(shop, on_sale()))
    assert seen == ["intended"]


def test_codes_are_delivered_and_kept_sealed(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", codes("AAAA-1111", "BBBB-2222"))
    order = paid(shop, code_on_sale(), quantity=2)
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    assert sorted(delivered_codes(order)) == ["AAAA-1111", "BBBB-2222"]
    buy = SupplierOrder.objects.get()
    for code in StockCode.objects.all():
        assert (code.reference, code.schema_name) == (buy.reference, "shop_one")
        assert "AAAA" not in code.sealed + code.digest
        assert "BBBB" not in code.sealed + code.digest
    everything = [*OrderEvent.objects.values_list("data", flat=True), buy.evidence, buy.message]
    assert "AAAA-1111" not in repr(everything)


def test_our_own_shelf_delivers_without_a_supplier(shop: Reseller) -> None:
    order = paid(shop, stocked(["CODE-0001", "CODE-0002"]))
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    assert delivered_codes(order) == ["CODE-0001"]
    assert StockCode.objects.filter(reference="").count() == 1
    assert events(order, "line.buying") == []


def test_fulfilling_again_changes_nothing(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    before = events(order)
    assert fulfill(order) is None
    assert fulfillment_run(fulfillment_id=work_of(order).pk) is None
    assert events(order) == before
    assert ScriptedSupplier.bought_from() == ["first"]
    assert Delivery.objects.count() == 1


def test_an_unpaid_order_is_not_worked_on(shop: Reseller) -> None:
    order = Order.objects.get(pk=paid(shop, on_sale()).pk)
    order.lines.update(status="waiting")
    assert order_fulfill(order_id=order.pk) is None
    assert not Fulfillment.objects.exists()
    assert ScriptedSupplier.calls == []


# --- a definite no --------------------------------------------------------------------------------


@pytest.mark.parametrize("no", [REFUSED, NOT_SENT, FAILED], ids=lambda outcome: outcome.kind)
def test_after_a_definite_no_the_next_supplier_is_asked_at_once(shop: Reseller, no: Outcome) -> None:
    ScriptedSupplier.on_submit("first", no)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    assert fulfill(order) is None
    assert states(order) == ("fulfilled", "delivered")
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    assert events(order, "supplier.rejected") == ["supplier.rejected"]


def test_when_all_refuse_the_money_goes_back_by_itself(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", FAILED)
    order = paid(shop, on_sale())
    drain()
    assert states(order) == ("refunded", "refunded")
    assert attempts(order) == [("first", "rejected"), ("second", "rejected")]
    refund = order.payments.get().refunds.get()
    assert (refund.amount, refund.status, refund.line_id) == (Decimal("60.00"), "succeeded", order.lines.get().pk)
    assert [verb for verb, _ in ScriptedGateway.calls].count("refund") == 1
    assert not Delivery.objects.exists()


def test_no_supplier_is_tried_twice_for_a_line(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(shop, on_sale())
    fulfill(order)
    fulfill(order)
    assert ScriptedSupplier.bought_from() == ["first", "second"]
    assert work_of(order).status == "failed"
    assert outbox("line.failed") == [{"line_id": order.lines.get().pk}]


def test_what_says_that_nothing_can_succeed_there_eliminates_the_supplier(shop: Reseller) -> None:
    broke = Outcome(OutcomeKind.REFUSED, code="no_balance", message="no money", eliminates=True)
    ScriptedSupplier.on_submit("first", broke)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    variant = on_sale()
    fulfill(paid(shop, variant))
    fulfill(paid(shop, variant))
    assert ScriptedSupplier.bought_from() == ["first", "second", "second"]
    eliminated = Supplier.objects.get(code="first")
    assert (eliminated.eliminated_reason, eliminated.eliminated_at is not None) == ("no_balance no money", True)


def test_a_question_that_is_refused_for_our_key_eliminates_the_supplier_too(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", Outcome(OutcomeKind.UNKNOWN, code="bad_credentials", eliminates=True))
    order = paid(shop, on_sale())
    fulfill(order)
    assert fulfill(order) == 3
    assert Supplier.objects.get(code="first").eliminated_at is not None
    assert attempts(order) == [("first", "unknown")]
    assert ScriptedSupplier.bought_from() == ["first"]


def test_a_misconfigured_supplier_is_passed_over_and_eliminated(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    variant = on_sale()
    Supplier.objects.filter(code="first").update(adapter="fulu", sealed_config="", base_url="")
    order = paid(shop, variant)
    fulfill(order)
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    assert Supplier.objects.get(code="first").eliminated_reason.startswith("misconfigured")


def test_secrets_that_cannot_be_opened_are_a_misconfiguration(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    variant = on_sale()
    Supplier.objects.filter(code="first").update(sealed_config="00000000.AAAA")
    order = paid(shop, variant)
    fulfill(order)
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]


# --- never at a loss ------------------------------------------------------------------------------


def test_a_supplier_who_would_cost_more_than_was_paid_is_not_asked(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    variant = on_sale()
    order = paid(shop, variant)
    SupplierOffer.objects.filter(supplier__code="first").update(cost=Decimal("60.0001"))
    fulfill(order)
    assert ScriptedSupplier.bought_from() == ["second"]


def test_when_all_would_cost_more_nothing_is_bought_and_the_money_goes_back(shop: Reseller) -> None:
    variant = on_sale()
    order = paid(shop, variant)
    SupplierOffer.objects.update(cost=Decimal("99"))
    drain()
    assert ScriptedSupplier.calls == []
    assert states(order) == ("refunded", "refunded")
    assert not SupplierOrder.objects.exists()


def test_a_supplier_with_unknown_cost_is_not_asked(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    SupplierOffer.objects.filter(supplier__code="first").update(cost=None)
    fulfill(order)
    assert ScriptedSupplier.bought_from() == ["second"]


# --- several lines --------------------------------------------------------------------------------


def two_lines(shop: Reseller, first: Variant, second: Variant) -> Order:
    """A paid order of a top-up (60.00) and a code (60.00)."""
    order = order_place(
        shop=shop,
        lines=[LineRequest(first.sku, 1, {"uid": "482019375"}), LineRequest(second.sku, 1)],
        contact=CONTACT,
        buyer=Buyer(),
    ).order
    confirm(open_payment(shop, order))
    return order


def test_an_order_with_one_line_that_fails_is_refunded_in_part(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    ScriptedSupplier.on_submit("other", REFUSED)
    order = two_lines(shop, on_sale(suppliers=("first",)), code_on_sale(suppliers=("other",)))
    drain()
    assert states(order) == ("partly_refunded", "delivered", "refunded")
    payment = order.payments.get()
    assert (payment.amount, [refund.amount for refund in payment.refunds.all()]) == (
        Decimal("120.00"), [Decimal("60.00")],
    )  # fmt: skip


def test_each_line_of_an_order_is_worked_on_by_itself(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN)
    ScriptedSupplier.on_submit("other", codes("AAAA-1111"))
    order = two_lines(shop, on_sale(suppliers=("first",)), code_on_sale(suppliers=("other",)))
    assert fulfill(order) is None
    assert len(outbox("fulfillment.run")) == 2
    assert fulfill(order) is None
    assert len(outbox("fulfillment.run")) == 2
    drain()
    assert states(order) == ("paid", "verifying", "delivered")


def test_both_lines_failing_refunds_the_whole_order(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("other", REFUSED)
    order = two_lines(shop, on_sale(suppliers=("first",)), code_on_sale(suppliers=("other",)))
    drain()
    assert states(order) == ("refunded", "refunded", "refunded")
    payment = order.payments.get()
    assert sum(refund.amount for refund in payment.refunds.all()) == payment.amount
