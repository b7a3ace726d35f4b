"""A shop in which everything has happened that may happen."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import override_settings

from catalog.models import Variant
from fulfillment.decisions import fulfillment_give_up
from fulfillment.outcomes import outcome_apply
from fulfillment.suppliers import connections
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.registry import ADAPTERS
from orders.models import Order
from orders.services import Buyer, LineRequest, order_cancel, order_expire, order_place
from payments.asking import payments_close
from payments.gateways.registry import GATEWAYS
from payments.merchants import services as merchant_services
from payments.refunds import refund_request
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import CONTACT, code_on_sale, on_sale, open_payment, place, stocked
from tests.flows import ACCEPTED, FAILED, REFUSED, TOPPED_UP, UNKNOWN, codes, confirm, drain, paid, states, work_of
from tests.payments.test_notices import notify


@dataclass(frozen=True)
class Busy:
    """The orders, by what became of them."""

    shop: Reseller
    topped_up: Order
    stocked: Order
    sent: Order
    refunded: Order
    partly: Order
    twice_paid: Order
    late: Order
    expired: Order
    canceled: Order
    pending: Order
    verifying: Order
    manual: Order


def _two_lines(shop: Reseller) -> Order:
    first, second = on_sale(suppliers=("good",)), on_sale(suppliers=("empty",))
    lines = [LineRequest(variant.sku, 1, {"uid": "482019375"}) for variant in (first, second)]
    order = order_place(shop=shop, lines=lines, contact=CONTACT, buyer=Buyer()).order
    confirm(open_payment(shop, order))
    return order


@pytest.fixture(scope="module")
def happened(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Busy]:
    """Done once for all tests of a module; each of them undoes what it does to it."""
    ADAPTERS["scripted"], GATEWAYS["scripted"] = ScriptedSupplier, ScriptedGateway
    limits = override_settings(UNPAID_ORDERS_PER_CONTACT=100)
    with django_db_blocker.unblock(), limits, transaction.atomic():  # type: ignore[attr-defined]
        shop = Reseller.objects.get(slug="one")
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        try:
            yield _everything(shop)
        finally:
            transaction.set_rollback(True)
            connection.set_schema_to_public()  # type: ignore[attr-defined]
            ADAPTERS.pop("scripted", None)
            GATEWAYS.pop("scripted", None)


@pytest.fixture
def busy(happened: Busy, db: None) -> Iterator[Busy]:
    """Inside that shop."""
    connection.set_tenant(happened.shop)  # type: ignore[attr-defined]
    yield happened
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _everything(shop: Reseller) -> Busy:
    """Worked off to where each order stands. What the process remembers of an earlier test is gone from the tables."""
    merchant_services.forget()
    connections.forget()
    ScriptedSupplier.reset()
    ScriptedGateway.reset()
    script = ScriptedSupplier.on_submit
    script("good", TOPPED_UP)
    script("bad", REFUSED)
    script("empty", REFUSED)  # not so often that it is left alone
    script("sender", codes("SENT-0001", "SENT-0002"))
    script("vague", UNKNOWN)
    script("half", Outcome(OutcomeKind.PARTIAL))
    ScriptedSupplier.on_query("vague", UNKNOWN)
    top_up = on_sale(suppliers=("bad", "good"))

    first = place(shop, top_up)
    payment, second_payment = open_payment(shop, first), open_payment(shop, first, channel="h5")
    confirm(payment)
    confirm(second_payment)

    late = place(shop, top_up)
    late_payment = open_payment(shop, late)
    expired = place(shop, top_up)
    open_payment(shop, expired)
    Order.objects.filter(pk__in=[late.pk, expired.pk]).update(expires_at=F("created_at"))
    drain()
    _expire(late, expired)
    confirm(late_payment)

    canceled = place(shop, top_up)
    open_payment(shop, canceled)
    order_cancel(order_id=canceled.pk, actor="shopper")

    noticed = place(shop, top_up)
    noticed_payment = open_payment(shop, noticed)
    confirm(noticed_payment, amount=noticed_payment.amount - 1)
    confirm(noticed_payment)
    notify(noticed_payment.number)

    pending = place(shop, top_up)
    open_payment(shop, pending)

    happened = Busy(
        shop=shop,
        topped_up=noticed,
        stocked=paid(shop, stocked(["CODE-0001", "CODE-0002", "CODE-0003"]), quantity=2),
        sent=paid(shop, code_on_sale(suppliers=("bad", "sender")), quantity=2),
        refunded=paid(shop, on_sale(suppliers=("empty",))),
        partly=_two_lines(shop),
        twice_paid=first,
        late=late,
        expired=expired,
        canceled=canceled,
        pending=pending,
        verifying=paid(shop, on_sale(suppliers=("vague",))),
        manual=paid(shop, on_sale(suppliers=("half",))),
    )
    _booked_too_much(shop)
    _returned_by_a_person(shop, top_up)
    drain()
    _as_expected(happened)
    return happened


def _expire(*orders: Order) -> None:
    for order in orders:
        order_expire(order_id=order.pk)
    payments_close(order_id=orders[-1].pk)


def _booked_too_much(shop: Reseller) -> None:
    """A supplier who had failed sends its code after all, and one who waited for a person is given up."""
    ScriptedSupplier.on_submit("hasty", FAILED)
    ScriptedSupplier.on_submit("quick", codes("QUICK-0001"))
    order = paid(shop, code_on_sale(suppliers=("hasty", "quick")))
    ScriptedSupplier.on_submit("slow", ACCEPTED)
    ScriptedSupplier.on_query("slow", Outcome(OutcomeKind.REVERSED))
    given_up = paid(shop, on_sale(suppliers=("slow",)))
    drain()
    bought = work_of(order).supplier_orders.get(status="rejected")
    outcome_apply(supplier_order_id=bought.pk, outcome=codes("LATE-0001"), actor="callback")
    outcome_apply(
        supplier_order_id=work_of(given_up).supplier_orders.get().pk, outcome=Outcome(OutcomeKind.REVERSED), actor="x"
    )
    fulfillment_give_up(fulfillment_id=work_of(given_up).pk, actor="ops", reason="asked")


def _returned_by_a_person(shop: Reseller, variant: Variant) -> None:
    order = paid(shop, variant)
    drain()
    refund_request(
        payment_id=order.payments.get().pk, amount=order.total, cause="ops:1", reason="goodwill", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip


def _as_expected(happened: Busy) -> None:
    """The audit is worth something only if these really happened."""
    assert {name: states(order)[0] for name, order in vars(happened).items() if name != "shop"} == {
        "topped_up": "fulfilled",
        "stocked": "fulfilled",
        "sent": "fulfilled",
        "refunded": "refunded",
        "partly": "partly_refunded",
        "twice_paid": "fulfilled",
        "late": "fulfilled",
        "expired": "expired",
        "canceled": "canceled",
        "pending": "pending",
        "verifying": "paid",
        "manual": "paid",
    }
    assert [states(order)[1] for order in (happened.verifying, happened.manual)] == ["verifying", "manual"]
    assert happened.twice_paid.payments.filter(is_surplus=True, refunds__status="succeeded").count() == 1
