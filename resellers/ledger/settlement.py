"""What an owner has earned becomes theirs to take, once the time is over in which it is usually asked back."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from kameng.core import sql
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller

#: All that an order has brought its owner counts from the day on which the last of it has been delivered for so long:
#: what was taken back meanwhile is taken from what it had brought.
_DUE = """
WITH moves AS (
    SELECT journal.order_number, journal.kind, journal.posted_at, entry.amount
      FROM public.ledger_account AS account
      JOIN public.ledger_entry AS entry ON entry.account_id = account.id
      JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
     WHERE account.name = 'pending' AND account.owner = %(shop)s
), earned AS (
    SELECT order_number, posted_at FROM moves WHERE kind IN ('delivery', 'commission')
     UNION ALL
    -- What an owner gives away on an order that brought them nothing is due with what arrived of it.
    SELECT journal.order_number, journal.posted_at
      FROM (SELECT DISTINCT order_number FROM moves WHERE kind = 'coupon_paid') AS given
      JOIN public.ledger_journal AS journal
        ON journal.shop_id = %(shop)s AND journal.order_number = given.order_number AND journal.kind = 'delivery'
), ripe AS (
    SELECT order_number FROM earned
     GROUP BY order_number HAVING max(posted_at) < %(before)s
)
SELECT -coalesce(sum(moves.amount), 0) FROM moves
 WHERE moves.kind = 'settlement' OR moves.order_number IN (SELECT order_number FROM ripe)
"""


def available_at(shop: Reseller, delivered_at: datetime) -> datetime:
    """From when on what a delivery has earned can be taken: the first midnight at which it is old enough."""
    ripe = delivered_at + timedelta(days=shop.settlement_days)
    return _midnight(timezone.localdate(ripe) + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


@transaction.atomic
def shop_settle(*, shop_id: int, day: date) -> Decimal:
    """Move what has become ripe from pending to available, once for a day; how much that was, in yuan.

    It is negative where more was taken back than became ripe: an owner then owes it, and what they earn next is set
    against it.
    """
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    key = f"settlement:{shop.pk}:{day.isoformat()}"
    if sql.rows_anywhere("SELECT FROM public.ledger_journal WHERE key = %s", [key]):
        return Decimal(0)
    before = _midnight(day) - timedelta(days=shop.settlement_days)
    ((due,),) = sql.rows_anywhere(sql.Report(_DUE), {"shop": shop.pk, "before": before})
    moves = [Move(Name.PENDING, due, shop.pk), Move(Name.AVAILABLE, -due, shop.pk)]
    post(key, Kind.SETTLEMENT, moves, shop_id=shop.pk)
    return Decimal(due)


def shops_settle() -> None:
    """Every sub-site's, for today. Run by beat, in public; twice is harmless."""
    sub_sites = Reseller.objects.filter(is_house=False).exclude(schema_name=get_public_schema_name())
    for shop_id in sub_sites.values_list("pk", flat=True):
        shop_settle(shop_id=shop_id, day=timezone.localdate())
