"""The suppliers' list: a day of calls, results, balance, breaker; and the terms that the form sets."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from catalog.models import Variant
from fulfillment.suppliers.admin.strip import strip
from fulfillment.suppliers.health import HOURS, Health, Hour, health_of
from fulfillment.suppliers.models import Supplier, SupplierBreaker, SupplierCall, SupplierResult
from kameng.alerts.services import alert_raise
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, VariantFactory
from tests.staff import operator

LIST = "/admin/suppliers/supplier/"


@pytest.fixture(autouse=True)
def _in_public(db: None, supplier_double: type[ScriptedSupplier]) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _calls(supplier: Supplier, at: datetime, *, good: int, bad: int = 0) -> None:
    SupplierCall.objects.bulk_create(
        SupplierCall(supplier=supplier, flow="submit", kind="unknown", is_failure=place < bad, created_at=at)
        for place in range(good + bad)
    )


def _result(supplier: Supplier, variant: Variant, **fields: Any) -> SupplierResult:
    known = {"status": "succeeded", "seconds": 10.0, "cost": Decimal(55), "quantity": 1, "schema_name": "shop_one"}
    return SupplierResult.objects.create(
        supplier=supplier,
        variant=variant,
        category=variant.product.category,
        reference=f"R{SupplierResult.objects.count():018d}",
        **{**known, **fields},
    )


def test_each_cell_is_an_hour_by_the_clock_and_what_is_older_is_not_in_it() -> None:
    supplier, other = SupplierFactory.create(), SupplierFactory.create()
    now = timezone.now()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    _calls(supplier, this_hour, good=3, bad=1)
    _calls(supplier, this_hour - timedelta(hours=HOURS - 1), good=2)
    _calls(supplier, this_hour - timedelta(hours=HOURS), good=7)
    _calls(other, this_hour, good=5)
    health = health_of([supplier])[supplier.pk]
    assert [(hour.calls, hour.failed) for hour in health.hours] == [(2, 0), *[(0, 0)] * (HOURS - 2), (4, 1)]
    assert (health.calls, health.failed, health.hours[-1].start) == (6, 1, this_hour)
    assert health.worst is health.hours[-1]


def test_the_rate_leaves_out_what_says_nothing_about_the_supplier() -> None:
    supplier, variant = SupplierFactory.create(), VariantFactory.create()
    for seconds in (10, 20, 30):
        _result(supplier, variant, seconds=seconds)
    _result(supplier, variant, status="partial", seconds=40)
    _result(supplier, variant, status="rejected", seconds=500)
    _result(supplier, variant, status="rejected", is_about_order=True)
    _result(supplier, variant, status="rejected", created_at=timezone.now() - timedelta(hours=25))
    health = health_of([supplier])[supplier.pk]
    assert (health.ended, health.succeeded, health.success_rate) == (5, 4, 0.8)
    assert health.p90 == pytest.approx(37)


def test_today_begins_at_midnight_here() -> None:
    supplier, variant = SupplierFactory.create(), VariantFactory.create()
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    _result(supplier, variant, created_at=midnight)
    _result(supplier, variant, created_at=midnight, status="rejected")
    _result(supplier, variant, created_at=midnight - timedelta(seconds=1))
    health = health_of([supplier])[supplier.pk]
    assert (health.today, health.cost_today) == (2, Decimal(55))


def test_a_supplier_that_did_nothing_has_no_rate_and_not_a_bad_one() -> None:
    supplier = SupplierFactory.create()
    health = health_of([supplier])[supplier.pk]
    assert (health.success_rate, health.p90, health.worst) == (None, None, None)
    shown = operator().get(LIST).content.decode()
    assert "24 小时内没有采购" in shown
    assert "近 24 小时没有调用" in shown


def test_the_strip_tells_in_words_what_it_shows_in_color() -> None:
    start = timezone.localtime().replace(hour=8, minute=0, second=0, microsecond=0)
    hours = (Hour(start, 40, 3), Hour(start + timedelta(hours=1), 100, 0), Hour(start + timedelta(hours=2)))
    with translation.override("zh-hans"):
        drawn = str(strip(Health(hours)))
    assert "调用 140 次，失败 3 次；最差 08:00，失败 3 / 40" in drawn
    assert "<title>08:00 失败 3 / 40</title>" in drawn
    tall = [(look, int(height)) for height, look in re.findall(r'height="(\d+)" class="(k-\w+)"', drawn)]
    # Few failures show as much as can be seen; an hour without any is whole; one without calls is a dash.
    assert tall == [("k-fine", 17), ("k-failed", 4), ("k-fine", 22), ("k-idle", 2)]


def test_balance_breaker_standing_and_alerts_are_in_the_list() -> None:
    now = timezone.now()
    low = SupplierFactory.create(
        code="river", balance=Decimal("12.5"), balance_at=now - timedelta(hours=2), balance_floor=Decimal(500),
        currency="USD", standing="official",
    )  # fmt: skip
    SupplierFactory.create(code="rich", balance=Decimal(9000), balance_at=now, balance_floor=Decimal(500))
    SupplierBreaker.objects.create(
        supplier=low, state="open", reason="20 次里失败 14 次", opened_at=now, retry_at=now + timedelta(seconds=30)
    )
    alert_raise("supplier.balance_low", subject="river")
    shown = operator().get(LIST).content.decode()
    for text in (
        "官方直供",
        "12.50",
        "USD",
        "低于提醒线",
        "很久没更新",
        "熔断",
        "20 次里失败 14 次",
        "下次试探",
        "1 条提醒",
    ):
        assert text in shown
    assert shown.count("低于提醒线") == 1
    assert shown.count("很久没更新") == 1


def test_fifty_suppliers_take_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    variant = VariantFactory.create()
    now = timezone.now()
    for _place in range(50):
        supplier = SupplierFactory.create()
        _calls(supplier, now, good=1, bad=1)
        _result(supplier, variant)
        SupplierBreaker.objects.create(supplier=supplier, state="half_open", opened_at=now, retry_at=now)
    client = operator()
    with django_assert_max_num_queries(12):
        shown = client.get(LIST).content.decode()
    assert shown.count('class="k-strip"') == 50


def test_terms_are_set_and_what_is_left_out_stays() -> None:
    supplier = SupplierFactory.create(code="river", max_concurrent=5, unknown_limit=900)
    address = f"{LIST}{supplier.pk}/change/"
    form = {
        "name": "清河", "base_url": "", "config": "", "standing": "agent", "instructions": "打电话给小李",
        "max_concurrent": "", "total_seconds": "20", "not_found_grace": "600", "not_found_window": "60",
        "unknown_limit": "", "balance_floor": "500",
    }  # fmt: skip
    assert operator().post(address, form).status_code == 302
    supplier.refresh_from_db()
    assert (supplier.standing, supplier.instructions, supplier.balance_floor) == ("agent", "打电话给小李", Decimal(500))
    assert (supplier.not_found_grace, supplier.not_found_window, supplier.total_seconds) == (600, 60, Decimal(20))
    assert (supplier.max_concurrent, supplier.currency, supplier.unknown_limit) == (5, "CNY", None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"total_seconds": "1"}, "总时限不能短于连接时限"),
        ({"read_seconds": "0"}, "要大于 0"),
        ({"max_concurrent": "0"}, "大于"),
        ({"balance_floor": "-1"}, "不能小于 0"),
        ({"standing": "friend"}, "有效的选项"),
    ],
)
def test_terms_that_cannot_be_are_refused_at_their_field(typed: dict[str, str], said: str) -> None:
    supplier = SupplierFactory.create(name="旧的")
    form = {"name": "新的", "base_url": "", "config": json.dumps({}), **typed}
    shown = operator().post(f"{LIST}{supplier.pk}/change/", form).content.decode()
    assert said in shown
    supplier.refresh_from_db()
    assert supplier.name == "旧的"


def test_the_hours_are_also_a_table_on_the_suppliers_page() -> None:
    supplier = SupplierFactory.create()
    _calls(supplier, timezone.now(), good=1_234, bad=2)
    shown = operator().get(f"{LIST}{supplier.pk}/change/").content.decode()
    assert "查看表格" in shown
    assert "1,236" in shown
