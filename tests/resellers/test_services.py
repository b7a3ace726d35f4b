"""Opening shops and changing what they are."""

import time

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django_tenants.utils import schema_context

from catalog.listings.shelf import shelf_now
from kameng.accounts.models import User
from orders.models import Order
from resellers.hosts import shop_of
from resellers.models import Domain, Reseller
from resellers.services import ShopInvalid, domain_add, operations_open, reseller_open, shop_touch, staff_set
from tests.factories import on_sale, place

pytestmark = pytest.mark.django_db

TABLES_AT_MOST = 40
#: Of everything an empty shop has on the disk: tables, their indexes, what is too long for them, and counters.
BYTES_AT_MOST = 1024 * 1024
SECONDS_AT_MOST = 2


def tables(schema_name: str) -> int:
    """How many there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [schema_name])
        count: int = cursor.fetchone()[0]
    return count


def bytes_of(schema_name: str) -> int:
    """On the disk, with indexes and every fork."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'S', 'm')",
            [schema_name],
        )
        return int(cursor.fetchone()[0])


def has_schema(schema_name: str) -> bool:
    """Whether it exists."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def test_a_shop_is_open_at_once_small_and_empty(supplier_double: object) -> None:
    variant = on_sale()
    began = time.monotonic()
    shop = reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test", "Fresh.Example:8000"], tagline="hello")
    assert time.monotonic() - began < SECONDS_AT_MOST
    assert (shop.schema_name, shop.tagline, shop.is_open) == ("shop_fresh", "hello", True)
    assert 0 < tables("shop_fresh") <= TABLES_AT_MOST
    assert bytes_of("shop_fresh") <= BYTES_AT_MOST
    assert [shop_of("fresh.test"), shop_of("fresh.example")] == [shop, shop]
    with schema_context("shop_fresh"):
        assert not Order.objects.exists()
        assert not User.objects.exists()
        assert variant.sku in shelf_now(shop)[0].by_sku
        assert place(shop, variant).total == variant.official_price


def test_no_index_of_a_shop_says_what_another_says_already(supplier_double: object) -> None:
    """Django makes one for each reference and one for LIKE; a thousand shops have a thousand of each."""
    shop = reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test"])
    with schema_context(shop.schema_name), connection.cursor() as cursor:
        cursor.execute(
            "SELECT mine.indexrelid::regclass::text FROM pg_index AS mine"
            "  JOIN pg_class AS index ON index.oid = mine.indexrelid AND index.relnamespace = %s::regnamespace"
            "  JOIN pg_index AS other ON other.indrelid = mine.indrelid AND other.indexrelid <> mine.indexrelid"
            " WHERE NOT mine.indisunique AND mine.indpred IS NULL AND other.indpred IS NULL"
            "   AND mine.indkey[0] = other.indkey[0] AND mine.indnatts = 1"
            "   AND index.relam = (SELECT relam FROM pg_class WHERE oid = other.indexrelid)",
            [shop.schema_name],
        )
        assert cursor.fetchall() == []
        # Letters collate by their bytes, so the beginning of a number is looked up in the index of numbers.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT FROM orders_order WHERE number LIKE 'KM12%%'", [])
        assert "Index Cond" in str(cursor.fetchall())


def test_a_shop_is_opened_whole_or_not_at_all() -> None:
    before = Reseller.objects.count(), Domain.objects.count()
    with pytest.raises(ShopInvalid):
        reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test", "one.test"])
    assert (Reseller.objects.count(), Domain.objects.count()) == before
    assert not has_schema("shop_fresh")
    assert shop_of("fresh.test") is None
    assert reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test"]).pk


@pytest.mark.parametrize(
    "slug", ["", "a", "1shop", "Shop", "my-shop", "my_shop", "店", "a b", "x" * 32, 'a"; DROP SCHEMA public', "one"]
)
def test_a_slug_that_is_none_or_taken_is_refused(slug: str) -> None:
    before = Reseller.objects.count()
    with pytest.raises(ShopInvalid) as refused:
        reseller_open(slug=slug, name="X", host_names=["fresh.test"])
    assert list(refused.value.fields) == ["slug"]
    assert Reseller.objects.count() == before


def test_a_look_that_is_no_look_is_refused() -> None:
    with pytest.raises(ValidationError):
        reseller_open(slug="fresh", name="X", host_names=["fresh.test"], brand_color="red; }")
    assert not has_schema("shop_fresh")


@pytest.mark.parametrize(
    "host",
    ["", " ", "-a.test", "a-.test", "a..test", "a_b.test", "店.test", "a b", "*.test", "a.test/", "x" * 64 + ".test"],
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    shop = Reseller.objects.get(slug="one")
    before = Domain.objects.count()
    with pytest.raises(ShopInvalid) as refused:
        domain_add(shop=shop, host=host)
    assert list(refused.value.fields) == ["host"]
    assert Domain.objects.count() == before


@pytest.mark.parametrize("host", ["two.test", "TWO.test.", "two.test:443", "ops.test"])
def test_a_host_that_is_somebody_elses_is_refused(host: str) -> None:
    with pytest.raises(ShopInvalid):
        domain_add(shop=Reseller.objects.get(slug="one"), host=host)
    found = shop_of(host)
    assert found is not None
    assert found.slug != "one"


def test_adding_a_host_again_is_no_error_and_the_first_is_the_main_one() -> None:
    shop = Reseller.objects.get(slug="one")
    known = domain_add(shop=shop, host="One.Test")
    extra = domain_add(shop=shop, host="extra.test")
    assert domain_add(shop=shop, host="extra.test").pk == extra.pk
    assert (known.is_primary, extra.is_primary) == (True, False)


def test_a_new_host_answers_at_once() -> None:
    assert shop_of("later.test") is None
    domain_add(shop=Reseller.objects.get(slug="one"), host="later.test")
    assert shop_of("later.test") is not None


def test_the_operations_host_is_opened_once() -> None:
    known = Reseller.objects.get(schema_name="public")
    assert operations_open(host="ops.test").pk == known.pk
    assert operations_open(host="ops2.test").pk == known.pk
    assert Reseller.objects.filter(schema_name="public").count() == 1


def test_touching_a_shop_throws_its_older_shelves_away(shop: Reseller) -> None:
    before = shelf_now(shop)[0].key
    shop_touch(shop_id=shop.pk)
    after = shelf_now(shop)[0].key
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_staff_belong_to_one_schema() -> None:
    staff_set(schema_name="shop_one", username="boss", password="first")
    staff_set(schema_name="shop_one", username="boss", password="second", is_superuser=False)
    with schema_context("shop_one"):
        user = User.objects.get(username="boss")
        assert (user.is_staff, user.is_superuser) == (True, False)
        assert user.check_password("second")
    for schema in ("shop_two", "public"):
        with schema_context(schema):
            assert not User.objects.filter(username="boss").exists()
