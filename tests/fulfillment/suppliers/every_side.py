"""Every protocol there is: what holds for all of them is tested on each of these."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from fulfillment.suppliers.reasons import Reason
from tests.fulfillment.suppliers.side_acgfaka import ACGFAKA
from tests.fulfillment.suppliers.side_dtone import DTONE
from tests.fulfillment.suppliers.side_generic import GENERIC
from tests.fulfillment.suppliers.side_kameng import KAMENG
from tests.fulfillment.suppliers.side_reloadly import RELOADLY
from tests.fulfillment.suppliers.side_yrapi import YRAPI
from tests.fulfillment.suppliers.sides import DUJIAO, FULU, Side
from tests.fulfillment.suppliers.wire import Answer

SIDES: tuple[Side, ...] = (
    FULU,
    DUJIAO,
    ACGFAKA,
    GENERIC,
    YRAPI,
    DTONE,
    RELOADLY,
    KAMENG,
)
#: Protocols that sell no codes.
WITHOUT_CODES = {"yrapi"}
#: Protocols that sell one piece at a time: more are not sent.
ONE_AT_A_TIME = frozenset({"dtone"})
#: Why `refused` refuses, where the protocol has no word for goods that are sold out.
REFUSES_FOR: Mapping[str, Reason] = {"dtone": Reason.PRODUCT_UNAVAILABLE}


@runtime_checkable
class TellsGoodsApart(Protocol):
    """A side whose codes are a second question, asked once the order is known to have succeeded."""

    def before_goods(self, quantity: int) -> Answer: ...


def before_goods(side: Side, quantity: int) -> list[Answer]:
    """What is answered before so many codes are: nothing where one reply tells state and goods."""
    return [side.before_goods(quantity)] if isinstance(side, TellsGoodsApart) else []
