"""Finding shops by what names them. Each answer is kept for about a second, by each process."""

from django.db.models import QuerySet
from django_tenants.utils import get_public_schema_name

from kameng.core.ids import shop_id_of
from kameng.core.remembered import Remembered
from resellers.models import Reseller

_by_id: Remembered[int, Reseller | None] = Remembered()
_by_schema: Remembered[str, Reseller | None] = Remembered()


def shop_of_number(number: str) -> Reseller | None:
    """The shop that a routed number belongs to. The operations host has no orders, so it is nobody's number."""
    shop_id = shop_id_of(number)
    if shop_id is None:
        return None
    return _by_id.get(shop_id, lambda: _shops().filter(pk=shop_id).first())


def shop_in(schema_name: str) -> Reseller | None:
    """The shop whose schema this is; the public schema is nobody's."""
    return _by_schema.get(schema_name, lambda: _shops().filter(schema_name=schema_name).first())


def forget() -> None:
    """Drop what is remembered."""
    _by_id.forget()
    _by_schema.forget()


def _shops() -> "QuerySet[Reseller]":
    found: QuerySet[Reseller] = Reseller.objects.exclude(schema_name=get_public_schema_name())
    return found
