"""Bringing every shop's schema up to the code, skipping those that are there already.

Walking the migrations of a shop costs half a second even when there is nothing to do, and the catalogue queries behind
it slow down with every schema. So one query compares what each shop has recorded, and only those behind are migrated.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from resellers.models import Reseller


@dataclass(frozen=True)
class Behind:
    """A shop and the migrations that it lacks, as `app.name`."""

    shop: Reseller
    missing: tuple[str, ...]


def shop_migrations() -> set[str]:
    """Every migration that makes up a shop's schema, as `app.name`."""
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    return {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations if app in labels}


def shops_behind() -> list[Behind]:
    """Shops whose schema lacks something, by one query over all of them."""
    wanted = shop_migrations()
    shops = {shop.schema_name: shop for shop in Reseller.objects.exclude(schema_name="public")}
    if not shops:
        return []
    quoted = {name: connection.ops.quote_name(name) for name in shops}
    union = " UNION ALL ".join(
        f"SELECT %s, array_agg(app || '.' || name) FROM {quoted[name]}.django_migrations" for name in shops
    )
    with connection.cursor() as cursor:
        cursor.execute(union, list(shops))
        recorded = {name: set(done or ()) for name, done in cursor.fetchall()}
    return [
        Behind(shop, tuple(sorted(wanted - recorded[name])))
        for name, shop in shops.items()
        if not wanted <= recorded[name]
    ]


def shops_migrate() -> Iterator[Behind]:
    """Migrate those that are behind, one by one; each is yielded when it is done, so a run can be resumed."""
    for behind in shops_behind():
        call_command("migrate_schemas", schema_name=behind.shop.schema_name, verbosity=0)
        yield behind
