"""Whether what was sold fast was also sold right: our books, the other side's book, and what the buyers hold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2

from bench.buyer import Purchase
from bench.stage import HOUSE, Stage, address
from kameng.embedded import paths

_OWNERS = f"""
SELECT count(*), count(DISTINCT delivery.stock_code_id)
  FROM {HOUSE}.fulfillment_delivery AS delivery
  JOIN {HOUSE}.fulfillment_fulfillment AS work ON work.id = delivery.fulfillment_id
  JOIN {HOUSE}.orders_orderline AS line ON line.id = work.line_id
  JOIN {HOUSE}.orders_order AS placed ON placed.id = line.order_id
 WHERE placed.number = ANY(%s)
"""
_CONFIRMED = (
    f"SELECT number, amount::text FROM {HOUSE}.payments_payment WHERE status = 'confirmed' AND number = ANY(%s)"
)
_REFUNDED = f"""
SELECT payment.number, sum(refund.amount)::text
  FROM {HOUSE}.payments_refund AS refund JOIN {HOUSE}.payments_payment AS payment ON payment.id = refund.payment_id
 WHERE refund.status = 'succeeded' AND payment.number = ANY(%s) GROUP BY payment.number
"""
#: Of orders in one shop: number, when the money came, when it ended, purchases that delivered.
WORKS = """
SELECT placed.number, payment.confirmed_at, coalesce(refund.finished_at, work.finished_at),
       (SELECT count(*) FROM {schema}.fulfillment_supplierorder AS buy
         WHERE buy.fulfillment_id = work.id AND buy.status = 'succeeded')
  FROM {schema}.fulfillment_fulfillment AS work
  JOIN {schema}.orders_orderline AS line ON line.id = work.line_id
  JOIN {schema}.orders_order AS placed ON placed.id = line.order_id
  JOIN {schema}.payments_payment AS payment ON payment.order_id = placed.id AND payment.status = 'confirmed'
  LEFT JOIN {schema}.payments_refund AS refund ON refund.line_id = line.id
 WHERE placed.number = ANY(%s)
"""
#: Their purchases: our number, supplier, status, when, whether it tried an open breaker, order.
ATTEMPTS = """
SELECT buy.reference, supplier.code, buy.status, buy.created_at, buy.choice ->> 'by' = 'probe', placed.number
  FROM {schema}.fulfillment_supplierorder AS buy
  JOIN {schema}.fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN {schema}.orders_orderline AS line ON line.id = work.line_id
  JOIN {schema}.orders_order AS placed ON placed.id = line.order_id
  JOIN public.suppliers_supplier AS supplier ON supplier.id = buy.supplier_id
 WHERE placed.number = ANY(%s) ORDER BY buy.created_at, buy.id
"""


def check(stage: Stage, purchases: Sequence[Purchase], *, name: str) -> list[str]:
    """Every order delivered, each with a code of its own, and paid at the gateway exactly once. What is wrong."""
    wrong = stage.dead()
    undelivered = [one.number for one in purchases if one.status != "fulfilled" or len(one.codes) != 1]
    if undelivered:
        wrong.append(f"{name}: {len(undelivered)} of {len(purchases)} paid orders without their code")
    return wrong + _money_and_codes(stage, purchases, name)


def check_crowd(stage: Stage, purchases: Sequence[Purchase], *, codes: int, sku: str) -> list[str]:
    """As many deliveries as there were codes; everybody else was refused before, or got the money back."""
    wrong = stage.dead()
    delivered = sum(one.status == "fulfilled" for one in purchases)
    refunded = sum(one.status == "refunded" for one in purchases)
    refused = sum(bool(one.refused) for one in purchases)
    if delivered != codes or delivered + refunded + refused != len(purchases):
        wrong.append(f"crowd: {delivered} delivered of {codes} codes, {refunded} refunded, {refused} refused")
    (left,) = stage.rows(
        "SELECT count(*) FROM suppliers_stockcode AS code JOIN catalog_variant AS variant"
        " ON variant.id = code.variant_id WHERE variant.sku = %s AND code.reference = ''",
        [sku],
    )[0]
    if left:
        wrong.append(f"crowd: {left} codes left")
    return wrong + _money_and_codes(stage, purchases, "crowd")


def _money_and_codes(stage: Stage, purchases: Sequence[Purchase], name: str) -> list[str]:
    wrong = []
    held = [code for one in purchases for code in one.codes]
    if len(set(held)) != len(held):
        wrong.append(f"{name}: {len(held)} codes in buyers' hands, {len(set(held))} different ones")
    delivered = sum(one.status == "fulfilled" for one in purchases)
    owners, codes = stage.rows(_OWNERS, [[one.number for one in purchases if one.number]])[0]
    if not owners == codes == delivered:
        wrong.append(f"{name}: {owners} deliveries of {codes} codes for {delivered} delivered orders")
    numbers = [one.payment for one in purchases if one.payment]
    ours = dict(stage.rows(_CONFIRMED, [numbers]))
    refunds = dict(stage.rows(_REFUNDED, [numbers]))
    wanted = set(numbers)
    book = [row for row in stage.ask_sandbox("GET", "gateways/alipay/book") if row["payment"] in wanted]
    if len(book) != len(wanted) or ours != {row["payment"]: row["amount"] for row in book}:
        wrong.append(f"{name}: {len(book)} payments in the gateway's book, {len(ours)} in ours")
    theirs = {row["payment"]: row["refunded"] for row in book if row["refunded"] not in ("0.00", "0", 0)}
    if theirs != refunds:
        wrong.append(f"{name}: {len(theirs)} refunds in the gateway's book, {len(refunds)} in ours")
    return wrong


def audit(stage: Stage) -> list[str]:
    """The product's own invariants, where there is a command for them."""
    if not (paths.ROOT / "kameng" / "management" / "commands" / "audit.py").exists():
        return []
    try:
        stage.run_program(["manage.py", "audit"])
    except Exception as broken:
        return [f"audit: {broken}"]
    return []


def audit_both(stage: Stage) -> list[str]:
    """The invariants, held also against the books of the other side."""
    try:
        stage.run_program(["manage.py", "audit", "--sandbox", f"http://127.0.0.1:{stage.sandbox_port}"])
    except Exception as broken:
        return [f"audit: {broken}"]
    return []


def charged(stage: Stage, attempts: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """By the suppliers' own books: how many of the orders with these `ATTEMPTS` were charged more than once, and how
    many purchases delivered without having been used for their order."""
    used = {reference for reference, _, status, *_ in attempts if status == "succeeded"}
    order_of = {reference: number for reference, *_, number in attempts}
    times: Counter[str] = Counter()
    unused = 0
    for supplier in stage.ask_sandbox("GET", "suppliers/"):
        for row in stage.ask_sandbox("GET", f"suppliers/{supplier['code']}/book"):
            if row["reference"] in order_of:
                times[order_of[row["reference"]]] += row["times"]
                unused += row["state"] == "succeeded" and row["reference"] not in used
    return sum(number > 1 for number in times.values()), unused


def ask(stage: Stage, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Rows of a query, or none for a change, in a session of its own."""
    connection = psycopg2.connect(address(stage.database_url))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def everywhere(stage: Stage, statement: str, *lists: Sequence[str]) -> list[tuple[Any, ...]]:
    """The same in every shop, which the statement calls `{schema}`; its parameters are lists."""
    return [
        row for schema in _schemas(stage) for row in ask(stage, statement.format(schema=schema), [*map(list, lists)])
    ]


def _schemas(stage: Stage) -> Iterator[str]:
    for (schema,) in ask(stage, "SELECT schema_name FROM resellers_reseller WHERE schema_name <> 'public'"):
        yield schema
