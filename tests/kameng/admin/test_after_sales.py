"""Asking suppliers about attempts, and goods that came twice: services and pages."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fulfillment.suppliers.after_sales import AfterSalesRefused, after_sales_answer, after_sales_ask, answering
from fulfillment.suppliers.models import AfterSalesRequest, DuplicateSupply, Supplier
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, VariantFactory
from tests.staff import operator


@pytest.fixture(autouse=True)
def _in_public(db: None, supplier_double: type[ScriptedSupplier]) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _ask(supplier: Supplier, number: int = 1, question: str = "到账了吗") -> AfterSalesRequest:
    return after_sales_ask(
        supplier_id=supplier.pk, schema_name="shop_one", reference=f"000{number:016d}", question=question, actor="ops"
    )


def _answer(asked: AfterSalesRequest, answer: str = "confirmed", text: str = "", actor: str = "ops") -> Any:
    return after_sales_answer(request_id=asked.pk, answer=answer, answer_text=text, actor=actor)


def test_an_open_question_about_an_attempt_is_asked_once() -> None:
    supplier = SupplierFactory.create()
    first, again, other = _ask(supplier), _ask(supplier, question="快点"), _ask(supplier, 2)
    assert (first.pk, first.question) == (again.pk, "到账了吗")
    assert other.pk != first.pk
    _answer(first)
    assert _ask(supplier).pk not in {first.pk, other.pk}


@pytest.mark.parametrize("question", ["", "  ", "x" * 401])
def test_a_question_that_says_nothing_or_too_much_is_refused(question: str) -> None:
    with pytest.raises(AfterSalesRefused):
        _ask(SupplierFactory.create(), question=question)
    assert not AfterSalesRequest.objects.exists()


def test_an_answer_is_recorded_once_and_keeps_its_time() -> None:
    asked = _ask(SupplierFactory.create())
    first = _answer(asked, "replaced", "补了")
    assert _answer(asked, "replaced", " 补了 ", actor="other").answered_at == first.answered_at
    with pytest.raises(AfterSalesRefused):
        _answer(asked, "refused", "不认")
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_by) == ("replaced", "ops")


@pytest.mark.parametrize(
    ("answer", "text"), [("", ""), ("nonsense", ""), ("other", ""), ("refused", " "), ("other", "x" * 401)]
)
def test_an_answer_that_cannot_be_is_refused(answer: str, text: str) -> None:
    asked = _ask(SupplierFactory.create())
    with pytest.raises(AfterSalesRefused):
        _answer(asked, answer, text)
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_at) == ("", None)


def test_the_median_is_of_the_last_thirty_days() -> None:
    supplier, silent = SupplierFactory.create(name="quick"), SupplierFactory.create(name="silent")
    now = timezone.now()
    for number, (ago, took) in enumerate([(1, 60), (1, 120), (1, 600), (40, 9_999)], start=1):
        asked = _ask(supplier, number)
        _answer(asked)
        answered_at = now - timedelta(days=ago)
        AfterSalesRequest.objects.filter(pk=asked.pk).update(
            answered_at=answered_at, asked_at=answered_at - timedelta(seconds=took)
        )
    _ask(silent, 9)
    assert [(row.name, row.open, row.answered, row.median) for row in answering()] == [
        ("silent", 1, 0, None), ("quick", 0, 3, 120.0),
    ]  # fmt: skip


def test_an_answer_is_recorded_on_the_page() -> None:
    supplier = SupplierFactory.create(name="清河")
    asked = _ask(supplier)
    client = operator()
    address = f"/admin/after-sales/{asked.pk}/answer/"
    answer = client.post(address, {"answer": "refused", "answer_text": ""})
    assert (answer.status_code, "写下对方怎么说" in answer.content.decode()) == (422, True)
    shown = client.post(address, {"answer": "refused", "answer_text": "超过时限"}, follow=True).content.decode()
    assert "已记录 清河 的答复" in shown
    assert "没有等答复的问题" in shown
    assert "超过时限" in client.get("/admin/after-sales/", {"show": "answered"}).content.decode()
    assert LogEntry.objects.get().change_message == "记录了渠道的答复"
    assert client.post("/admin/after-sales/0/answer/", {"answer": "refused"}).status_code == 404


def _duplicate(number: int = 1) -> DuplicateSupply:
    return DuplicateSupply.objects.create(
        supplier=Supplier.objects.first() or SupplierFactory.create(), variant=VariantFactory.create(),
        schema_name="shop_one", reference=f"000{number:016d}", quantity=1, codes=1, cost=Decimal(55),
    )  # fmt: skip


@pytest.mark.parametrize("status", ["claimed", "absorbed"])
def test_goods_that_came_twice_are_closed_with_their_grounds_once(status: str) -> None:
    found = _duplicate()
    client = operator()
    assert "¥55.00" in client.get("/admin/duplicates/").content.decode()
    address = f"/admin/duplicates/{found.pk}/close/"
    for typed in ({"status": status, "note": " "}, {"status": "open", "note": "x"}, {"status": "", "note": "x"}):
        assert client.post(address, typed).status_code == 422
    assert "已记下" in client.post(address, {"status": status, "note": "退款单 7"}, follow=True).content.decode()
    assert "已经处理过了" in client.post(address, {"status": "claimed", "note": "又"}, follow=True).content.decode()
    found.refresh_from_db()
    assert (found.status, found.note, found.actor) == (status, "退款单 7", "staff:operator")
    assert "退款单 7" in client.get("/admin/duplicates/", {"show": "settled"}).content.decode()
    assert client.post("/admin/duplicates/0/close/", {}).status_code == 404


def test_fifty_rows_take_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    suppliers = [SupplierFactory.create() for _place in range(5)]
    for number in range(55):
        _ask(suppliers[number % 5], number)
        _duplicate(number)
    client = operator()
    for address, word in (("/admin/after-sales/", "记录答复"), ("/admin/duplicates/", "k-inset")):
        with django_assert_max_num_queries(12):
            shown = client.get(address).content.decode()
        assert shown.count(word) == 50
