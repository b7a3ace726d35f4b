"""What a coupon does on a shelf, before anybody uses it."""

from decimal import Decimal

import pytest

from catalog.listings.shelf import shelf
from customers.coupons.discount import Terms
from customers.coupons.reach import Reach, reach_of
from resellers.models import Reseller
from tests.factories import on_sale


@pytest.mark.usefixtures("supplier_double")
def test_it_is_held_against_what_each_amount_earns_where_it_just_holds(shop: Reseller) -> None:
    """Of 60.00 each, 3.00 and 1.00 are earned."""
    good, poor = on_sale(), on_sale(supply_price=Decimal("59.00"))
    poor_name = f"{poor.product.name} {poor.name}"
    terms = Terms(is_percent=False, value=Decimal("1.50"), within_margin=True)
    assert reach_of(terms, shelf(shop)) == Reach(2, (poor_name,), Decimal(50))
    from_two = Terms(is_percent=False, value=Decimal("1.50"), threshold=Decimal(61), within_margin=True)
    assert reach_of(from_two, shelf(shop)) == Reach(2, (), Decimal(75))
    assert reach_of(Terms(is_percent=False, value=Decimal(9)), shelf(shop)).blocked == ()
    mine = Terms(is_percent=True, value=Decimal(1), product_id=good.product_id, within_margin=True)
    assert reach_of(mine, shelf(shop)) == Reach(1, (), Decimal(20))
    out_of_reach = Terms(is_percent=False, value=Decimal(1), threshold=Decimal(10_000), within_margin=True)
    assert reach_of(out_of_reach, shelf(shop)) == Reach(0, (), None)
