"""One installation is another's supplier: what is bought in the second one is bought once from the first, and paid once
in each; what nobody has is paid for nowhere."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.live.platform import Platform
from tests.live.second import Second
from tests.live.shopper import until

pytestmark = pytest.mark.integration


@pytest.fixture
def second(platform_process: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """Beside the first, which is well before and after."""
    platform_process.make_well()
    goods = [platform_process.good("code"), platform_process.good("topup"), platform_process.good("topup")]
    second = Second(tmp_path_factory.mktemp("second"), platform_process, goods)
    try:
        second.start()
        yield second
    finally:
        second.stop()
        platform_process.make_well()


def test_what_the_second_sells_the_first_delivers_or_both_pay_back(second: Second) -> None:
    first, buyer = second.first, second.buyer
    code, topup, nowhere = second.offered
    shopper = first.shopper()
    shown = [variant for good in second.offered for variant in shopper.product(good.product)["variants"]]
    prices = {variant["sku"]: Decimal(variant["price"]) for variant in shown}
    assert second.costs == {good.sku: prices[good.sku] for good in second.offered}

    placed = [buyer.buy("B-1", "own-0", 2, {}), buyer.buy("B-2", "own-1", 1, topup.account)]
    paid = sum(Decimal(order["amount"]) for order in placed)
    until(lambda: {buyer.read(reference)["status"] for reference in ("B-1", "B-2")} == {"delivered"})
    (booked,) = first.booked("yunka", code)
    assert (buyer.read("B-1")["codes"], booked["times"]) == (booked["codes"], 1)
    assert first.charged("xinghe", topup) == 1
    spent = 2 * prices[code.sku] + prices[topup.sku]
    assert second.upstream.balance == 5000 - spent
    assert buyer.balance == 5000 - paid
    assert paid > spent

    first.suppliers("reject")
    refused = buyer.buy("B-3", "own-2", 1, nowhere.account)
    assert buyer.balance == 5000 - paid - Decimal(refused["amount"])
    until(lambda: buyer.read("B-3")["refunded"] == refused["amount"])
    assert buyer.read("B-3")["status"] == "failed"
    assert (second.upstream.balance, buyer.balance) == (5000 - spent, 5000 - paid)
    assert first.charged("xinghe", nowhere) == 0

    told = "SELECT count(*) FROM inbox_inboxevent WHERE source = 'suppliers' AND verdict = 'accepted'"
    until(lambda: second.sql(told) == [(3,)])
    second.audit()
    first.make_well()
    first.audit()
