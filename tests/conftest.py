"""One database with its shops for the whole run; a transaction, or a cleaned shop of its own, for each test."""

import gc
import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django_tenants.utils import get_public_schema_name
from hypothesis import settings as hypothesis_settings
from hypothesis.internal.charmap import charmap, intervals_from_codec

from catalog.models import Revision
from fulfillment.suppliers.registry import ADAPTERS
from payments.gateways.registry import GATEWAYS
from resellers.models import Reseller
from resellers.services import operations_open, reseller_open
from tests import databases, remembered
from tests.doubles import (
    GuardedSupplier,
    ListedSupplier,
    ListOnlySupplier,
    MaximumSupplier,
    ScriptedGateway,
    ScriptedSupplier,
)

OPERATIONS_HOST = "ops.test"
pytest_plugins = ["tests.live.fixtures"]
#: `--hypothesis-profile=nightly`: tests that have a short and a long way take the long one.
hypothesis_settings.register_profile("nightly")


# A full collection walks over all modules and thousands of tests, and finds nothing there: they stay to the end.
gc.disable()


def pytest_collection_finish() -> None:
    """Hypothesis learns all characters before it is timed; from here on only what tests leave is looked through."""
    charmap()
    intervals_from_codec("utf-8")
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Two shops and the operations host, opened once; `shop_live` is for tests that really commit."""
    before = connection.settings_dict["NAME"]
    name = f"test_{before}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    databases.drop(name)
    databases.create(name)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        operations_open(host=OPERATIONS_HOST)
        Revision.bump()
        for slug in ("one", "two", "live"):
            reseller_open(slug=slug, name=f"Shop {slug}", host_names=[f"{slug}.test"])
        yield
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = before
    databases.drop(name)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    remembered.forget()


@pytest.fixture
def shop(db: None) -> Iterator[Reseller]:
    """Inside a shop's schema."""
    found = Reseller.objects.get(slug="one")
    connection.set_tenant(found)  # type: ignore[attr-defined]
    yield found
    connection.set_schema_to_public()  # type: ignore[attr-defined]


@pytest.fixture
def other_shop(db: None) -> Reseller:
    """A shop that must not notice anything."""
    return Reseller.objects.get(slug="two")


@pytest.fixture
def transactional_db(django_db_setup: None) -> None:
    """Only for its name: without a test that asks for a database by one of these, the plug-in sets none up.

    The tests would then run in the real one. The plug-in's own fixture flushes tables, which shops do not survive.
    """


@pytest.fixture
def live_shop(transactional_db: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Reseller]:
    """Inside a shop whose transactions really commit, for threads and processes; emptied afterwards."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        found = Reseller.objects.get(slug="live")
        connection.set_tenant(found)  # type: ignore[attr-defined]
        try:
            yield found
        finally:
            _empty(found.schema_name)
            connection.set_schema_to_public()  # type: ignore[attr-defined]


#: What tests write; the rest (shops, hosts, content types, migrations) belongs to the run.
_WRITTEN = (
    *("orders_", "payments_", "fulfillment_", "listings_", "outbox_", "inbox_", "alerts_", "suppliers_", "merchants_"),
    *("ledger_", "reconciliation_", "withdrawals_", "deposits_", "transfers_", "accounts_secondfactor", "clients_"),
    *("supply_", "trail_auditentry", "reports_", "scans_", "gate_", "desk_", "compliance_license", "compliance_mark"),
    *("domains_", "brand_", "plans_", "visits_", "resellers_announcement", "customers_", "coupons_"),
)
_GUARDED = ("ledger_account", "ledger_journal", "ledger_entry", "trail_auditentry", "trail_head")
_WRITTEN_CATALOG = ("catalog_category", "catalog_brand", "catalog_product", "catalog_variant")


def _empty(schema_name: str) -> None:
    assert connection.settings_dict["NAME"].startswith("test_")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, tablename), tablename FROM pg_tables WHERE schemaname IN (%s, %s)",
            [schema_name, get_public_schema_name()],
        )
        tables = [
            qualified
            for qualified, table in cursor.fetchall()
            if table.startswith(_WRITTEN) or table in _WRITTEN_CATALOG
        ]
        # The book and the trail let go of their rows only while nobody guards them, and once what is due on commit has
        # been looked at.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("".join(f"ALTER TABLE public.{table} DISABLE TRIGGER USER;" for table in _GUARDED))
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
        cursor.execute("UPDATE public.trail_head SET sequence = 0, hash = repeat('0', 64)")
        cursor.execute("".join(f"ALTER TABLE public.{table} ENABLE TRIGGER USER;" for table in _GUARDED))


@pytest.fixture
def supplier_double() -> Iterator[type[ScriptedSupplier]]:
    """An adapter that answers as told, under the code `scripted`."""
    ScriptedSupplier.reset()
    ADAPTERS["scripted"] = ScriptedSupplier
    yield ScriptedSupplier
    del ADAPTERS["scripted"]


@pytest.fixture
def listed_double(supplier_double: type[ScriptedSupplier]) -> Iterator[type[ListedSupplier]]:
    """Adapters that tell prices as told, under the codes `listed`, `guarded`, `maximum` and `list_only`."""
    ListedSupplier.reset()
    told = (ListedSupplier, GuardedSupplier, MaximumSupplier, ListOnlySupplier)
    ADAPTERS.update({adapter.code: adapter for adapter in told})
    yield ListedSupplier
    for adapter in told:
        del ADAPTERS[adapter.code]


@pytest.fixture
def gateway_double() -> Iterator[type[ScriptedGateway]]:
    """A gateway that answers as told, under the code `scripted`."""
    ScriptedGateway.reset()
    GATEWAYS["scripted"] = ScriptedGateway
    yield ScriptedGateway
    del GATEWAYS["scripted"]
