"""Orders by program: each once, each by its token, and not too many."""

from typing import Any

import pytest

from catalog.models import Variant
from orders.models import Order
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.orders.asking import assert_nothing_moved, body_of
from tests.program import Program, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double")


def test_repeating_under_a_key_returns_the_first_answer_to_the_byte(program: Program, variant: Variant) -> None:
    first = program.post("orders/", body_of(variant), idempotency_key="k-1")
    number = first.json()["number"]
    Order.objects.filter(number=number).update(status="expired")
    second = program.post("orders/", body_of(variant), idempotency_key="k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert Order.objects.count() == 1


def test_the_same_key_for_another_body_is_a_conflict(program: Program, variant: Variant) -> None:
    program.post("orders/", body_of(variant), idempotency_key="k-1")
    for other in (
        body_of(variant, quantity=2),
        body_of(variant, contact="13900000000"),
        body_of(variant, quoted_total="60.00"),
    ):
        assert refusal(program.post("orders/", other, idempotency_key="k-1")) == (409, "idempotency_conflict")
    assert Order.objects.count() == 1


def test_another_key_or_none_is_another_order(program: Program, variant: Variant) -> None:
    for headers in ({"idempotency_key": "k-1"}, {"idempotency_key": "k-2"}, {}, {}):
        assert program.post("orders/", body_of(variant), **headers).status_code == 201
    assert Order.objects.count() == 4


def test_a_key_means_nothing_in_another_shop(program: Program, variant: Variant, other_shop: Reseller) -> None:
    first = program.post("orders/", body_of(variant), idempotency_key="k-1").json()
    second = Program("two.test").post("orders/", body_of(variant), idempotency_key="k-1").json()
    assert first["number"] != second["number"]
    assert Order.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "键", "a b", "a\tb", "\x7f"])
def test_a_key_that_is_none_is_refused(program: Program, variant: Variant, key: str) -> None:
    reply = program.post("orders/", body_of(variant), idempotency_key=key)
    assert (refusal(reply), fields(reply)) == ((400, "malformed"), ["Idempotency-Key"])
    assert_nothing_moved()


def test_the_longest_key_works_and_is_kept_as_a_fingerprint(program: Program, variant: Variant) -> None:
    key = "~" * 128
    replies = [program.post("orders/", body_of(variant), idempotency_key=key) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    kept = Order.objects.get().idempotency_key
    assert kept is not None
    assert kept.startswith("api:")
    assert "~" not in kept


ADDRESSES = [("get", ""), ("get", "events/"), ("post", "payments/"), ("post", "reveal/")]


@pytest.mark.parametrize(("method", "rest"), ADDRESSES)
def test_without_a_token_there_is_one_answer_for_all_numbers(
    program: Program, variant: Variant, method: str, rest: str
) -> None:
    number = program.post("orders/", body_of(variant)).json()["number"]
    answers = []
    for asked in (number, "0" * 16, "x"):
        for headers in ({}, {"authorization": ""}, {"authorization": "Bearer x"}, {"authorization": "Order"}):
            reply = program.send(method, f"orders/{asked}/{rest}", **headers)
            assert reply.headers["WWW-Authenticate"] == "Order"
            answers.append((refusal(reply), reply.content))
    assert {answer[0] for answer in answers} == {(401, "unauthorized")}
    assert len({answer[1] for answer in answers}) == 1


@pytest.mark.parametrize(("method", "rest"), ADDRESSES)
def test_a_wrong_token_and_an_unknown_number_get_the_same_answer(
    program: Program, variant: Variant, method: str, rest: str
) -> None:
    mine = program.post("orders/", body_of(variant)).json()
    other = program.post("orders/", body_of(variant)).json()
    tries = [(mine["number"], other["token"]), ("0" * 16, mine["token"]), (mine["number"], "é"), ("\x00", "x")]
    answers = []
    for number, token in tries:
        reply = program.send(method, f"orders/{number}/{rest}", token=token)
        answers.append((refusal(reply), reply.content))
    assert {answer[0] for answer in answers} == {(404, "not_found")}
    assert len({answer[1] for answer in answers}) == 1


def test_a_token_opens_nothing_in_another_shop(program: Program, variant: Variant, other_shop: Reseller) -> None:
    mine = program.post("orders/", body_of(variant)).json()
    assert refusal(Program("two.test").get(f"orders/{mine['number']}/", token=mine["token"])) == (404, "not_found")
    assert program.get(f"orders/{mine['number']}/", token=mine["token"]).status_code == 200


def test_guessing_tokens_is_slowed_down_for_the_guesser_alone(program: Program, variant: Variant) -> None:
    mine = program.post("orders/", body_of(variant)).json()
    path = f"orders/{mine['number']}/"
    replies = [program.get(path, token=f"guess-{n}") for n in range(21)]
    assert [reply.status_code for reply in replies] == [404] * 20 + [429]
    assert refusal(replies[-1]) == (429, "too_many")
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 600
    assert replies[-1].json()["retry_after"] == int(replies[-1].headers["Retry-After"])
    assert refusal(program.get(path)) == (401, "unauthorized")
    assert refusal(Program().get(path, token="guess")) == (404, "not_found")
    assert program.get(path, token=mine["token"]).status_code == 200


def test_placing_orders_is_limited_for_an_address(
    program: Program, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.placing.PLACE_LIMIT", 2)
    assert [program.post("orders/", body_of(variant)).status_code for _ in range(3)] == [201, 201, 429]
    assert Program().post("orders/", body_of(variant)).status_code == 201
    assert Order.objects.count() == 3


def test_unpaid_orders_are_limited_and_say_when_to_come_back(program: Program, variant: Variant, settings: Any) -> None:
    settings.UNPAID_ORDERS_PER_CONTACT = 1
    program.post("orders/", body_of(variant))
    reply = program.post("orders/", body_of(variant))
    assert refusal(reply) == (429, "too_many_unpaid")
    assert 880 < int(reply.headers["Retry-After"]) <= 900
    assert Order.objects.count() == 1


def test_a_closed_shop_takes_no_orders(program: Program, shop: Reseller, variant: Variant) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_open=False)
    shop_touch(shop_id=shop.pk)
    assert refusal(program.post("orders/", body_of(variant))) == (403, "shop_closed")
    assert_nothing_moved()


def test_history_hides_whom_we_asked_for_the_goods_and_who_works_here(program: Program, variant: Variant) -> None:
    placed = program.post("orders/", body_of(variant)).json()
    order = Order.objects.get(number=placed["number"])
    order.events.create(name="supplier.rejected", actor="worker", data={"code": "secret-code"})
    order.events.create(name="order.checked", actor="alice@staff", data={"note": "secret-note"})
    reply = program.get(f"orders/{placed['number']}/events/", token=placed["token"])
    assert [(event["name"], event["actor"]) for event in reply.json()["events"]] == [
        ("order.placed", "shopper"),
        ("order.checked", "shop"),
    ]
    for secret in (b"secret", b"alice", b"supplier"):
        assert secret not in reply.content
