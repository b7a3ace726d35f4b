"""Paying inside an app: to the app and back for a name, then the payment that only they can make."""

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from orders.access import DEVICE_COOKIE, device_digest, order_token
from orders.models import Order
from payments.gateways.base import Channel, ChargeRequest, ChargeResult, GatewayRefused
from payments.gateways.registry import GATEWAYS
from payments.models import Payment
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import GatewayAccountFactory, on_sale, place
from tests.program import Program, refusal, staying

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

WECHAT = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.49"
CALL = {"appId": "wx1", "package": "prepay_id=1"}


class InAppGateway(ScriptedGateway):
    """The same, paid inside an app that names shoppers."""

    channels: ClassVar[frozenset[Channel]] = ScriptedGateway.channels | {Channel.JSAPI}

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """What the app is handed."""
        if request.channel != Channel.JSAPI:
            return super().charge(request)
        self._called("charge", request)
        return ChargeResult(call=CALL | {"payer": request.payer})

    def login_url(self, *, return_url: str, state: str) -> str:
        """Away."""
        return f"https://app.test/?back={return_url}&state={state}"

    def payer_of(self, code: str) -> str:
        """The code is the name, unless it is bad."""
        if code == "bad":
            raise GatewayRefused("40029")
        return f"openid-{code}"

    def is_payer(self, text: str) -> bool:
        """As above."""
        return text.startswith("openid-")


@pytest.fixture
def ordered(shop: Reseller) -> Order:
    """An order of a browser in the app, in a shop that can be paid there."""
    GATEWAYS["scripted"] = InAppGateway
    GatewayAccountFactory(code="till")
    order = place(shop, on_sale())
    Order.objects.update(device_digest=device_digest("phone-1"), checked_at=timezone.now())
    return order


class Browser(Client):
    """One that stays in the shop after each request."""

    def request(self, **request: Any) -> Any:
        """As the framework does."""
        with staying():
            return super().request(**request)


def browser(user_agent: str = WECHAT) -> Browser:
    """The shopper's."""
    client = Browser(headers={"host": "one.test", "user-agent": user_agent})
    client.cookies[DEVICE_COOKIE] = "phone-1"
    return client


def sent_away(client: Browser, order: Order) -> dict[str, str]:
    """Choose it, and be led to the app; where it sends back to, and with which state."""
    answer = client.post(f"/pay/{order.number}/", {"gateway": "scripted"})
    assert answer.status_code == 303
    parts = urlsplit(answer["Location"])
    assert parts.hostname == "app.test"
    told = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert told["back"] == f"http://one.test/pay/{order.number}/login/"
    return {"path": f"/pay/{order.number}/login/", "state": told["state"]}


def test_to_the_app_and_back_and_not_again(ordered: Order) -> None:
    client = browser()
    # Browsers hold the answer to a form against the page that it was on.
    for agent, may in ((WECHAT, "form-action 'self' https://app.test"), ("Mozilla/5.0 (iPhone) Mobile", "")):
        policy = browser(agent).get(f"/pay/{ordered.number}/")["Content-Security-Policy"]
        assert policy.endswith(may or "form-action 'self'")
    back = sent_away(client, ordered)
    assert not Payment.objects.exists()
    assert client.get(back["path"], {"code": "a", "state": back["state"]}).status_code == 303
    payment = Payment.objects.get()
    assert (payment.channel, json.loads(payment.call)) == ("jsapi", CALL | {"payer": "openid-a"})
    assert "openid" not in payment.payer_digest
    page = client.get(f"/pay/{ordered.number}/").content.decode()
    for text in ("data-wechat-pay", "prepay_id=1", "js/wechat.js", "在浏览器打开，再付款"):
        assert text in page
    answer = client.post(f"/pay/{ordered.number}/", {"gateway": "scripted"})
    assert (answer.status_code, answer["Location"]) == (303, f"/pay/{ordered.number}/")
    assert Payment.objects.count() == 1
    # Elsewhere the app cannot be called, and another way is offered.
    assert (
        "data-wechat-pay" not in browser("Mozilla/5.0 (iPhone) Mobile").get(f"/pay/{ordered.number}/").content.decode()
    )


def test_a_name_that_nobody_asked_for_opens_nothing(ordered: Order) -> None:
    """No state, a wrong one, and that of another browser."""
    client, others = browser(), sent_away(browser(), ordered)["state"]
    back = sent_away(client, ordered)
    for state in ("", "0" * 32, others):
        client.get(back["path"], {"code": "evil", "state": state})
    assert not Payment.objects.exists()
    assert ScriptedGateway.calls == []


def test_a_code_that_does_not_count_is_said_and_may_be_tried_again(ordered: Order) -> None:
    client = browser()
    back = sent_away(client, ordered)
    answer = client.get(back["path"], {"code": "bad", "state": back["state"]})
    assert answer.status_code == 503
    assert "再点一次" in answer.content.decode()
    assert not Payment.objects.exists()
    assert client.get(back["path"], {"code": "a", "state": back["state"]}).status_code == 303
    assert Payment.objects.exists()


def test_what_one_person_was_to_pay_another_gets_anew(ordered: Order) -> None:
    for code in ("a", "b"):
        client = browser()
        back = sent_away(client, ordered)
        client.get(back["path"], {"code": code, "state": back["state"]})
    assert [json.loads(payment.call)["payer"] for payment in Payment.objects.order_by("pk")] == ["openid-a", "openid-b"]


def test_a_program_says_who_pays(ordered: Order) -> None:
    def open_by(**more: str) -> Any:
        body = {"gateway": "scripted", "channel": "jsapi", **more}
        return Program().post(f"orders/{ordered.number}/payments/", body, token=order_token(ordered))

    for wrong in ({}, {"openid": "somebody"}):
        assert refusal(open_by(**wrong)) == (422, "payer_unknown")
    assert not Payment.objects.exists()
    opened = open_by(openid="openid-a").json()
    assert (opened["qr"], opened["url"], opened["call"]) == ("", "", CALL | {"payer": "openid-a"})
