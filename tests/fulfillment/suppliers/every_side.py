"""Every protocol there is: what holds for all of them is tested on each of these."""

from tests.fulfillment.suppliers.side_acgfaka import ACGFAKA
from tests.fulfillment.suppliers.side_generic import GENERIC
from tests.fulfillment.suppliers.side_yrapi import YRAPI
from tests.fulfillment.suppliers.sides import DUJIAO, FULU, Side

SIDES: tuple[Side, ...] = (
    FULU,
    DUJIAO,
    ACGFAKA,
    GENERIC,
    YRAPI,
)
#: Protocols that sell no codes.
WITHOUT_CODES = {"yrapi"}
