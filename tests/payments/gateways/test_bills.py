"""Bills as gateways write them: read whole, or refused."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

import payments.gateways
from kameng.core.http import HttpClient, NoAnswer
from payments.gateways import bills
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import (
    BillBroken,
    Billing,
    BillKind,
    BillNotReady,
    BillRow,
    BillState,
    GatewayUnavailable,
    GatewayUnknown,
)
from payments.gateways.epay.gateway import EpayGateway
from payments.gateways.wechatpay.gateway import WechatpayGateway
from tests.payments.gateways.platforms import NOW, AlipayPlatform, WechatpayPlatform

DAY = date(2026, 11, 21)
WECHAT_CALL = f"GET /v3/bill/tradebill?bill_date={DAY}&bill_type=ALL&tar_type=GZIP"
WECHAT_FILE = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=6XBfk"
ALIPAY_CALL = "alipay.data.dataservice.bill.downloadurl.query"
ALIPAY_FILE = "https://dwbillcenter.alipay.com/downloadBillFile.resource?fileId=9c1"
PAID = ("KM7Q2M9XWZ4T8HRB5NVC3DFG", "KM7Q2M9XWZ4T8HRB5NVC3DFH")
RETURNED = "RF4T8HRB5NVC3DFGJKM7Q2M9"


def captured(name: str) -> str:
    return (Path(payments.gateways.__path__[0]) / name).read_bytes().decode("utf-8")


def alipay_text() -> str:
    return captured("alipay/payloads/trade_bill.csv")


def wechat_text() -> str:
    return captured("wechatpay/payloads/tradebill.csv")


def zipped(text: str, *, names: tuple[str, ...] = ("20887212345678900156_20261121_业务明细.csv",)) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, text.encode("gb18030"))
    return packed.getvalue()


class Alipay:
    """The adapter, and what Alipay sends as the file."""

    def __init__(self, gateway: AlipayGateway, platform: AlipayPlatform, network: respx.MockRouter) -> None:
        self.gateway, self.platform, self.network = gateway, platform, network

    def read(self, text: str | None = None, *, file: bytes | None = None, url: str = ALIPAY_FILE) -> list[BillRow]:
        node = {"code": "10000", "msg": "Success", "bill_download_url": url}
        self.platform.answer(ALIPAY_CALL, node)
        content = file if file is not None else zipped(alipay_text() if text is None else text)
        self.network.get(ALIPAY_FILE).mock(return_value=httpx.Response(200, content=content))
        return list(self.gateway.bill(DAY))


class Wechat:
    """The same for WeChat Pay."""

    def __init__(self, gateway: WechatpayGateway, platform: WechatpayPlatform) -> None:
        self.gateway, self.platform = gateway, platform

    def read(
        self, text: str | None = None, *, file: bytes | None = None, told: str = "", url: str = WECHAT_FILE
    ) -> list[BillRow]:
        plain = (wechat_text() if text is None else text).encode()
        told = told or hashlib.sha1(plain, usedforsecurity=False).hexdigest()
        content = file if file is not None else gzip.compress(plain)
        self.platform.answer(WECHAT_CALL, {"download_url": url, "hash_type": "SHA1", "hash_value": told})
        target = f"GET {WECHAT_FILE.removeprefix('https://api.mch.weixin.qq.com')}"
        self.platform.answers[target] = lambda _: httpx.Response(200, content=content)
        return list(self.gateway.bill(DAY))


@pytest.fixture
def alipay_bill(alipay: AlipayGateway, alipay_platform: AlipayPlatform, network: respx.MockRouter) -> Alipay:
    return Alipay(alipay, alipay_platform, network)


@pytest.fixture
def wechat_bill(wechatpay: WechatpayGateway, wechatpay_platform: WechatpayPlatform) -> Wechat:
    return Wechat(wechatpay, wechatpay_platform)


@pytest.fixture(params=["alipay", "wechatpay"])
def either(request: pytest.FixtureRequest) -> Any:
    """One gateway after the other."""
    return request.getfixturevalue("alipay_bill" if request.param == "alipay" else "wechat_bill")


def text_of(either: Alipay | Wechat) -> str:
    return alipay_text() if isinstance(either, Alipay) else wechat_text()


def test_either_bill_tells_of_payments_and_refunds_in_our_words(either: Any) -> None:
    first, second, back = either.read()
    assert (first.kind, first.number, first.payment, first.amount) == (BillKind.PAYMENT, PAID[0], PAID[0], Decimal(57))
    assert (first.fee, first.currency, first.state) == (Decimal("0.34"), "CNY", BillState.DONE)
    assert first.at == datetime(2026, 11, 22, 7, 46, 30, tzinfo=UTC)
    assert (second.number, second.amount, second.fee) == (PAID[1], Decimal("19.90"), Decimal("0.12"))
    assert (back.kind, back.number, back.payment, back.amount) == (BillKind.REFUND, RETURNED, PAID[0], Decimal(10))
    assert back.state is BillState.DONE
    assert first.reference.startswith(("2026112222001448561", "42000022182026112291"))


def test_which_gateways_write_bills(alipay: object, wechatpay: object, epay: object) -> None:
    assert isinstance(alipay, Billing)
    assert isinstance(wechatpay, Billing)
    assert not isinstance(epay, Billing)
    assert not issubclass(EpayGateway, Billing)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: "", id="nothing"),
        pytest.param(lambda text: "\r\n".join(text.split("\r\n")[:-3]), id="cut before its totals"),
        pytest.param(lambda text: text[: len(text) * 2 // 3], id="cut in the middle"),
        pytest.param(lambda text: "".join(text.splitlines(keepends=True)[1:]).replace(PAID[1], "", 1), id="headless"),
        pytest.param(lambda text: text.replace("商户订单号", "商家单号", 1), id="a column is called something else"),
        pytest.param(
            lambda text: text.replace("2088721234567890", "2088000000000000").replace("1623456789", "1"), id="whose"
        ),
        pytest.param(lambda text: text.replace("19.90", "19.9O"), id="no amount"),
        pytest.param(lambda text: text.replace(PAID[0], "x" * 20_000, 1), id="an endless line"),
        pytest.param(
            lambda text: "".join(line for line in text.splitlines(keepends=True) if PAID[1] not in line),
            id="a row less",
        ),
    ],
)
def test_what_is_not_the_whole_bill_is_none(either: Any, spoil: Callable[[str], str]) -> None:
    with pytest.raises(BillBroken):
        either.read(spoil(text_of(either)))


def test_a_file_that_is_not_what_was_signed_is_refused(wechat_bill: Wechat) -> None:
    whole = gzip.compress(wechat_text().encode())
    for file in (gzip.compress(wechat_text().replace("57.00", "75.00").encode()), whole[:-9], b"", b"\x1f\x8b broken"):
        with pytest.raises(BillBroken):
            wechat_bill.read(file=file)
    with pytest.raises(BillBroken, match="another host"):
        wechat_bill.read(url="https://elsewhere.example/v3/billdownload/file?token=1")
    assert len(wechat_bill.read(file=wechat_text().encode())) == 3  # not packed, though we asked for it


def test_a_zip_that_is_none_or_holds_something_else_is_refused(alipay_bill: Alipay) -> None:
    whole = zipped(alipay_text())
    for file in (
        b"<html>",
        whole[:-40],
        zipped("", names=("业务明细(汇总).csv",)),
        zipped("#", names=("业务明细.csv",) * 1),
    ):
        with pytest.raises(BillBroken):
            alipay_bill.read(file=file)
    many = tuple(f"{number}_业务明细.csv" for number in range(20))
    with pytest.raises(BillBroken, match="20 files"):
        alipay_bill.read(file=zipped("", names=many))
    with pytest.raises(BillBroken, match="https"):
        alipay_bill.read(url="http://dwbillcenter.alipay.com/x")


def test_what_unpacks_to_more_than_any_bill_is_refused(either: Any) -> None:
    """Eight megabytes of one letter pack into eight kilobytes."""
    bomb = "#" + "a" * 4_000 + "\r\n"
    text = bomb * 2_000
    with pytest.raises(BillBroken, match="more than any bill"):
        either.read(text, file=zipped(text) if isinstance(either, Alipay) else gzip.compress(text.encode()))


@pytest.mark.parametrize("code", ["NO_STATEMENT_EXIST", "STATEMENT_CREATING"])
def test_a_bill_that_is_not_written_is_not_an_empty_one(
    wechatpay: WechatpayGateway, wechatpay_platform: WechatpayPlatform, code: str
) -> None:
    wechatpay_platform.answer(WECHAT_CALL, {"code": code, "message": "…"}, status=400)
    with pytest.raises(BillNotReady):
        wechatpay.bill(DAY)


def test_a_day_without_trades_is_believed_once_nobody_can_still_be_writing_it(
    alipay: AlipayGateway, alipay_platform: AlipayPlatform,
    wechatpay: WechatpayGateway, wechatpay_platform: WechatpayPlatform,
) -> None:  # fmt: skip
    refusal = {"code": "40004", "msg": "Business Failed", "sub_code": "isp.bill_not_exist", "sub_msg": "账单不存在"}
    alipay_platform.answer(ALIPAY_CALL, refusal)
    with pytest.raises(BillNotReady):
        alipay.bill(DAY)
    assert list(alipay.bill(date(2026, 11, 20))) == []
    call = WECHAT_CALL.replace(str(DAY), "2026-11-20")
    wechatpay_platform.answer(call, {"code": "NO_STATEMENT_EXIST", "message": "…"}, status=400)
    assert list(wechatpay.bill(date(2026, 11, 20))) == []
    assert bills.is_believed_absent(date(2026, 11, 20), datetime.fromtimestamp(NOW, UTC))


def test_a_download_that_fails_says_whether_to_ask_again(alipay_bill: Alipay, network: respx.MockRouter) -> None:
    network.get(ALIPAY_FILE).mock(side_effect=httpx.ReadTimeout("silence"))
    alipay_bill.platform.answer(ALIPAY_CALL, {"code": "10000", "msg": "Success", "bill_download_url": ALIPAY_FILE})
    with pytest.raises(GatewayUnavailable):
        alipay_bill.gateway.bill(DAY)
    network.get(ALIPAY_FILE).mock(return_value=httpx.Response(403, content=b"over"))
    with pytest.raises(GatewayUnknown):
        alipay_bill.gateway.bill(DAY)


def test_a_file_is_written_as_it_comes_and_not_beyond_its_bound(http: HttpClient, network: respx.MockRouter) -> None:
    network.get("https://files.example/a").mock(return_value=httpx.Response(200, content=b"x" * 2_000_000))
    file = io.BytesIO()
    reply = http.download("https://files.example/a", file, most=2_000_000, total=5)
    assert (reply.status, len(file.getvalue())) == (200, 2_000_000)
    with pytest.raises(NoAnswer, match="larger"):
        http.download("https://files.example/a", io.BytesIO(), most=1_999_999, total=5)
