"""The epay adapter against the sandbox: another process, another hand, both versions of the protocol."""

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from urllib.parse import urlsplit

import pytest

from kameng.core.http import HttpClient
from payments.gateways.base import (
    Channel,
    ChargeRequest,
    GatewayRefused,
    GatewayStatus,
    GatewayUnknown,
    NoticeRefused,
    PaymentResult,
    RefundRequest,
    RefundStatus,
)
from payments.gateways.epay.gateway import EpayGateway
from payments.services import contradiction
from tests.kameng.sandbox.running import RunningSandbox, start_sandbox, stop_sandbox

PATIENCE_SECONDS = 10


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    stop_sandbox(running)


class World:
    """An account of the sandbox, and a shop's address where its notices arrive."""

    def __init__(self, sandbox: RunningSandbox, version: str, http: HttpClient) -> None:
        sandbox.steer("reset")
        self.sandbox = sandbox
        self.config = sandbox.merchant("epay" if version == "1" else "epay_v2") | {"types": "alipay"}
        self.gateway = EpayGateway(self.config, http)
        self.arrived: queue.Queue[PaymentResult | NoticeRefused | None] = queue.Queue()
        self.replies = [True]
        world = self

        class Shop(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outcome: PaymentResult | NoticeRefused | None
                try:
                    outcome = world.gateway.verify_notice(headers={}, body=urlsplit(self.path).query.encode()).payment
                except NoticeRefused as refused:
                    outcome = refused
                accepted = world.replies.pop(0) if len(world.replies) > 1 else world.replies[0]
                reply = world.gateway.notice_reply(accepted=accepted)
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                world.arrived.put(outcome)

            def log_message(self, *args: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def request(self, channel: Channel = Channel.QR) -> ChargeRequest:
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return ChargeRequest(
            payment=f"KM{token_hex(11).upper()}",
            amount=Decimal("57.00"),
            subject="王者荣耀 60 点券/赠 6 点&{限时}" * 4,
            channel=channel,
            notify_url=f"{url}/notify/",
            return_url=f"{url}/back/?a=1&b=2",
            expires_at=datetime.now(UTC) + timedelta(minutes=15),
            client_ip="127.0.0.1",
        )

    def pay(self, payment: str, **how: object) -> None:
        self.sandbox.steer("gateways/epay/pay", payment=payment, **how)

    def next(self) -> PaymentResult | NoticeRefused | None:
        return self.arrived.get(timeout=PATIENCE_SECONDS)

    def refund_request(self, payment: str, amount: str) -> RefundRequest:
        return RefundRequest(
            payment=payment,
            reference="",
            refund=f"RF{token_hex(11).upper()}",
            amount=Decimal(amount),
            total=Decimal("57.00"),
            reason="",
            notify_url="",
        )


@pytest.fixture(params=["1", "2"])
def world(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> Iterator[World]:
    http = HttpClient()
    world = World(sandbox, request.param, http)
    yield world
    world.server.shutdown()
    world.server.server_close()
    http.close()


def test_from_the_code_to_the_money_back(world: World) -> None:
    request = world.request()
    assert world.gateway.query(request.payment).status is GatewayStatus.MISSING
    assert world.gateway.charge(request).qr.startswith(world.sandbox.url)
    assert world.gateway.charge(request).qr.startswith(world.sandbox.url)
    assert world.gateway.query(request.payment).status is GatewayStatus.PENDING
    assert world.gateway.close(request.payment).status is GatewayStatus.MISSING
    world.pay(request.payment)
    told, answered = world.next(), world.gateway.query(request.payment)
    assert isinstance(told, PaymentResult)
    assert contradiction(told, answered) == ""
    assert (answered.amount, answered.merchant, answered.method) == (request.amount, world.gateway.merchant, "alipay")

    refund = world.refund_request(request.payment, "20.00")
    world.gateway.refund(refund)
    if world.gateway.refund_repeats:
        world.gateway.refund(refund)
        ended = world.gateway.refund_query(payment=request.payment, refund=refund.refund)
        assert (ended.status, ended.amount) == (RefundStatus.SUCCEEDED, refund.amount)
        unknown = world.gateway.refund_query(payment=request.payment, refund="RF0")
        assert unknown.status is RefundStatus.MISSING
    assert world.sandbox.book("gateways", "epay")[0]["refunded"] == "20.00"
    with pytest.raises(GatewayRefused):
        world.gateway.refund(world.refund_request(request.payment, "37.01"))


@pytest.mark.parametrize("channel", [Channel.PAGE, Channel.H5])
def test_a_page_opens_the_order_and_sends_the_shopper_back_with_what_a_notice_says(
    world: World, channel: Channel
) -> None:
    request = world.request(channel)
    opened = world.sandbox.client.get(world.gateway.charge(request).url)
    assert opened.status_code == 303
    page = opened.headers["location"]
    assert "57.00" in world.sandbox.client.get(page).text
    back = world.sandbox.client.post(page, data={"notify": "lost"}).headers["location"]
    assert back.startswith(request.return_url)
    signed = urlsplit(back).query.removeprefix("a=1&b=2&")
    assert world.gateway.verify_notice(headers={}, body=signed.encode()).payment is not None
    assert world.gateway.query(request.payment).status is GatewayStatus.CONFIRMED


def test_notices_are_repeated_lost_doubled_and_forged(world: World) -> None:
    world.replies = [False, True]
    first = world.request()
    world.gateway.charge(first)
    world.pay(first.payment)
    assert isinstance(world.next(), PaymentResult)
    assert isinstance(world.next(), PaymentResult)
    for how, kinds in (("twice", [PaymentResult] * 2), ("forged", [NoticeRefused]), ("lost", [])):
        request = world.request()
        world.gateway.charge(request)
        world.pay(request.payment, notify=how)
        assert [type(world.next()) for _ in kinds] == kinds
        assert world.gateway.query(request.payment).status is GatewayStatus.CONFIRMED
    assert world.arrived.empty()


@pytest.mark.parametrize(
    ("changes", "doubt"), [({"money": "0.01"}, "amount"), ({"trade_no": "1"}, "reference"), ({"pid": "0"}, "merchant")]
)
def test_a_genuine_notice_that_lies_is_contradicted(world: World, changes: dict[str, str], doubt: str) -> None:
    request = world.request()
    world.gateway.charge(request)
    world.pay(request.payment, changes=changes)
    told = world.next()
    if isinstance(told, NoticeRefused):
        assert doubt in str(told)
    else:
        assert told is not None
        assert contradiction(told, world.gateway.query(request.payment)).startswith(doubt)


def test_the_other_side_refuses_what_is_not_signed_right(world: World, sandbox: RunningSandbox) -> None:
    http = HttpClient()
    request = world.request()
    wrong = (
        {"key": "wrong"}
        if "key" in world.config
        else {"merchant_private_key": sandbox.merchant("alipay")["app_private_key"]}
    )
    stranger = EpayGateway(world.config | wrong, http)
    with pytest.raises(GatewayRefused, match="签名"):
        stranger.charge(request)
    page = stranger.charge(replace(request, channel=Channel.PAGE)).url
    assert sandbox.client.get(page).status_code == 400
    with pytest.raises((GatewayRefused, GatewayUnknown)):
        stranger.query(request.payment)
    assert sandbox.read("gateways/epay/book?everything=1") == []
    http.close()


def test_a_gateway_in_trouble_is_unknown(world: World) -> None:
    request = world.request()
    world.gateway.charge(request)
    for mode in ("error", "reset"):
        world.sandbox.steer("gateways/epay", mode=mode)
        with pytest.raises(GatewayUnknown):
            world.gateway.query(request.payment)


def test_merchant_files_hold_what_an_account_needs(sandbox: RunningSandbox) -> None:
    for name in ("epay", "epay_v2"):
        config = json.loads((sandbox.folder / "gateways" / f"{name}.json").read_text())
        assert config["base_url"].endswith("/epay")
        assert EpayGateway.required_config <= config.keys()
