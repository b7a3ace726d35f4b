"""What a unit of a supplier's currency costs us, how old that is, and amounts carried over the border between the two.

Adapters speak their connection's currency, everything else speaks yuan.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.costs import YUAN, availability_refresh, costs_recompute
from fulfillment.suppliers.models import ExchangeRate, Supplier, SupplierOffer
from kameng.alerts.services import alerts_end, alerts_raise
from kameng.core import sql
from kameng.core.money import CENT
from kameng.core.problems import Problem

#: Costs and listed prices have so many decimals.
COST_PLACES = Decimal("0.0001")
RATE_PLACES = Decimal("0.000001")
#: A new rate that differs by more is a typing mistake until somebody says that it is none.
LARGEST_STEP_PERCENT = 10
#: A currency's rate in yuan may be from a thousandth of a fen to ten thousand.
LOWEST_RATE, HIGHEST_RATE = Decimal("0.00001"), Decimal(10_000)
CODE_LENGTH = 3
#: Alert: the rate of a currency that somebody sells in is too old, or there is none.
STALE = "rate.stale"


class RateInvalid(Problem):
    """What was entered cannot be a rate; `fields` say why."""

    code = "rate_invalid"
    message = gettext_lazy("这条汇率没有保存")


@dataclass(frozen=True, slots=True)
class Rate:
    """The newest rate of a currency: yuan for one unit, since when, and whether it is young enough to sell by."""

    currency: str
    yuan: Decimal
    as_of: datetime
    age_seconds: float
    source: str

    @property
    def is_fresh(self) -> bool:
        """Younger than `EXCHANGE_RATE_MAX_AGE_HOURS`."""
        return self.age_seconds < settings.EXCHANGE_RATE_MAX_AGE_HOURS * 3600


_NEWEST = """
SELECT DISTINCT ON (currency) currency, yuan, as_of,
       extract(epoch FROM statement_timestamp() - as_of)::double precision AS age_seconds, source
  FROM public.suppliers_exchangerate
 WHERE as_of <= statement_timestamp() AND (%(currency)s = '' OR currency = %(currency)s)
 ORDER BY currency, as_of DESC
"""


def rates_newest() -> list[Rate]:
    """The rate that holds for each currency that was ever entered."""
    return [Rate(*row) for row in sql.rows_anywhere(_NEWEST, {"currency": ""})]


def rate_of(currency: str) -> Rate | None:
    """The rate that holds for a currency, however old."""
    found = sql.rows_anywhere(_NEWEST, {"currency": currency})
    return Rate(*found[0]) if found else None


def yuan_per_unit(currency: str) -> Decimal | None:
    """What may be reckoned with now: 1 for yuan, None where the rate is too old or missing."""
    if currency == YUAN:
        return Decimal(1)
    rate = rate_of(currency)
    return rate.yuan if rate is not None and rate.is_fresh else None


def cost_in_yuan(price: Decimal, rate: Decimal) -> Decimal:
    """A listed price as our cost: rounded up, so that no cost looks lower than it is."""
    return (price * rate).quantize(COST_PLACES, rounding=ROUND_CEILING)


def charged_in_yuan(amount: Decimal | None, currency: str) -> Decimal | None:
    """What a supplier charged, in yuan; by an old rate rather than by none, since the money is gone already."""
    if amount is None or currency == YUAN or not amount.is_finite():
        return amount
    rate = rate_of(currency)
    return None if rate is None else cost_in_yuan(amount, rate.yuan)


def limit_in(currency: str, yuan: Decimal) -> Decimal | None:
    """The most that we pay, in a supplier's currency: rounded down to its cent. None where there never was a rate."""
    if currency == YUAN:
        return yuan
    rate = rate_of(currency)
    return None if rate is None else (yuan / rate.yuan).quantize(CENT, rounding=ROUND_FLOOR)


@transaction.atomic
def exchange_rate_set(
    *, currency: str, yuan: Decimal, source: str, as_of: datetime | None = None, is_confirmed: bool = False
) -> ExchangeRate:
    """Enter what one unit costs us in yuan, as of a moment (now, if none is named). The newest moment holds.

    The costs of every offer in that currency follow in the same transaction. The same rate of the same moment again
    changes nothing. Raises `RateInvalid`, also for a step of more than 10 % that is not `is_confirmed`.
    """
    currency = currency.strip().upper()
    moment = as_of or sql.rows_anywhere("SELECT statement_timestamp()", [])[0][0]
    _check(currency, yuan, moment)
    known = ExchangeRate.objects.filter(currency=currency, as_of=moment).first()
    if known is not None:
        if known.yuan != yuan:
            raise RateInvalid(fields={"as_of": _("这个时点已经有一条汇率：%(yuan)s") % {"yuan": known.yuan}})
        return known
    before = rate_of(currency)
    if before is not None and not is_confirmed and abs(yuan - before.yuan) * 100 > before.yuan * LARGEST_STEP_PERCENT:
        text = _("和上一条 %(yuan)s 相差超过 %(percent)s%%；确认没有写错，再保存一次")
        raise RateInvalid(fields={"yuan": text % {"yuan": before.yuan, "percent": LARGEST_STEP_PERCENT}})
    rate = ExchangeRate.objects.create(currency=currency, yuan=yuan, as_of=moment, source=source[:80])
    rates_watch()
    return rate


def _check(currency: str, yuan: Decimal, moment: datetime) -> None:
    if len(currency) != CODE_LENGTH or not (currency.isascii() and currency.isalpha()) or currency == YUAN:
        raise RateInvalid(fields={"currency": _("写三个字母的币种代码，例如 USD；人民币不用汇率")})
    if not yuan.is_finite() or not LOWEST_RATE <= yuan <= HIGHEST_RATE:
        limits = {"lowest": LOWEST_RATE, "highest": HIGHEST_RATE}
        raise RateInvalid(fields={"yuan": _("1 单位外币折人民币应在 %(lowest)s 到 %(highest)s 之间") % limits})
    if yuan != yuan.quantize(RATE_PLACES):
        raise RateInvalid(fields={"yuan": _("最多六位小数")})
    if moment > timezone.now() + timedelta(minutes=1):
        raise RateInvalid(fields={"as_of": _("时点不能在以后")})


@transaction.atomic
def rates_watch() -> None:
    """Let costs follow the rates and their age, and say which currency that is sold in has none that holds."""
    costs_recompute()
    rates = {rate.currency: rate for rate in rates_newest()}
    used = set(Supplier.objects.filter(is_active=True).exclude(currency=YUAN).values_list("currency", flat=True))
    stale = {
        currency: {"as_of": rates[currency].as_of.isoformat() if currency in rates else ""}
        for currency in sorted(used)
        if currency not in rates or not rates[currency].is_fresh
    }
    alerts_raise(STALE, stale)
    alerts_end(STALE, [*(rates.keys() | used) - stale.keys()])


@transaction.atomic
def supplier_currency_set(*, supplier_id: int, currency: str) -> None:
    """The supplier is paid in another currency from now on: prices in the old one mean nothing any more."""
    currency = currency.strip().upper()
    if len(currency) != CODE_LENGTH or not (currency.isascii() and currency.isalpha()):
        raise RateInvalid(fields={"currency": _("写三个字母的币种代码，例如 CNY、USD")})
    supplier = Supplier.objects.select_for_update().get(pk=supplier_id)
    if supplier.currency == currency:
        return
    supplier.currency, supplier.balance, supplier.balance_at, supplier.balance_floor = currency, None, None, None
    supplier.save(update_fields=["currency", "balance", "balance_at", "balance_floor", "updated_at"])
    SupplierOffer.objects.filter(supplier=supplier).update(list_price=None, proposed_price=None, cost=None)
    availability_refresh(supplier_ids=[supplier_id])
