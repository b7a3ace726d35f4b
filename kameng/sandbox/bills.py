"""What the gateways say they did on a day: their bills, from their own book, in their own formats.

Sources: opendocs.alipay.com, `alipay.data.dataservice.bill.downloadurl.query` ("业务明细"); pay.weixin.qq.com,
"交易账单".
Unlike the real ones, a bill can be had while its day still runs.
"""

import csv
import gzip
import hashlib
import io
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from kameng.sandbox import crypto
from kameng.sandbox.book import CHINA, Book, Refund, RefundState, SupplierOrder, Trade, china_time, yuan

#: What both gateways keep of a payment.
FEE_RATE = Decimal("0.006")
LINK_SECONDS = {"alipay": 30, "wechatpay": 300}
ALIPAY_COLUMNS = (
    *("支付宝交易号", "商户订单号", "业务类型", "商品名称", "创建时间", "完成时间", "门店编号", "门店名称", "操作员"),
    *("终端号", "对方账户", "订单金额（元）", "商家实收（元）", "支付宝红包（元）", "集分宝（元）", "支付宝优惠（元）"),
    *(
        "商家优惠（元）",
        "券核销金额（元）",
        "券名称",
        "商家红包消费金额（元）",
        "卡消费金额（元）",
        "退款批次号/请求号",
    ),
    *("服务费（元）", "分润（元）", "备注"),
)
WECHAT_COLUMNS = (
    *("交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型"),
    *("交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额"),
    *("充值券退款金额", "退款类型", "退款状态", "商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额"),
    "费率备注",
)
WECHAT_TOTALS = (
    *("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额"),
)
WECHAT_REFUNDS = {
    RefundState.SUCCESS: "SUCCESS",
    RefundState.PROCESSING: "PROCESSING",
    RefundState.ABNORMAL: "CHANGE",
    RefundState.CLOSED: "FAIL",
}
SUPPLIER_COLUMNS = ("reference", "supplier_reference", "time", "sku", "quantity", "amount", "currency", "state")


@dataclass(frozen=True, slots=True)
class _Link:
    content: bytes
    until: float


class Links:
    """Addresses of files that are good for a short time."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}

    def add(self, content: bytes, *, seconds: int) -> str:
        """A token for a file; those that are over are forgotten."""
        now = time.time()
        self._links = {token: link for token, link in self._links.items() if link.until > now}
        token = crypto.letters(40)
        self._links[token] = _Link(content, now + seconds)
        return token

    def get(self, token: str) -> bytes | None:
        """The file, while its address is good."""
        link = self._links.get(token)
        return link.content if link is not None and link.until > time.time() else None


def fee(fen: int) -> Decimal:
    """What is kept of a payment, in yuan."""
    return (Decimal(fen) / 100 * FEE_RATE).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def is_on(moment: float, day: date) -> bool:
    """Whether something happened on a day of China's calendar."""
    return moment > 0 and datetime.fromtimestamp(moment, CHINA).date() == day


def trades_of(book: Book, gateway: str, day: date) -> Iterator[tuple[Trade, Refund | None]]:
    """What was paid and returned there on a day."""
    for (code, _payment), trade in book.trades.items():
        if code != gateway:
            continue
        if is_on(trade.paid_at, day):
            yield trade, None
        for refund in trade.refunds.values():
            # WeChat Pay writes a refund on the day on which it was asked for, Alipay on the day on which it was made.
            if gateway == "wechatpay":
                is_told = is_on(refund.created_at, day)
            else:
                is_told = refund.state is RefundState.SUCCESS and is_on(refund.finished_at, day)
            if is_told:
                yield trade, refund


def alipay_zip(found: Iterable[tuple[Trade, Refund | None]], *, seller_id: str, day: date) -> bytes:
    """The zip: details and summary, in GBK, names too."""
    lines = io.StringIO()
    span = f"起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{day:%Y年%m月%d日} 23:59:59]"
    lines.write(f"#支付宝业务明细查询\r\n#账号：[{seller_id}0156]\r\n#{span}\r\n")
    lines.write(f"#{'-' * 41}业务明细列表{'-' * 40}\r\n")
    table = csv.writer(lines)
    table.writerow(ALIPAY_COLUMNS)
    paid, returned, paid_sum, returned_sum = 0, 0, 0, 0
    for trade, refund in found:
        amount = -refund.amount if refund else trade.amount
        text = f"-{yuan(-amount)}" if refund else yuan(amount)
        paid, returned = paid + (refund is None), returned + (refund is not None)
        paid_sum, returned_sum = paid_sum + max(amount, 0), returned_sum + min(amount, 0)
        when = china_time(refund.finished_at if refund else trade.paid_at)
        numbers = [f"{trade.reference}\t", f"{trade.payment}\t"]
        money = [text, text, *(["0.00"] * 5), "", "0.00", "0.00"]
        number = f"{refund.number}\t" if refund else ""
        kept = "0.00" if refund else f"-{fee(trade.amount)}"
        made = china_time(trade.created_at)
        table.writerow([
            *numbers, "退款  " if refund else "交易  ", trade.subject, made, when, *([""] * 4), "san***@sandbox.com",
            *money, number, kept, "0.00", "",
        ])  # fmt: skip
    lines.write(f"#{'-' * 40}业务明细列表结束{'-' * 38}\r\n")
    lines.write(f"#交易合计：{paid}笔，商家实收共{yuan(paid_sum)}元，商家优惠共0.00元\r\n")
    lines.write(f"#退款合计：{returned}笔，商家实收退款共-{yuan(-returned_sum)}元，商家优惠退款共0.00元\r\n")
    lines.write(f"#导出时间：[{china_time(time.time())}]\r\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made_zip:
        for name, text in (("业务明细", lines.getvalue()), ("业务明细(汇总)", f"#支付宝业务汇总查询\r\n#{span}\r\n")):
            entry = _Gbk(f"{seller_id}0156_{day:%Y%m%d}_{name}.csv")
            entry.compress_type = zipfile.ZIP_DEFLATED
            made_zip.writestr(entry, text.encode("gb18030"))
    return packed.getvalue()


class _Gbk(zipfile.ZipInfo):
    """A name in GBK that does not say so."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the library's name
        return self.filename.encode("gb18030"), self.flag_bits & ~0x800


def wechat_csv(found: Iterable[tuple[Trade, Refund | None]], *, appid: str, mchid: str) -> bytes:
    """The table in clear: each value behind a backtick, then the totals."""
    rows, fees, paid, returned = [], Decimal(0), 0, 0
    for trade, refund in found:
        kept = -fee(refund.amount) if refund else fee(trade.amount)
        fees += kept
        paid, returned = paid + (0 if refund else trade.amount), returned + (refund.amount if refund else 0)
        whole = "0.00" if refund else yuan(trade.amount)
        back = yuan(refund.amount) if refund else "0.00"
        rows.append([
            china_time(refund.created_at if refund else trade.paid_at), appid, mchid, "0", "", trade.reference,
            trade.payment, trade.openid, trade.channel, "REFUND" if refund else "SUCCESS", "OTHERS", "CNY", whole,
            "0.00",
            refund.reference if refund else "0", refund.number if refund else "0", back, "0.00",
            "ORIGINAL" if refund else "", WECHAT_REFUNDS[refund.state] if refund else "", trade.subject, trade.attach,
            f"{kept:.5f}", "0.60%", whole, back, "",
        ])  # fmt: skip
    totals = [str(len(rows)), yuan(paid), yuan(returned), "0.00", f"{fees:.5f}", yuan(paid), yuan(returned)]
    lines = ["\ufeff" + ",".join(WECHAT_COLUMNS), *map(_ticked, rows), ",".join(WECHAT_TOTALS), _ticked(totals)]
    return ("\r\n".join(lines) + "\r\n").encode()


def wechat_file(text: bytes, *, packed: bool) -> tuple[bytes, str]:
    """The file as it is downloaded, and the hash of it in clear."""
    told = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return gzip.compress(text) if packed else text, told


def supplier_csv(orders: Iterable[SupplierOrder], *, day: date, currency: str) -> bytes:
    """A supplier's bill in the neutral format that operators upload."""
    lines = io.StringIO()
    table = csv.writer(lines)
    table.writerow(SUPPLIER_COLUMNS)
    for order in orders:
        if not is_on(order.finished_at or order.created_at, day):
            continue
        state = "done" if order.charged else "failed"
        when = china_time(order.finished_at or order.created_at)
        for _time in range(max(order.times, 1)):
            charged = order.charged / max(order.times, 1)
            table.writerow([
                order.reference, order.order_id, when, order.sku, order.quantity, f"{charged:.4f}", currency, state,
            ])  # fmt: skip
    return lines.getvalue().encode("utf-8-sig")


def _ticked(values: Iterable[str]) -> str:
    return ",".join(f"`{value}" for value in values)
