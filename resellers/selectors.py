"""Finding shops by what names them. Each answer is kept for about a second by each process, and for as long as the
shop's rows have not changed, which is cheaper to ask than to read them (`resellers.hosts`)."""

import time
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL
from django_tenants.utils import get_public_schema_name

from kameng.core import sql
from kameng.core.ids import shop_id_of
from kameng.core.remembered import Remembered, Witness
from resellers.models import Reseller

#: Which versions of the rows there are (https://www.postgresql.org/docs/current/ddl-system-columns.html): as long as
#: none has changed, a shop need not be read anew. By transaction and place, for one transaction may change a row twice.
_VERSIONS = """
SELECT (shop.xmin, shop.ctid)::text, (tenure.xmin, tenure.ctid)::text
  FROM public.resellers_reseller AS shop LEFT JOIN public.plans_tenure AS tenure ON tenure.shop_id = shop.id
 WHERE shop.id = %s AND shop.schema_name = %s
"""
#: The same of all shops and hosts, in a few sums: one is other than before as soon as a row in its part is.
PARTS = 64
_SUMS = f"""
SELECT id % {PARTS}, sum(hashtextextended(version, id))::text
  FROM (SELECT id, xmin::text || ctid::text FROM public.resellers_reseller
        UNION ALL SELECT shop_id, xmin::text || ctid::text FROM public.plans_tenure
        UNION ALL SELECT tenant_id, xmin::text || ctid::text FROM public.resellers_domain) AS seen (id, version)
 GROUP BY 1
"""
_OF_ROWS = {
    "of_shop": RawSQL("(resellers_reseller.xmin, resellers_reseller.ctid)::text", []),
    "of_tenure": RawSQL("(plans_tenure.xmin, plans_tenure.ctid)::text", []),
}


def part_of(shop: Reseller | None) -> int | None:
    """In which part of `witness` a shop's rows are. What is nobody's is in none, and asked for."""
    return shop.pk % PARTS if shop is not None and shop.pk is not None else None


def _stands(_key: object, shop: Reseller | None) -> bool:
    if shop is None:
        return False
    versions = [(shop.of_shop, shop.of_tenure)]
    return sql.rows_anywhere(_VERSIONS, [shop.pk, shop.schema_name]) == versions


#: Whether any shop's rows have changed, or any host's.
witness = Witness(lambda: dict(sql.rows_anywhere(_SUMS, [])), settled=lambda: not connection.in_atomic_block)
_by_id: Remembered[int, Reseller | None] = Remembered(stands=_stands, witness=witness, part=part_of)
_by_schema: Remembered[str, Reseller | None] = Remembered(stands=_stands, witness=witness, part=part_of)


def shop_of_number(number: str) -> Reseller | None:
    """The shop that a routed number belongs to. The operations host has no orders, so it is nobody's number."""
    shop_id = shop_id_of(number)
    if shop_id is None:
        return None
    return _by_id.get(shop_id, lambda: _read(pk=shop_id))


def shop_in(schema_name: str) -> Reseller | None:
    """The shop whose schema this is; the public schema is nobody's."""
    return _by_schema.get(schema_name, lambda: _read(schema_name=schema_name))


def shop_read(shop: Reseller, *, of_shop: str, of_tenure: str, read_at: float) -> None:
    """Somebody has just read these rows of a shop, in these versions, and here they need not be read again."""
    shop.of_shop, shop.of_tenure = of_shop, of_tenure
    _by_id.put(shop.pk, shop, read_at=read_at)
    _by_schema.put(shop.schema_name, shop, read_at=read_at)


def forget() -> None:
    """Drop what is remembered."""
    _by_id.forget()
    _by_schema.forget()
    witness.forget()


def _read(**wanted: Any) -> Reseller | None:
    read_at = time.monotonic()
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name()).select_related("tenure")
    shop: Reseller | None = shops.annotate(**_OF_ROWS).filter(**wanted).first()
    if shop is not None:
        shop_read(shop, of_shop=shop.of_shop, of_tenure=shop.of_tenure, read_at=read_at)
    return shop
