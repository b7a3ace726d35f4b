"""What is taken down: nobody can order it or pay for it any more, and who has paid gets it or the money back."""

from decimal import Decimal

import pytest

from catalog.listings import shelf as shelves
from catalog.listings.screened import listing_subject
from catalog.models import Variant
from catalog.screened import product_subject
from compliance.gate.services import subject_restore, subject_take_down
from fulfillment.services import TAKEN_DOWN
from orders.exceptions import GoodsTakenDown, SkuUnknown
from payments.models import Refund
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import TOPPED_UP, UNKNOWN, attempts, confirm, drain, fulfill, outbox, paid, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ACTOR = "staff:li"


def take_down(variant: Variant, *, in_shop: bool = False) -> None:
    subject = listing_subject(variant.pk) if in_shop else product_subject(variant.product_id)
    subject_take_down(subject=subject, actor=ACTOR, reasons=["game_cheat"])


@pytest.mark.parametrize("in_shop", [False, True], ids=["everywhere", "in one shop"])
def test_nobody_orders_or_pays_for_it_and_money_that_came_goes_back(shop: Reseller, in_shop: bool) -> None:
    variant = on_sale()
    unpaid, late, bought = place(shop, variant), place(shop, variant, contact="a@b.cn"), paid(shop, variant)
    pending = open_payment(shop, late)
    take_down(variant, in_shop=in_shop)
    with pytest.raises(SkuUnknown):
        place(shop, variant)
    with pytest.raises(GoodsTakenDown, match="平台下架"):
        open_payment(shop, unpaid)
    # Its payment was open before, and is made before anybody comes to close it.
    confirm(pending)
    drain()
    assert states(unpaid)[0] == "canceled"
    for order in (bought, late):
        assert states(order) == ("refunded", "refunded")
        assert attempts(order) == []
    assert set(Refund.objects.values_list("amount", "reason", "status")) == {
        (Decimal("60.00"), TAKEN_DOWN, "succeeded")
    }


def test_a_purchase_whose_outcome_is_unknown_waits_for_it(shop: Reseller) -> None:
    variant = on_sale()
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN, TOPPED_UP)
    order = paid(shop, variant)
    fulfill(order)
    assert states(order) == ("paid", "verifying")
    take_down(variant)
    drain()
    assert not Refund.objects.exists()
    assert states(order) in {("paid", "verifying"), ("fulfilled", "delivered")}
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    assert not Refund.objects.exists()


def test_other_goods_and_what_is_restored_are_sold_as_before(shop: Reseller) -> None:
    down, other = on_sale(), on_sale()
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    waiting = place(shop, other)
    take_down(down)
    assert outbox("subject.taken_down") != []
    drain()
    confirm(open_payment(shop, waiting))
    drain()
    assert states(waiting) == ("fulfilled", "delivered")
    subject_restore(subject=product_subject(down.product_id), actor=ACTOR)
    shelves.forget()
    assert place(shop, down).status == "pending"
