"""Attempts to buy: found by any number, account or code; one with its whole story; and what waits for a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind
from fulfillment.suppliers.models import AfterSalesRequest, StockCode, Supplier
from kameng.operations.choices import choice_words, passed_over
from orders.models import Order, OrderEvent
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, on_sale, stocked
from tests.flows import ACCEPTED, REFUSED, TOPPED_UP, codes, drain, fulfill, outbox, paid
from tests.staff import operator

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

LIST = "/admin/attempts/"
QUEUE = "/admin/unclear/"
NOTE = "对方客服书面确认"
#: A part of something that cannot be counted: a person decides at once.
STRANGE = Outcome(OutcomeKind.PARTIAL, supplier_reference="S1", evidence="→ submit {}\n← 200 {}")


@contextmanager
def _in(shop: Reseller) -> Iterator[None]:
    with schema_context(shop.schema_name):
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        yield


def _unclear(shop: Reseller, *, quantity: int = 0, **wishes: Any) -> tuple[Order, SupplierOrder]:
    """A paid order whose first supplier explained nothing, and the attempt; `quantity` codes, or a top-up."""
    ScriptedSupplier.on_submit("first", STRANGE)
    variant = code_on_sale() if quantity else on_sale()
    order = paid(shop, variant, **({"quantity": quantity} if quantity else {}), **wishes)
    fulfill(order)
    buy = SupplierOrder.objects.get(fulfillment__line__order=order)
    assert Fulfillment.objects.get(line__order=order).status == Fulfillment.Status.MANUAL
    return order, buy


def _again(shop: Reseller, row: Any) -> Any:
    """As stored: a request to the operations host leaves the shop's schema."""
    with _in(shop):
        row.refresh_from_db()
    return row


def _drained(shop: Reseller) -> None:
    with _in(shop):
        drain()


def _happened(shop: Reseller, order: Order, name: str) -> str:
    with _in(shop):
        return OrderEvent.objects.get(order=order, name=name).actor


def _act(client: Client, buy: SupplierOrder, act: str, **typed: str) -> Any:
    return client.post(f"{LIST}{buy.reference}/act/", {"act": act, **typed}, follow=True)


def test_an_attempt_is_found_by_any_number_and_by_the_whole_account(shop: Reseller, other_shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    buy = SupplierOrder.objects.get()
    SupplierOrder.objects.update(supplier_reference="THEIR-77/a")
    client = operator()
    answer = client.get(LIST, {"q": buy.reference.lower()})
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}{buy.reference}/")
    for term in ("THEIR-77/a", order.number, order.grouped_number, "482019375"):
        assert buy.reference in client.get(LIST, {"q": term}).content.decode(), term
    for nothing in ("THEIR-7", "48201937", "ZZZZZZZZZZZZZZZZZZZ", "'; --", "%"):
        answer = client.get(LIST, {"q": nothing})
        assert answer.status_code == 200
        assert buy.reference not in answer.content.decode(), nothing


def test_a_code_leads_to_the_attempt_that_brought_it_and_stays_out_of_page_and_address(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", codes("WXYZ-9876-WXYZ-9876"))
    fulfill(paid(shop, code_on_sale()))
    buy = SupplierOrder.objects.get()
    client = operator()
    answer = client.post(LIST, {"code": " wxyz-9876-wxyz-9876 "})
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}{buy.reference}/")
    stocked(["FREE-1111-FREE-1111"])
    for code, said in (
        ("FREE-1111-FREE-1111", "还在库里"),
        ("NONE-1111", "没有见过这个卡密"),
        ("", "没有见过这个卡密"),
    ):
        answer = client.post(LIST, {"code": code}, follow=True)
        shown = answer.content.decode()
        assert said in shown
        assert not code or code not in shown
        assert answer.request["QUERY_STRING"] == ""
    assert "9876" not in client.get(f"{LIST}{buy.reference}/").content.decode()


def test_the_list_narrows_by_supplier_and_state(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    fulfill(paid(shop, on_sale()))
    first, second = SupplierOrder.objects.order_by("sequence")
    client = operator()

    def listed(**chosen: str) -> set[str]:
        shown = client.get(LIST, chosen).content.decode()
        return {buy.reference for buy in (first, second) if buy.reference in shown}

    assert listed() == {first.reference, second.reference}
    assert listed(supplier="second") == {second.reference}
    assert listed(supplier="second", state="rejected") == set()
    assert listed(supplier="nobody") == {first.reference, second.reference}


def test_the_page_tells_every_attempt_of_the_line_with_its_reason_and_what_came_back(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    first, second = SupplierOrder.objects.order_by("sequence")
    part = {"name": "success", "weight": 45, "value": 0.9, "points": 40.5, "figures": {}}
    chosen = {"by": "score", "place": 1, "of": 2, "score": 82.44, "parts": [part]}
    SupplierOrder.objects.filter(pk=first.pk).update(evidence="→ submit {}\n← 409 {}", choice=chosen)
    shown = operator().get(f"{LIST}{second.reference}/").content.decode()
    for text in (
        first.reference, second.reference, "渠道缺货", "nothing left", "← 409", "按得分：第 1 名，共 2 家，82.4 分",
        "交付给了买家", order.grouped_number, "482***375", "k-scorebar",
    ):  # fmt: skip
        assert text in shown, text
    for secret in ("482019375", "13812345678"):
        assert secret not in shown
    assert 'id="decide"' not in shown


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({}, ""),
        ({"by": "pin"}, "人工置顶"),
        ({"by": "only"}, "只有这一家能供"),
        ({"by": "probe"}, "熔断后的试探单：成了就恢复"),
        ({"by": "explore", "place": 2, "of": 3}, "（第 2 名，共 3 家）"),
        ({"by": "score", "place": 2, "of": 3, "score": None}, "按名次：第 2 名，共 3 家"),
        ({"by": "novel"}, "按名次：第 – 名，共 – 家"),
    ],
)
def test_every_choice_has_words(choice: dict[str, Any], said: str) -> None:
    with translation.override("zh-hans"):
        assert choice_words(choice).endswith(said)
        assert bool(choice_words(choice)) == bool(said)


def test_who_was_passed_over_is_told_with_the_reason() -> None:
    others = [{"name": "丙云", "reason": "breaker_open"}, {"name": "丁充", "reason": "novel"}, "nonsense"]
    with translation.override("zh-hans"):
        assert passed_over({"instead_of": others}) == "丙云（熔断）、丁充（novel）"
    assert passed_over({}) == passed_over({"instead_of": "first"}) == ""


def test_an_attempt_that_is_not_there_is_not_there(shop: Reseller) -> None:
    _order, buy = _unclear(shop)
    client = operator()
    for guess in ("ZZZZZZZZZZZZZZZZZZZ", "X", buy.reference[:-1] + ("A" if buy.reference[-1] != "A" else "B")):
        assert client.get(f"{LIST}{guess}/").status_code == 404
        assert client.post(f"{LIST}{guess}/act/", {"act": "ask"}).status_code == 404
    assert client.post(f"{LIST}{buy.reference}/act/", {"act": "delete"}).status_code == 404


def test_the_queue_has_everything_to_decide_by(shop: Reseller, other_shop: Reseller) -> None:
    _order, buy = _unclear(shop)
    Supplier.objects.filter(code="first").update(instructions="晚上找小李 138-0000")
    client = operator()
    shown = client.get(QUEUE).content.decode()
    for text in (buy.reference, "first", "← 200", "问对方客服", "晚上找小李", "Shop one", "482***375", "等了"):
        assert text in shown, text
    assert "482019375" not in shown
    assert "没有等人供货的" in client.get(QUEUE, {"tab": "by_hand"}).content.decode()


def test_the_queue_begins_with_what_waits_longest_whichever_shop_it_is_in(shop: Reseller, other_shop: Reseller) -> None:
    _, young = _unclear(shop)
    with _in(other_shop):
        _, old = _unclear(other_shop, contact="13900000002")
        SupplierOrder.objects.update(created_at="2026-01-01T00:00:00Z")
    shown = operator().get(QUEUE).content.decode()
    assert shown.index(old.reference) < shown.index(young.reference)


def test_delivered_reaches_the_shopper_and_leaves_the_queue(shop: Reseller) -> None:
    order, buy = _unclear(shop)
    client = operator()
    assert 'id="decide"' in client.get(f"{LIST}{buy.reference}/").content.decode()
    assert "已按到账处理" in _act(client, buy, "confirm", **{"confirm-note": NOTE}).content.decode()
    _again(shop, order)
    assert order.status == Order.Status.FULFILLED
    assert _happened(shop, order, "attempt.decided") == "staff:operator"
    assert "没有等人核实的采购" in client.get(QUEUE).content.decode()


def test_codes_are_taken_as_many_as_were_bought_and_never_come_back(shop: Reseller) -> None:
    order, buy = _unclear(shop, quantity=2)
    client = operator()
    for typed, said in (
        ("AAAA-1111-AAAA-1111", "要 2 个卡密，贴了 1 个"),
        ("AAAA-1111-AAAA-1111\nAAAA-1111-AAAA-1111", "贴了两次"),
        ("", "必填"),
    ):
        answer = _act(client, buy, "confirm", **{"confirm-note": NOTE, "confirm-codes": typed})
        assert answer.status_code == 422
        shown = answer.content.decode()
        assert said in shown
        assert NOTE in shown
        assert "AAAA" not in shown
        assert not StockCode.objects.exists()
    typed = "AAAA-1111-AAAA-1111\n\n BBBB-2222-BBBB-2222 "
    _act(client, buy, "confirm", **{"confirm-note": NOTE, "confirm-codes": typed})
    _again(shop, order)
    assert order.status == Order.Status.FULFILLED
    assert StockCode.objects.filter(reference=buy.reference).count() == 2


def test_a_code_that_was_sold_before_is_refused_by_the_service_and_not_shown(shop: Reseller) -> None:
    stocked(["OLD1-OLD1-OLD1-OLD1"])
    _order, buy = _unclear(shop, quantity=1)
    typed = {"confirm-note": NOTE, "confirm-codes": "OLD1-OLD1-OLD1-OLD1"}
    answer = _act(operator(), buy, "confirm", **typed)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "以前出现过" in shown
    assert "OLD1" not in shown
    _again(shop, buy)
    assert buy.status == SupplierOrder.Status.UNKNOWN


def test_failed_needs_a_reason_and_asks_the_next_supplier(shop: Reseller) -> None:
    order, buy = _unclear(shop)
    client = operator()
    assert _act(client, buy, "fail", **{"fail-reason": "短"}).status_code == 422
    _again(shop, buy)
    assert buy.status == SupplierOrder.Status.UNKNOWN
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    assert "已按没充成处理" in _act(client, buy, "fail", **{"fail-reason": NOTE}).content.decode()
    _drained(shop)
    _again(shop, order)
    assert (order.status, ScriptedSupplier.bought_from()) == (Order.Status.FULFILLED, ["first", "second"])


def test_asking_again_buys_nothing(shop: Reseller) -> None:
    order, buy = _unclear(shop)
    assert "已安排再问一次" in _act(operator(), buy, "ask").content.decode()
    assert outbox("fulfillment.run") == [{"fulfillment_id": buy.fulfillment_id}]
    ScriptedSupplier.on_query("first", TOPPED_UP)
    _drained(shop)
    _again(shop, order)
    assert (order.status, ScriptedSupplier.bought_from()) == (Order.Status.FULFILLED, ["first"])


def test_a_decision_that_came_too_late_says_so_and_moves_nothing(shop: Reseller) -> None:
    order, buy = _unclear(shop)
    client = operator()
    _act(client, buy, "confirm", **{"confirm-note": NOTE})
    for act, typed in (("confirm", {"confirm-note": NOTE}), ("fail", {"fail-reason": NOTE}), ("ask", {})):
        assert "不需要人工决定" in _act(client, buy, act, **typed).content.decode()
    _again(shop, order)
    assert order.status == Order.Status.FULFILLED


def test_the_account_is_shown_in_full_when_asked_for_which_is_written_down(shop: Reseller) -> None:
    order, buy = _unclear(shop)
    client = operator()
    assert "482019375" in _act(client, buy, "look_in_full").content.decode()
    assert _happened(shop, order, "order.looked_into") == "staff:operator"
    assert "482019375" not in client.get(f"{LIST}{buy.reference}/").content.decode()


def test_what_a_person_delivers_waits_in_its_own_tab(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.MANUAL}))
    ScriptedSupplier.on_submit("first", ACCEPTED)
    order = paid(shop, on_sale())
    fulfill(order)
    buy = SupplierOrder.objects.get()
    client = operator()
    assert buy.reference in client.get(QUEUE, {"tab": "by_hand"}).content.decode()
    assert "没有等人核实的采购" in client.get(QUEUE).content.decode()
    shown = client.get(f"{LIST}{buy.reference}/").content.decode()
    assert "等人供货" in shown
    assert 'value="ask"' not in shown
    _act(client, buy, "confirm", **{"confirm-note": NOTE})
    _again(shop, order)
    assert order.status == Order.Status.FULFILLED
    assert buy.reference not in client.get(QUEUE, {"tab": "by_hand"}).content.decode()


def test_a_question_to_the_supplier_starts_its_clock_once(shop: Reseller) -> None:
    _order, buy = _unclear(shop)
    client = operator()
    page = client.get(f"{LIST}{buy.reference}/").content.decode()
    assert f"我方单号 {buy.reference}，贵方单号 S1" in page
    for _time in range(2):
        _act(client, buy, "question", question="请核实")
    asked = AfterSalesRequest.objects.get()
    assert (asked.reference, asked.schema_name, asked.asked_by) == (buy.reference, "shop_one", "staff:operator")
    shown = client.get(f"{LIST}{buy.reference}/").content.decode()
    assert "向渠道询问这一单" not in shown
    assert "请核实" in shown
    assert _act(client, buy, "question", question="").status_code == 422


def test_fifty_in_the_queue_and_in_the_list_take_few_queries(
    shop: Reseller, other_shop: Reseller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    _order, buy = _unclear(shop)
    work = buy.fulfillment
    # As many rows as a page has, without buying each: copies of the work and its attempt.
    for place in range(55):
        line = work.line
        line.pk, line.position = None, place + 1
        line.save(force_insert=True)
        copy = Fulfillment.objects.create(line=line, status=Fulfillment.Status.MANUAL, attempts=1)
        buy.pk, buy.fulfillment, buy.reference = None, copy, f"{buy.reference[:3]}{place:016d}"
        buy.save(force_insert=True)
    client = operator()
    for address in (QUEUE, LIST):
        with django_assert_max_num_queries(12):
            shown = client.get(address).content.decode()
        assert shown.count("← 200" if address == QUEUE else 'scope="row"') == 50
    with django_assert_max_num_queries(24):
        client.get(f"{LIST}{buy.reference}/")
