"""Whatever a shop or a described supplier writes: a delivery is as many real codes as were bought."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fulfillment.suppliers.base import OutcomeKind
from tests.fulfillment.suppliers.side_acgfaka import ACGFAKA
from tests.fulfillment.suppliers.side_dtone import DTONE
from tests.fulfillment.suppliers.side_generic import GENERIC
from tests.fulfillment.suppliers.sides import CODES, payload
from tests.fulfillment.suppliers.test_replies import JSON, TEXTS, ask, harmless


@settings(deadline=None)
@given(
    code=st.sampled_from([200, "200", 0, 1, None, True]) | JSON,
    data=st.fixed_dictionaries(
        {},
        optional={"tradeNo": st.just("348261122154600123") | JSON, "secret": TEXTS | JSON, "status": st.just(1) | JSON},
    )
    | JSON,
    message=st.sampled_from(["success", "库存不足", "订单不存在"]) | JSON,
    codes=st.integers(1, 2),
    submit=st.booleans(),
)
@example(code=200, data={"tradeNo": "1", "status": 1, "secret": CODES[0]}, message="", codes=1, submit=True)
def test_no_shop_delivers_what_is_not_there(code: Any, data: Any, message: Any, codes: int, submit: bool) -> None:
    outcome = ask(
        ACGFAKA, json.dumps({"code": code, "msg": message, "data": data}).encode(), codes=codes, submit=submit
    )
    harmless(outcome, codes)
    assert outcome.kind is not OutcomeKind.FAILED
    assert outcome.kind is not OutcomeKind.REFUSED or (submit and message == "库存不足")


@settings(deadline=None)
@given(
    code=st.sampled_from([0, "0", 2003, 2006, 9999]) | JSON,
    changes=st.dictionaries(st.sampled_from(["out_order_no", "order_no", "state", "amount"]), JSON, max_size=2),
    state=st.sampled_from([1, 2, 3, "1", "2", "3", 0, 4, "done"]),
    cards=st.lists(st.fixed_dictionaries({}, optional={"pwd": TEXTS | JSON, "no": TEXTS | JSON}), max_size=3) | JSON,
    codes=st.integers(0, 2),
    submit=st.booleans(),
)
def test_no_described_supplier_delivers_what_is_not_there(
    code: Any, changes: dict[str, Any], state: Any, cards: Any, codes: int, submit: bool
) -> None:
    fields = payload("generic", "order_cards")
    fields["data"] |= {"state": state, "cards": cards, **changes}
    outcome = ask(GENERIC, json.dumps(fields | {"code": code}).encode(), codes=codes, submit=submit)
    harmless(outcome, codes)
    if outcome.kind in {OutcomeKind.REFUSED, OutcomeKind.NOT_FOUND}:
        assert str(code) == ("2003" if submit else "2006")
    if outcome.kind is OutcomeKind.FAILED:
        assert str(fields["data"]["state"]).strip() == "3"


@settings(deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(["id", "external_id", "product", "prices", "errors"]), JSON, max_size=2),
    kind=st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 6, "7", None]) | JSON,
    pin=st.fixed_dictionaries({}, optional={"code": TEXTS | JSON, "serial": TEXTS | JSON}) | JSON,
    status=st.sampled_from([200, 201, 202, 400, 404]),
    codes=st.integers(0, 1),
    submit=st.booleans(),
)
def test_no_transaction_delivers_what_is_not_there(
    changes: dict[str, Any], kind: Any, pin: Any, status: int, codes: int, submit: bool
) -> None:
    fields = payload("dtone", "completed_pin" if codes else "completed")
    fields |= {"status": {"id": 1, "message": "?", "class": {"id": kind, "message": "?"}}, "pin": pin, **changes}
    outcome = ask(DTONE, json.dumps(fields).encode(), status=status, codes=codes, submit=submit)
    harmless(outcome, codes)
    if outcome.kind is not OutcomeKind.UNKNOWN:
        assert status == (201 if submit else 200)
        assert kind in {1, 2, 3, 4, 5, 7, 8, 9}
    if outcome.kind is OutcomeKind.FAILED:
        assert kind in {3, 4, 9}
        assert pin is None
