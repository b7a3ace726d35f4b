"""What happens after what: the only module that knows every stage."""

import logging
from collections.abc import Callable, Sequence

from django.db import connection
from django_tenants.utils import get_public_schema_name

from catalog.shelf_names import shelf_renamed
from compliance.gate.authorizations import authorizations_changed
from compliance.gate.pictures import marks_changed
from compliance.gate.rescreening import rules_changed, subjects_rescreen
from compliance.visits.services import visit_over
from fulfillment.services import (
    category_refresh,
    fulfillment_run,
    licenses_changed,
    order_fulfill,
    requirements_changed,
    variant_refresh,
)
from fulfillment.suppliers.balances import supplier_balance
from fulfillment.suppliers.breaker import supplier_probe
from fulfillment.suppliers.price_lists import supplier_sync
from fulfillment.suppliers.stock_imports import import_run
from fulfillment.taken_down import goods_taken_down, subject_taken_down
from kameng.opening.refunds import plan_refunded
from kameng.outbox.services import Claim
from kameng.reconciliation.services import day_run
from kameng.supply.callbacks import client_callback_send, client_order_follow, client_order_refunded
from orders.services import order_expire
from payments.asking import payment_follow, payments_close
from payments.contradictions import payment_contradicted
from payments.points import points_earn
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund, surplus_refund
from payments.services import payment_ask
from payments.unapplied import notice_settle
from resellers.domains.services import domain_check
from resellers.selectors import shop_in

logger = logging.getLogger(__name__)

#: A handler takes the row's payload. It is idempotent, and says in how many seconds it wants to run again, if at all.
Handler = Callable[..., float | None]


def _wake(*, fulfillment_id: int) -> None:
    """Somebody knocked: look once; the work's own row goes on with its schedule."""
    fulfillment_run(fulfillment_id=fulfillment_id)


def _ask(*, payment_id: int) -> None:
    """A notice of this payment could not be confirmed. Raises `GatewayError`, and is then run again."""
    payment_ask(payment_id=payment_id, actor="notice")


HANDLERS: dict[str, Sequence[Handler]] = {
    "order.expire": [order_expire],
    "order.closed": [payments_close],
    "order.paid": [order_fulfill],
    "payment.follow": [payment_follow],
    "payment.noticed": [_ask],
    "notice.unapplied": [notice_settle],
    "payment.surplus": [surplus_refund],
    "payment.contradicted": [payment_contradicted],
    "fulfillment.run": [fulfillment_run],
    "fulfillment.wake": [_wake],
    "line.delivered": [points_earn],
    "line.failed": [line_refund],
    "line.short": [line_refund],
    "refund.run": [refund_run, client_order_refunded, plan_refunded],
    "supplier.probe": [supplier_probe],
    "variant.refresh": [variant_refresh],
    "category.refresh": [category_refresh],
    "shelf.renamed": [shelf_renamed],
    "licenses.changed": [licenses_changed],
    "requirements.changed": [requirements_changed],
    "authorizations.changed": [authorizations_changed],
    "rules.changed": [rules_changed],
    "marks.changed": [marks_changed],
    "subjects.rescreen": [subjects_rescreen],
    "subject.taken_down": [subject_taken_down],
    "goods.taken_down": [goods_taken_down],
    "stock.import": [import_run],
    "supplier.sync": [supplier_sync],
    "supplier.balance": [supplier_balance],
    "reconciliation.run": [day_run],
    "client_order.follow": [client_order_follow],
    "client_callback.send": [client_callback_send],
    "domain.check": [domain_check],
    "visit.over": [visit_over],
}


class ShopGone(Exception):
    """The row's schema does not exist (any more); running it elsewhere would be worse than not running it."""


def dispatch(claim: Claim) -> float | None:
    """Enter the row's shop and run its handlers; the shortest wish to run again counts. Raises `ShopGone`."""
    if claim.schema_name == get_public_schema_name():
        connection.set_schema_to_public()  # type: ignore[attr-defined]
    else:
        shop = shop_in(claim.schema_name)
        if shop is None:
            raise ShopGone(claim.schema_name)
        connection.move(shop)  # type: ignore[attr-defined]
    try:
        wishes = [handler(**claim.payload) for handler in HANDLERS[claim.topic]]
    finally:
        connection.set_schema_to_public()  # type: ignore[attr-defined]
    return min((wish for wish in wishes if wish is not None), default=None)
