"""A client buys: the money, the goods, and what goes back."""

from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import Outcome, OutcomeKind
from kameng.audit.services import invariants, verdict_of
from kameng.supply.callbacks import client_order_follow
from kameng.supply.models import ClientCallback, ClientOrder
from orders.models import Order
from payments.refunds import refund_request
from resellers.clients.models import Client
from resellers.clients.services import client_credit
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, on_sale, place, stocked
from tests.flows import ACCEPTED, REFUSED, TOPPED_UP, codes, drain
from tests.kameng.supply.downstream import Downstream, open_client
from tests.program import fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double")
ACCOUNT = {"uid": "482019375"}


def told(reply: Any) -> tuple[str, int, str]:
    """How an order stands: state, how many arrived, what went back."""
    body = reply.json()
    return body["status"], body["delivered"], body["refunded"]


def accounts(client: Client) -> tuple[Decimal, Decimal]:
    """The balance by its row and by the book."""
    client.refresh_from_db()
    return client.balance, balances_of(client.pk, Name.PREPAID)[Name.PREPAID]


def broken() -> dict[str, tuple[str, ...]]:
    """What the audit finds in this shop, about money, goods and steps."""
    asked = [invariant for invariant in invariants() if invariant.code in {"I1", "I2", "I3", "I4", "I5", "I7", "I14"}]
    here = list(Reseller.objects.filter(slug="one"))
    verdicts = [verdict_of(invariant, here) for invariant in asked]
    return {verdict.code: verdict.examples for verdict in verdicts if not verdict.ok}


def test_codes_are_paid_from_the_balance_and_arrive_once(downstream: Downstream) -> None:
    ScriptedSupplier.on_submit("first", codes("KM-0001-AAAA", "KM-0002-BBBB"))
    variant = code_on_sale(suppliers=("first",))
    placed = downstream.order("A-1", variant.sku, 2, max_cost="120.00")
    assert (placed.status_code, told(placed)) == (201, ("processing", 0, "0.00"))
    assert downstream.balance == "880.00"
    drain()
    for _ in range(2):
        arrived = downstream.get("orders/A-1/")
        assert told(arrived) == ("delivered", 2, "0.00")
        assert arrived.json()["codes"] == ["KM-0001-AAAA", "KM-0002-BBBB"]
    again = downstream.order("A-1", variant.sku, 2, max_cost="120.00")
    assert (again.status_code, again.json()) == (201, arrived.json())
    assert refusal(downstream.order("A-1", variant.sku, 1)) == (409, "reference_taken")
    assert refusal(downstream.order("A-1", variant.sku, 2, max_cost="121.00")) == (409, "reference_taken")
    assert accounts(downstream.client) == (Decimal("880.00"), Decimal("880.00"))
    assert ScriptedSupplier.bought_from() == ["first"]
    assert Order.objects.count() == 1
    assert broken() == {}


def test_what_nobody_can_deliver_goes_back_to_the_balance(downstream: Downstream) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    variant = on_sale(suppliers=("first",))
    downstream.order("A-1", variant.sku, account=ACCOUNT)
    drain()
    assert told(downstream.get("orders/A-1/")) == ("failed", 0, "60.00")
    assert accounts(downstream.client) == (Decimal("1000.00"), Decimal("1000.00"))
    assert broken() == {}


def test_a_part_is_kept_and_the_rest_goes_back(downstream: Downstream) -> None:
    part = Outcome(OutcomeKind.PARTIAL, items=("KM-0001-AAAA",), done=1, supplier_reference="S1")
    ScriptedSupplier.on_submit("first", part)
    variant = code_on_sale(suppliers=("first",))
    downstream.order("A-1", variant.sku, 2)
    drain()
    arrived = downstream.get("orders/A-1/")
    assert told(arrived) == ("partial", 1, "60.00")
    assert arrived.json()["codes"] == ["KM-0001-AAAA"]
    assert accounts(downstream.client) == (Decimal("940.00"), Decimal("940.00"))
    assert broken() == {}


def test_an_order_is_taken_back_as_long_as_nothing_was_bought(downstream: Downstream) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", ACCEPTED)
    variant = on_sale(suppliers=("first",))
    for reference in ("A-1", "A-2"):
        downstream.order(reference, variant.sku, account=ACCOUNT)
    for _ in range(2):
        assert told(downstream.post("orders/A-1/cancel/")) == ("canceled", 0, "0.00")
    drain()
    assert told(downstream.get("orders/A-1/")) == ("canceled", 0, "60.00")
    assert refusal(downstream.post("orders/A-2/cancel/")) == (409, "too_late")
    assert told(downstream.get("orders/A-2/")) == ("processing", 0, "0.00")
    assert ScriptedSupplier.bought_from() == ["first"]
    assert accounts(downstream.client) == (Decimal("940.00"), Decimal("940.00"))
    assert broken() == {}


def test_what_is_refunded_after_it_arrived_is_reversed_and_told(downstream: Downstream) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    variant = on_sale(suppliers=("first",))
    downstream.order("A-1", variant.sku, account=ACCOUNT)
    Client.objects.filter(pk=downstream.client.pk).update(callback_url="http://127.0.0.1:9/")
    drain()
    asked = ClientOrder.objects.get(reference="A-1")
    assert client_order_follow(client_order_id=asked.pk) is None
    line = asked.order.lines.get()
    refund_request(
        payment_id=asked.order.payments.get().pk, amount=line.amount, cause="ops:1", reason="goodwill", actor="ops",
        line_id=line.pk,
    )  # fmt: skip
    drain()
    assert told(downstream.get("orders/A-1/")) == ("reversed", 0, "60.00")
    assert downstream.balance == "1000.00"
    assert set(ClientCallback.objects.values_list("told", flat=True)) == {"delivered", "reversed"}
    assert broken() == {}


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"max_cost": "59.99"}, (409, "price_above_limit")),
        ({"sku": "no-such-sku"}, (404, "unknown_sku")),
        ({"quantity": 11}, (422, "invalid")),
        ({"account": {}}, (422, "invalid")),
        ({"account": {"uid": "x", "phone": "1"}}, (422, "invalid")),
        ({"reference": "a b"}, (422, "invalid")),
        ({"reference": "x" * 65}, (422, "invalid")),
        ({"price": "1.00"}, (422, "invalid")),
    ],
    ids=str,
)
def test_a_refusal_stores_nothing_and_takes_nothing(
    downstream: Downstream, changes: dict[str, Any], answer: tuple[int, str]
) -> None:
    variant = on_sale()
    wish = {"reference": "A-1", "sku": variant.sku, "quantity": 1, "account": ACCOUNT, **changes}
    refused = downstream.post("orders/", wish)
    assert refusal(refused) == answer
    assert "lines" not in " ".join(fields(refused))
    assert not Order.objects.exists()
    assert accounts(downstream.client) == (Decimal("1000.00"), Decimal("1000.00"))
    assert refusal(downstream.get("orders/A-1/")) == (404, "no_such_order")


def test_an_order_above_the_balance_is_none(downstream: Downstream, shop: Reseller) -> None:
    variant = on_sale()
    client_credit(client_id=downstream.client.pk, amount=Decimal("-940.01"), key="back")
    refused = downstream.order("A-1", variant.sku, account=ACCOUNT)
    assert (refusal(refused), refused.json()["balance"]) == ((402, "balance_short"), "59.99")
    assert not Order.objects.exists()
    assert accounts(downstream.client) == (Decimal("59.99"), Decimal("59.99"))
    assert balances_of(shop.pk, Name.AVAILABLE)[Name.AVAILABLE] == Decimal("940.01")


def test_nobody_stops_a_client_by_leaving_orders_unpaid_under_its_contact(
    downstream: Downstream, shop: Reseller, settings: Any
) -> None:
    settings.UNPAID_ORDERS_PER_CONTACT = 1
    variant = on_sale()
    place(shop, variant, contact=downstream.client.contact)
    assert [downstream.order(f"A-{n}", variant.sku, account=ACCOUNT).status_code for n in range(2)] == [201, 201]


def test_a_client_sees_its_own_orders_only(downstream: Downstream, shop: Reseller) -> None:
    variant = on_sale()
    another = Downstream(open_client(shop, name="别家"))
    downstream.order("A-1", variant.sku, account=ACCOUNT)
    assert refusal(another.get("orders/A-1/")) == (404, "no_such_order")
    assert refusal(another.post("orders/A-1/cancel/")) == (404, "no_such_order")
    assert told(downstream.get("orders/A-1/"))[0] == "processing"


def test_lists_tell_what_is_on_sale_a_page_at_a_time(downstream: Downstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kameng.supply.api.PAGE_SIZE", 1)
    counted, direct = stocked(["KM-0001-AAAA", "KM-0002-BBBB"]), on_sale()
    rows, cursor = [], ""
    while True:
        page = downstream.get(f"products/?cursor={cursor}" if cursor else "products/").json()
        rows += page["results"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    by_sku = {row["sku"]: row for row in rows}
    assert len(rows) == len(by_sku)
    assert (by_sku[counted.sku]["stock"], by_sku[counted.sku]["account_fields"]) == (2, [])
    assert (by_sku[direct.sku]["stock"], by_sku[direct.sku]["price"]) == (None, "60.00")
    assert [field["name"] for field in by_sku[direct.sku]["account_fields"]] == ["uid"]
    assert downstream.get(f"prices/?sku={direct.sku}").json() == {
        "results": [{"sku": direct.sku, "price": "60.00", "available": True}], "next_cursor": "",
    }  # fmt: skip
    assert downstream.get("stock/?sku=nothing").json() == {"results": [], "next_cursor": ""}
    assert refusal(downstream.get("stock/?cursor=nowhere")) == (400, "malformed")
