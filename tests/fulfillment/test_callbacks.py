"""Callbacks from suppliers."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context

from fulfillment.callbacks import REFUSED_MANY, Reply, SupplierUnknown, callback_receive
from fulfillment.models import Delivery, SupplierOrder
from fulfillment.suppliers.base import CallbackClaim, CallbackRefused, Capability, Outcome
from fulfillment.suppliers.connections import forget
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.upkeep import CALLBACKS_QUIET_SECONDS, CALLBACKS_REFUSED, suppliers_upkeep
from kameng.alerts.models import Alert
from kameng.alerts.words import alert_words
from kameng.core.ids import routed_id
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, code_on_sale, on_sale
from tests.flows import (
    ACCEPTED,
    FAILED,
    TOPPED_UP,
    attempts,
    codes,
    delivered_codes,
    drain,
    events,
    fulfill,
    outbox,
    paid,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

OK: Reply = (200, "text/plain", b"ok")
NO: Reply = (400, "text/plain", b"no")


def knock(reference: str, *, supplier: str = "first", event: str = "E1") -> Reply:
    """A callback as it comes from the network: in no shop's schema."""
    with schema_context("public"):
        return callback_receive(supplier_code=supplier, headers={"event": event}, body=reference.encode())


def covering(monkeypatch: pytest.MonkeyPatch, outcome: Outcome | None) -> None:
    """From now on callbacks carry a result under the supplier's signature."""

    def parse(self: ScriptedSupplier, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        return CallbackClaim(reference=body.decode(), event_id=headers["event"], outcome=outcome)

    monkeypatch.setattr(ScriptedSupplier, "parse_callback", parse)
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.CALLBACK_COVERS_RESULT}))


def accepted(shop: Reseller) -> tuple[Order, SupplierOrder]:
    """An order whose first supplier has taken it on."""
    ScriptedSupplier.on_submit("first", ACCEPTED)
    order = paid(shop, code_on_sale())
    OutboxEvent.objects.all().delete()
    fulfill(order)
    return order, SupplierOrder.objects.get()


def test_a_knock_makes_us_ask_and_proves_nothing(shop: Reseller) -> None:
    order, buy = accepted(shop)
    ScriptedSupplier.on_query("first", codes("AAAA-1111"))
    assert knock(buy.reference) == OK
    assert states(order) == ("paid", "buying")
    assert outbox("fulfillment.wake") == [{"fulfillment_id": work_of(order).pk}]
    assert OutboxEvent.objects.get().schema_name == "shop_one"
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert connection.schema_name == "shop_one"  # type: ignore[attr-defined]


def test_a_knock_is_kept_once_and_without_its_body(shop: Reseller) -> None:
    _, buy = accepted(shop)
    for _ in range(3):
        assert knock(buy.reference) == OK
    kept = InboxEvent.objects.get()
    assert (kept.source, kept.account, kept.event_id, kept.schema_name, kept.subject, kept.verdict) == (
        "suppliers", "first", "E1", "shop_one", buy.reference, "accepted",
    )  # fmt: skip
    assert bytes(kept.body) == b'{"bytes": 19}'
    assert len(outbox("fulfillment.wake")) == 1


def test_a_result_under_the_signature_is_booked_at_once(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes("AAAA-1111"))
    assert knock(buy.reference) == OK
    assert states(order) == ("fulfilled", "delivered")
    assert delivered_codes(order) == ["AAAA-1111"]
    assert [verb for verb, _, _ in ScriptedSupplier.calls] == ["submit"]


def test_a_result_that_the_signature_does_not_cover_is_not_believed(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes("AAAA-1111"))
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.CALLBACK_SIGNED}))
    assert knock(buy.reference) == OK
    assert states(order) == ("paid", "buying")
    assert not Delivery.objects.exists()


def test_a_result_told_twice_counts_once(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes("AAAA-1111"))
    for event in ("E1", "E1", "E2"):
        assert knock(buy.reference, event=event) == OK
    drain()
    assert delivered_codes(order) == ["AAAA-1111"]
    assert events(order, "line.delivered", "supplier.contradiction") == ["line.delivered"]


def test_a_no_under_the_signature_leads_to_the_next_supplier(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    ScriptedSupplier.on_submit("second", codes("BBBB-2222"))
    covering(monkeypatch, FAILED)
    knock(buy.reference)
    drain()
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    assert delivered_codes(order) == ["BBBB-2222"]


def test_too_few_codes_in_a_callback_are_no_delivery(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes())
    assert knock(buy.reference) == OK
    assert states(order) == ("paid", "verifying")
    assert not Delivery.objects.exists()


def test_another_suppliers_callback_moves_nothing(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes("AAAA-1111"))
    assert knock(buy.reference, supplier="second") == NO
    assert states(order) == ("paid", "buying")
    assert outbox("fulfillment.wake") == []
    assert not InboxEvent.objects.exists()


def test_references_that_are_nobodys_are_refused(shop: Reseller) -> None:
    accepted(shop)
    operations = Reseller.objects.get(schema_name="public")
    for reference in ("", "x", "！", routed_id(shop.pk, 19), routed_id(operations.pk, 19), routed_id(32_000, 19)):
        assert knock(reference) == NO
    assert outbox("fulfillment.wake") == []
    assert not InboxEvent.objects.exists()


def test_a_forged_callback_moves_nothing(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)

    def refuse(self: ScriptedSupplier, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        raise CallbackRefused("bad signature")

    monkeypatch.setattr(ScriptedSupplier, "parse_callback", refuse)
    before = states(order), attempts(order), events(order)
    assert knock(buy.reference) == NO
    assert (states(order), attempts(order), events(order)) == before
    assert not InboxEvent.objects.exists()


def test_nobodys_or_unusable_supplier_is_unknown(shop: Reseller) -> None:
    _, buy = accepted(shop)
    Supplier.objects.filter(code="second").update(adapter="fulu")
    SupplierFactory(code="third", adapter="gone")
    Supplier.objects.filter(code="first").update(sealed_config="00000000.AAAA")
    forget()
    for supplier in ("nobody", "second", "third", "first"):
        with pytest.raises(SupplierUnknown):
            knock(buy.reference, supplier=supplier)
    assert not InboxEvent.objects.exists()


def test_a_callback_that_cannot_be_booked_is_heard_again(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = accepted(shop)
    covering(monkeypatch, codes("AAAA-1111"))

    def break_down(**_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("fulfillment.callbacks.outcome_apply", break_down)
        with pytest.raises(ZeroDivisionError):
            knock(buy.reference)
    assert not InboxEvent.objects.exists()
    assert knock(buy.reference) == OK
    assert states(order) == ("fulfilled", "delivered")


def test_a_late_callback_about_a_finished_top_up_changes_nothing(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    covering(monkeypatch, TOPPED_UP)
    before = events(order)
    assert knock(SupplierOrder.objects.get().reference) == OK
    drain()
    assert events(order) == before
    assert Delivery.objects.count() == 1


# --- many that are refused ------------------------------------------------------------------------------------------


@pytest.fixture
def forged(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: ScriptedSupplier, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        raise CallbackRefused("bad signature")

    monkeypatch.setattr(ScriptedSupplier, "parse_callback", refuse)
    for code in ("first", "second"):
        SupplierFactory(code=code)


def test_people_are_told_of_many_forged_callbacks_once(forged: None, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(REFUSED_MANY - 1):
        assert knock("x", event=f"E{number}") == NO
    assert knock("x", supplier="second") == NO
    assert Alert.objects.count() == 0
    for number in range(40):
        assert knock("x", event=f"F{number}") == NO
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject, alert.times) == (CALLBACKS_REFUSED, "first", 1)
    assert alert.data["problem"] == "bad signature"
    assert alert_words(alert).title != alert.kind
    assert caplog.text.count("callback from first refused") == REFUSED_MANY
    assert InboxEvent.objects.count() == 0


def test_callbacks_about_what_is_not_theirs_count_too(shop: Reseller) -> None:
    SupplierFactory(code="first")
    for number in range(REFUSED_MANY):
        assert knock(routed_id(shop.pk, 19) if number % 2 else "nobody's") == NO
    assert Alert.objects.get().subject == "first"


def test_the_alert_ends_after_a_quiet_hour_and_comes_again(forged: None) -> None:
    for _ in range(REFUSED_MANY):
        knock("x")
    suppliers_upkeep()
    assert Alert.objects.get().closed_at is None
    Alert.objects.update(seen_at=timezone.now() - timedelta(seconds=CALLBACKS_QUIET_SECONDS + 1))
    suppliers_upkeep()
    assert Alert.objects.get().closed_at is not None
    Supplier.objects.filter(code="first").delete()
    SupplierFactory(code="first")
    forget()
    for _ in range(REFUSED_MANY):
        knock("x")
    assert Alert.objects.filter(closed_at=None).count() == 1


def test_genuine_callbacks_are_not_counted(shop: Reseller) -> None:
    _, buy = accepted(shop)
    for number in range(REFUSED_MANY * 2):
        assert knock(buy.reference, event=f"E{number}") == OK
    assert Alert.objects.count() == 0
