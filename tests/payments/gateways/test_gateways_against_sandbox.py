"""Each adapter end to end against the sandbox: another process, another hand, the same protocol."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kameng.core.http import HttpClient
from payments.gateways.base import (
    Billing,
    BillKind,
    BillNotReady,
    Channel,
    ChargeRequest,
    Gateway,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    InApp,
    Notice,
    NoticeRefused,
    PaymentResult,
    RefundRequest,
    RefundResult,
    RefundStatus,
)
from payments.gateways.documents import CHINA
from payments.gateways.registry import gateway_class
from tests.payments.gateways.platforms import new_key, private_pem

CODES = ["alipay", "wechatpay"]
PATIENCE_SECONDS = 15
#: One for all: a client of its own for each call would read every certificate authority again.
_HTTP = httpx.Client(trust_env=False)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sandbox's folder, while it runs on ports of its own."""
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "kameng.sandbox", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield folder
        process.terminate()


@pytest.fixture(scope="module")
def client() -> Iterator[HttpClient]:
    client = HttpClient()
    yield client
    client.close()


@dataclass
class World:
    """One gateway, its sandbox, and a shop's address where its notices arrive."""

    gateway: Gateway
    control_url: str
    shop_url: str
    http: HttpClient
    arrived: "queue.Queue[tuple[dict[str, str], bytes, Notice | NoticeRefused]]" = field(default_factory=queue.Queue)

    def control(self, path: str, **body: object) -> Any:
        reply = _HTTP.post(f"{self.control_url}/_control/{path}", json=body)
        reply.raise_for_status()
        return reply.json()

    def steer(self, **settings: object) -> None:
        self.control(f"gateways/{self.gateway.code}", **settings)

    def pay(self, payment: str, **how: object) -> None:
        self.control(f"gateways/{self.gateway.code}/pay", payment=payment, **how)

    def book(self) -> list[dict[str, Any]]:
        reply = _HTTP.get(f"{self.control_url}/_control/gateways/{self.gateway.code}/book")
        entries: list[dict[str, Any]] = reply.json()
        return entries

    def next_notice(self) -> Notice:
        _, _, notice = self.arrived.get(timeout=PATIENCE_SECONDS)
        assert isinstance(notice, Notice), notice
        return notice

    def next_refusal(self) -> str:
        _, _, refusal = self.arrived.get(timeout=PATIENCE_SECONDS)
        assert isinstance(refusal, NoticeRefused), refusal
        return str(refusal)

    def charge_request(self, channel: Channel = Channel.QR) -> ChargeRequest:
        return ChargeRequest(
            payment=f"KM{token_hex(12).upper()}",
            amount=Decimal("57.00"),
            subject="王者荣耀 60 点券/赠 6 点 {限时}",
            channel=channel,
            notify_url=f"{self.shop_url}/webhooks/payments/house/",
            return_url=f"{self.shop_url}/orders/K7/?a=1&b=2",
            expires_at=datetime.now(UTC) + timedelta(minutes=15),
            client_ip="127.0.0.1",
        )

    def paid(self) -> ChargeRequest:
        """A charge that the shopper has paid, and whose notice has come."""
        request = self.charge_request()
        self.gateway.charge(request)
        self.pay(request.payment)
        assert self.next_notice().payment is not None
        return request

    def refund_request(self, paid: ChargeRequest, amount: str = "57.00") -> RefundRequest:
        return RefundRequest(
            payment=paid.payment,
            reference="",
            refund=f"RF{token_hex(12).upper()}",
            amount=Decimal(amount),
            total=paid.amount,
            reason="所有供应商均无法发货",
            notify_url=paid.notify_url,
        )

    def refund_ends(self, request: RefundRequest) -> RefundResult:
        """Ask until the refund is no longer pending."""
        for _ in range(PATIENCE_SECONDS * 10):
            result = self.gateway.refund_query(payment=request.payment, refund=request.refund)
            if result.status not in {RefundStatus.PENDING, RefundStatus.MISSING}:
                return result
            threading.Event().wait(0.1)
        raise AssertionError("the refund never ended")


def without_raw(notice: Notice) -> PaymentResult:
    """What a notice says of its payment, less the words it came in."""
    assert notice.payment is not None
    return replace(notice.payment, raw={})


def shop_server(world: World) -> ThreadingHTTPServer:
    """Verifies each notice with the adapter and answers as it says."""

    class Shop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            outcome: Notice | NoticeRefused
            try:
                outcome = world.gateway.verify_notice(headers=headers, body=body)
            except NoticeRefused as refused:
                outcome = refused
            reply = world.gateway.notice_reply(accepted=isinstance(outcome, Notice))
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            world.arrived.put((headers, body, outcome))

        def log_message(self, *args: object) -> None:
            """Silence."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Shop)


@pytest.fixture
def open_world(sandbox: Path, client: HttpClient) -> Iterator[Callable[[str], World]]:
    servers: list[ThreadingHTTPServer] = []

    def open_for(code: str, **change: object) -> World:
        config = json.loads((sandbox / "gateways" / f"{code}.json").read_text(encoding="utf-8")) | change
        parts = urlsplit(config["base_url"])
        world = World(
            gateway_class(code.partition("_")[0])(config, client), f"{parts.scheme}://{parts.netloc}", "", client
        )
        server = shop_server(world)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        world.shop_url = f"http://127.0.0.1:{server.server_address[1]}"
        world.control("reset")
        return world

    yield open_for
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=CODES)
def world(request: pytest.FixtureRequest, open_world: Callable[[str], World]) -> World:
    return open_world(request.param)


@pytest.fixture
def wechatpay_world(open_world: Callable[[str], World]) -> World:
    return open_world("wechatpay")


def test_from_the_code_to_the_refund(world: World) -> None:
    request = world.charge_request()
    assert world.gateway.charge(request).qr.startswith(world.control_url)
    unpaid = world.gateway.query(request.payment).status
    assert unpaid is {"alipay": GatewayStatus.MISSING, "wechatpay": GatewayStatus.PENDING}[world.gateway.code]

    world.pay(request.payment)
    notice = world.next_notice()
    noticed, queried = notice.payment, world.gateway.query(request.payment)
    assert noticed is not None
    for result in (noticed, queried):
        assert (result.payment, result.status) == (request.payment, GatewayStatus.CONFIRMED)
        assert (result.amount, result.currency) == (Decimal("57.00"), "CNY")
        assert (result.merchant, result.app) == (world.gateway.merchant, world.gateway.app)
    assert noticed.reference == queried.reference != ""
    assert noticed.paid_at == queried.paid_at is not None

    refund = world.refund_request(request)
    first = world.gateway.refund(refund)
    assert (first.refund, first.payment) == (refund.refund, request.payment)
    assert first.amount in {None, refund.amount}
    ended = world.refund_ends(refund)
    assert (ended.status, ended.amount) == (RefundStatus.SUCCEEDED, Decimal("57.00"))
    told = world.next_notice()
    assert (told.payment, told.refund and told.refund.refund) == (None, refund.refund)
    assert told.event_id != notice.event_id
    assert [(entry["payment"], entry["refunded"]) for entry in world.book()] == [(request.payment, "57.00")]


def test_inside_wechat_the_shopper_is_named_and_pays(open_world: Callable[..., World]) -> None:
    world = open_world("wechatpay_jsapi")
    gateway: object = world.gateway
    assert isinstance(gateway, InApp)
    away = _HTTP.get(gateway.login_url(return_url=f"{world.shop_url}/pay/K7/login/?a=b", state="5tate"))
    back = parse_qs(urlsplit(away.headers["location"]).query)
    assert (back["a"], back["state"]) == (["b"], ["5tate"])
    payer = gateway.payer_of(back["code"][0])
    with pytest.raises(GatewayRefused, match="40163"):
        gateway.payer_of(back["code"][0])
    request = replace(world.charge_request(Channel.JSAPI), payer=payer)
    assert world.gateway.charge(request).call["package"].startswith("prepay_id=wx")
    world.pay(request.payment)
    noticed = world.next_notice().payment
    assert noticed is not None
    assert noticed.raw["payer"] == {"openid": payer}


@pytest.mark.parametrize("code", ["alipay_jsapi", "alipay_cert"])
def test_inside_alipay_the_shopper_is_named_and_pays_and_is_paid_back(
    open_world: Callable[..., World], sandbox: Path, code: str
) -> None:
    known = json.loads((sandbox / "gateways" / "alipay_jsapi.json").read_text(encoding="utf-8"))
    world = open_world(code, jsapi=True, authorize_url=known["authorize_url"])
    gateway: object = world.gateway
    assert isinstance(gateway, InApp)
    away = _HTTP.get(gateway.login_url(return_url=f"{world.shop_url}/pay/K7/login/?a=b", state="5tate"))
    back = parse_qs(urlsplit(away.headers["location"]).query)
    assert (back["a"], back["state"]) == (["b"], ["5tate"])
    payer = gateway.payer_of(back[gateway.login_code][0])
    with pytest.raises(GatewayUnavailable, match="code-invalid"):
        gateway.payer_of(back[gateway.login_code][0])
    request = replace(world.charge_request(Channel.JSAPI), payer=payer)
    call = world.gateway.charge(request).call
    assert world.gateway.charge(request).call == call
    with pytest.raises(GatewayRefused, match="CONTEXT_INCONSISTENT"):
        world.gateway.charge(replace(request, payer="2088722545315134"))
    unpaid = world.charge_request(Channel.JSAPI)
    world.gateway.charge(replace(unpaid, payer=payer))
    assert world.gateway.query(unpaid.payment).status is GatewayStatus.PENDING
    assert world.gateway.close(unpaid.payment).status is GatewayStatus.CLOSED
    world.pay(request.payment)
    noticed, queried = world.next_notice().payment, world.gateway.query(request.payment)
    assert noticed is not None
    assert noticed.reference == queried.reference == call["tradeNO"]
    assert (queried.status, queried.amount) == (GatewayStatus.CONFIRMED, request.amount)
    refund = world.refund_request(request)
    world.gateway.refund(refund)
    assert world.refund_ends(refund).status is RefundStatus.SUCCEEDED
    gateway = world.gateway
    assert isinstance(gateway, Billing)
    rows = {(row.kind, row.number) for row in gateway.bill(datetime.now(CHINA).date())}
    assert {(BillKind.PAYMENT, request.payment), (BillKind.REFUND, refund.refund)} <= rows


def test_in_certificate_mode_money_comes_and_goes_back(open_world: Callable[..., World], sandbox: Path) -> None:
    world = open_world("alipay_cert")
    paid = world.paid()
    assert world.gateway.query(paid.payment).status is GatewayStatus.CONFIRMED
    refund = world.refund_request(paid)
    world.gateway.refund(refund)
    assert world.refund_ends(refund).status is RefundStatus.SUCCEEDED
    theirs = json.loads((sandbox / "gateways" / "alipay_cert.json").read_text(encoding="utf-8"))["alipay_public_cert"]
    stranger = open_world("alipay_cert", alipay_root_cert=theirs)
    with pytest.raises(GatewayUnavailable):
        stranger.gateway.charge(stranger.charge_request())


def test_a_refund_repeated_with_its_number_moves_money_once(world: World) -> None:
    paid = world.paid()
    refund = world.refund_request(paid, "20.00")
    for _ in range(3):
        assert world.gateway.refund(refund).amount in {None, Decimal("20.00")}
    assert world.refund_ends(refund).amount == Decimal("20.00")
    assert world.gateway.refund(refund).status in {RefundStatus.PENDING, RefundStatus.SUCCEEDED}
    assert world.book()[0]["refunded"] == "20.00"


def test_a_refund_that_takes_time_is_pending_until_it_is_through(world: World) -> None:
    paid = world.paid()
    world.steer(refund="processing", refund_ms=60_000)
    refund = world.refund_request(paid)
    assert world.gateway.refund(refund).status is RefundStatus.PENDING
    result = world.gateway.refund_query(payment=paid.payment, refund=refund.refund)
    assert result.status is {"alipay": RefundStatus.MISSING, "wechatpay": RefundStatus.PENDING}[world.gateway.code]


def test_a_refund_without_the_money_for_it_is_refused(world: World) -> None:
    paid = world.paid()
    world.steer(refund="refused")
    with pytest.raises(GatewayRefused) as refused:
        world.gateway.refund(world.refund_request(paid))
    assert (
        refused.value.code == {"alipay": "ACQ.SELLER_BALANCE_NOT_ENOUGH", "wechatpay": "NOT_ENOUGH"}[world.gateway.code]
    )
    assert world.book()[0]["refunded"] == "0.00"


def test_more_than_was_paid_is_never_refunded(world: World) -> None:
    paid = world.paid()
    with pytest.raises(GatewayRefused):
        world.gateway.refund(world.refund_request(paid, "57.01"))
    assert world.book()[0]["refunded"] == "0.00"


def test_a_refund_nobody_asked_for_is_missing(world: World) -> None:
    paid = world.paid()
    assert world.gateway.refund_query(payment=paid.payment, refund="RF000000").status is RefundStatus.MISSING


def test_what_nobody_asked_for_is_missing(world: World) -> None:
    assert world.gateway.query("KM000000").status is GatewayStatus.MISSING
    assert world.gateway.close("KM000000").status is GatewayStatus.MISSING


def test_every_channel_opens_the_cashier(world: World) -> None:
    for channel in world.gateway.channels - {Channel.QR}:
        request = world.charge_request(channel)
        url = world.gateway.charge(request).url
        page = _HTTP.get(url, follow_redirects=True)
        assert (page.status_code, urlsplit(str(page.url)).path) == (
            200,
            f"/pay/{world.gateway.code}/{request.payment}",
        )
        if world.gateway.code == "wechatpay":
            assert parse_qs(urlsplit(url).query)["redirect_url"] == [request.return_url]
        world.pay(request.payment)
        assert world.next_notice().payment is not None


def test_asking_again_for_the_same_payment_is_safe(world: World) -> None:
    request = world.charge_request()
    assert world.gateway.charge(request).qr
    assert world.gateway.charge(request).qr
    world.pay(request.payment)
    world.next_notice()
    with pytest.raises(GatewayRefused):
        world.gateway.charge(request)
    assert len(world.book()) == 1


def test_a_closed_payment_cannot_be_paid(wechatpay_world: World) -> None:
    world = wechatpay_world
    request = world.charge_request()
    world.gateway.charge(request)
    assert world.gateway.close(request.payment).status is GatewayStatus.CLOSED
    assert world.gateway.close(request.payment).status is GatewayStatus.CLOSED
    with pytest.raises(httpx.HTTPStatusError):
        world.pay(request.payment)
    assert world.book() == []


def test_a_scanned_trade_can_be_closed(open_world: Callable[[str], World]) -> None:
    world = open_world("alipay")
    request = world.charge_request()
    page = _HTTP.get(world.gateway.charge(request).qr)
    assert page.status_code == 200
    assert world.gateway.query(request.payment).status is GatewayStatus.PENDING
    assert world.gateway.close(request.payment).status is GatewayStatus.CLOSED
    assert world.gateway.query(request.payment).status is GatewayStatus.CLOSED


def test_closing_what_was_paid_with_a_lost_notice_finds_the_money(world: World) -> None:
    request = world.charge_request()
    world.gateway.charge(request)
    world.pay(request.payment, notify="lost")
    result = world.gateway.close(request.payment)
    assert (result.status, result.amount) == (GatewayStatus.CONFIRMED, Decimal("57.00"))
    assert world.arrived.empty()


def test_the_amount_that_was_really_paid_is_told(world: World) -> None:
    request = world.charge_request()
    world.gateway.charge(request)
    world.pay(request.payment, amount="0.01")
    noticed = world.next_notice().payment
    assert noticed is not None
    assert noticed.amount == world.gateway.query(request.payment).amount == Decimal("0.01")


def test_a_notice_sent_twice_is_one_event(world: World) -> None:
    request = world.charge_request()
    world.gateway.charge(request)
    world.pay(request.payment, notify="twice")
    first, second = world.next_notice(), world.next_notice()
    assert first.event_id == second.event_id
    # Signed and dated anew each time it is sent; what it says stays the same.
    assert without_raw(first) == without_raw(second)


@pytest.mark.parametrize("notify", ["forged", "probe"])
def test_a_forged_notice_is_refused(world: World, notify: str) -> None:
    request = world.charge_request()
    world.gateway.charge(request)
    world.pay(request.payment, notify=notify)
    probe = notify == "probe" and world.gateway.code == "wechatpay"
    assert ("probe" if probe else "wrong signature") in world.next_refusal()


def test_a_notice_meant_for_another_account_is_refused(
    world: World, sandbox: Path, open_world: Callable[..., World]
) -> None:
    other = {"alipay": {"app_id": "2021000000000000"}, "wechatpay": {"apiv3_key": "f" * 32}}[world.gateway.code]
    stranger = open_world(world.gateway.code, **other)
    request = replace(world.charge_request(), notify_url=stranger.charge_request().notify_url)
    world.gateway.charge(request)
    world.pay(request.payment)
    assert stranger.next_refusal() in {"meant for another application", "the resource does not decrypt"}
    assert world.arrived.empty()


def test_a_certificate_signs_as_well_as_the_public_key(wechatpay_world: World) -> None:
    world = wechatpay_world
    world.steer(notice_serial="certificate")
    request = world.charge_request()
    world.gateway.charge(request)
    world.pay(request.payment)
    headers, _, notice = world.arrived.get(timeout=PATIENCE_SECONDS)
    assert isinstance(notice, Notice)
    assert not headers["wechatpay-serial"].startswith("PUB_KEY_ID_")


def test_a_merchant_with_certificates_alone_is_served(open_world: Callable[..., World]) -> None:
    world = open_world("wechatpay", public_key_id="", public_key="")
    world.steer(notice_serial="certificate")
    assert world.gateway.query(world.paid().payment).status is GatewayStatus.CONFIRMED


def test_a_merchant_with_the_public_key_alone_is_served(open_world: Callable[..., World]) -> None:
    world = open_world("wechatpay", platform_certificates={})
    assert world.gateway.query(world.paid().payment).status is GatewayStatus.CONFIRMED


def test_a_refund_without_a_card_to_go_to_has_failed(wechatpay_world: World) -> None:
    world = wechatpay_world
    paid = world.paid()
    world.steer(refund="abnormal")
    refund = world.refund_request(paid)
    world.gateway.refund(refund)
    ended = world.refund_ends(refund)
    assert (ended.status, ended.code) == (RefundStatus.FAILED, "ABNORMAL")
    told = world.next_notice().refund
    assert told is not None
    assert (told.status, told.code) == (RefundStatus.FAILED, "ABNORMAL")


@pytest.mark.parametrize("mode", ["error", "reset"])
def test_trouble_at_the_gateway_is_unknown(world: World, mode: str) -> None:
    paid = world.paid()
    world.steer(mode=mode)
    calls: list[Callable[[], object]] = [
        lambda: world.gateway.charge(world.charge_request()),
        lambda: world.gateway.query(paid.payment),
        lambda: world.gateway.close(paid.payment),
        lambda: world.gateway.refund(world.refund_request(paid)),
        lambda: world.gateway.refund_query(payment=paid.payment, refund="RF000000"),
    ]
    for call in calls:
        with pytest.raises(GatewayUnknown):
            call()
    world.steer(mode="ok")
    assert world.gateway.query(paid.payment).status is GatewayStatus.CONFIRMED


def test_a_request_that_the_gateway_cannot_verify_is_not_a_refusal(
    world: World, open_world: Callable[..., World]
) -> None:
    """It is answered without a signature, so that nothing follows for money that moves."""
    key = {"alipay": "app_private_key", "wechatpay": "merchant_private_key"}[world.gateway.code]
    wrong = open_world(world.gateway.code, **{key: private_pem(new_key())})
    with pytest.raises(GatewayUnavailable):
        wrong.gateway.charge(wrong.charge_request())
    with pytest.raises(GatewayUnknown):
        wrong.gateway.query("KM000000")
    with pytest.raises(GatewayUnknown):
        wrong.gateway.refund(wrong.refund_request(wrong.charge_request()))


def test_the_bill_of_today_tells_of_what_was_paid_and_returned(world: World) -> None:
    assert isinstance(world.gateway, Billing)
    paid = world.paid()
    refund = world.refund_request(paid, "20.00")
    world.gateway.refund(refund)
    world.refund_ends(refund)
    today = datetime.now(UTC).astimezone(CHINA).date()
    rows = {row.number: row for row in world.gateway.bill(today)}
    assert (rows[paid.payment].kind, rows[paid.payment].amount) == (BillKind.PAYMENT, paid.amount)
    assert (rows[refund.refund].kind, rows[refund.refund].amount) == (BillKind.REFUND, refund.amount)
    assert rows[refund.refund].payment == paid.payment
    with pytest.raises(BillNotReady):
        world.gateway.bill(today + timedelta(days=1))
