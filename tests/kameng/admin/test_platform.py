"""What all of the operators' lists have in common: few queries, a log, and who signs in."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from kameng.accounts.models import User
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import (
    OfferFactory,
    SupplierFactory,
    VariantFactory,
    stocked,
)
from tests.staff import operator, owner_of


@pytest.fixture(autouse=True)
def _in_public(db: None) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "address",
    ["catalog/product", "catalog/variant", "suppliers/supplieroffer", "suppliers/stockcode", "resellers/reseller"],
)
def test_fifty_rows_take_few_queries(
    address: str, supplier_double: type[ScriptedSupplier], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    supplier = SupplierFactory()
    for place in range(55):
        OfferFactory(supplier=supplier, variant=VariantFactory(sku=f"v-{place}"))
    stocked([f"CODE-{place:04d}" for place in range(60)])
    client = operator()
    with django_assert_max_num_queries(12):
        shown = client.get(f"/admin/{address}/").content.decode()
    assert shown.count("data-row") == (3 if address == "resellers/reseller" else 50)


def test_what_is_added_and_changed_is_written_down_with_who_did_it(db: None) -> None:
    client = operator()
    client.post("/admin/catalog/brand/add/", {"slug": "acme", "name": "艾克", "name_en": "Acme"})
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), str(entry.object_repr), entry.is_addition()) == ("operator", "艾克", True)
    assert entry.content_type is not None
    assert entry.content_type.model == "brand"
    assert "艾克" in client.get("/admin/admin/logentry/").content.decode()


def test_a_shops_log_is_its_own(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    operator().post("/admin/catalog/brand/add/", {"slug": "acme", "name": "艾克", "name_en": "Acme"})
    assert "艾克" not in owner_of(shop).get("/manage/changes/").content.decode()


def test_staff_are_added_changed_and_shut_out_but_not_by_themselves(db: None) -> None:
    client = operator()
    form = {"username": "zhang", "first_name": "张三", "email": "z@x.example", "new_password": "correct-horse-7"}
    assert client.post("/admin/accounts/user/add/", form).status_code == 302
    zhang = User.objects.get(username="zhang")
    assert (zhang.is_staff, zhang.is_superuser, zhang.check_password("correct-horse-7")) == (True, False, True)
    address = f"/admin/accounts/user/{zhang.pk}/change/"
    client.post(address, {"first_name": "张三", "email": "", "new_password": ""})
    zhang.refresh_from_db()
    assert (zhang.is_active, zhang.check_password("correct-horse-7")) == (False, True)
    me = User.objects.get(username="operator")
    answer = client.post(f"/admin/accounts/user/{me.pk}/change/", {"first_name": "", "email": "", "new_password": ""})
    assert "不能停用自己的账号" in answer.content.decode()
    me.refresh_from_db()
    assert me.is_active


@pytest.mark.parametrize("password", ["", "short1", "12345678", "password"])
def test_a_weak_password_lets_nobody_in(password: str) -> None:
    answer = operator().post("/admin/accounts/user/add/", {"username": "zhang", "new_password": password})
    assert answer.status_code == 200
    assert not User.objects.filter(username="zhang").exists()
