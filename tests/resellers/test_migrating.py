"""Only shops that are behind are migrated, each on its own."""

import io

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from resellers import migrating
from resellers.migrating import shop_migrations, shops_behind, shops_migrate
from resellers.models import Reseller

pytestmark = pytest.mark.usefixtures("db")

LAST = "fulfillment.0001_initial"


def forget(shop: str, migration: str) -> None:
    """As if the shop had been opened before that migration was written."""
    app, name = migration.split(".")
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM shop_{shop}.django_migrations WHERE app = %s AND name = %s", [app, name])
        assert cursor.rowcount == 1


@pytest.fixture
def migrated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The schemas for which Django's own command would have been called, in order."""
    called: list[str] = []
    monkeypatch.setattr(migrating, "call_command", lambda _name, *, schema_name, verbosity: called.append(schema_name))
    return called


def test_a_shop_from_the_template_has_everything() -> None:
    assert LAST in shop_migrations()
    assert shops_behind() == []


def test_what_a_shop_lacks_is_named() -> None:
    forget("two", LAST)
    (behind,) = shops_behind()
    assert (behind.shop.slug, behind.missing) == ("two", (LAST,))


def test_all_shops_are_compared_by_one_query() -> None:
    with CaptureQueriesContext(connection) as asked:
        shops_behind()
    assert sum("django_migrations" in query["sql"] for query in asked) == 1
    assert len(asked) <= 3


def test_only_those_that_are_behind_are_migrated(migrated: list[str]) -> None:
    forget("two", LAST)
    assert [behind.shop.schema_name for behind in shops_migrate()] == ["shop_two"]
    assert migrated == ["shop_two"]


def test_a_run_that_was_stopped_goes_on_with_what_is_left(migrated: list[str]) -> None:
    forget("one", LAST)
    forget("two", LAST)
    assert migrated == [next(shops_migrate()).shop.schema_name]


def test_without_shops_there_is_nothing_to_do() -> None:
    Reseller.objects.exclude(schema_name="public").delete()
    assert shops_behind() == []


def test_checking_says_who_is_behind_and_changes_nothing() -> None:
    forget("two", LAST)
    said = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("migrate_shops", check=True, stdout=said)
    assert ended.value.code == 1
    assert said.getvalue().splitlines() == [f"shop_two lacks {LAST}", "1 shops are behind"]
    assert len(shops_behind()) == 1


def test_checking_is_content_where_nobody_is_behind() -> None:
    said = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("migrate_shops", check=True, stdout=said)
    assert (ended.value.code, said.getvalue()) == (0, "0 shops are behind\n")


def test_a_real_shop_is_brought_up_to_the_code() -> None:
    """Down by hand as far as before the app's first migration, then up again by the command."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg('shop_two.' || tablename, ', ') FROM pg_tables"
            " WHERE schemaname = 'shop_two' AND tablename LIKE 'listings_%'"
        )
        cursor.execute(f"DROP TABLE {cursor.fetchone()[0]} CASCADE")
        cursor.execute("DELETE FROM shop_two.django_migrations WHERE app = 'listings'")
        lost = cursor.rowcount
    assert lost >= 3
    said = io.StringIO()
    call_command("migrate_shops", stdout=said)
    assert said.getvalue().splitlines() == [f"shop_two: {lost} migrations", "1 shops migrated"]
    assert shops_behind() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_two.listings_listing")
        assert cursor.fetchone() == (0,)
