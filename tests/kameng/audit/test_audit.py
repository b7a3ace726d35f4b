"""The audit: green where everything is right, and red for each thing that is made wrong."""

import io
import json
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_context

from kameng.audit.reading import Verdict, shops
from kameng.audit.services import audit, invariants, verdict_of
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import GatewayAccountFactory, SupplierFactory, on_sale
from tests.flows import TOPPED_UP, drain, paid
from tests.kameng.audit.conftest import Busy

CODES = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I14", "I15", "I16"]


def broken(**where: object) -> dict[str, Verdict]:
    """What does not hold."""
    return {verdict.code: verdict for verdict in audit(**where) if not verdict.ok}  # type: ignore[arg-type]


def change(*statements: str) -> None:
    """Do to the shop's tables what no service would. Deferred checks run first, or tables could not be altered."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        for statement in statements:
            cursor.execute(statement)
            if not statement.startswith("ALTER") and not statement.startswith("DROP"):
                assert cursor.rowcount > 0, statement


# --- green --------------------------------------------------------------------------------------------


def test_a_shop_in_which_everything_happened_keeps_every_promise(busy: Busy) -> None:
    verdicts = audit()
    assert [verdict.code for verdict in verdicts] == CODES
    assert {verdict.code: verdict.examples for verdict in verdicts if not verdict.ok} == {}


def test_an_empty_platform_keeps_every_promise(db: None) -> None:
    assert broken() == {}


def test_the_audit_sees_one_moment_and_writes_nothing(
    live_shop: Reseller, gateway_double: object, supplier_double: object
) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(live_shop, on_sale())
    drain()
    assert broken() == broken(since=order.created_at) == {}
    assert connection.schema_name == "shop_live"  # type: ignore[attr-defined]
    Order.objects.filter(pk=order.pk).update(status="paid")
    assert set(broken()) == set(broken(since=order.created_at)) == {"I2", "I14"}


# --- red ----------------------------------------------------------------------------------------------

COPY = (
    "INSERT INTO orders_orderevent (order_id, name, from_status, to_status, actor, data) "
    "SELECT order_id, name, from_status, to_status, actor, data FROM orders_orderevent"
)
#: The invariant, a part of what it says, and what breaks it.
WRONG: dict[str, tuple[str, str, list[str]]] = {
    "goods without money": (
        "I2", "is pending, its line", ["UPDATE orders_orderline SET status = 'queued' WHERE status = 'waiting'"],
    ),
    "money without a time": (
        "I2", "but was paid at", ["UPDATE orders_order SET paid_at = NULL WHERE status = 'fulfilled'"],
    ),
    "delivered and refunded": (
        "I2", "delivered, and refunded by itself",
        ["UPDATE payments_refund SET cause = 'line:' || line_id WHERE cause = 'ops:1'"],
    ),
    "delivered nothing": ("I2", "with 0 deliveries", ["DELETE FROM fulfillment_delivery WHERE stock_code_id IS NULL"]),
    "delivered too early": (
        "I2", "is buying with 1 deliveries",
        ["UPDATE orders_orderline SET status = 'buying' WHERE status = 'delivered'"],
    ),
    "refunded without money": (
        "I2", "refunded, but 0 of 60.00 went back",
        ["UPDATE payments_refund SET status = 'failed' WHERE line_id IS NOT NULL"],
    ),
    "line and work disagree": (
        "I2", "its work is queued", ["UPDATE fulfillment_fulfillment SET status = 'queued' WHERE status = 'manual'"],
    ),
    "order and lines disagree": (
        "I2", "its lines make it fulfilled", ["UPDATE orders_order SET status = 'paid' WHERE status = 'fulfilled'"],
    ),
    "nobody looked after it": (
        "I2", "and no person asked",
        ["UPDATE orders_order SET paid_at = now() - interval '26 hours' WHERE status = 'paid'"],
    ),
    "failed and forgotten": (
        "I2", "nothing is on its way back",
        [
            "UPDATE payments_refund SET line_id = NULL WHERE cause LIKE 'line:%'",
            "UPDATE orders_orderline SET status = 'failed' WHERE status = 'refunded'",
            "UPDATE fulfillment_fulfillment SET finished_at = now() - interval '1 hour' WHERE status = 'failed'",
        ],
    ),
    "money that the book does not know": (
        "I1", "holds 60.00, the book says 0",
        [
            "UPDATE payments_payment SET status = 'confirmed', confirmed_at = now() "
            "WHERE order_id IN (SELECT id FROM orders_order WHERE status = 'expired')"
        ],
    ),
    "money that only the book knows": (
        "I1", "payments that came in are",
        ["UPDATE payments_payment SET status = 'canceled' WHERE status = 'confirmed'"],
    ),
    "supply that the book does not know": (
        "I1", "which is not in the book",
        ["UPDATE fulfillment_supplierorder SET status = 'partial', cost = 1 WHERE status = 'rejected'"],
    ),
    "paid order without its money": (
        "I3", "and kept 0", ["UPDATE payments_payment SET status = 'canceled' WHERE status = 'confirmed'"],
    ),
    "money kept for nothing": (
        "I3", "is expired, but kept 60.00",
        [
            "UPDATE payments_payment SET status = 'confirmed', confirmed_at = now() - interval '1 hour' "
            "WHERE order_id IN (SELECT id FROM orders_order WHERE status = 'expired')"
        ],
    ),
    "covered and still waiting": (
        "I3", "waits for money and has 60.00",
        [
            "UPDATE payments_payment SET status = 'confirmed', confirmed_at = now() "
            "WHERE order_id IN (SELECT id FROM orders_order WHERE status = 'pending')"
        ],
    ),
    "a total out of nothing": ("I3", "its lines cost 60.00", ["UPDATE orders_order SET total = total + 1"]),
    "more back than came in": ("I3", "and 61.00 goes back", ["UPDATE payments_refund SET amount = amount + 1"]),
    "back without having come": (
        "I3", "is failed, and 60.00 goes back", ["UPDATE payments_payment SET status = 'failed' WHERE is_surplus"],
    ),
    "more for a line than it cost": (
        "I3", "and 60.00 goes back for it", ["UPDATE orders_orderline SET price = 57 WHERE status = 'refunded'"],
    ),
    "not needed and kept": (
        "I3", "was not needed, and 0 goes back",
        [
            "DELETE FROM payments_refund WHERE cause = 'surplus'",
            "UPDATE payments_payment SET confirmed_at = now() - interval '1 hour' WHERE is_surplus",
        ],
    ),
    "back for another order": (
        "I3", "is for another order's line",
        [
            "UPDATE payments_refund SET line_id = (SELECT id FROM orders_orderline WHERE status = 'waiting' LIMIT 1) "
            "WHERE cause = 'ops:1'"
        ],
    ),
    "a code too few": (
        "I4", "2 bought, 2 arrived, 1 deliveries, 1 codes",
        ["DELETE FROM fulfillment_delivery WHERE stock_code_id IS NOT NULL AND position = 1"],
    ),
    "somebody else's code": (
        "I4", "was given code",
        ["UPDATE public.suppliers_stockcode SET reference = 'X' || left(reference, 18) WHERE schema_name = 'shop_one'"],
    ),
    "one code, two deliveries": (
        "I4", "was delivered 2 times",
        [
            "ALTER TABLE fulfillment_delivery DROP CONSTRAINT delivery_code_once",
            "UPDATE fulfillment_delivery SET stock_code_id = (SELECT min(stock_code_id) FROM fulfillment_delivery) "
            "WHERE stock_code_id = (SELECT max(stock_code_id) FROM fulfillment_delivery)",
        ],
    ),
    "one code, stored twice": (
        "I4", "is stored 2 times",
        [
            "ALTER TABLE public.suppliers_stockcode DROP CONSTRAINT suppliers_stockcode_digest_key",
            "INSERT INTO public.suppliers_stockcode (variant_id, supplier_id, sealed, digest, reference, schema_name) "
            "SELECT variant_id, supplier_id, sealed, digest, '', '' FROM public.suppliers_stockcode LIMIT 1",
        ],
    ),
    "two purchases at once": (
        "I5", "2 active purchases",
        [
            "DROP INDEX supplier_order_one_active_per_fulfillment",
            "UPDATE fulfillment_supplierorder SET status = 'unknown' WHERE fulfillment_id = "
            "(SELECT fulfillment_id FROM fulfillment_supplierorder WHERE sequence = 2 LIMIT 1)",
        ],
    ),
    "two successes": (
        "I5", "0 active purchases, 2 successful",
        [
            "DROP INDEX supplier_order_one_success_per_fulfillment",
            "UPDATE fulfillment_supplierorder SET status = 'succeeded' WHERE sequence = 1",
        ],
    ),
    "a purchase after the end": (
        "I5", "is delivered, but purchase",
        ["UPDATE fulfillment_supplierorder SET status = 'accepted' WHERE status = 'succeeded'"],
    ),
    "delivered without a purchase": (
        "I5", "without a successful purchase",
        ["UPDATE fulfillment_supplierorder SET status = 'rejected' WHERE status = 'succeeded'"],
    ),
    "delivered by another purchase": (
        "I5", "which is rejected or another's",
        [
            "UPDATE fulfillment_delivery SET supplier_order_id = "
            "(SELECT id FROM fulfillment_supplierorder WHERE status = 'rejected' LIMIT 1)"
        ],
    ),
    "begun before the end": (
        "I5", "had ended",
        ["UPDATE fulfillment_supplierorder SET created_at = created_at - interval '1 hour' WHERE sequence = 2"],
    ),
    "success without use": ("I6", "delivered nothing", ["DELETE FROM fulfillment_delivery"]),
    "a code that came and lies about": (
        "I6", "is used nowhere", ["DELETE FROM public.suppliers_duplicatesupply"],
    ),
    "booked twice": (
        "I7", "was booked 2 times",
        [
            f"{COPY} WHERE name = 'payment.confirmed'"
        ],
    ),
    "booked without money": (
        "I7", "is pending and was booked 1 times",
        ["UPDATE payments_payment SET status = 'pending' WHERE status = 'confirmed' AND NOT is_surplus"],
    ),
    "another amount": (
        "I7", "was booked as 59.00",
        [
            "UPDATE orders_orderevent SET data = jsonb_set(data, '{amount}', '\"59.00\"') "
            "WHERE name = 'payment.confirmed'"
        ],
    ),
    "paid twice": (
        "I7", "was paid 2 times",
        [
            f"{COPY} WHERE name = 'order.paid'"
        ],
    ),
    "a refund nobody booked": (
        "I7", "is succeeded and was booked 0 times", ["DELETE FROM orders_orderevent WHERE name = 'refund.succeeded'"],
    ),
    "no number of the gateway's": (
        "I7", "without the gateway's number", ["UPDATE payments_payment SET reference = '' WHERE status = 'confirmed'"],
    ),
    "a transfer that nobody saw": (
        "I7", "that no two people have seen", ["UPDATE payments_payment SET channel = 'transfer'"],
    ),
    "another account's notice": (
        "I7", "was accepted from", ["UPDATE public.inbox_inboxevent SET account = 'other' WHERE verdict = 'accepted'"],
    ),
    "a code in the history": (
        "I8", "holds code #", ["UPDATE orders_orderevent SET data = '{\"said\": \"it was SENT-0001!\"}'"],
    ),
    "a code in the evidence": (
        "I8", "holds code #", ["UPDATE fulfillment_supplierorder SET evidence = '<- {code: sent-0002}'"],
    ),
    "a code in the work": (
        "I8", "holds code #", ["UPDATE public.outbox_outboxevent SET payload = '{\"code\": \"CODE-0003\"}'"],
    ),
    "a code in a notice": (
        "I8", "holds code #",
        ["UPDATE public.inbox_inboxevent SET body = decode('Y29kZTogQ09ERS0wMDAx', 'base64')"],
    ),
    "a payment of another shop": (
        "I9", "payment 00Z", ["UPDATE payments_payment SET number = '00Z' || substr(number, 4)"],
    ),
    "a purchase of another shop": (
        "I9", "purchase 00Z", ["UPDATE fulfillment_supplierorder SET reference = '00Z' || substr(reference, 4)"],
    ),
    "a code of another shop": (
        "I9", "shows a code of shop_two",
        ["UPDATE public.suppliers_stockcode SET schema_name = 'shop_two' WHERE reference <> ''"],
    ),
    "a purchase that is not there": (
        "I9", "is not",
        [
            "UPDATE public.suppliers_stockcode SET reference = 'R1', schema_name = 'shop_one', taken_at = now() "
            "WHERE reference = ''"
        ],
    ),
    "a notice of another shop": (
        "I9", "was taken in this shop",
        ["UPDATE public.inbox_inboxevent SET subject = '00Z' || substr(subject, 4)"],
    ),
    "work that nobody took": (
        "I10", "is due since", ["UPDATE public.outbox_outboxevent SET run_at = now() - interval '2 minutes'"],
    ),
    "work in dead hands": (
        "I10", "is due since",
        [
            "UPDATE public.outbox_outboxevent SET run_at = now() - interval '9 minutes', "
            "lease_until = now() - interval '2 minutes'"
        ],
    ),
    "work that fails and fails": (
        "I10", "failed 8 times: boom", ["UPDATE public.outbox_outboxevent SET attempts = 8, last_error = 'boom'"],
    ),
    "work of no shop": (
        "I10", "shop_gone, which does not exist", ["UPDATE public.outbox_outboxevent SET schema_name = 'shop_gone'"],
    ),
    "work on no list": (
        "I10", "and on no list",
        [
            "DELETE FROM public.outbox_outboxevent",
            "UPDATE fulfillment_fulfillment SET created_at = now() - interval '5 minutes'",
        ],
    ),
    "a payment on no list": (
        "I10", "payment #",
        [
            "DELETE FROM public.outbox_outboxevent",
            "UPDATE payments_payment SET created_at = now() - interval '5 minutes'",
        ],
    ),
    "a notice that was never applied": (
        "I10", "is unapplied and on no list",
        [
            "UPDATE public.inbox_inboxevent SET verdict = 'unapplied', received_at = now() - interval '5 minutes' "
            "WHERE source = 'payments'"
        ],
    ),
    "a deposit spent twice": (
        "I11", "deposit:77 is at -5.0000",
        [
            "INSERT INTO public.ledger_account (name, owner) VALUES ('deposit', 77)",
            "INSERT INTO public.ledger_balance (account_id, upto, amount) SELECT id, 0, 5 FROM public.ledger_account "
            "WHERE owner = 77",
        ],
    ),
    "stock that reached nobody": (
        "I13", "left the shelf",
        [
            "DELETE FROM fulfillment_delivery WHERE stock_code_id IN "
            "(SELECT id FROM public.suppliers_stockcode WHERE supplier_id = "
            "(SELECT id FROM public.suppliers_supplier WHERE adapter = 'stock'))"
        ],
    ),
    "stock between free and owned": (
        "I13", "neither free nor owned",
        [
            "ALTER TABLE public.suppliers_stockcode DROP CONSTRAINT stock_code_taken_has_owner",
            "UPDATE public.suppliers_stockcode SET taken_at = now() WHERE reference = ''",
        ],
    ),
    "stock of no shop": (
        "I13", "neither free nor owned: shop_gone:",
        ["UPDATE public.suppliers_stockcode SET schema_name = 'shop_gone' WHERE reference <> ''"],
    ),
    "decisions cut off": (
        "I12", "entries #1 to #2 are missing at the end",
        ["ALTER TABLE public.trail_head DISABLE TRIGGER USER", "UPDATE public.trail_head SET sequence = 2"],
    ),
    "a step that is none": (
        "I14", "its order went pending → fulfilled",
        ["UPDATE orders_orderevent SET to_status = 'fulfilled' WHERE name = 'order.paid'"],
    ),
    "a line's step that is none": (
        "I14", "its line went waiting → delivered",
        ["UPDATE orders_orderevent SET to_status = 'delivered' WHERE name = 'line.queued'"],
    ),
    "a step left out": (
        "I14", "its order was pending, then left paid", ["DELETE FROM orders_orderevent WHERE name = 'order.paid'"],
    ),
    "another end than told": (
        "I14", "its order became expired and is canceled",
        ["UPDATE orders_order SET status = 'canceled' WHERE status = 'expired'"],
    ),
    "no history": ("I14", "and no history says so", ["DELETE FROM orders_orderevent"]),
    "a variant deleted": (
        "I15", "refers to catalog_variant #0", ["UPDATE orders_orderline SET variant_id = 0"],
    ),
    "an account deleted": (
        "I15", "refers to merchants_gatewayaccount #0",
        ["UPDATE payments_payment SET account_id = 0, reference = number"],
    ),
    "a code deleted": (
        "I15", "refers to suppliers_stockcode",
        ["DELETE FROM public.suppliers_stockcode WHERE reference <> ''"],
    ),
    "an account of no shop": (
        "I15", "merchant account", ["UPDATE public.merchants_gatewayaccount SET schema_name = 'shop_gone'"],
    ),
    "sold at an unknown cost": (
        "I16", "nobody knows how much", ["UPDATE public.catalog_variant SET cost = NULL WHERE is_available"],
    ),
    "sold at a loss": (
        "I16", "costs 57.0100", ["UPDATE public.catalog_variant SET cost = 57.01 WHERE is_available"],
    ),
    "sold, and offered by nobody": (
        "I16", "nobody offers it", ["UPDATE public.suppliers_supplieroffer SET is_active = FALSE"],
    ),
}  # fmt: skip


def test_every_invariant_is_broken_by_something_here() -> None:
    assert {code for code, _, _ in WRONG.values()} == set(CODES)


@pytest.mark.parametrize(("code", "says", "statements"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(
    busy: Busy, monkeypatch: pytest.MonkeyPatch, code: str, says: str, statements: list[str]
) -> None:
    monkeypatch.setattr("kameng.audit.services.EXAMPLES", 1000)
    change(*statements)
    invariant = next(one for one in invariants() if one.code == code)
    examples = verdict_of(invariant, shops()).examples
    assert any(says in example for example in examples), examples


def test_one_transaction_in_two_shops_is_named(
    busy: Busy, other_shop: Reseller, gateway_double: object, supplier_double: object
) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    with schema_context(other_shop.schema_name):
        paid(other_shop, on_sale())
        change("UPDATE payments_payment SET reference = 'T1'")
    change("UPDATE payments_payment SET reference = 'T1' WHERE id = (SELECT min(id) FROM payments_payment)")
    (example,) = broken()["I7"].examples
    assert example.startswith("transaction T1 confirmed payments 00")


def test_a_shop_whose_schema_is_gone_is_named_and_stops_nothing(busy: Busy) -> None:
    change("UPDATE public.resellers_reseller SET schema_name = 'shop_lost' WHERE slug = 'two'")
    change("UPDATE orders_order SET status = 'paid' WHERE status = 'fulfilled'")
    found = broken()
    assert any("of shop_lost, which does not exist" in example for example in found["I15"].examples)
    assert found["I2"].examples


# --- secrets ------------------------------------------------------------------------------------------


def test_codes_and_keys_in_log_files_are_named_and_not_shown(busy: Busy, tmp_path: Path) -> None:
    SupplierFactory(code="keyed", config={"app_secret": "hush-hush-hush-32-characters-ok!", "app_key": "public-ish"})
    GatewayAccountFactory(
        code="pem",
        config={"app_private_key": "-----BEGIN-----\nMIIEvQIBADANBgkq\n-----END-----", "base_url": "http://x/"},
    )
    (tmp_path / "deep").mkdir()
    (tmp_path / "web.log").write_text("nothing here: http://x/ CODE-9999\n")
    assert "I8" not in broken(logs=tmp_path)
    (tmp_path / "web.log").write_text('GET /o/ {"code":"CODE-0001"}\n')
    (tmp_path / "deep" / "worker.log").write_text("key MIIEvQIBADANBgkq\nsecret=hush-hush-hush-32-characters-ok!\n")
    verdict = broken(logs=tmp_path)["I8"]
    assert verdict.broken == 3
    told = " ".join(verdict.examples)
    assert "log web.log holds code #" in told
    assert "log deep/worker.log holds app_private_key of merchant account pem" in told
    assert "log deep/worker.log holds app_secret of supplier keyed" in told
    for secret in ("CODE-0001", "MIIEvQIBADANBgkq", "hush"):
        assert secret not in told


def test_a_folder_of_logs_that_is_not_there_is_no_breach(busy: Busy, tmp_path: Path) -> None:
    assert broken(logs=tmp_path / "none") == {}


@pytest.mark.parametrize("kind", ["string", "list", "hash", "set", "zset", "key", "packed"])
def test_codes_in_redis_are_named(busy: Busy, kind: str) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    name = f"audit-test-{kind}" if kind != "key" else "audit-test:SENT-0001"
    put = {
        "string": lambda: client.set(name, "it is SENT-0001."),
        "list": lambda: client.rpush(name, "no", "SENT-0001"),
        "hash": lambda: client.hset(name, "code", "SENT-0001"),
        "set": lambda: client.sadd(name, "SENT-0001"),
        "zset": lambda: client.zadd(name, {"SENT-0001": 1}),
        "key": lambda: client.set(name, "x"),
        "packed": lambda: client.set(name, '{"body": "W1tdLCB7ImNvZGUiOiAiU0VOVC0wMDAxIn1d"}'),
    }
    try:
        put[kind]()
        told = broken()["I8"].examples
        assert len(told) == 1
        assert told[0].startswith(f"Redis {name} holds code #")
    finally:
        client.delete(name)


def test_a_redis_that_is_away_does_not_stop_the_audit(busy: Busy, settings: pytest.FixtureRequest) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    assert broken() == {}


# --- the command ----------------------------------------------------------------------------------------


def said(*arguments: str, code: int = 0) -> str:
    """What the command prints; it ends with that code."""
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("audit", *arguments, stdout=out)
        assert ended.value.code == code
    else:
        call_command("audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_one_line_for_each_invariant(busy: Busy, tmp_path: Path) -> None:
    lines = said("--logs", str(tmp_path)).splitlines()
    assert [line.split()[:2] for line in lines] == [[code, "ok"] for code in CODES]
    change("UPDATE orders_order SET status = 'paid' WHERE status = 'fulfilled'")
    lines = said("--logs", str(tmp_path), code=1).splitlines()
    assert len(lines) == len(CODES)
    assert lines[1].startswith("I2   BROKEN a paid line ends delivered or refunded, never both (")
    assert "and " in lines[1]
    assert [line.split()[1] for line in lines] == ["ok", "BROKEN", *["ok"] * 11, "BROKEN", "ok", "ok"]


def test_the_command_speaks_json(busy: Busy, tmp_path: Path) -> None:
    told = json.loads(said("--json", "--logs", str(tmp_path)))
    assert (told["ok"], [entry["code"] for entry in told["invariants"]]) == (True, CODES)
    assert told["seconds"] >= 0
    change("UPDATE orders_orderline SET variant_id = 0")
    told = json.loads(said("--json", "--logs", str(tmp_path), code=1))
    assert told["ok"] is False
    (wrong,) = [entry for entry in told["invariants"] if not entry["ok"]]
    assert wrong["code"] == "I15"
    assert wrong["broken"] > len(wrong["examples"]) == 5
    assert wrong["examples"][0].startswith("shop_one: orders_orderline #")


def test_books_that_cannot_be_read_are_an_error_not_a_verdict(busy: Busy, tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:1", "ftp://127.0.0.1"):
        with pytest.raises(CommandError, match="books cannot be read"):
            call_command("audit", "--logs", str(tmp_path), "--sandbox", url)
