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
ALIPAY = "Mozilla/5.0 (iPhone) AlipayClient/10.5.80"
CALL = {"appId": "wx1", "package": "prepay_id=1"}


class InAppGateway(ScriptedGateway):
    """The same, paid inside an app that names shoppers."""

    channels: ClassVar[frozenset[Channel]] = ScriptedGateway.channels | {Channel.JSAPI}
    login_code: ClassVar[str] = "code"
    #: Whether the app opens payments at all.
    opens: ClassVar[bool] = True

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """What the app is handed."""
        if request.channel != Channel.JSAPI:
            return super().charge(request)
        if not self.opens:
            raise GatewayRefused("no contract")
        self._called("charge", request)
        return ChargeResult(call=CALL | {"payer": request.payer})

    def login_url(self, *, return_url: str, state: str) -> str:
        """Away."""
        return f"https://app.test/?back={return_url}&state={state}"

    def payer_of(self, code: str) -> str:
        """The code is the name, unless it is bad."""
        if code in ("", "bad"):
            raise GatewayRefused("40029")
        return f"openid-{code}"

    def is_payer(self, text: str) -> bool:
        """As above."""
        return text.startswith("openid-")


class AlipaysGateway(InAppGateway):
    """That of an app which has a page besides, and calls the code otherwise."""

    channels: ClassVar[frozenset[Channel]] = InAppGateway.channels | {Channel.H5}
    wallets: ClassVar[frozenset[str]] = frozenset({"alipay"})
    login_code: ClassVar[str] = "auth_code"


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


@pytest.fixture
def in_alipay(ordered: Order) -> Order:
    """The same, in the other app."""
    GATEWAYS["scripted"] = AlipaysGateway
    return ordered


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
    for text in ("data-app-pay", "prepay_id=1", "js/in_app.js", "在浏览器打开，再付款"):
        assert text in page
    answer = client.post(f"/pay/{ordered.number}/", {"gateway": "scripted"})
    assert (answer.status_code, answer["Location"]) == (303, f"/pay/{ordered.number}/")
    assert Payment.objects.count() == 1
    # Elsewhere the app cannot be called, and another way is offered.
    assert "data-app-pay" not in browser("Mozilla/5.0 (iPhone) Mobile").get(f"/pay/{ordered.number}/").content.decode()


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


def test_inside_alipay_its_own_call_pays_and_nowhere_else(in_alipay: Order) -> None:
    client = browser(ALIPAY)
    policy = client.get(f"/pay/{in_alipay.number}/")["Content-Security-Policy"]
    assert policy.endswith("form-action 'self' https://app.test")
    back = sent_away(client, in_alipay)
    for state, code in (("0" * 32, "auth_code"), (sent_away(browser(ALIPAY), in_alipay)["state"], "auth_code")):
        client.get(back["path"], {code: "evil", "state": state})
    assert not Payment.objects.exists()
    assert client.get(back["path"], {"auth_code": "a", "state": back["state"]}).status_code == 303
    payment = Payment.objects.get()
    assert (payment.channel, json.loads(payment.call)["payer"]) == ("jsapi", "openid-a")
    page = client.get(f"/pay/{in_alipay.number}/").content.decode()
    for text in ('data-app="alipay"', "支付宝没有打开付款", "改用网页付款"):
        assert text in page
    # WeChat cannot be called with it, and says nothing of it.
    assert "data-app-pay" not in browser(WECHAT).get(f"/pay/{in_alipay.number}/").content.decode()
    # Another person gets another payment.
    other = browser(ALIPAY)
    other.get(back["path"], {"auth_code": "b", "state": sent_away(other, in_alipay)["state"]})
    assert Payment.objects.values("payer_digest").distinct().count() == 2


def test_without_scripts_a_name_or_a_contract_alipays_page_pays(
    in_alipay: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened() -> list[str]:
        channels = list(Payment.objects.values_list("channel", flat=True).order_by("pk"))
        Payment.objects.all().delete()
        return channels

    client = browser(ALIPAY)
    assert client.post(f"/pay/{in_alipay.number}/", {"gateway": "scripted", "page": "1"}).status_code == 303
    assert opened() == ["h5"]
    for refused in ({}, {"auth_code": "bad"}):
        back = sent_away(client, in_alipay)
        assert client.get(back["path"], {**refused, "state": back["state"]}).status_code == 303
        assert opened() == ["h5"]
    monkeypatch.setattr(AlipaysGateway, "opens", False)
    back = sent_away(client, in_alipay)
    assert client.get(back["path"], {"auth_code": "a", "state": back["state"]}).status_code == 303
    assert opened() == ["jsapi", "h5"]


def test_where_there_is_no_page_besides_the_app_is_asked_all_the_same(ordered: Order) -> None:
    away = browser().post(f"/pay/{ordered.number}/", {"gateway": "scripted", "page": "1"})
    assert (away.status_code, urlsplit(away["Location"]).hostname) == (303, "app.test")
