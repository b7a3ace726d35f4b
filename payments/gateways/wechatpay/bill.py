"""WeChat Pay's trade bill (`bill_type=ALL`): a table, each value behind a backtick, then its totals.

Source: pay.weixin.qq.com/docs/merchant/apis/bill-download/trade-bill/ ("交易账单"). Amounts are yuan. A refund is a row
of its own, on the day on which it was accepted, under the order it belongs to.
"""

from collections.abc import Iterator
from decimal import Decimal

from payments.gateways.base import BillBroken, BillKind, BillRow, BillState
from payments.gateways.bills import Bounded, amount, cells, moment, places

WANTED = (
    *("交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类"),
    *("微信退款单号", "商户退款单号", "退款状态", "手续费", "订单金额", "申请退款金额"),
)
TOTALS = ("总交易单数", "手续费总金额", "订单总金额", "申请退款总金额")
#: How a refund stood; CHANGE waits for the merchant to send it another way.
STATES = {"SUCCESS": BillState.DONE, "PROCESSING": BillState.OPEN, "FAIL": BillState.FAILED, "CHANGE": BillState.FAILED}


def rows(source: Bounded, *, merchant: str) -> Iterator[BillRow]:
    """Each row; with the last one the totals are compared. Raises `BillBroken`."""
    lines = source.lines("utf-8")
    header = cells(next(lines, "").removeprefix("\ufeff"))
    at = places(header, WANTED)
    paid, returned, fees = Decimal(0), Decimal(0), Decimal(0)
    for count, line in enumerate(lines):
        if not line.startswith("`"):
            _compare(line, next(lines, ""), (Decimal(count), fees, paid, returned))
            return
        row = _row(line, len(header), at, merchant)
        fees += row.fee or 0
        if row.kind is BillKind.PAYMENT:
            paid += row.amount
        else:
            returned += row.amount
        yield row
    raise BillBroken("ends without its totals")


def _row(line: str, width: int, at: list[int], merchant: str) -> BillRow:
    # Values may hold commas and quotes: what separates is a comma before a backtick.
    values = [value.strip() for value in line[1:].split(",`")]
    if len(values) != width:
        raise BillBroken(f"a row of {len(values)} values under {width} headings")
    when, whose, order, payment, state, currency, refund_order, refund, refund_state, fee, total, back = (
        values[place] for place in at
    )
    if whose != merchant:
        raise BillBroken("the bill of another merchant")
    is_refund = state in {"REFUND", "REVOKED"}
    if not payment or (state == "REFUND" and not refund):
        raise BillBroken("a row without our number")
    return BillRow(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        number=(refund or payment) if is_refund else payment,
        payment=payment,
        reference=refund_order if is_refund else order,
        amount=amount(back if is_refund else total),
        at=moment(when),
        fee=amount(fee),
        currency=currency,
        state=STATES.get(refund_state, BillState.OPEN) if state == "REFUND" else BillState.DONE,
    )


def _compare(heading: str, line: str, found: tuple[Decimal, ...]) -> None:
    at = places(cells(heading), TOTALS)
    values = [value.strip() for value in line.removeprefix("`").split(",`")]
    if len(values) <= max(at):
        raise BillBroken("ends without its totals")
    told = tuple(amount(values[place]) for place in at)
    if told != found:
        raise BillBroken(f"its rows make {_text(found)}, its totals say {_text(told)}")


def _text(totals: tuple[Decimal, ...]) -> str:
    return "/".join(str(total) for total in totals)
