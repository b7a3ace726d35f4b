"""A supplier delivers some of what was bought: what came is kept, the rest is bought elsewhere or paid back."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from fulfillment.models import Delivery, SupplierOrder
from fulfillment.outcomes import outcome_apply
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.models import DuplicateSupply
from kameng.audit.services import audit
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from payments.gateways.base import RefundResult, RefundStatus
from payments.models import Refund
from payments.refund_outcomes import refund_apply
from payments.refunds import line_refund
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import CONTACT, code_on_sale, on_sale, open_payment
from tests.flows import (
    ACCEPTED,
    REFUSED,
    TOPPED_UP,
    attempts,
    codes,
    confirm,
    delivered_codes,
    drain,
    events,
    fulfill,
    paid,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def part(*items: str, done: int | None = None) -> Outcome:
    """So many codes, or units, arrived for good; no more will."""
    return Outcome(OutcomeKind.PARTIAL, items=items, done=len(items) if done is None else done)


def audited() -> list[str]:
    """What the audit finds wrong."""
    return [example for verdict in audit() for example in verdict.examples]


def returned(order: Order) -> list[tuple[str, Decimal]]:
    """Status and amount of each refund."""
    return list(Refund.objects.filter(payment__order=order).values_list("status", "amount"))


def test_the_rest_is_bought_from_the_next(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", part("AAAA-1111", "BBBB-2222"))
    ScriptedSupplier.on_submit("second", codes("CCCC-3333"))
    order = paid(shop, code_on_sale(), quantity=3)
    fulfill(order)
    assert attempts(order) == [("first", "partial"), ("second", "succeeded")]
    assert list(SupplierOrder.objects.order_by("sequence").values_list("quantity", flat=True)) == [3, 1]
    assert [attempt.max_cost for _, _, attempt in ScriptedSupplier.calls] == [Decimal("180.00"), Decimal("60.00")]
    assert delivered_codes(order) == ["AAAA-1111", "BBBB-2222", "CCCC-3333"]
    assert states(order) == ("fulfilled", "delivered")
    assert returned(order) == []
    assert audited() == []


def test_what_nobody_has_goes_back_as_money(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", part("AAAA-1111", "BBBB-2222"))
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(shop, code_on_sale(), quantity=3)
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    assert order.lines.get().short_quantity == 1
    drain()
    drain()
    assert returned(order) == [("succeeded", Decimal("60.00"))]
    assert states(order) == ("partly_refunded", "delivered")
    assert delivered_codes(order) == ["AAAA-1111", "BBBB-2222"]
    assert audited() == []


def two_lines(shop: Reseller) -> Order:
    """Three codes of which `first` has two and `other` none, and a top-up that `slow` takes its time for."""
    ScriptedSupplier.on_submit("first", part("AAAA-1111", "BBBB-2222"))
    ScriptedSupplier.on_submit("other", REFUSED)
    ScriptedSupplier.on_submit("slow", ACCEPTED)
    ScriptedSupplier.on_query("slow", ACCEPTED)
    codes_of, top_up = code_on_sale(suppliers=("first", "other")), on_sale(suppliers=("slow",))
    lines = [LineRequest(codes_of.sku, 3), LineRequest(top_up.sku, 1, {"uid": "482019375"})]
    order = order_place(shop=shop, lines=lines, contact=CONTACT, buyer=Buyer()).order
    confirm(open_payment(shop, order))
    return order


def test_what_fell_short_and_is_back_before_the_rest_arrives_counts_all_the_same(shop: Reseller) -> None:
    order = two_lines(shop)
    drain()
    assert returned(order) == [("succeeded", Decimal("60.00"))]
    assert states(order) == ("paid", "delivered", "buying")
    slow = SupplierOrder.objects.get(status="accepted")
    outcome_apply(supplier_order_id=slow.pk, outcome=TOPPED_UP, actor="callback")
    drain()
    assert states(order) == ("partly_refunded", "delivered", "delivered")
    assert events(order, "order.fulfilled", "order.partly_refunded") == ["order.fulfilled", "order.partly_refunded"]
    assert returned(order) == [("succeeded", Decimal("60.00"))]
    assert audited() == []


def test_an_order_is_not_partly_refunded_while_the_money_is_on_its_way(shop: Reseller) -> None:
    ScriptedGateway.refund_status = RefundStatus.PENDING
    order = two_lines(shop)
    drain()
    slow = SupplierOrder.objects.get(status="accepted")
    outcome_apply(supplier_order_id=slow.pk, outcome=TOPPED_UP, actor="callback")
    drain()
    assert states(order) == ("fulfilled", "delivered", "delivered")
    assert returned(order) == [("pending", Decimal("60.00"))]
    assert audited() == []
    refund = Refund.objects.get()
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, amount=refund.amount)
    refund_apply(refund_id=refund.pk, result=done, actor="notice")
    assert states(order) == ("partly_refunded", "delivered", "delivered")


def test_the_audit_names_an_order_that_is_whole_only_by_its_status(shop: Reseller) -> None:
    order = two_lines(shop)
    drain()
    slow = SupplierOrder.objects.get(status="accepted")
    outcome_apply(supplier_order_id=slow.pk, outcome=TOPPED_UP, actor="callback")
    drain()
    long_ago = timezone.now() - timedelta(hours=1)
    Refund.objects.update(finished_at=long_ago)
    Order.objects.filter(pk=order.pk).update(status="fulfilled", finished_at=long_ago)
    assert any("is fulfilled, its lines make it partly_refunded" in example for example in audited())


def test_telling_it_again_returns_the_money_once(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", part("AAAA-1111"))
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(shop, code_on_sale(), quantity=2)
    fulfill(order)
    drain()
    for _ in range(3):
        line_refund(line_id=order.lines.get().pk)
    drain()
    assert returned(order) == [("succeeded", Decimal("60.00"))]


def test_units_of_a_top_up_are_counted_too(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", part(done=1))
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale(max_quantity=5), quantity=3)
    fulfill(order)
    assert attempts(order) == [("first", "partial"), ("second", "succeeded")]
    assert work_of(order).delivered_quantity == 3
    assert Delivery.objects.count() == 2
    assert audited() == []


@pytest.mark.parametrize(
    "unfit",
    [part("AAAA-1111", done=2), part(done=1), part("A" * 8, "B" * 8, "C" * 8, "D" * 8), Outcome(OutcomeKind.PARTIAL)],
)
def test_what_does_not_add_up_is_for_a_person(shop: Reseller, unfit: Outcome) -> None:
    ScriptedSupplier.on_submit("first", unfit)
    order = paid(shop, code_on_sale(), quantity=3)
    fulfill(order)
    assert states(order) == ("paid", "manual")
    assert delivered_codes(order) == []
    assert ScriptedSupplier.bought_from() == ["first"]


def test_nothing_of_it_is_a_refusal(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", part(done=0))
    ScriptedSupplier.on_submit("second", codes("CCCC-3333"))
    order = paid(shop, code_on_sale())
    fulfill(order)
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]


def test_a_part_that_comes_late_is_booked_as_bought_twice(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", codes("CCCC-3333", "DDDD-4444"))
    order = paid(shop, code_on_sale(), quantity=2)
    fulfill(order)
    first = SupplierOrder.objects.order_by("sequence")[0]
    for _ in range(2):
        outcome_apply(supplier_order_id=first.pk, outcome=part("AAAA-1111"), actor="callback")
    booked = DuplicateSupply.objects.get()
    assert (booked.reference, booked.quantity, booked.codes, booked.status) == (first.reference, 1, 1, "open")
    assert events(order, "supplier.contradiction") == ["supplier.contradiction"]
    assert delivered_codes(order) == ["CCCC-3333", "DDDD-4444"]
    assert audited() == []
