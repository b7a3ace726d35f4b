"""Every protocol there is: what holds for all of them is tested on each of these."""

from typing import Protocol, runtime_checkable

from tests.fulfillment.suppliers.side_acgfaka import ACGFAKA
from tests.fulfillment.suppliers.side_generic import GENERIC
from tests.fulfillment.suppliers.side_reloadly import RELOADLY
from tests.fulfillment.suppliers.sides import DUJIAO, FULU, Side
from tests.fulfillment.suppliers.wire import Answer

SIDES: tuple[Side, ...] = (
    FULU,
    DUJIAO,
    ACGFAKA,
    GENERIC,
    RELOADLY,
)


@runtime_checkable
class TellsGoodsApart(Protocol):
    """A side whose codes are a second question, asked once the order is known to have succeeded."""

    def before_goods(self, quantity: int) -> Answer: ...


def before_goods(side: Side, quantity: int) -> list[Answer]:
    """What is answered before so many codes are: nothing where one reply tells state and goods."""
    return [side.before_goods(quantity)] if isinstance(side, TellsGoodsApart) else []
