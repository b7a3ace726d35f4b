"""Who brought a shop, and what they get for it: one level and no more (`Affiliate` says why it cannot be more)."""

from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from kameng.core.encryption import digest
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.plans.models import Affiliate, Commission, Subscription, Tenure
from resellers.plans.standing import Standing, standing
from resellers.plans.terms import share

#: What is paid later than this after a shop was opened brings nobody a commission.
COMMISSION_DAYS = 365
_TOKEN_LENGTH = 20


def invitation_of(shop: Reseller) -> str:
    """What an owner's link ends with: it names the shop, and nobody else can make one."""
    return f"{shop.slug}-{digest(shop.slug, purpose='invitation')[:_TOKEN_LENGTH]}"


def inviter_named(invitation: str) -> Reseller | None:
    """Whose link somebody came by. Nobody's where it is not genuine, or the shop may not invite (`may_invite`)."""
    slug = invitation[:80].rpartition("-")[0]
    shop: Reseller | None = Reseller.objects.filter(slug=slug, is_house=False).first() if slug else None
    if shop is None or invitation_of(shop) != invitation or not may_invite(shop.pk):
        return None
    return shop


def may_invite(shop_id: int) -> bool:
    """Whether a shop has a plan, stands open, and was not invited itself."""
    if Affiliate.objects.filter(shop_id=shop_id, level=Affiliate.INVITED).exists():
        return False
    tenure = Tenure.objects.filter(shop_id=shop_id, subscription__isnull=False).first()
    return tenure is not None and standing(tenure, timezone.now()) is Standing.OPEN


@transaction.atomic
def invited_write(*, shop_id: int, inviter_id: int) -> None:
    """Remember who brought a shop that was just opened; once, and only by a shop that may invite."""
    if Affiliate.objects.filter(shop_id=shop_id).exists() or not may_invite(inviter_id):
        return
    Affiliate.objects.get_or_create(shop_id=inviter_id, defaults={"level": Affiliate.INVITES})
    Affiliate.objects.create(
        shop_id=shop_id, level=Affiliate.INVITED, inviter_id=inviter_id, inviter_level=Affiliate.INVITES
    )


def commission_book(bought: Subscription) -> None:
    """What the inviter gets of what was just paid, in the same transaction; nothing where nobody does.

    Paid for by an order, it becomes available as what orders earn does; out of a balance, from which nobody asks money
    back, at once.
    """
    place = Affiliate.objects.filter(shop_id=bought.shop_id, level=Affiliate.INVITED).first()
    if place is None or place.inviter_id is None:
        return
    if place.since < timezone.now() - timedelta(days=COMMISSION_DAYS):
        return
    terms = Tenure.objects.filter(shop_id=place.inviter_id, closed_at=None).select_related("subscription").first()
    if terms is None or terms.subscription is None:
        return
    percent = terms.subscription.commission
    amount = share(bought.price_paid, percent)
    if not amount:
        return
    Commission.objects.create(subscription=bought, inviter_id=place.inviter_id, percent=percent, amount=amount)
    _move(f"commission:{bought.pk}", Kind.COMMISSION, amount, bought, place.inviter_id)


@transaction.atomic
def commission_take_back(*, order_number: str, key: str, refunded: Decimal) -> Decimal:
    """What was paid for by an order went back, `refunded` yuan of it altogether: so does its part of the commission.

    Under the same `key` once. How much was taken back now.
    """
    found = (
        Commission.objects.select_for_update(of=("self",))
        .filter(subscription__order_number=order_number, subscription__paid_by=Subscription.PaidBy.ORDER)
        .select_related("subscription")
        .first()
    )
    if found is None:
        return Decimal(0)
    part = min(share(refunded, found.percent), found.amount) - found.taken_back
    if part <= 0:
        return Decimal(0)
    found.taken_back += part
    found.save(update_fields=["taken_back"])
    bought = found.subscription
    _move(f"commission_back:{bought.pk}:{key}", Kind.COMMISSION_BACK, -part, bought, found.inviter_id)
    return part


def _move(key: str, kind: Kind, amount: Decimal, bought: Subscription, inviter_id: int) -> None:
    where = Name.PENDING if bought.paid_by == Subscription.PaidBy.ORDER else Name.AVAILABLE
    moves = [Move(Name.COMMISSIONS, amount), Move(where, -amount, inviter_id)]
    post(key, kind, moves, shop_id=inviter_id, order_number=bought.order_number)
