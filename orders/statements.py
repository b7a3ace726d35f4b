"""Where an order's money went, as the book has it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orders.models import Order
from resellers.ledger.models import Account, Entry, Journal
from resellers.ledger.settlement import available_at
from resellers.models import Reseller

Kind = Journal.Kind
#: What moves a payment's fee, and gives it back. On an owner's account, that is what they bear of it.
FEE_KINDS = (Kind.PAYMENT, Kind.DISPROVED, Kind.REFUND, Kind.FEE_WAIVED)
#: What takes a discount off an order, and takes it back. On an owner's account, that is what they bear of it.
DISCOUNT_KINDS = (Kind.COUPON_PAID, Kind.COUPON_BACK)
#: What gives points for an order, and takes them back: on an owner's account, what they cost; and what pays with some.
GIFT_KINDS = (Kind.POINTS_EARNED, Kind.POINTS_TAKEN)
POINTS_KINDS = (Kind.POINTS_PAID, Kind.POINTS_BACK)
#: Where what an order brings its owner is: with the platform, or, where they collected, with them, less what the goods
#: cost them of their deposit. What is held of that or freed stays among these.
OWNERS = (Account.Name.PENDING, *Account.DIRECT)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an order has brought its shop's owner, in yuan. `paid`, its price, less `supply` is `earned`; `taken_back`
    is what later refunds took of that. Of what came off the price, and was not given back, the owner bears `discount`,
    and the platform `platform_discount`; of what the gateway keeps `fee`, and `platform_fee`. Where it `is_direct`, the
    owner was paid, and paid for the supply out of their deposit."""

    paid: Decimal
    discount: Decimal
    platform_discount: Decimal
    #: What points for it cost the owner, and what of its price was paid with points.
    gifts: Decimal
    points: Decimal
    supply: Decimal
    earned: Decimal
    fee: Decimal
    platform_fee: Decimal
    taken_back: Decimal
    available_at: datetime | None
    is_available: bool
    is_direct: bool

    @property
    def own(self) -> Decimal:
        """What is left to the owner."""
        return self.earned - self.discount - self.gifts - self.fee - self.taken_back

    @property
    def received(self) -> Decimal:
        """What the shopper paid in money."""
        return self.paid - self.discount - self.platform_discount - self.points


def entries_of(shop: Reseller, order: Order) -> list[Entry]:
    """All that was booked for an order, oldest first, with journals and accounts."""
    found = Entry.objects.filter(journal__shop=shop.pk, journal__order_number=order.number)
    return list(found.select_related("journal", "account").order_by("pk"))


def statement_of(shop: Reseller, order: Order, *, now: datetime) -> Statement | None:
    """The order's statement by the book; None before anything was earned."""
    entries = entries_of(shop, order)
    delivered = [entry for entry in entries if entry.journal.kind == Kind.DELIVERY]
    if not delivered:
        return None
    owners = [entry for entry in entries if entry.account.name in OWNERS]
    ripe = available_at(shop, max(entry.journal.posted_at for entry in delivered))
    paid = _sum(entry for entry in delivered if entry.account.name == Account.Name.ORDERS)
    earned = -_sum(entry for entry in owners if entry.journal.kind == Kind.DELIVERY)
    return Statement(
        paid=paid,
        discount=_sum(entry for entry in owners if entry.journal.kind in DISCOUNT_KINDS),
        platform_discount=_sum(
            entry
            for entry in entries
            if entry.account.name == Account.Name.COUPONS and entry.journal.kind in DISCOUNT_KINDS
        ),
        gifts=_sum(entry for entry in owners if entry.journal.kind in GIFT_KINDS),
        points=_sum(
            entry
            for entry in entries
            if entry.account.name == Account.Name.POINTS and entry.journal.kind in POINTS_KINDS
        ),
        supply=paid - earned,
        earned=earned,
        fee=_sum(entry for entry in owners if entry.journal.kind in FEE_KINDS),
        platform_fee=_sum(entry for entry in entries if entry.account.name == Account.Name.FEES),
        taken_back=_sum(entry for entry in owners if entry.journal.kind == Kind.REFUND_DUE),
        available_at=ripe,
        is_available=ripe <= now,
        is_direct=order.owner_collects,
    )


def _sum(entries: Iterable[Entry]) -> Decimal:
    return sum((entry.amount for entry in entries), Decimal(0))
