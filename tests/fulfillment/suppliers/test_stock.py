"""Our own shelf behind the same interface."""

from collections.abc import Sequence

import pytest

from fulfillment.suppliers.base import Attempt, CallbackRefused, Connection, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.stock.adapter import StockAdapter
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CODES, REFERENCE


class Shelf:
    """A stock room in a list."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.free = list(codes)
        self.taken: dict[str, list[str]] = {}

    def take(self, *, reference: str, sku: str, quantity: int) -> Sequence[str] | None:
        if reference not in self.taken:
            if len(self.free) < quantity:
                return None
            self.taken[reference] = [self.free.pop(0) for _ in range(quantity)]
        return self.taken[reference]

    def given(self, *, reference: str) -> Sequence[str]:
        return self.taken.get(reference, [])


def adapter(shelf: Shelf, http: HttpClient) -> StockAdapter:
    return StockAdapter(Connection("shelf", "", stock_room=shelf), http)


def attempt(quantity: int = 1, *, reference: str = REFERENCE, wants_codes: bool = True) -> Attempt:
    return Attempt(reference, "steam-50", quantity, {}, None, "", wants_codes=wants_codes)


@pytest.mark.parametrize("quantity", [1, 3])
def test_codes_come_at_once(http: HttpClient, quantity: int) -> None:
    outcome = adapter(Shelf(CODES), http).submit(attempt(quantity))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, CODES[:quantity])
    assert all(code not in repr(outcome) + outcome.evidence for code in CODES)


def test_the_same_reference_gets_the_same_codes(http: HttpClient) -> None:
    shelf = Shelf(CODES)
    stock = adapter(shelf, http)
    first, again, asked = stock.submit(attempt(2)), stock.submit(attempt(2)), stock.query(attempt(2))
    assert first.items == again.items == asked.items == CODES[:2]
    assert shelf.free == [CODES[2]]


def test_too_few_is_a_refusal_that_takes_nothing(http: HttpClient) -> None:
    shelf = Shelf(CODES[:1])
    outcome = adapter(shelf, http).submit(attempt(2))
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, Reason.OUT_OF_STOCK, False)
    assert shelf.free == [CODES[0]]


def test_a_question_takes_nothing(http: HttpClient) -> None:
    shelf = Shelf(CODES)
    assert adapter(shelf, http).query(attempt()).kind is OutcomeKind.NOT_FOUND
    assert shelf.free == list(CODES)


@pytest.mark.parametrize(
    "codes", [(), CODES[:1], CODES, (CODES[0], CODES[0]), (CODES[0], ""), (CODES[0], "请联系客服")]
)
def test_a_shelf_that_gives_anything_else_is_not_believed(http: HttpClient, codes: tuple[str, ...]) -> None:
    shelf = Shelf(())
    shelf.taken[REFERENCE] = list(codes)
    outcome = adapter(shelf, http).submit(attempt(2))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())


def test_goods_for_an_account_do_not_come_from_a_shelf(http: HttpClient) -> None:
    shelf = Shelf(CODES)
    outcome = adapter(shelf, http).submit(attempt(wants_codes=False))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.WRONG_KIND)
    assert shelf.free == list(CODES)


def test_nothing_is_put_back_and_nobody_calls(http: HttpClient) -> None:
    shelf = Shelf(CODES)
    stock = adapter(shelf, http)
    stock.submit(attempt())
    assert stock.cancel(attempt()).kind is OutcomeKind.UNKNOWN
    assert shelf.free == list(CODES[1:])
    assert stock.balance() is None
    with pytest.raises(CallbackRefused):
        stock.parse_callback(headers={}, body=b"{}")
    assert stock.callback_reply(accepted=True)[0] == 404


def test_without_a_stock_room_it_is_misconfigured(http: HttpClient) -> None:
    with pytest.raises(SupplierMisconfigured, match="stock room"):
        StockAdapter(Connection("shelf", ""), http)
