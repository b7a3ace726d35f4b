"""What operators decide about a shop's time, and what owners buy: done and written into the trail at once."""

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.trail.services import entry_append
from resellers.deposits.services import deposit_of, deposit_take_out
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.ledger.settlement import shop_settle
from resellers.models import Reseller
from resellers.plans.exceptions import PlanRefused
from resellers.plans.models import Plan, Subscription, Tenure
from resellers.plans.services import (
    subscription_open,
    subscription_renew,
    subscription_renew_from_balance,
    subscription_take_back,
    subscription_upgrade_from_balance,
    tenure_lock,
)
from resellers.plans.warnings import warning_end
from resellers.services import shop_touch

LONGEST_REASON = 200


def _written(action: str, shop_id: int, actor: str, data: Mapping[str, object]) -> None:
    slug = Reseller.objects.values_list("slug", flat=True).get(pk=shop_id)
    entry_append(actor=actor, subject=f"shop:{slug}", action=action, data=data)


def _bought(subscription: Subscription) -> dict[str, object]:
    return {
        "plan": subscription.plan.code,
        "until": subscription.until.isoformat(),
        "paid": str(subscription.price_paid),
        "by": subscription.paid_by,
    }


@transaction.atomic
def shop_plan_grant(*, shop_id: int, plan: Plan, key: str, actor: str) -> Subscription:
    """Give a shop a year for nothing: its first one on `plan`, or one more of the plan that it has.

    Under the same `key` once. Raises `PlanRefused`.
    """
    known = Subscription.objects.filter(key=key).first()
    if known is not None:
        return known
    is_first = tenure_lock(shop_id).subscription_id is None
    free = {"key": key, "shop_id": shop_id, "price_paid": Decimal(0), "paid_by": Subscription.PaidBy.NOBODY}
    given = subscription_open(plan=plan, actor=actor, **free) if is_first else subscription_renew(actor=actor, **free)  # type: ignore[arg-type]
    _written("shop.granted", shop_id, actor, _bought(given))
    return given


@transaction.atomic
def shop_renew(*, shop_id: int, key: str, quoted: Decimal, actor: str) -> Subscription:
    """An owner prolongs out of their balance. Raises `PlanRefused`."""
    if known := _known(shop_id, key):
        return known
    renewed = subscription_renew_from_balance(key=key, shop_id=shop_id, quoted=quoted, actor=actor)
    _written("shop.renewed", shop_id, actor, _bought(renewed))
    return renewed


@transaction.atomic
def shop_upgrade(*, shop_id: int, plan_id: int, key: str, quoted: Decimal, actor: str) -> Subscription:
    """An owner changes to a better plan out of their balance. Raises `PlanRefused`."""
    if known := _known(shop_id, key):
        return known
    better = subscription_upgrade_from_balance(key=key, shop_id=shop_id, plan_id=plan_id, quoted=quoted, actor=actor)
    _written("shop.upgraded", shop_id, actor, _bought(better))
    return better


@transaction.atomic
def shop_time_take_back(*, order_number: str) -> Subscription | None:
    """All that an order paid for a shop's time went back: so does that time. None where there is nothing to take."""
    taken = subscription_take_back(order_number=order_number)
    if taken is not None:
        _written("shop.time_taken_back", taken.shop_id, "system", {**_bought(taken), "order": order_number})
    return taken


def _known(shop_id: int, key: str) -> Subscription | None:
    """What was bought under this key already, and is in the trail."""
    return Subscription.objects.filter(key=f"balance:{shop_id}:{key}").first()


def _reason(said: str) -> str:
    reason = " ".join(said.split())
    if not reason:
        raise PlanRefused(_("请写明原因，店主看得到"), fields={"reason": _("请写明原因，店主看得到")})
    return reason[:LONGEST_REASON]


@transaction.atomic
def shop_suspend(*, shop_id: int, reason: str, actor: str) -> Tenure:
    """Take no more orders there, for a reason that the owner reads; what is paid goes on. Raises `PlanRefused`."""
    said, tenure = _reason(reason), tenure_lock(shop_id)
    if tenure.suspended_at is not None:
        return tenure
    tenure.suspended_at, tenure.suspended_reason = timezone.now(), said
    tenure.save(update_fields=["suspended_at", "suspended_reason"])
    shop_touch(shop_id=shop_id)
    _written("shop.suspended", shop_id, actor, {"reason": said})
    return tenure


@transaction.atomic
def shop_resume(*, shop_id: int, actor: str) -> Tenure:
    """It may take orders again, as far as it is paid for. Raises `PlanRefused`."""
    tenure = tenure_lock(shop_id)
    if tenure.suspended_at is None:
        return tenure
    tenure.suspended_at, tenure.suspended_reason = None, ""
    tenure.save(update_fields=["suspended_at", "suspended_reason"])
    shop_touch(shop_id=shop_id)
    _written("shop.resumed", shop_id, actor, {})
    return tenure


@transaction.atomic
def shop_close(*, shop_id: int, reason: str, actor: str) -> Tenure:
    """Close a shop for good, with a last settlement: what is ripe becomes available, and so does what of the deposit is
    not held. What is not ripe yet follows day by day, as ever; orders that are paid end as ever, and the owner goes on
    signing in. Raises `PlanRefused`.
    """
    said, tenure = _reason(reason), tenure_lock(shop_id)
    if tenure.closed_at is not None:
        return tenure
    tenure.closed_at, tenure.closed_reason = timezone.now(), said
    tenure.save(update_fields=["closed_at", "closed_reason"])
    warning_end(tenure)
    shop_settle(shop_id=shop_id, day=timezone.localdate())
    if (free := deposit_of(shop_id)) > 0:
        deposit_take_out(shop_id=shop_id, amount=free, key="closing")
    left = balances_of(shop_id, Name.PENDING, Name.AVAILABLE, Name.DEPOSIT_HELD)
    shop_touch(shop_id=shop_id)
    amounts = {name.value: str(amount.quantize(Decimal("0.01"))) for name, amount in left.items()}
    _written("shop.closed", shop_id, actor, {"reason": said, **amounts})
    return tenure
