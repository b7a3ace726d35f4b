"""The web server's entry: pages that are kept first, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.settings.base")

django_application = get_wsgi_application()

from catalog.listings.pages_kept import serve_kept  # noqa: E402 -- needs the apps to be loaded
from fulfillment.models import Delivery, DeliveryReveal, Fulfillment, SupplierOrder  # noqa: E402
from kameng.core.database.sessions import sessions  # noqa: E402
from kameng.core.database.warming import tables_of, warming  # noqa: E402
from orders.models import Order, OrderEvent, OrderLine  # noqa: E402
from payments.models import Payment  # noqa: E402

application = serve_kept(django_application)
sessions.shared = True
#: What an order is written to and read from.
warming.statement = tables_of(
    [Order, OrderLine, OrderEvent, Payment, Fulfillment, SupplierOrder, Delivery, DeliveryReveal]
)
