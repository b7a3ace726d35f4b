"""Which tables of a shop a session looks at before an order comes (`kameng.core.database.warming`), and how the worker
hears that somebody reads there."""

from fulfillment.models import Delivery, DeliveryReveal, Fulfillment, SupplierOrder
from kameng.core.database.warming import tables_of, warming
from kameng.outbox.services import bell
from orders.models import Order, OrderEvent, OrderLine
from payments.models import Payment
from resellers.selectors import shop_in

TASK = "kameng.warm"
#: A worker that has more to do than to hear of this in so many seconds had better not.
EXPIRES_SECONDS = 10
#: What an order is written to and read from.
STATEMENT = tables_of([Order, OrderLine, OrderEvent, Payment, Fulfillment, SupplierOrder, Delivery, DeliveryReveal])


def worker_tell(schema_names: list[str]) -> None:
    """In a web process: a worker may look at these shops as well."""
    bell.send(TASK, schema_names, expires=EXPIRES_SECONDS)


def worker_told(schema_names: list[str]) -> None:
    """In a worker: somebody reads pages of these shops."""
    for shop in filter(None, map(shop_in, schema_names)):
        warming.want(shop)
