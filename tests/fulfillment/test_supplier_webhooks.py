"""Callbacks on our hosts: a doorbell that makes us ask, and nothing else."""

import pytest
from django.test import Client

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import CallbackRefused
from fulfillment.suppliers.models import Supplier
from kameng.inbox.models import InboxEvent
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import ACCEPTED, TOPPED_UP, drain, fulfill, outbox, paid, states
from tests.program import Reply, staying, webhook

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")


@pytest.fixture
def order(shop: Reseller) -> Order:
    """Paid, and accepted by the supplier `first`."""
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", ACCEPTED)
    found = paid(shop, on_sale(suppliers=("first",)))
    fulfill(found)
    assert states(found) == ("paid", "buying")
    return found


def ring(reference: str, *, supplier: str = "first", host: str = "ops.test", **headers: str) -> Reply:
    return webhook(f"suppliers/{supplier}/", reference.encode(), host=host, content_type="text/plain", **headers)


@pytest.mark.parametrize("host", ["ops.test", "one.test", "two.test"])
def test_a_callback_on_any_of_our_hosts_makes_us_ask(order: Order, other_shop: Reseller, host: str) -> None:
    ScriptedSupplier.on_query("first", TOPPED_UP)
    reply = ring(SupplierOrder.objects.get().reference, host=host)
    assert (reply.status_code, reply.headers["Content-Type"], reply.content) == (200, "text/plain", b"ok")
    assert states(order) == ("paid", "buying")
    drain()
    assert states(order) == ("fulfilled", "delivered")


def test_a_callback_alone_delivers_nothing(order: Order) -> None:
    ring(SupplierOrder.objects.get().reference)
    drain()
    assert states(order) == ("paid", "buying")


def test_a_repeated_callback_is_answered_alike_and_rings_once(order: Order) -> None:
    reference = SupplierOrder.objects.get().reference
    assert {ring(reference).content for _ in range(3)} == {b"ok"}
    assert len(outbox("fulfillment.wake")) == 1
    assert InboxEvent.objects.filter(source="suppliers").count() == 1


def test_a_forged_callback_is_refused_and_not_stored(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise CallbackRefused("bad signature")

    monkeypatch.setattr(ScriptedSupplier, "parse_callback", refuse)
    reply = ring(SupplierOrder.objects.get().reference)
    assert (reply.status_code, reply.content) == (400, b"no")
    assert outbox("fulfillment.wake") == []
    assert not InboxEvent.objects.filter(source="suppliers").exists()


def test_a_callback_of_another_supplier_is_refused(order: Order) -> None:
    on_sale(suppliers=("second",))
    reply = ring(SupplierOrder.objects.get().reference, supplier="second")
    assert (reply.status_code, reply.content) == (400, b"no")
    assert outbox("fulfillment.wake") == []


@pytest.mark.parametrize("reference", ["", "0020000000000000000", "ZZZ0000000000000000", "?", "x" * 1000])
def test_a_callback_about_nothing_of_ours_is_refused(order: Order, reference: str) -> None:
    assert ring(reference).status_code == 400
    assert outbox("fulfillment.wake") == []


@pytest.mark.parametrize("host", ["ops.test", "one.test"])
def test_an_unknown_or_broken_supplier_is_not_found(order: Order, host: str) -> None:
    Supplier.objects.create(code="broken", name="broken", adapter="nothing")
    for supplier in ("nobody", "broken"):
        reply = ring(SupplierOrder.objects.get().reference, supplier=supplier, host=host)
        assert (reply.status_code, reply.headers["Content-Type"]) == (404, "text/plain")
    assert outbox("fulfillment.wake") == []


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_is_understood(order: Order, method: str) -> None:
    with staying():
        reply = getattr(Client(headers={"host": "ops.test"}), method)("/webhooks/suppliers/first/")
    assert reply.status_code == 405


def test_a_body_beyond_the_limit_is_refused(order: Order) -> None:
    assert ring("x" * (64 * 1024 + 1)).status_code == 413
    assert outbox("fulfillment.wake") == []
