"""A client's last yuan, one reference, and a cancellation, by several at once."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from fulfillment.services import order_fulfill
from kameng.supply.exceptions import TooLate
from kameng.supply.models import ClientOrder
from kameng.supply.services import Wish, client_order_cancel, client_order_place
from orders.models import Order
from resellers.clients.exceptions import BalanceShort
from resellers.clients.models import Client
from resellers.clients.services import client_charge
from resellers.ledger.purses import Movement
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import TOPPED_UP
from tests.kameng.supply.downstream import open_client
from tests.races.threads import at_once

pytestmark = pytest.mark.race


def kinds(results: list[Any]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


def wish(sku: str, reference: str) -> Wish:
    return Wish(reference=reference, sku=sku, quantity=1, account={"uid": "482019375"})


def test_the_last_money_is_spent_once_and_one_reference_is_one_order(live_shop: Reseller) -> None:
    client, variant = open_client(live_shop, balance="120.00"), on_sale()
    one = wish(variant.sku, "same")
    same = [lambda: client_order_place(shop=live_shop, client=client, key="k", wish=one) for _ in range(4)]
    placed = at_once(live_shop, *same)
    assert kinds(placed) == {"ClientOrder": 4}
    assert len({order.pk for order in placed}) == 1
    others = [
        lambda number=number: client_order_place(
            shop=live_shop, client=client, key="k", wish=wish(variant.sku, f"other-{number}")
        )
        for number in range(4)
    ]
    assert kinds(at_once(live_shop, *others)) == {"ClientOrder": 1, "BalanceShort": 3}
    client.refresh_from_db()
    assert (client.balance, Order.objects.count(), ClientOrder.objects.count()) == (Decimal(0), 2, 2)


def test_a_balance_is_charged_for_as_long_as_it_reaches(live_shop: Reseller) -> None:
    client = open_client(live_shop, balance="100.00")
    charges = [
        lambda number=number: client_charge(
            Movement(client.pk, Decimal(30), account_id=1, shop_id=live_shop.pk, order_number="", payment=f"P{number}")
        )
        for number in range(8)
    ]
    assert kinds(at_once(live_shop, *charges)) == {"NoneType": 3, "BalanceShort": 5}
    assert Client.objects.get(pk=client.pk).balance == Decimal(10)
    assert BalanceShort.status == 402


def test_an_order_is_either_taken_back_or_bought(live_shop: Reseller, supplier_double: type[ScriptedSupplier]) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    client, variant = open_client(live_shop, balance="180.00"), on_sale(suppliers=("first",))
    for number in range(3):
        asked = client_order_place(shop=live_shop, client=client, key="k", wish=wish(variant.sku, f"n{number}"))
        canceled, _bought = at_once(
            live_shop,
            partial(client_order_cancel, client_order_id=asked.pk),
            partial(order_fulfill, order_id=asked.order_id),
        )
        asked.refresh_from_db()
        line = asked.order.lines.get()
        is_canceled = asked.canceled_at is not None
        assert is_canceled == (canceled is None) == (line.status == "failed")
        assert is_canceled or (isinstance(canceled, TooLate) and line.status == "delivered")
    bought = len(ScriptedSupplier.bought_from())
    assert bought == ClientOrder.objects.filter(canceled_at__isnull=True).count()
