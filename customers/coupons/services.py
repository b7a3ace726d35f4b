"""Making coupons, and using them up: what one gives and what it takes back is one conditional update and its journal.

Whoever bears it: an owner out of what the order brings them, the platform as what it gives away. The owner of the house
shop is the platform.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import Category, Product
from customers.coupons.exceptions import CouponInvalid, CouponRefused
from customers.coupons.models import Coupon
from customers.coupons.selectors import LONGEST_CODE, SHORTEST_CODE, code_clean
from customers.coupons.words import why_closed
from kameng.core import sql
from kameng.core.money import quantize
from resellers.ledger.posting import Kind, Move, Name
from resellers.ledger.purses import Movement, purse_refilled, purse_spent
from resellers.models import Reseller

_CODE = re.compile(r"[0-9A-Z]+", re.ASCII)
#: More than that is a slip of the keyboard.
MOST = Decimal(10) ** 5

#: Only while there is one left: of two orders that want the last one, one gets it.
_TAKE = """
UPDATE public.coupons_coupon SET used = used + 1, given = given + %(amount)s
 WHERE id = %(coupon)s AND NOT is_paused AND starts_at <= statement_timestamp()
   AND (ends_at IS NULL OR ends_at > statement_timestamp()) AND (use_limit IS NULL OR used < use_limit)
"""
_GIVE_BACK = """
UPDATE public.coupons_coupon
   SET given = given - %(amount)s, used = used - CASE WHEN %(is_whole)s THEN 1 ELSE 0 END
 WHERE id = %(coupon)s
"""


@dataclass(frozen=True)
class Wanted:
    """What somebody asks a new coupon to be; amounts in yuan, or percent off."""

    code: str
    kind: str
    value: Decimal
    threshold: Decimal = Decimal(0)
    cap: Decimal | None = None
    category: Category | None = None
    product: Product | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    use_limit: int | None = None
    contact_limit: int = 1


def coupon_check(*, wanted: Wanted, shop: Reseller | None, borne_by: str) -> Coupon:
    """What a new coupon would be, not stored, to see what it would do; whether its code is taken is only asked when it
    is made. Raises `CouponInvalid`."""
    wanted = replace(wanted, code=code_clean(wanted.code), starts_at=wanted.starts_at or timezone.now())
    if wrong := _wrong(wanted):
        raise CouponInvalid(fields=wrong)
    return Coupon(shop=shop, borne_by=borne_by, **vars(wanted))


@transaction.atomic
def coupon_open(*, wanted: Wanted, shop: Reseller | None, borne_by: str, actor: str) -> Coupon:
    """A new coupon: an owner's in their shop, or the platform's in one or, without a shop, in all. Raises
    `CouponInvalid`.

    A code means one coupon wherever it is typed: one for every shop has a code that no shop's has.
    """
    wanted = replace(wanted, code=code_clean(wanted.code), starts_at=wanted.starts_at or timezone.now())
    wrong = _wrong(wanted)
    # Two who take the same code, one for a shop and one for all, would each see nothing of the other.
    sql.rows_anywhere("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"coupon:{wanted.code}"])
    taken = Coupon.objects.filter(code=wanted.code)
    if shop is not None:
        taken = taken.filter(shop=shop) | taken.filter(shop__isnull=True)
    if taken.exists():
        wrong["coupon"] = _("这个券码已经有了，换一个")
    if wrong:
        raise CouponInvalid(fields=wrong)
    coupon = Coupon(shop=shop, borne_by=borne_by, created_by=actor, **vars(wanted))
    coupon.save()
    coupon.refresh_from_db()
    return coupon


def _wrong(wanted: Wanted) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if not SHORTEST_CODE <= len(wanted.code) <= LONGEST_CODE or not _CODE.fullmatch(wanted.code):
        wrong["coupon"] = _("券码是 %(least)s 到 %(most)s 位字母和数字") % {
            "least": SHORTEST_CODE,
            "most": LONGEST_CODE,
        }
    if wanted.kind not in Coupon.Kind.values:
        wrong["kind"] = _("请选一种")
    for name, amount in (("value", wanted.value), ("threshold", wanted.threshold), ("cap", wanted.cap)):
        if amount is not None and not (0 <= amount < MOST and amount == quantize(amount)):
            wrong[name] = _("金额最多两位小数，不超过 100000")
    if "value" not in wrong and wanted.value <= 0:
        wrong["value"] = _("要大于 0")
    if wanted.kind == Coupon.Kind.PERCENT:
        if "value" not in wrong and wanted.value >= 100:
            wrong["value"] = _("减的百分比要小于 100")
        if wanted.cap is not None and wanted.cap <= 0:
            wrong["cap"] = _("要大于 0；不封顶就留空")
    elif wanted.cap is not None:
        wrong["cap"] = _("只有打折的券才有封顶")
    elif "value" not in wrong and "threshold" not in wrong and 0 < wanted.threshold < wanted.value:
        wrong["threshold"] = _("门槛要不低于优惠金额；不限就填 0")
    if wanted.category is not None and wanted.product is not None:
        wrong["product"] = _("类目和商品只选一个")
    return wrong | _wrong_limits(wanted.starts_at, wanted.ends_at, wanted.use_limit, wanted.contact_limit)


def _wrong_limits(
    starts_at: datetime | None, ends_at: datetime | None, use_limit: int | None, contact_limit: int
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        wrong["ends_at"] = _("结束要晚于开始")
    if use_limit is not None and not 1 <= use_limit <= 10**6:
        wrong["use_limit"] = _("1 到 1000000 张；不限就留空")
    if not 1 <= contact_limit <= 100:
        wrong["contact_limit"] = _("1 到 100 次")
    return wrong


@transaction.atomic
def coupon_change(*, coupon_id: int, ends_at: datetime | None, use_limit: int | None, is_paused: bool) -> Coupon:
    """How long it holds, and for how many orders; what it gives, and how often to whom, stays. Raises
    `CouponInvalid`."""
    coupon = Coupon.objects.select_for_update().get(pk=coupon_id)
    wrong = _wrong_limits(coupon.starts_at, ends_at, use_limit, coupon.contact_limit)
    if use_limit is not None and use_limit < coupon.used and "use_limit" not in wrong:
        wrong["use_limit"] = _("已经用了 %(used)s 张，不能比这少") % {"used": coupon.used}
    if wrong:
        raise CouponInvalid(fields=wrong)
    coupon.ends_at, coupon.use_limit, coupon.is_paused = ends_at, use_limit, is_paused
    coupon.save(update_fields=["ends_at", "use_limit", "is_paused"])
    return coupon


def coupon_take(movement: Movement) -> None:
    """One order uses it, within the transaction that books the payment; its row is locked until that ends. Raises
    `CouponRefused`; nothing has moved then."""
    coupon_id, amount = movement.holder_id, movement.amount
    is_taken = sql.execute_anywhere(_TAKE, {"coupon": coupon_id, "amount": amount})
    coupon = Coupon.objects.select_related("shop").get(pk=coupon_id)
    if not is_taken:
        raise CouponRefused(why_closed(coupon, now=timezone.now()) or None)
    purse_spent(Kind.COUPON_PAID, [_borne(coupon, movement, amount)], movement)


def coupon_give_back(movement: Movement) -> None:
    """So much of what it paid comes back, within the transaction that ends the refund, and so once: with the last of it
    the coupon can be used again. Raises `Coupon.DoesNotExist`."""
    coupon = Coupon.objects.select_related("shop").get(pk=movement.holder_id)
    sql.execute_anywhere(_GIVE_BACK, {"coupon": coupon.pk, "amount": movement.amount, "is_whole": movement.left == 0})
    purse_refilled(Kind.COUPON_BACK, [_borne(coupon, movement, -movement.amount)], movement)


def _borne(coupon: Coupon, movement: Movement, amount: Decimal) -> Move:
    is_owners = coupon.borne_by == Coupon.Bearer.OWNER and coupon.shop is not None and not coupon.shop.is_house
    return Move(Name.PENDING, amount, movement.shop_id) if is_owners else Move(Name.COUPONS, amount, coupon.pk)
