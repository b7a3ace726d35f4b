"""Alipay's bill of trades (`bill_type=trade`): a zip with tables in GBK, of which the details are read.

Source: opendocs.alipay.com, `alipay.data.dataservice.bill.downloadurl.query`, "业务明细". Lines that begin with # stand
around the table; the last of them give its totals. What the account's money did (`signcustomer`) is the same trades
with their fees apart, and everything else that happened to the account, which is nobody's order.
"""

import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO

from payments.gateways.base import BillBroken, BillKind, BillRow
from payments.gateways.bills import MOST_ENTRIES, Bounded, amount, cells, moment, most_plain, places

ENCODING = "gb18030"
DETAILS, SUMMARY = "业务明细", "汇总"
WANTED = (
    *("支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "退款批次号/请求号", "服务费（元）"),
)
PAYMENT, REFUND = "交易", "退款"
ACCOUNT = re.compile(r"#账号：\[(\d+)\]")
TOTALS = {
    BillKind.PAYMENT: re.compile(r"#交易合计：(\d+)笔"),
    BillKind.REFUND: re.compile(r"#退款合计：(\d+)笔"),
}


def details(file: BinaryIO) -> Bounded:
    """The table inside the zip. Raises `BillBroken` for anything but a small number of tables of a plausible size."""
    size = file.seek(0, 2)
    try:
        packed = zipfile.ZipFile(file)
        entries = packed.infolist()
        named = [(entry, _name(entry)) for entry in entries[:MOST_ENTRIES]]
        found = [entry for entry, name in named if DETAILS in name and SUMMARY not in name]
        if len(entries) > MOST_ENTRIES or len(found) != 1:
            raise BillBroken(f"{len(entries)} files, of which {len(found)} are the details")
        if found[0].file_size > most_plain(size):
            raise BillBroken("unpacks to more than any bill")
        return Bounded(packed.open(found[0]), most_plain(size))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise BillBroken(f"not a readable zip: {error}") from error


def rows(source: Bounded, *, merchant: str) -> Iterator[BillRow]:
    """Each row; with the last one the numbers of rows are compared. Raises `BillBroken`."""
    at: list[int] = []
    width = 0
    counts = dict.fromkeys(BillKind, 0)
    told: dict[BillKind, int] = {}
    for line in source.lines(ENCODING):
        if line.startswith("#"):
            _read_frame(line, merchant, told)
        elif not line.strip():
            continue
        elif not at:
            header = cells(line)
            at, width = places(header, WANTED), len(header)
        else:
            row = _row(cells(line), at, width)
            counts[row.kind] += 1
            yield row
    if told != counts:
        said = ", ".join(f"{told.get(kind, 'no')} {kind}s" for kind in BillKind)
        raise BillBroken(
            f"{counts[BillKind.PAYMENT]} payments and {counts[BillKind.REFUND]} refunds, totals say {said}"
        )


def _row(values: list[str], at: list[int], width: int) -> BillRow:
    if len(values) != width:
        raise BillBroken(f"a row of {len(values)} values under {width} headings")
    reference, payment, kind, when, total, refund, fee = (values[place] for place in at)
    is_refund = kind == REFUND
    if kind not in {PAYMENT, REFUND}:
        raise BillBroken(f"a row of an unknown kind: {kind[:16]!r}")
    if not payment or not reference:
        raise BillBroken("a row without a number")
    yuan = amount(total)
    if (yuan > 0) is is_refund:
        raise BillBroken("a sign that does not fit the kind of the row")
    return BillRow(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        number=(refund or payment) if is_refund else payment,
        payment=payment,
        reference=reference,
        amount=abs(yuan),
        at=moment(when),
        # Written from the account's side: what a trade costs is negative.
        fee=Decimal(0) - amount(fee),
    )


def _read_frame(line: str, merchant: str, told: dict[BillKind, int]) -> None:
    if (account := ACCOUNT.match(line)) and not account[1].startswith(merchant):
        raise BillBroken("the bill of another merchant")
    for kind, pattern in TOTALS.items():
        if match := pattern.match(line):
            told[kind] = int(match[1])


def _name(entry: zipfile.ZipInfo) -> str:
    """Names are in GBK without saying so, which the standard reads as code page 437."""
    if entry.flag_bits & 0x800:
        return entry.filename
    return entry.filename.encode("cp437").decode(ENCODING, errors="replace")
