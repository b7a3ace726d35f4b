"""The schema border, as the database and the models have it."""

from collections import defaultdict
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import ProgrammingError, connection, models, transaction
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import schema_context

from resellers.models import Reseller

TABLES_AT_MOST = 40
#: Own rows on both sides; everything else is on one side only, or the search path would fall through to public.
ON_BOTH_SIDES = {
    "django_migrations", "django_content_type", "django_session", "django_admin_log", "accounts_user",
    "accounts_secondfactor",
}  # fmt: skip
#: The framework's, which nobody asks for (docs/adr/0050).
NOWHERE = {
    "auth_group", "auth_permission", "auth_group_permissions", "accounts_user_groups", "accounts_user_user_permissions",
}  # fmt: skip


def labels(names: list[str]) -> set[str]:
    """App labels of app names."""
    return {config.label for config in apps.get_app_configs() if config.name in names}


SHARED, TENANT = labels(settings.SHARED_APPS), labels(settings.TENANT_APPS)
ONLY_SHARED, ONLY_TENANT = SHARED - TENANT, TENANT - SHARED


def models_of(side: set[str]) -> list[type[models.Model]]:
    """Every model of those apps, also the hidden ones between two."""
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in side]


def references(model: type[models.Model]) -> list[Any]:
    """Its references to other tables."""
    return [field for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)]


def tables(schema_name: str) -> set[str]:
    """What the database has there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema_name])
        return {name for (name,) in cursor.fetchall()}


def test_every_app_with_tables_is_on_a_side() -> None:
    homeless = {model._meta.label for model in apps.get_models() if model._meta.app_label not in SHARED | TENANT}
    assert homeless == set()
    assert {
        "resellers",
        "ledger",
        "compliance",
        "trail",
        "reports",
        "scans",
        "gate",
        "desk",
        "visits",
        "catalog",
        "coupons",
        "suppliers",
        "merchants",
        "transfers",
        "outbox",
        "inbox",
        "alerts",
        "reconciliation",
        "withdrawals",
        "clients",
        "deposits",
        "domains",
        "brand",
        "plans",
        "django_tenants",
    } == ONLY_SHARED
    assert {"listings", "customers", "orders", "payments", "fulfillment", "supply"} == ONLY_TENANT


def test_references_from_a_shop_to_public_have_no_constraint_and_delete_nothing() -> None:
    crossing = [
        field
        for model in models_of(ONLY_TENANT)
        for field in references(model)
        if field.remote_field.model._meta.app_label in ONLY_SHARED
    ]
    assert {f"{field.model._meta.model_name}.{field.name}" for field in crossing} == {
        "listing.variant", "placement.product", "pricerule.category", "pricerule.product", "pricerule.variant",
        "orderline.variant", "payment.account", "supplierorder.supplier", "supplierorder.offer", "delivery.stock_code",
        "clientorder.client",
    }  # fmt: skip
    for field in crossing:
        assert field.db_constraint is False, field
        assert field.remote_field.on_delete is models.DO_NOTHING, field
        assert field.remote_field.hidden, field


def test_public_knows_no_table_of_a_shop() -> None:
    crossing = [
        f"{field}"
        for model in models_of(ONLY_SHARED)
        for field in references(model)
        if field.remote_field.model._meta.app_label not in ONLY_SHARED
    ]
    assert crossing == []


def test_what_is_on_both_sides_refers_to_nothing_on_one_side() -> None:
    crossing = [
        f"{field}"
        for model in models_of(SHARED & TENANT)
        for field in references(model)
        if field.remote_field.model._meta.app_label not in SHARED & TENANT
    ]
    assert crossing == []


@pytest.mark.django_db
def test_no_table_has_the_same_name_on_both_sides_but_those_that_should() -> None:
    shops = tables("shop_one")
    assert shops & tables("public") == ON_BOTH_SIDES
    assert len(shops) <= TABLES_AT_MOST
    assert {model._meta.db_table for model in models_of(ONLY_TENANT)} <= shops
    assert {model._meta.db_table for model in models_of(ONLY_SHARED)} <= tables("public")


@pytest.mark.django_db
def test_groups_and_permissions_have_no_table_in_any_schema() -> None:
    """If public alone had them, a shop that asks would be answered with the operators'."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname, tablename FROM pg_tables WHERE tablename = ANY(%s)", [sorted(NOWHERE)])
        assert cursor.fetchall() == []
    for schema_name in ("public", "shop_one"):
        with schema_context(schema_name), pytest.raises(ProgrammingError), transaction.atomic():
            Permission.objects.exists()


def test_the_framework_has_not_changed_the_tables_that_are_gone() -> None:
    """A later migration of its would fail where they are gone already: look at it before the framework is upgraded."""
    known = {name for app, name in MigrationLoader(None).disk_migrations if app == "auth"}
    assert max(known) == "0012_alter_user_first_name_max_length"


@pytest.mark.django_db
def test_no_constraint_of_the_database_crosses_a_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint JOIN pg_class AS origin ON origin.oid = conrelid "
            "JOIN pg_class AS target ON target.oid = confrelid "
            "WHERE contype = 'f' AND origin.relnamespace <> target.relnamespace"
        )
        assert cursor.fetchall() == []


@pytest.mark.django_db
def test_every_shop_has_the_same_tables() -> None:
    by_tables: dict[frozenset[str], list[str]] = defaultdict(list)
    for schema_name in Reseller.objects.exclude(schema_name="public").values_list("schema_name", flat=True):
        by_tables[frozenset(tables(schema_name))].append(schema_name)
    assert len(by_tables) == 1


@pytest.mark.django_db
def test_a_model_of_one_side_is_not_found_on_the_other() -> None:
    """A shop's statement that loses its shop must fail, never read somebody else's rows."""
    for model in models_of(ONLY_TENANT):
        with schema_context("public"), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [model._meta.db_table])
            assert cursor.fetchone() == (None,), model
