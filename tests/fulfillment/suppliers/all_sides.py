"""Every protocol that the contract suite runs on, and what one of them lacks."""

from tests.fulfillment.suppliers.sides import SIDES, Side
from tests.fulfillment.suppliers.yrapi_side import YRAPI

ALL: tuple[Side, ...] = (*SIDES, YRAPI)
#: Protocols that sell no codes, and those whose requests carry no time.
WITHOUT_CODES = {"yrapi"}
WITHOUT_TIME = {"yrapi"}
