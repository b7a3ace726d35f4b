"""A shop's time: begun, prolonged, changed for a better plan. Money is taken under the lock of the shop's row.

What people decide about a shop is in `compliance.tenures`, which writes it into the trail as well.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from resellers.ledger.balances import balances_of
from resellers.ledger.locks import shop_lock
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.plans.commissions import commission_book
from resellers.plans.exceptions import PlanChanged, PlanInvalid, PlanRefused
from resellers.plans.models import Plan, Subscription, Tenure
from resellers.plans.standing import days_left
from resellers.plans.terms import upgrade_price, year_after
from resellers.plans.warnings import warning_end
from resellers.services import shop_touch

PaidBy = Subscription.PaidBy
_ONE_DAY = timedelta(days=1)


def plan_save(*, plan: Plan) -> Plan:
    """Write a plan, new or changed; what a shop has already keeps the terms that it was bought on.

    Raises `PlanInvalid`.
    """
    try:
        plan.full_clean()
    except ValidationError as error:
        fields = {name: " ".join(texts) for name, texts in error.message_dict.items()}
        raise PlanInvalid(fields.get("__all__"), fields=fields) from error
    plan.save()
    return plan


def tenure_lock(shop_id: int) -> Tenure:
    """A shop's standing, under the lock of the shop's row. A house shop has none. Raises `PlanRefused`."""
    shop = shop_lock(shop_id)
    if shop.is_house:
        raise PlanRefused(_("直营店没有套餐，也不会到期"))
    found, _made = Tenure.objects.get_or_create(shop_id=shop.pk)
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def end_of_year_from(now: datetime, paid_until: datetime | None = None) -> datetime:
    """The midnight after which a year is over: one that begins today, or when what was paid for ends."""
    today = timezone.localdate(now)
    last = today if paid_until is None else max(timezone.localdate(paid_until) - _ONE_DAY, today - _ONE_DAY)
    return _midnight(year_after(last) + _ONE_DAY)


@transaction.atomic
def subscription_open(
    *, key: str, shop_id: int, plan: Plan, price_paid: Decimal, paid_by: str, actor: str, order_number: str = ""
) -> Subscription:
    """Begin the first year of a shop. Under the same `key` once. Raises `PlanRefused` for a shop that has a plan."""
    tenure = tenure_lock(shop_id)
    if known := Subscription.objects.filter(key=key).first():
        return known
    if tenure.subscription_id is not None:
        raise PlanRefused(_("这家店已经有套餐了，请续费或升级"))
    kind = Subscription.Kind.GRANTED if paid_by == PaidBy.NOBODY else Subscription.Kind.OPENING
    now = timezone.now()
    begun = Subscription.objects.create(
        key=key,
        shop_id=shop_id,
        plan=plan,
        kind=kind,
        begins_at=now,
        until=end_of_year_from(now),
        price_paid=price_paid,
        paid_by=paid_by,
        order_number=order_number,
        supply_discount=plan.supply_discount,
        commission=plan.commission,
        actor=actor,
    )
    return _holds(tenure, begun)


@transaction.atomic
def subscription_renew(
    *,
    key: str,
    shop_id: int,
    price_paid: Decimal,
    paid_by: str,
    actor: str,
    order_number: str = "",
    plan_id: int | None = None,
) -> Subscription:
    """Another year of the plan that the shop has, on its terms, after what is paid for; from today where that is over.

    `plan_id` is the plan whose rent was paid. Under the same `key` once. Raises `PlanRefused` for a shop without a
    plan, or one that is closed for good, and `PlanChanged` where it has another plan by now.
    """
    tenure = tenure_lock(shop_id)
    if known := Subscription.objects.filter(key=key).first():
        return known
    if plan_id not in (None, _current(tenure).plan_id):
        raise PlanChanged
    return _holds(tenure, _renewal(tenure, key, price_paid, paid_by, actor, order_number))


def _renewal(
    tenure: Tenure, key: str, price_paid: Decimal, paid_by: str, actor: str, order_number: str
) -> Subscription:
    current = _current(tenure)
    now = timezone.now()
    begins = max(tenure.paid_until, now) if tenure.paid_until is not None else now
    return Subscription.objects.create(
        key=key,
        shop_id=tenure.shop_id,
        plan_id=current.plan_id,
        kind=Subscription.Kind.GRANTED if paid_by == PaidBy.NOBODY else Subscription.Kind.RENEWAL,
        begins_at=begins,
        until=end_of_year_from(now, tenure.paid_until),
        price_paid=price_paid,
        paid_by=paid_by,
        order_number=order_number,
        supply_discount=current.supply_discount,
        commission=current.commission,
        actor=actor,
    )


@transaction.atomic
def subscription_renew_from_balance(*, key: str, shop_id: int, quoted: Decimal, actor: str) -> Subscription:
    """The same, paid out of what the owner could withdraw, at the price `quoted` to them.

    Raises `PlanRefused`, also where the price has changed meanwhile or the money is not there.
    """
    tenure = tenure_lock(shop_id)
    key = f"balance:{shop_id}:{key}"
    if known := Subscription.objects.filter(key=key).first():
        return known
    price = _current(tenure).plan.yearly_rent
    _same_price(price, quoted)
    renewed = _renewal(tenure, key, price, PaidBy.BALANCE, actor, "")
    _pay(tenure.shop_id, price, key)
    return _holds(tenure, renewed)


@transaction.atomic
def subscription_upgrade_from_balance(
    *, key: str, shop_id: int, plan_id: int, quoted: Decimal, actor: str
) -> Subscription:
    """Change to a dearer plan from this moment on, to the end of what is paid for, for the difference
    (`terms.upgrade_price`), out of what the owner could withdraw.

    Raises `PlanRefused` for a plan that is not above the present one or not offered, a shop whose time is over, another
    price than the one `quoted`, and too little money.
    """
    tenure = tenure_lock(shop_id)
    key = f"balance:{shop_id}:{key}"
    if known := Subscription.objects.filter(key=key).first():
        return known
    current = _current(tenure)
    wanted = Plan.objects.filter(pk=plan_id, is_offered=True).first()
    if wanted is None or wanted.pk not in {plan.pk for plan in plans_above(current.plan)}:
        raise PlanRefused(_("只能换成更高的套餐"))
    now = timezone.now()
    if tenure.paid_until is None or tenure.paid_until <= now:
        raise PlanRefused(_("已经到期了，请先续费再升级"))
    price = price_of_upgrade(current.plan, wanted, tenure.paid_until, now)
    _same_price(price, quoted)
    better = Subscription.objects.create(
        key=key,
        shop_id=shop_id,
        plan=wanted,
        kind=Subscription.Kind.UPGRADE,
        begins_at=now,
        until=tenure.paid_until,
        price_paid=price,
        paid_by=PaidBy.BALANCE,
        supply_discount=wanted.supply_discount,
        commission=wanted.commission,
        actor=actor,
    )
    _pay(shop_id, price, key)
    return _holds(tenure, better)


@transaction.atomic
def subscription_take_back(*, order_number: str) -> Subscription | None:
    """All that an order paid for a shop's time went back: so does that time, and nothing else of the shop.

    What was bought after it stays bought, and moves forward. None where the order has brought no time, or that went
    back already.
    """
    bought = Subscription.objects.filter(order_number=order_number, paid_by=PaidBy.ORDER).first()
    if bought is None:
        return None
    tenure = tenure_lock(bought.shop_id)
    bought.refresh_from_db()
    if bought.taken_back_at is not None or tenure.paid_until is None:
        return None
    days = timezone.localdate(bought.until) - timezone.localdate(bought.begins_at)
    tenure.paid_until = _midnight(timezone.localdate(tenure.paid_until) - days)
    tenure.save(update_fields=["paid_until"])
    bought.taken_back_at = timezone.now()
    bought.save(update_fields=["taken_back_at"])
    warning_end(tenure)
    shop_touch(shop_id=tenure.shop_id)
    return bought


def plans_above(plan: Plan) -> list[Plan]:
    """What can be changed to: offered, and of a higher rent."""
    return list(Plan.objects.filter(is_offered=True, yearly_rent__gt=plan.yearly_rent))


def price_of_upgrade(current: Plan, wanted: Plan, paid_until: datetime, now: datetime) -> Decimal:
    """What it costs today, in yuan."""
    return upgrade_price(
        fees=(current.opening_fee, wanted.opening_fee),
        rents=(current.yearly_rent, wanted.yearly_rent),
        days_left=days_left(paid_until, now),
    )


def _current(tenure: Tenure) -> Subscription:
    if tenure.closed_at is not None:
        raise PlanRefused(_("这家店已经关闭"))
    if tenure.subscription is None:
        raise PlanRefused(_("这家店还没有套餐，请联系平台运营"))
    return tenure.subscription


def _same_price(price: Decimal, quoted: Decimal) -> None:
    if price != quoted:
        raise PlanRefused(_("价格变了，现在是 %(price)s 元，请看过再确认") % {"price": price})


def _pay(shop_id: int, price: Decimal, key: str) -> None:
    available = balances_of(shop_id, Name.AVAILABLE)[Name.AVAILABLE]
    if price > available:
        raise PlanRefused(
            _("可提现余额只有 %(available)s 元，不够") % {"available": f"{max(available, Decimal(0)):.2f}"}
        )
    moves = [Move(Name.AVAILABLE, price, shop_id), Move(Name.RENTS, -price)]
    post(f"rent:{key}", Kind.RENT, moves, shop_id=shop_id)


def _holds(tenure: Tenure, bought: Subscription) -> Subscription:
    """The shop stands by what was just bought: until its end; a renewal changes nothing else."""
    if tenure.paid_until != bought.until:
        warning_end(tenure)
    tenure.subscription, tenure.paid_until = bought, bought.until
    tenure.supply_discount = bought.supply_discount
    tenure.save(update_fields=["subscription", "paid_until", "supply_discount"])
    commission_book(bought)
    shop_touch(shop_id=tenure.shop_id)
    return bought


def tenures(shops: list[Reseller]) -> Mapping[int, Tenure]:
    """How shops stand, by their ids; those without a row are missing."""
    found = Tenure.objects.filter(shop__in=shops).select_related("subscription__plan")
    return {tenure.shop_id: tenure for tenure in found}
