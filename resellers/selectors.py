"""Finding shops."""

from django_tenants.utils import get_public_schema_name

from kameng.core.ids import shop_id_of
from resellers.models import Reseller


def shop_of_number(number: str) -> Reseller | None:
    """The shop that a routed number belongs to. The operations host has no orders, so it is nobody's number."""
    shop_id = shop_id_of(number)
    if shop_id is None:
        return None
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name())
    shop: Reseller | None = shops.filter(pk=shop_id).first()
    return shop
