"""The audit of what is recent: it finds there what the whole audit finds, invents nothing, and says what it left out.

Everything in the shop happened a moment ago, so the moment is an hour ahead, and what happened after it is moved there.
"""

import io
import json
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from kameng.audit import goods
from kameng.audit.services import audit
from kameng.management.commands.audit import moment
from orders.models import Order, OrderEvent
from payments.merchants import services as merchant_services
from resellers.ledger.balances import balances_snapshot
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.withdrawals.services import withdrawal_approve, withdrawal_pay
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, on_sale
from tests.flows import drain, paid, states
from tests.fulfillment.test_partial import part
from tests.kameng.audit.conftest import Busy
from tests.kameng.audit.test_audit import change
from tests.own_collection import fund, own_till
from tests.resellers.withdrawals.test_services import ask, earn, pay_to

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def later(hours: int = 1) -> datetime:
    """A moment after everything."""
    return timezone.now() + timedelta(hours=hours)


def touch(order: Order) -> None:
    """Something happens to it after that moment."""
    last = OrderEvent.objects.filter(order=order).latest("pk")
    OrderEvent.objects.filter(pk=last.pk).update(created_at=later(2))


def broken(since: datetime | None = None) -> dict[str, tuple[str, ...]]:
    """What does not hold, and examples."""
    return {verdict.code: verdict.examples for verdict in audit(since=since) if not verdict.ok}


def temporary() -> list[str]:
    """What is in the session's temporary schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
        return [name for (name,) in cursor.fetchall()]


def test_where_every_promise_is_kept_none_is_broken_by_looking_at_a_part(busy: Busy) -> None:
    ScriptedSupplier.on_submit("short", part("SHORT-0001"))
    short = paid(busy.shop, code_on_sale(suppliers=("short",)), quantity=2)
    drain()
    own_till(busy.shop)
    merchant_services.forget()
    fund(busy.shop, "200.00")
    collected = [paid(busy.shop, on_sale(suppliers=("good",)))]
    drain()
    collected.append(paid(busy.shop, on_sale(suppliers=("good",))))
    earn(busy.shop, Decimal(500))
    pay_to(busy.shop)
    asked, _open = ask(busy.shop, "100.00", "a"), ask(busy.shop, "120.00", "b")
    withdrawal_approve(withdrawal_id=asked.pk, actor="x")
    withdrawal_pay(withdrawal_id=asked.pk, reference="PAID-1", actor="x")
    assert states(short) == ("partly_refunded", "delivered")
    assert all(Order.objects.get(pk=order.pk).owner_collects for order in collected)
    assert broken() == {}
    assert broken(LONG_AGO) == {}
    for order in (short, collected[0], busy.twice_paid, busy.sent, busy.late):
        touch(order)
    assert broken(later()) == {}


def test_what_is_wrong_with_an_order_is_found_if_something_happened_to_it_since(busy: Busy) -> None:
    change(f"UPDATE orders_order SET total = total + 1 WHERE id = {busy.stocked.pk}")
    said = f"shop_one: order {busy.stocked.number} of 121.00: its lines cost 120.00"
    assert said in broken()["I3"]
    touch(busy.sent)
    assert broken(later()) == {}
    touch(busy.stocked)
    assert said in broken(later())["I3"]


def test_what_is_wrong_in_the_book_is_found_with_the_order(busy: Busy) -> None:
    change(
        "ALTER TABLE public.ledger_entry DISABLE TRIGGER USER",
        "DELETE FROM public.ledger_entry USING public.ledger_journal AS journal"
        f" WHERE journal.id = journal_id AND order_number = '{busy.stocked.number}' AND kind = 'payment'",
        "ALTER TABLE public.ledger_entry ENABLE TRIGGER USER",
    )
    touch(busy.stocked)
    assert f"shop_one: order {busy.stocked.number} holds 0.00, the book says -120.0000" in broken(later())["I1"]


def test_what_was_spent_and_was_not_there_is_found_however_little_is_looked_at(busy: Busy) -> None:
    spent = (Name.PREPAID, Name.DEPOSIT, Name.DEPOSIT_HELD, Name.WITHDRAWALS)

    def move(amount: int, *names: Name) -> None:
        """From accounts of an owner; on those grows what is negative."""
        moves = [
            Move(Name.TRANSFERS, Decimal(-amount * len(names))),
            *(Move(name, Decimal(amount), 77) for name in names),
        ]
        post(f"test:{uuid4()}", Kind.TOP_UP, moves, shop_id=None)

    def said() -> set[str]:
        whole, recent = broken().get("I11", ()), broken(later()).get("I11", ())
        assert whole == recent
        return set(whole)

    move(5, Name.AVAILABLE)  # an owner may owe
    move(-3, *spent)
    assert balances_snapshot()
    move(3, *spent)
    assert said() == set()
    move(5, *spent)
    assert said() == {f"{name}:77 is at -5.0000" for name in spent}
    assert balances_snapshot()
    assert said() == {f"{name}:77 is at -5.0000" for name in spent}
    move(-5, *spent)
    assert said() == set()
    change(
        "ALTER TABLE public.clients_client DROP CONSTRAINT client_balance_never_negative",
        "INSERT INTO public.clients_client (shop_id, name, contact, balance, callback_url, created_by)"
        f" VALUES ({busy.shop.pk}, 'owes', '', -1, '', '')",
    )
    (example,) = said()
    assert example.endswith(" owes has -1.00")


def test_a_code_that_went_to_two_orders_is_found_from_either(busy: Busy) -> None:
    change(
        "ALTER TABLE fulfillment_delivery DROP CONSTRAINT delivery_code_once",
        "UPDATE fulfillment_delivery SET stock_code_id = (SELECT min(stock_code_id) FROM fulfillment_delivery"
        f" JOIN fulfillment_fulfillment AS work ON work.id = fulfillment_id WHERE {_line_of(busy.sent)})"
        " WHERE id = (SELECT min(delivery.id) FROM fulfillment_delivery AS delivery"
        f" JOIN fulfillment_fulfillment AS work ON work.id = fulfillment_id WHERE {_line_of(busy.stocked)})",
    )
    touch(busy.stocked)
    assert any("was delivered 2 times" in example for example in broken(later())["I4"])


def _line_of(order: Order) -> str:
    return f"work.line_id = {order.lines.get().pk}"


def test_what_stands_still_is_looked_at_however_long_ago_something_happened(busy: Busy) -> None:
    change(
        f"UPDATE orders_order SET paid_at = now() - interval '26 hours' WHERE id = {busy.verifying.pk}",
        "DELETE FROM public.outbox_outboxevent WHERE topic = 'payment.follow'",
        f"UPDATE payments_payment SET created_at = now() - interval '5 minutes' WHERE order_id = {busy.expired.pk}",
    )
    found = broken(later())
    assert any("and no person asked" in example for example in found["I2"])
    assert set(found) <= {"I2", "I10"}


def test_nothing_temporary_remains_and_nothing_is_written(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    audit(since=LONG_AGO)
    assert temporary() == []

    def write(shop: Reseller) -> list[str]:
        assert "orders_order" in temporary()
        Reseller.objects.filter(pk=shop.pk).update(slug="another")
        return []

    monkeypatch.setattr(goods, "one_purchase_at_a_time", write)
    with pytest.raises(DatabaseError, match="read-only"):
        audit(since=LONG_AGO)
    assert temporary() == []
    change(f"UPDATE orders_order SET total = 1 WHERE id = {busy.sent.pk}")


# --- the command --------------------------------------------------------------------------------------


def test_the_command_says_how_far_it_looked(busy: Busy, tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        out = io.StringIO()
        call_command("audit", "--logs", str(tmp_path), *arguments, stdout=out)
        return out.getvalue()

    lines = {line.split()[0]: line for line in said("--since", "2026-11-01T08:00+08:00").splitlines()}
    assert lines["I2"] == (
        "I2   ok     a paid line ends delivered or refunded, never both [since 2026-11-01T08:00:00+08:00]"
    )
    assert lines["I4"].endswith("[since 2026-11-01T08:00:00+08:00, without codes that are stored twice]")
    assert lines["I10"] == "I10  ok     no work overdue or on no list"
    told = json.loads(said("--json", "--since", "2026-11-01T08:00+08:00"))
    assert datetime.fromisoformat(told["since"]) == datetime(2026, 11, 1, tzinfo=UTC)
    reaches = {entry["code"]: (entry["scope"], entry["left_out"]) for entry in told["invariants"]}
    assert [code for code, (scope, _) in reaches.items() if scope == "whole"] == ["I10", "I11", "I12", "I16"]
    assert reaches["I1"] == (
        "since", ["the sum of all entries, and sums that were written down", "days of the platform's report"],
    )  # fmt: skip
    whole = json.loads(said("--json"))
    assert set(whole) == {"ok", "seconds", "invariants"}
    assert set(whole["invariants"][0]) == {"code", "promise", "ok", "broken", "examples"}


@pytest.mark.parametrize(("text", "ago"), [("90m", 5400), ("26h", 93_600), ("3d", 259_200)])
def test_a_moment_is_so_long_ago(text: str, ago: int) -> None:
    assert abs(timezone.now() - moment(text) - timedelta(seconds=ago)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["", "26", "0h", "1w", "-1h", "26 h", "２６h", "yesterday", "2026-13-01", "2999-01-01"]
)
def test_what_is_no_moment_that_has_been_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        moment(text)
