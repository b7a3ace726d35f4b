"""`manage.py reseal`: seal everything that an older ENCRYPTION_KEY sealed with the newest one."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import models
from django_tenants.utils import get_public_schema_name, schema_context

from compliance.scans.models import Scan
from fulfillment.by_owner import note_open, note_seal
from fulfillment.models import Fulfillment
from fulfillment.suppliers.models import StockCode, StockImportPart, Supplier
from fulfillment.suppliers.stock_room import code_open, code_seal
from kameng.accounts.models import SecondFactor
from kameng.core.encryption import Unreadable, newest_key_id
from payments.merchants.models import GatewayAccount
from resellers.clients.models import ClientKey
from resellers.models import Reseller
from resellers.withdrawals.models import Payee

BATCH = 500


class Command(BaseCommand):
    """The only place that knows every sealed column."""

    help = "Reseals keys, codes, payees and second factors with the newest key. May be stopped and run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each kind; exits with 1 if anything could not be opened, without touching that."""
        lost = 0
        for kind, resealed in (
            ("merchant accounts", _configs(GatewayAccount)),
            ("suppliers", _configs(Supplier)),
            ("codes", _codes()),
            ("codes that are being imported", _resealed(StockImportPart, "sealed", "text")),
            ("owners' notes", _notes()),
            ("scans", _resealed(Scan, "sealed", "data")),
            ("payees", _resealed(Payee, "sealed", "details")),
            ("second factors", _second_factors()),
            ("clients' keys", _resealed(ClientKey, "sealed", "secret")),
            ("merchant accounts' next keys", _resealed(GatewayAccount, "next_sealed", "next_config")),
        ):
            outcomes = list(resealed)
            lost += (unreadable := outcomes.count(False))
            left = f", {unreadable} cannot be opened with any key there is" if unreadable else ""
            self.stdout.write(f"{kind}: {outcomes.count(True)} resealed{left}")
        if lost:
            raise CommandError("keep every older key until nothing is left that cannot be opened")


def _configs(model: type[GatewayAccount] | type[Supplier]) -> Iterator[bool]:
    """Whether each row that an older key sealed could be resealed; one that somebody changes meanwhile is new."""
    rows: models.QuerySet[Any] = model._default_manager.exclude(sealed_config="")
    for row in rows.exclude(sealed_config__startswith=f"{newest_key_id()}."):
        before = row.sealed_config
        try:
            row.config = row.config
        except Unreadable:
            yield False
            continue
        model._default_manager.filter(pk=row.pk, sealed_config=before).update(sealed_config=row.sealed_config)
        yield True


def _resealed(model: type[models.Model], column: str, clear: str) -> Iterator[bool]:
    """The same of rows that are sealed in `column` and read and written in clear as `clear`."""
    rows: models.QuerySet[Any] = model._default_manager.exclude(**{column: ""})
    rows = rows.exclude(**{f"{column}__startswith": f"{newest_key_id()}."})
    for row in rows:
        before = getattr(row, column)
        try:
            setattr(row, clear, getattr(row, clear))
        except Unreadable:
            yield False
            continue
        model._default_manager.filter(**{"pk": row.pk, column: before}).update(**{column: getattr(row, column)})
        yield True


def _second_factors() -> Iterator[bool]:
    """Those of operators, and of each shop's staff."""
    for schema_name in Reseller.objects.values_list("schema_name", flat=True):
        with schema_context(schema_name):
            yield from _resealed(SecondFactor, "sealed_key", "key")


def _notes() -> Iterator[bool]:
    """The same of what owners wrote with what they delivered by hand, in each shop."""
    for shop in Reseller.objects.exclude(schema_name=get_public_schema_name()):
        with schema_context(shop.schema_name):
            older = Fulfillment.objects.exclude(sealed_note="")
            for work in older.exclude(sealed_note__startswith=f"{newest_key_id()}."):
                try:
                    note_seal(work, note_open(work.pk, work.sealed_note))
                except Unreadable:
                    yield False
                else:
                    yield True


def _codes() -> Iterator[bool]:
    """The same of codes, which never change, in batches by their id."""
    older = StockCode.objects.exclude(sealed__startswith=f"{newest_key_id()}.").order_by("pk")
    last = 0
    while batch := list(older.filter(pk__gt=last).only("pk", "sealed", "digest")[:BATCH]):
        readable = []
        for row in batch:
            try:
                row.sealed, _digest = code_seal(code_open(row))
            except Unreadable:
                yield False
            else:
                readable.append(row)
                yield True
        StockCode.objects.bulk_update(readable, ["sealed"])
        last = batch[-1].pk
