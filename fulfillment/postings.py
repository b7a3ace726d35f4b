"""What buying and delivering moves in the platform's book."""

from decimal import Decimal

from django.db import connection

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.choosing import is_ours
from fulfillment.suppliers.connections import supplier_known
from kameng.core.ids import shop_id_of
from orders.holds import hold_change
from orders.models import OrderLine
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.selectors import shop_in


def delivery_booked(line: OrderLine) -> None:
    """The shopper has their goods: what they paid is earned, by the platform and by the shop's owner.

    An owner who collected has the whole price already, and pays for the goods out of what is held of their deposit.
    What of the line nobody could deliver stays owed to the shopper.
    """
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    if shop is None:
        raise ValueError(f"line {line.pk} is delivered outside a shop")
    came = line.quantity - line.short_quantity
    paid = line.price * came
    supply = paid if shop.is_house else line.supply_price * came
    if line.order.owner_collects:
        hold_change(line.order, -supply)
        owners = [Move(Name.DEPOSIT_HELD, supply, shop.pk), Move(Name.TAKINGS, -paid, shop.pk)]
    else:
        owners = [Move(Name.PENDING, supply - paid, shop.pk)]
    moves = [Move(Name.ORDERS, paid, shop.pk), Move(Name.SALES, -supply), *owners]
    post(f"delivery:{shop.pk}:{line.pk}", Kind.DELIVERY, moves, shop_id=shop.pk, order_number=line.order.number)


def supply_booked(buy: SupplierOrder, *, arrived: int, is_known: bool) -> None:
    """A supplier has delivered so many units of an attempt, and charges for them; `is_known` says that it told what."""
    cost = buy.cost if is_known else (buy.cost * arrived / buy.quantity).quantize(Decimal("0.0001"))
    ours = is_ours(supplier_known(buy.supplier_id))
    paid = Move(Name.INVENTORY, -cost) if ours else Move(Name.SUPPLIER, -cost, buy.supplier_id)
    post(
        f"supply:{buy.reference}",
        Kind.SUPPLY,
        [Move(Name.COST, cost), paid],
        shop_id=shop_id_of(buy.reference),
        order_number=buy.fulfillment.line.order.number,
    )
