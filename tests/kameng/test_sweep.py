"""Work that is on no list is put back on one."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from django_tenants.utils import schema_context

from compliance.visits.models import Visit
from compliance.visits.services import visit_ask, visit_enter
from fulfillment.models import Fulfillment
from kameng.core import sql
from kameng.outbox.models import OutboxEvent, SweptShop
from kameng.outbox.services import publish
from kameng.sweep import SETTLED, TURNS, sweep
from orders.models import Order
from orders.services import order_cancel, settle
from orders.states import order_lock
from payments.models import Payment, Refund
from payments.refunds import line_refund
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import (
    ACCEPTED,
    REFUSED,
    TOPPED_UP,
    UNKNOWN,
    confirm,
    drain,
    fulfill,
    outbox,
    paid,
    part_payment,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

AGO = timedelta(minutes=5)


def forgotten() -> None:
    """Everything happened five minutes ago, and nobody has it on a list."""
    Order.objects.update(created_at=Now() - AGO)
    Order.objects.exclude(paid_at=None).update(paid_at=Now() - AGO)
    Payment.objects.update(created_at=Now() - AGO)
    Payment.objects.exclude(confirmed_at=None).update(confirmed_at=Now() - AGO)
    Refund.objects.update(created_at=Now() - AGO)
    Fulfillment.objects.update(created_at=Now() - AGO)
    Fulfillment.objects.exclude(finished_at=None).update(finished_at=Now() - AGO)
    OutboxEvent.objects.all().delete()


def put_back() -> list[tuple[str, dict[str, int]]]:
    """What the sweep finds, as topics with their payloads; what it says it found must be what it wrote."""
    inside = connection.tenant  # type: ignore[attr-defined]
    assert sweep() == OutboxEvent.objects.count()
    connection.set_tenant(inside)  # type: ignore[attr-defined]
    assert set(OutboxEvent.objects.values_list("schema_name", flat=True)) <= {"shop_one"}
    return [(row.topic, row.payload) for row in OutboxEvent.objects.order_by("pk")]


def test_what_is_on_a_list_is_left_alone(shop: Reseller) -> None:
    order = place(shop, on_sale())
    settle(order=order_lock(order.pk), paid=order.total, actor="test")
    Order.objects.update(paid_at=Now() - AGO)
    before = OutboxEvent.objects.count()
    assert sweep() == 0
    assert OutboxEvent.objects.count() == before


def test_a_paid_order_that_everybody_forgot_is_worked_on_again(shop: Reseller) -> None:
    order = paid(shop, on_sale())
    forgotten()
    assert put_back() == [("order.paid", {"order_id": order.pk})]


@pytest.mark.parametrize("last", [ACCEPTED, UNKNOWN])
def test_a_purchase_without_an_end_is_asked_about_again(shop: Reseller, last: object) -> None:
    ScriptedSupplier.on_submit("first", last)  # type: ignore[arg-type]
    order = paid(shop, on_sale())
    fulfill(order)
    forgotten()
    assert put_back() == [("fulfillment.run", {"fulfillment_id": work_of(order).pk})]


def test_what_waits_for_a_person_goes_on_waiting(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    order = paid(shop, on_sale())
    fulfill(order)
    Fulfillment.objects.update(status=Fulfillment.Status.MANUAL)
    forgotten()
    assert put_back() == []


def test_an_unpaid_order_that_nobody_expires_is_expired(shop: Reseller) -> None:
    order = place(shop, on_sale())
    Order.objects.update(expires_at=Now() - AGO)
    forgotten()
    assert put_back() == [("order.expire", {"order_id": order.pk})]


def test_an_open_payment_is_asked_about_again(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    forgotten()
    assert put_back() == [("payment.follow", {"payment_id": payment.pk})]


def test_a_failed_line_that_nobody_refunds_is_refunded(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    line = order.lines.get()
    forgotten()
    assert put_back() == [("line.failed", {"line_id": line.pk})]
    drain()
    assert states(order) == ("refunded", "refunded")


def test_a_refund_without_an_end_is_followed_again(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    (failed,) = outbox("line.failed")
    line_refund(**failed)
    forgotten()
    Refund.objects.update(status=Refund.Status.CREATED)
    assert put_back() == [("refund.run", {"refund_id": Refund.objects.get().pk})]


@pytest.mark.parametrize("how", ["surplus", "part of a canceled order"])
def test_money_that_nobody_needs_goes_back_even_if_it_was_forgotten(shop: Reseller, how: str) -> None:
    order = place(shop, on_sale(suppliers=("first",)))
    if how == "surplus":
        ScriptedSupplier.on_submit("first", REFUSED)
        confirm(open_payment(shop, order))
        payment = part_payment(order, amount=order.total)
        confirm(payment)
        fulfill(order)
        (failed,) = outbox("line.failed")
        line_refund(**failed)
    else:
        payment = part_payment(order, amount=Decimal("1.00"))
        confirm(payment)
        order_cancel(order_id=order.pk, actor="shopper")
    forgotten()
    assert ("payment.surplus", {"payment_id": payment.pk}) in put_back()
    drain()
    assert payment.refunds.get().status == Refund.Status.SUCCEEDED
    forgotten()
    assert put_back() == []


def test_what_was_held_for_an_order_that_is_over_is_given_back_unless_it_may_still_be_paid(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    Order.objects.update(status="expired", held=Decimal("3.00"))
    forgotten()
    assert put_back() == [("payment.follow", {"payment_id": payment.pk})]
    Payment.objects.update(status="canceled")
    forgotten()
    assert put_back() == [("order.closed", {"order_id": order.pk})]


def test_a_part_that_nobody_could_deliver_is_refunded(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    order.lines.update(short_quantity=1, quantity=2)
    forgotten()
    assert put_back() == [("line.short", {"line_id": order.lines.get().pk})]


def test_young_work_is_left_alone(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    fulfill(paid(shop, on_sale()))
    open_payment(shop, place(shop, on_sale(), contact="13800000001"))
    OutboxEvent.objects.all().delete()
    assert put_back() == []


def test_every_shop_is_looked_at_and_none_is_entered_for_good(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    orders = {}
    for place_to_buy in (shop, other_shop):
        with schema_context(place_to_buy.schema_name):
            connection.set_tenant(place_to_buy)  # type: ignore[attr-defined]
            orders[place_to_buy.schema_name] = paid(place_to_buy, variant)
            Order.objects.update(paid_at=Now() - AGO)
    OutboxEvent.objects.all().delete()
    assert sweep() == 2
    rows = OutboxEvent.objects.values_list("schema_name", "topic", "payload")
    assert {row[0]: row[1:] for row in rows} == {
        schema: ("order.paid", {"order_id": order.pk}) for schema, order in orders.items()
    }
    assert connection.schema_name == "public"  # type: ignore[attr-defined]


def test_running_twice_puts_nothing_back_twice(shop: Reseller) -> None:
    paid(shop, on_sale())
    forgotten()
    assert (sweep(), sweep()) == (1, 0)


def test_a_visit_whose_end_is_on_no_list_is_ended_and_written_down(shop: Reseller) -> None:
    asked, ticket = visit_ask(shop=shop, by="staff:li", reason="看看为什么", helps=False)
    visit_enter(shop=shop, ticket=ticket)
    OutboxEvent.objects.all().delete()
    assert put_back() == []
    Visit.objects.update(entered_at=Now() - 20 * AGO, until=Now() - AGO)
    assert put_back() == [("visit.over", {"visit_id": asked.pk})]
    assert sweep() == 0
    drain()
    assert Visit.objects.get().ended_at is not None
    with schema_context(shop.schema_name):
        assert LogEntry.objects.order_by("-pk")[0].change_message == "平台员工 li 离开店铺后台（时间到）"
    assert sweep() == 0


# --- which shops are looked into -----------------------------------------------------------------------


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The schemas that were looked into."""
    schemas: list[str] = []

    def look() -> tuple[int, bool]:
        schemas.append(connection.schema_name)  # type: ignore[attr-defined]
        return 0, False

    monkeypatch.setattr("kameng.sweep._sweep_shop", look)
    return schemas


def quiet(entered: list[str]) -> None:
    """Nothing has happened for long, and every shop was just looked into."""
    sweep()
    SweptShop.objects.update(active_at=Now() - 20 * AGO)
    entered.clear()


def test_a_shop_that_no_sweep_knows_is_looked_into(db: None, entered: list[str]) -> None:
    assert sweep() == 0
    assert sorted(entered) == ["shop_live", "shop_one", "shop_two"]


def test_quiet_shops_take_turns(db: None, entered: list[str]) -> None:
    Reseller.objects.bulk_create(
        Reseller(slug=f"quiet{n}", schema_name=f"shop_quiet{n}", name=f"Quiet {n}") for n in range(20)
    )
    quiet(entered)
    SweptShop.objects.bulk_create(
        SweptShop(schema_name=f"shop_quiet{n}", changes=0, active_at=Now() - 20 * AGO) for n in range(20)
    )
    seen: list[set[str]] = []
    for _ in range(TURNS):
        sweep()
        seen.append(set(entered))
        entered.clear()
    assert max(map(len, seen)) == 3
    assert set().union(*seen) == {f"shop_quiet{n}" for n in range(20)} | {"shop_live", "shop_one", "shop_two"}


def test_a_shop_with_work_is_looked_into_each_time_also_when_its_work_is_gone(
    shop: Reseller, entered: list[str]
) -> None:
    quiet(entered)
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    publish("order.paid", order_id=7)
    sweep()
    OutboxEvent.objects.all().delete()
    for _ in range(3):
        sweep()
    assert entered.count("shop_one") == 4
    assert len(entered) <= 8  # its turns, and one other each time
    quiet(entered)
    sweep()
    assert len(entered) == 1


def test_a_shop_in_which_anything_was_written_is_looked_into(live_shop: Reseller, entered: list[str]) -> None:
    product = on_sale()
    counted()
    quiet(entered)
    for _ in range(2):
        sweep()
    assert len(entered) == 2
    entered.clear()
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    place(live_shop, product)
    OutboxEvent.objects.all().delete()
    counted()
    for _ in range(3):
        sweep()
    assert entered.count("shop_live") == 3


def test_a_shop_in_which_nothing_is_open_is_quiet_until_something_is_written(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    counted()
    looked = "SELECT settled = changes FROM public.outbox_sweptshop WHERE schema_name = 'shop_live'"
    sweep()
    assert sql.rows_anywhere(looked, []) == [(None,)]
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    order_cancel(order_id=order.pk, actor="shopper")
    counted()
    for _ in range(2):
        sweep()
        assert sql.rows_anywhere(looked, []) == [(True,)]
    before = SweptShop.objects.get(schema_name="shop_live").swept_at
    assert before is not None
    SweptShop.objects.exclude(schema_name="shop_live").update(swept_at=None)
    sweep()
    assert SweptShop.objects.get(schema_name="shop_live").swept_at == before
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    place(live_shop, on_sale())
    counted()
    sweep()
    assert SweptShop.objects.filter(schema_name="shop_live", swept_at__gt=before).exists()


def test_what_was_settled_before_the_database_counted_anew_is_so_no_more(live_shop: Reseller) -> None:
    place(live_shop, on_sale())
    counted()
    sweep()
    SweptShop.objects.filter(schema_name="shop_live").update(changes=10**6, settled=10**6)
    sweep()
    assert SweptShop.objects.get(schema_name="shop_live").settled is None


@pytest.mark.parametrize(("beyond", "looks"), [(-SETTLED, 2), (SETTLED, 1)])
def test_a_shop_is_quiet_only_when_what_began_there_has_expired(
    db: None, entered: list[str], beyond: timedelta, looks: int
) -> None:
    quiet(entered)
    longest = timedelta(seconds=settings.ORDER_EXPIRES_SECONDS) + 2 * SETTLED
    SweptShop.objects.filter(schema_name="shop_two").update(active_at=Now() - longest - beyond, swept_at=timezone.now())
    sweep()
    assert len(entered) == looks
    assert ("shop_two" in entered) is (looks == 2)


def counted() -> None:
    """The database counts what this session wrote now, and not within a second."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
