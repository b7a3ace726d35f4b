"""What templates are told about orders: plain words in the reader's language, with what identifies people masked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from catalog.phone_numbers import FOR_PHONES, origin_of
from orders.models import Order, OrderLine
from orders.words import PLAN_DONE, state_text
from resellers.context import in_english
from resellers.plans.skus import kind_of


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class LineFace:
    """One line of an order."""

    icon: str
    kind: str
    product_name: str
    variant_name: str
    quantity: int
    #: How many of them nobody had: their price goes back.
    short_quantity: int
    price: Decimal
    official_price: Decimal
    amount: Decimal
    account_rows: list[Row]


@dataclass(frozen=True, slots=True)
class RecentFace:
    """An order in a list."""

    number: str
    icon: str
    title: str
    created_at: datetime
    total: Decimal
    tone: str
    badge: str


def account_rows(line: OrderLine) -> list[Row]:
    """Whose account, field by field, in full: the page on which it is checked."""
    english = in_english()
    return [
        Row(
            (english and entry.get("label_en")) or entry["label"],
            (english and entry.get("shown_en")) or entry.get("shown") or entry["value"],
        )
        for entry in line.account
    ]


def checked_rows(line: OrderLine) -> list[Row]:
    """The same for the page on which it is checked, with where a phone number that is charged comes from."""
    rows = account_rows(line)
    if line.kind in FOR_PHONES and line.account:
        try:
            origin = origin_of(line.account[0]["value"]).text(english=in_english())
        except ValueError:
            return rows
        if origin:
            rows.insert(1, Row(_("号段归属"), origin))
    return rows


def account_summary(line: OrderLine) -> str:
    """Whose account in a few characters, masked: `482***375`."""
    return masked(line.account[0]["value"]) if line.account else ""


def masked(value: str) -> str:
    """Enough to be recognized by its owner, too little for anybody else."""
    if "@" in value:
        name, _, host = value.partition("@")
        return f"{name[:1]}***@{host}"
    if len(value) <= 4:
        return value[:1] + "***"
    keep = 3 if len(value) >= 9 else 2
    return f"{value[:keep]}{'*' * (len(value) - 2 * keep)}{value[-keep:]}"


def masked_contact(order: Order) -> str:
    """`138****5678`, `n***@example.com`; says so where it was forgotten."""
    return _("已删除") if order.forgotten_at is not None else contact_masked(order.contact)


def contact_masked(contact: str) -> str:
    """`138****5678`, `n***@example.com`."""
    return masked(contact) if "@" in contact else f"{contact[:3]}****{contact[-4:]}"


def names_of(line: OrderLine) -> tuple[str, str]:
    """What was bought, the product and the amount, in the reader's language."""
    if not in_english():
        return line.product_name, line.variant_name
    return line.product_name_en or line.product_name, line.variant_name_en or line.variant_name


def line_face(line: OrderLine) -> LineFace:
    """A line in the reader's language."""
    product_name, variant_name = names_of(line)
    return LineFace(
        icon=line.icon,
        kind=line.kind,
        product_name=product_name,
        variant_name=variant_name,
        quantity=line.quantity,
        short_quantity=line.short_quantity,
        price=line.price,
        official_price=line.official_price,
        amount=line.amount,
        account_rows=account_rows(line),
    )


#: The words for an order in a list, where only its own state is looked at.
_STATE_OF = {
    Order.Status.PENDING: "created",
    Order.Status.PAID: "delivering",
    Order.Status.FULFILLED: "delivered",
    Order.Status.EXPIRED: "expired",
    Order.Status.CANCELED: "canceled",
    Order.Status.REFUNDED: "refunded",
    Order.Status.PARTLY_REFUNDED: "partly_refunded",
}


def recent_faces(orders: Iterable[Order]) -> list[RecentFace]:
    """Orders for a list; prefetch their lines."""
    faces = []
    for order in orders:
        line = line_face(order.lines.all()[0])
        words = state_text(_state_of(order))
        title = f"{line.product_name} {line.variant_name}"
        faces.append(RecentFace(order.number, line.icon, title, order.created_at, order.total, words.tone, words.badge))
    return faces


def _state_of(order: Order) -> str:
    line = order.lines.all()[0]
    if plan := kind_of(line.product_slug, line.sku):
        of_plan = {Order.Status.PAID: "plan_under_way", Order.Status.FULFILLED: PLAN_DONE[plan]}
        return of_plan.get(Order.Status(order.status), _STATE_OF[Order.Status(order.status)])
    return _STATE_OF[Order.Status(order.status)]
