"""What the numbers of an installation mean: the same number is a failure at one and a partial success at another.

Published tables: https://www.kancloud.cn/boyanyun/boyanyun_huafei/3097255 (2 failed, 3 partial),
https://www.showdoc.com.cn/lxtc/10172087386238894 (-1 failed, 2 partial),
https://www.showdoc.com.cn/chayue/10865366097349963 (`status` beside `state`: 4 delivered, 5 failed, 6 refunded).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fulfillment.suppliers.replies import Unclear, json_object, whole

#: Where the number is unless the map says otherwise.
USUAL_FIELD = "state"


class State(StrEnum):
    """What a number can mean. `FAILED` and `CANCELED` say that nothing was charged to the phone, for good; `REVERSED`
    that it was and is no longer."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"
    REVERSED = "reversed"


@dataclass(frozen=True)
class StateMap:
    """One installation's numbers, and the field that they are in."""

    field: str
    meanings: Mapping[str, State]

    def of(self, fields: Mapping[str, object]) -> State | None:
        """What an order's or callback's number means; None without one, or for one that is not on the list."""
        number = whole(fields.get(self.field))
        return None if number is None else self.meanings.get(str(number))


def state_map(text: str) -> StateMap:
    """The map of a connection, such as `{"0":"accepted","1":"delivered","2":"failed"}`; `"field":"status"` in it names
    another field than `state`. Raises `ValueError`, which says what is wrong with it."""
    try:
        given = json_object(text)
    except Unclear:
        raise ValueError("not a JSON object, or a key is repeated") from None
    field = given.pop("field", USUAL_FIELD)
    if not isinstance(field, str) or not re.fullmatch(r"[a-z_]{1,40}", field):
        raise ValueError("`field` is not the name of a field")
    known = ", ".join(State)
    meanings = {}
    for number, meaning in given.items():
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,3}", number):
            raise ValueError(f"{number[:20]!r} is not a number")
        if not isinstance(meaning, str) or meaning not in set(State):
            raise ValueError(f"{number} must be one of {known}")
        meanings[number] = State(meaning)
    for needed in (State.ACCEPTED, State.DELIVERED):
        if needed not in meanings.values():
            raise ValueError(f"no number means {needed}")
    return StateMap(field, meanings)
