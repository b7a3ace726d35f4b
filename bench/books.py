"""Whether what was sold fast was also sold right: our books, the other side's book, and what the buyers hold."""

from collections.abc import Sequence

from bench.buyer import Purchase
from bench.stage import HOUSE, Stage
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
