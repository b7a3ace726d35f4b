"""A purchase by program, from the list of products to the codes, with a scripted gateway and scripted suppliers."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.models import DeliveryReveal
from orders.models import Order, OrderEvent
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import CONTACT, GatewayAccountFactory, code_on_sale, on_sale, stocked
from tests.flows import ACCEPTED, REFUSED, TOPPED_UP, codes, drain
from tests.program import Program, Reply, refusal, webhook

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

UID = {"uid": "482019375"}


@pytest.fixture
def program(shop: Reseller) -> Program:
    GatewayAccountFactory(code="till")
    return Program()


def notify(payment: str, amount: str, *, event: str = "N1", **changes: Any) -> Reply:
    """The shopper pays, and the gateway says so on the operations host."""
    ScriptedGateway.pay(payment, Decimal(amount), **changes)
    body = json.dumps({"id": event, "payment": payment}).encode()
    return webhook("payments/till/", body, signature="genuine")


def place(program: Program, *lines: dict[str, Any], **more: Any) -> tuple[str, str]:
    placed = program.post("orders/", {"lines": list(lines), "contact": CONTACT, **more}).json()
    return placed["number"], placed["token"]


def pay(program: Program, number: str, token: str) -> str:
    """Open a payment and let the notice come."""
    opened = program.post(f"orders/{number}/payments/", {"gateway": "scripted", "channel": "qr"}, token=token).json()
    assert notify(opened["payment"], opened["amount"]).content == b"success"
    payment: str = opened["payment"]
    return payment


def test_a_program_buys_codes_and_a_top_up(program: Program) -> None:
    card, topup = stocked(["CARD-1", "CARD-2", "CARD-3"]), on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", TOPPED_UP)

    listed = program.get("products/").json()["results"]
    assert [product["kind"] for product in listed] == ["code", "topup"]
    shown = program.get(f"products/{topup.product.slug}/").json()
    assert shown["asks_age"] is False
    assert shown["variants"] == [
        {
            "sku": topup.sku,
            "name": "600 点券",
            "price": "60.00",
            "official_price": "60.00",
            "available": True,
            "max_quantity": 10,
        }
    ]
    assert shown["account_fields"] == [
        {
            "name": "uid",
            "label": "角色编号",
            "type": "text",
            "required": True,
            "pattern": "[0-9]{6,12}",
            "choices": [],
            "example": "482019375",
        }
    ]

    lines = [
        {"sku": card.sku, "quantity": 2},
        {"sku": topup.sku, "quantity": 1, "account": {"uid": shown["account_fields"][0]["example"]}},
    ]
    placed = program.post("orders/", {"lines": lines, "contact": CONTACT, "quoted_total": "180.00"})
    assert placed.status_code == 201
    order = placed.json()
    assert (order["status"], order["total"], len(order["number"])) == ("pending", "180.00", 16)
    left = datetime.fromisoformat(order["expires_at"]) - datetime.now(UTC)
    assert 880 < left.total_seconds() <= 901
    number, token = order["number"], order["token"]
    assert program.get(f"orders/{number}/", token=token).json() == {
        "number": number,
        "status": "pending",
        "total": "180.00",
        "lines": [
            {"sku": card.sku, "name": f"{card.product} 600 点券", "quantity": 2, "price": "60.00", "status": "waiting"},
            {
                "sku": topup.sku,
                "name": f"{topup.product} 600 点券",
                "quantity": 1,
                "price": "60.00",
                "status": "waiting",
            },
        ],
        "payments": [],
        "refunds": [],
    }
    assert refusal(program.post(f"orders/{number}/reveal/", token=token)) == (409, "nothing_to_reveal")

    opened = program.post(f"orders/{number}/payments/", {"gateway": "scripted", "channel": "qr"}, token=token)
    assert opened.status_code == 201
    payment = opened.json()
    assert (payment["amount"], payment["qr"], payment["url"]) == ("180.00", f"scripted:{payment['payment']}", "")
    assert payment["expires_at"] == order["expires_at"]

    assert notify(payment["payment"], "180.00").content == b"success"
    seen = program.get(f"orders/{number}/", token=token).json()
    assert (seen["status"], [line["status"] for line in seen["lines"]]) == ("paid", ["queued", "queued"])
    assert seen["payments"] == [
        {"payment": payment["payment"], "gateway": "scripted", "status": "confirmed", "amount": "180.00"}
    ]

    drain()
    seen = program.get(f"orders/{number}/", token=token).json()
    assert (seen["status"], [line["status"] for line in seen["lines"]]) == ("fulfilled", ["delivered", "delivered"])
    revealed = program.post(f"orders/{number}/reveal/", token=token)
    assert revealed.json() == {"codes": [{"sku": card.sku, "code": "CARD-1"}, {"sku": card.sku, "code": "CARD-2"}]}
    assert revealed.headers["Cache-Control"] == "no-store"
    happened = program.get(f"orders/{number}/events/", token=token).json()["events"]
    names = [event["name"] for event in happened]
    assert names[:6] == [
        "order.placed", "payment.created", "payment.confirmed", "order.paid", "line.queued", "line.queued",
    ]  # fmt: skip
    assert sorted(names[6:9]) == ["line.buying", "line.delivered", "line.delivered"]
    assert names[9:] == ["order.fulfilled", "codes.revealed"]
    assert {event["sku"] for event in happened if event["name"].startswith("line.")} == {card.sku, topup.sku}
    actors = {event["name"]: event["actor"] for event in happened}
    assert (actors["order.placed"], actors["order.paid"], actors["codes.revealed"]) == ("shopper", "shop", "shopper")


def test_what_nobody_can_deliver_is_returned_and_what_arrived_is_shown(program: Program) -> None:
    own, bought, topup = stocked(["CARD-1"]), code_on_sale(suppliers=("first",)), on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", lambda attempt: codes("BOUGHT-1") if attempt.wants_codes else REFUSED)
    number, token = place(
        program,
        {"sku": topup.sku, "quantity": 1, "account": UID},
        {"sku": own.sku, "quantity": 1},
        {"sku": bought.sku, "quantity": 1},
    )
    payment = pay(program, number, token)
    drain()

    seen = program.get(f"orders/{number}/", token=token).json()
    assert seen["status"] == "partly_refunded"
    assert [line["status"] for line in seen["lines"]] == ["refunded", "delivered", "delivered"]
    [refund] = seen["refunds"]
    assert (refund["payment"], refund["status"], refund["amount"]) == (payment, "succeeded", "60.00")
    assert refund["refund"] in ScriptedGateway.refunds
    revealed = program.post(f"orders/{number}/reveal/", token=token).json()
    assert revealed == {
        "codes": [{"sku": own.sku, "code": "CARD-1"}, {"sku": bought.sku, "code": "BOUGHT-1"}],
    }


def test_a_part_that_has_arrived_is_revealed_while_the_rest_is_on_its_way(program: Program) -> None:
    own, late = stocked(["CARD-1"]), code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", ACCEPTED)
    number, token = place(program, {"sku": late.sku, "quantity": 1}, {"sku": own.sku, "quantity": 1})
    pay(program, number, token)
    drain()
    seen = program.get(f"orders/{number}/", token=token).json()
    assert [line["status"] for line in seen["lines"]] == ["buying", "delivered"]
    revealed = program.post(f"orders/{number}/reveal/", token=token).json()
    assert revealed == {"codes": [{"sku": own.sku, "code": "CARD-1"}]}
    assert DeliveryReveal.objects.count() == 1


def test_an_order_without_codes_has_nothing_to_reveal(program: Program) -> None:
    topup = on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    number, token = place(program, {"sku": topup.sku, "quantity": 1, "account": UID})
    pay(program, number, token)
    drain()
    assert program.get(f"orders/{number}/", token=token).json()["status"] == "fulfilled"
    assert refusal(program.post(f"orders/{number}/reveal/", token=token)) == (409, "nothing_to_reveal")
    assert not DeliveryReveal.objects.exists()
    assert not OrderEvent.objects.filter(name="codes.revealed").exists()


def test_each_look_at_the_codes_is_written_down_without_them(program: Program) -> None:
    card = stocked(["SECRET-CODE-1"])
    number, token = place(program, {"sku": card.sku, "quantity": 1})
    pay(program, number, token)
    drain()
    for _ in range(2):
        assert program.post(f"orders/{number}/reveal/", token=token).status_code == 200
    reveals = DeliveryReveal.objects.all()
    assert [reveal.actor for reveal in reveals] == ["shopper", "shopper"]
    assert all(len(reveal.address_digest) == 64 for reveal in reveals)
    history = OrderEvent.objects.filter(order__number=number)
    assert history.filter(name="codes.revealed").count() == 2
    assert not any("SECRET" in json.dumps(event.data) for event in history)
    for page in (f"orders/{number}/", f"orders/{number}/events/"):
        assert b"SECRET" not in program.get(page, token=token).content


def test_a_refunded_line_keeps_its_codes_to_itself(program: Program) -> None:
    card = stocked(["CARD-1"])
    number, token = place(program, {"sku": card.sku, "quantity": 1})
    pay(program, number, token)
    drain()
    Order.objects.get(number=number).lines.update(status="refunded")
    assert refusal(program.post(f"orders/{number}/reveal/", token=token)) == (409, "nothing_to_reveal")
    assert not DeliveryReveal.objects.exists()


def test_looking_at_codes_is_limited(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fulfillment.api.REVEAL_LIMIT", 2)
    card = stocked(["CARD-1"])
    number, token = place(program, {"sku": card.sku, "quantity": 1})
    pay(program, number, token)
    drain()
    replies = [program.post(f"orders/{number}/reveal/", token=token) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert refusal(replies[2]) == (429, "too_many")
    assert 1 <= int(replies[2].headers["Retry-After"]) <= 60
    assert DeliveryReveal.objects.count() == 2


def test_names_come_in_the_language_that_is_accepted(program: Program) -> None:
    topup = on_sale(name_en="600 Tokens", product__name_en="Honor of Kings")
    number, token = place(program, {"sku": topup.sku, "quantity": 1, "account": UID})
    english = {"accept_language": "en"}
    seen = program.get(f"orders/{number}/", token=token, **english).json()
    assert seen["lines"][0]["name"] == "Honor of Kings 600 Tokens"
    assert program.get("products/", **english).json()["results"][0]["name"] == "Honor of Kings"
    assert program.get("products/").json()["results"][0]["name"] == topup.product.name


@pytest.mark.parametrize("written", ["{0}-{1}-{2}-{3}", "{0} {1} {2} {3}", "{0}{1}{2}{3}"])
def test_a_number_may_be_typed_as_people_do(program: Program, written: str) -> None:
    number, token = place(program, {"sku": on_sale().sku, "quantity": 1, "account": UID})
    typed = written.format(*(number[start : start + 4].lower() for start in range(0, 16, 4)))
    assert program.get(f"orders/{typed}/", token=token).json()["number"] == number


# --- what the hot addresses cost -------------------------------------------------------------------------------------


def test_the_hot_addresses_ask_the_database_little(
    program: Program, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a process keeps for a second is kept for the length of this test, however slow the machine.
    monkeypatch.setattr("kameng.core.remembered.FRESH_SECONDS", 600)
    card = stocked(["CARD-1"])
    program.get("products/")
    with django_assert_num_queries(0):
        assert program.get("products/").status_code == 200
    with django_assert_num_queries(0):
        assert program.get(f"products/{card.product.slug}/").status_code == 200
    body = {"lines": [{"sku": card.sku, "quantity": 1}], "contact": CONTACT}
    # One statement of each number from here on says which shop's schema is meant.
    with django_assert_num_queries(6):
        placed = program.post("orders/", body).json()
    number, token = placed["number"], placed["token"]
    with django_assert_num_queries(1):
        assert program.get(f"orders/{number}/", token=token).status_code == 200
    with django_assert_num_queries(9):
        opened = program.post(f"orders/{number}/payments/", {"gateway": "scripted", "channel": "qr"}, token=token)
    notify(opened.json()["payment"], "60.00")
    drain()
    with django_assert_num_queries(5):
        assert program.post(f"orders/{number}/reveal/", token=token).status_code == 200
    with django_assert_num_queries(0):
        assert refusal(program.get(f"orders/{number}/", token="guess")) == (404, "not_found")
