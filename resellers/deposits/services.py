"""The deposit of a shop: put in, taken out, and held for goods whose price its owner collects.

What is taken from it is taken under the lock of the shop's row, as from what is available; what comes to it waits for
nobody.
"""

from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core import sql
from kameng.core.money import quantize
from kameng.core.problems import Problem
from resellers.deposits.outlook import DAYS_LOOKED_AT, Outlook, outlook
from resellers.ledger.balances import balances_of
from resellers.ledger.locks import shop_lock
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller

#: The deposit falls below what the owner wants to be warned at; an order could not be paid out of it.
LOW, EXHAUSTED = "deposit.low", "deposit.exhausted"


class DepositRefused(Problem):
    """Money cannot be moved like that; `fields` say why."""

    code = "deposit_refused"


def refused(text: str, field: str = "amount") -> DepositRefused:
    """It cannot, and why."""
    return DepositRefused(text, fields={field: text})


def amount_checked(shop: Reseller, amount: Decimal) -> Decimal:
    """An amount that can be moved, in whole fen. Raises `DepositRefused`."""
    if shop.is_house:
        raise refused(_("直营店的钱就是平台的，不用保证金"))
    if amount <= 0 or amount != quantize(amount):
        raise refused(_("金额要大于 0，最多两位小数"))
    return amount


def deposit_of(shop_id: int) -> Decimal:
    """What is there and not held, in yuan."""
    return balances_of(shop_id, Name.DEPOSIT)[Name.DEPOSIT]


def floor_of(shop: Reseller) -> Decimal:
    """Below which deposit, in yuan, the owner is warned in any case: their own wish, else the platform's."""
    own: Decimal | None = shop.deposit_warning
    general: Decimal = settings.DEPOSIT_WARNING
    return general if own is None else own


def outlook_of(shop: Reseller, free: Decimal) -> Outlook:
    """How long so much lasts the shop."""
    days: int = settings.DEPOSIT_WARNING_DAYS
    return outlook(free=free, daily=shop.deposit_daily, floor=floor_of(shop), warning_days=days)


#: What payments and orders held, less what came to nothing and was freed.
_RECKON = """
UPDATE public.resellers_reseller AS shop SET deposit_daily = found.daily
  FROM (SELECT shop.id, coalesce(held.amount, 0) AS daily
          FROM public.resellers_reseller AS shop
          LEFT JOIN (
               SELECT account.owner, greatest(round(sum(entry.amount) / %(days)s, 2), 0) AS amount
                 FROM public.ledger_journal AS journal
                 JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
                 JOIN public.ledger_account AS account ON account.id = entry.account_id
                WHERE account.name = 'deposit' AND journal.kind IN ('deposit_hold', 'deposit_free')
                  AND journal.posted_at >= statement_timestamp() - %(days)s * interval '1 day'
                GROUP BY account.owner) AS held ON held.owner = shop.id) AS found
 WHERE found.id = shop.id AND shop.deposit_daily <> found.daily
"""


@transaction.atomic
def deposits_reckon() -> int:
    """Say anew of every shop what a day takes of its deposit, and warn who runs short by that; of how many shops it is
    another sum. Run by beat, in public; twice is harmless."""
    changed = sql.execute_anywhere(sql.Report(_RECKON), {"days": DAYS_LOOKED_AT})
    for shop in Reseller.objects.filter(deposit_daily__gt=0).order_by("pk"):
        _watch(shop, deposit_of(shop.pk))
    return changed


def deposit_take(*, shop_id: int, amount: Decimal, key: str, order_number: str) -> bool:
    """Hold so much for an order, in the transaction in which it is needed. False where there is not enough.

    Others who want of the same deposit wait until that transaction ends.
    """
    shop = shop_lock(shop_id)
    left = deposit_of(shop_id) - amount
    if left < 0:
        return False
    moves = [Move(Name.DEPOSIT, amount, shop_id), Move(Name.DEPOSIT_HELD, -amount, shop_id)]
    post(key, Kind.DEPOSIT_HOLD, moves, shop_id=shop_id, order_number=order_number)
    _watch(shop, left)
    return True


def _watch(shop: Reseller, left: Decimal) -> None:
    """Warn of a deposit that does not last, with what is left and for how long; or take the warning back."""
    seen = outlook_of(shop, left)
    if not seen.is_low:
        _enough_again(shop)
        return
    is_known = seen.days is not None
    alert_raise(
        LOW,
        subject=shop.slug,
        shop=shop.name,
        balance=f"{left:.2f}",
        floor=f"{seen.line:.2f}",
        daily=f"{seen.daily:.2f}" if is_known else "",
        lasts=str(seen.days) if is_known else "",
    )


def _enough_again(shop: Reseller) -> None:
    for kind in (LOW, EXHAUSTED):
        alert_end(kind, subject=shop.slug)


def deposit_short(*, shop_id: int) -> None:
    """An order could not be paid out of the deposit: say so, urgently. Outside the transaction that failed for it."""
    shop = Reseller.objects.get(pk=shop_id)
    balance = f"{deposit_of(shop_id):.2f}"
    alert_raise(EXHAUSTED, subject=shop.slug, level=Level.URGENT, shop=shop.name, balance=balance)


def deposit_grown(shop: Reseller) -> None:
    """Money was put in: an order that failed before may not fail now, so that this is told anew if it does."""
    left = deposit_of(shop.pk)
    if not outlook_of(shop, left).is_low:
        _enough_again(shop)
    elif left > 0:
        alert_end(EXHAUSTED, subject=shop.slug)


def _is_done(key: str) -> bool:
    return bool(sql.rows_anywhere("SELECT FROM public.ledger_journal WHERE key = %s", [key]))


@transaction.atomic
def deposit_put_in(*, shop_id: int, amount: Decimal, key: str) -> None:
    """Move so much of what is available into the deposit. Under the same `key` once. Raises `DepositRefused`."""
    shop = shop_lock(shop_id)
    key = f"deposit_in:{shop_id}:{key}"
    if _is_done(key):
        return
    amount = amount_checked(shop, amount)
    available = balances_of(shop_id, Name.AVAILABLE)[Name.AVAILABLE]
    if amount > available:
        raise refused(_("最多能转 %(most)s 元") % {"most": f"{max(available, Decimal(0)):.2f}"})
    moves = [Move(Name.AVAILABLE, amount, shop_id), Move(Name.DEPOSIT, -amount, shop_id)]
    post(key, Kind.DEPOSIT_IN, moves, shop_id=shop_id)
    deposit_grown(shop)


@transaction.atomic
def deposit_take_out(*, shop_id: int, amount: Decimal, key: str) -> None:
    """Move so much of what is not held to what is available. Under the same `key` once. Raises `DepositRefused`."""
    shop = shop_lock(shop_id)
    key = f"deposit_out:{shop_id}:{key}"
    if _is_done(key):
        return
    amount = amount_checked(shop, amount)
    free = deposit_of(shop_id)
    if amount > free:
        raise refused(_("最多能转 %(most)s 元，冻结的要等订单完成") % {"most": f"{free:.2f}"})
    moves = [Move(Name.DEPOSIT, amount, shop_id), Move(Name.AVAILABLE, -amount, shop_id)]
    post(key, Kind.DEPOSIT_OUT, moves, shop_id=shop_id)


@transaction.atomic
def deposit_warning_save(*, shop_id: int, floor: Decimal | None) -> None:
    """Below which deposit, in yuan, the owner wants to be warned; None: as the platform has it.

    Raises `DepositRefused`.
    """
    shop = shop_lock(shop_id)
    if floor is not None and (floor < 0 or floor != quantize(floor)):
        raise refused(_("不能小于 0，最多两位小数"), "floor")
    shop.deposit_warning = floor
    shop.save(update_fields=["deposit_warning"])
