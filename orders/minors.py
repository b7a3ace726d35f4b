"""What somebody under age may spend on goods whose category operators have marked (games).

The shopper says how old they are; nobody is asked for a proof, and what was said is kept with the order and nowhere
else. By item 3 of 《关于防止未成年人沉迷网络游戏的通知》 (国家新闻出版署, 2019): nothing below 8 years, from 8 to 15
and from 16 to 17 so much at a time and so much a month. The amounts are the platform's settings (docs/compliance.md).

The month's sum counts what was declared by the same contact or for the same game account, whichever contact paid for
it; an account is the publisher's and the first answer of the form, since the same digits elsewhere are somebody else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.ages import Age
from catalog.listings.shelf import ShelfProduct
from kameng.core import sql
from kameng.core.encryption import digest
from orders.exceptions import OrderInvalid
from orders.models import MinorSpending, Order, OrderLine
from orders.turns import in_turn


@dataclass(frozen=True, slots=True)
class Caps:
    """In yuan: for one order, and for a calendar month."""

    once: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True)
class Spending:
    """What one line of an order counts for: its account's fingerprint (empty where it has none) and its amount."""

    account_digest: str
    amount: Decimal


#: What went back, and what was never paid, is not spent; what waits for its money is.
_SPENT = """
SELECT coalesce(sum(line.price * (line.quantity - line.short_quantity)), 0)
  FROM orders_orderline AS line JOIN orders_order AS placed ON placed.id = line.order_id
 WHERE line.id IN (SELECT line_id FROM orders_minorspending
                    WHERE key = ANY (%(keys)s::text[]) AND created_at >= %(since)s)
   AND line.status <> 'refunded' AND placed.status NOT IN ('expired', 'canceled', 'refunded')
"""


def caps_of(age: str) -> Caps | None:
    """What somebody of this age may spend; None for who has no limit. Nothing at all below 8."""
    if age == Age.BELOW_8:
        return Caps(Decimal(0), Decimal(0))
    caps = settings.MINOR_CAPS.get(age)
    return Caps(*caps) if caps else None


def spending_of(product: ShelfProduct, account: list[dict[str, str]], amount: Decimal) -> Spending:
    """What a line counts for."""
    if not account:
        return Spending("", amount)
    name = f"{product.brand or product.slug}|{account[0]['value'].casefold()}"
    return Spending(digest(name, purpose="minor-account"), amount)


def require_within_caps(*, age: str, contact_digest: str, wanted: Collection[Spending], now: datetime) -> None:
    """Raises `OrderInvalid` where a minor's order is beyond what is left. Holds back others with the same contact or
    account until the transaction ends, so that no two use the same rest.
    """
    caps = caps_of(age)
    if caps is None:
        return
    total = sum((one.amount for one in wanted), Decimal(0))
    who = Age(age).label
    if caps.once <= 0 or caps.month <= 0:
        raise _refused(_("%(who)s不能购买这类商品，请由监护人购买") % {"who": who}, left=Decimal(0))
    if total > caps.once:
        text = _("%(who)s一次最多买 ¥%(limit)s，这一单是 ¥%(total)s，请选小一点的面额")
        raise _refused(text % {"who": who, "limit": f"{caps.once:.2f}", "total": f"{total:.2f}"}, left=caps.once)
    left = _left(caps, {contact_digest, *(one.account_digest for one in wanted)}, now)
    if total > left:
        text = _("%(who)s每月最多买 ¥%(limit)s，这个月还能买 ¥%(left)s，这一单是 ¥%(total)s")
        said = {"who": who, "limit": f"{caps.month:.2f}", "left": f"{left:.2f}", "total": f"{total:.2f}"}
        raise _refused(text % said, left=left)


def spending_write(*, line: OrderLine, contact_digest: str, spending: Spending) -> None:
    """Remember what a line of a minor's order counts for; of adults nothing is written."""
    for key in sorted({contact_digest, spending.account_digest} - {""}):
        sql.insert(MinorSpending(key=key, line=line))


def is_beyond_caps(order: Order) -> bool:
    """Whether an order that had been given up would, paid late, be more than what is left of the month by now. Its row
    must be locked; waits for others as `require_within_caps` does."""
    caps = caps_of(order.age)
    if caps is None:
        return False
    spent = list(MinorSpending.objects.filter(line__order=order).select_related("line"))
    amounts = {one.line_id: one.line.amount for one in spent}
    left = _left(caps, {one.key for one in spent}, order.locked_at)
    return sum(amounts.values(), Decimal(0)) > left


def _left(caps: Caps, keys: set[str], now: datetime) -> Decimal:
    counted = sorted(keys - {""})
    # Always after those of unpaid orders, so that nobody waits for each other.
    in_turn(f"minor/{key}" for key in counted)
    ((spent,),) = sql.rows(_SPENT, {"keys": counted, "since": month_begin(now)})
    left: Decimal = max(Decimal(0), caps.month - spent)
    return left


def month_begin(now: datetime) -> datetime:
    """When the calendar month began, by the clock on the wall here."""
    return timezone.localtime(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _refused(text: str, *, left: Decimal) -> OrderInvalid:
    return OrderInvalid(fields={"age": text}, extra={"left": f"{left:.2f}"})
