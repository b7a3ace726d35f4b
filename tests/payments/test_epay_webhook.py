"""Payments in epay's words: a signed notice is no more than a reason to ask, and only the answer pays."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import respx
from django.db.models import F
from django.test import Client

from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent
from kameng.sweep import sweep
from orders.access import order_token
from orders.models import Order
from payments.approvals import refund_retry
from payments.asking import payment_follow
from payments.gateways.base import RefundStatus
from payments.merchants.services import gateway_account_save
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund
from resellers.models import Reseller
from tests.factories import on_sale, place
from tests.flows import REFUSED, drain, events, fulfill, outbox
from tests.payments.gateways.epay_platform import KEY, EpayPlatform, md5_notice
from tests.payments.gateways.platforms import new_key, payload
from tests.program import Program, Reply, staying, webhook

pytestmark = pytest.mark.usefixtures("supplier_double")

FORM = "application/x-www-form-urlencoded"
CONFIG = {"base_url": "https://pay.example.com", "pid": "1001", "version": "1", "types": "alipay", "key": KEY}


@pytest.fixture
def platform() -> Iterator[EpayPlatform]:
    key = new_key()
    platform = EpayPlatform(key, key)
    with respx.mock(assert_all_called=False) as router:
        router.route(host="pay.example.com").mock(side_effect=platform)
        yield platform


@dataclass
class Bill:
    """An order with an open epay payment, and the installation."""

    order: Order
    payment: Payment
    platform: EpayPlatform

    def fields(self, **changes: str) -> dict[str, str]:
        told: dict[str, str] = payload("epay", "v1_notice")
        return told | {"out_trade_no": self.payment.number, "money": "60.00"} | changes

    def notice(self, **changes: str) -> bytes:
        return md5_notice(self.fields(**changes))

    def knows(self, **changes: Any) -> None:
        """What the installation answers to a question from now on."""
        told = payload("epay", "v1_order_paid") | {"out_trade_no": self.payment.number, "money": "60.00"}
        self.platform.answer("/api.php", told | changes)

    @property
    def asked(self) -> int:
        return sum(path == "/api.php" for _, path, _ in self.platform.requests)

    def states(self) -> tuple[str, str]:
        self.payment.refresh_from_db()
        self.order.refresh_from_db()
        return self.payment.status, self.order.status


@pytest.fixture
def bill(shop: Reseller, platform: EpayPlatform) -> Bill:
    gateway_account_save(code="epay", gateway="epay", config=CONFIG)
    order = place(shop, on_sale(suppliers=("first",)))
    reply = Program().post(
        f"orders/{order.number}/payments/", {"gateway": "epay", "channel": "h5"}, token=order_token(order)
    )
    assert reply.status_code == 201
    assert reply.json()["url"].startswith("https://pay.example.com/submit.php?")
    return Bill(order, Payment.objects.get(), platform)


def tell(body: bytes, *, account: str = "epay", verb: str = "get", host: str = "ops.test") -> Reply:
    if verb == "post":
        return webhook(f"payments/{account}/", body, content_type=FORM, host=host)
    with staying():
        return Client(headers={"host": host}).get(f"/webhooks/payments/{account}/?{body.decode()}")


def refused(bill: Bill, body: bytes, *, kept: str | None, as_: str = "refused") -> None:
    """The notice gets a 4xx both ways, nothing moves, and it is kept with a reason, or not at all."""
    for verb in ("get", "post"):
        reply = tell(body, verb=verb)
        assert (reply.status_code, reply.content) == (400, b"fail")
    assert bill.states() == ("pending", "pending")
    assert outbox("order.paid") == []
    stored = list(InboxEvent.objects.values_list("verdict", "reason"))
    if kept is None:
        assert stored == []
    else:
        ((verdict, reason),) = stored
        assert verdict == as_
        assert kept in reason


@pytest.mark.parametrize("verb", ["get", "post"])
def test_what_a_question_confirms_pays_the_order_once(bill: Bill, verb: str) -> None:
    bill.knows()
    for _ in range(3):
        reply = tell(bill.notice(), verb=verb)
        assert (reply.status_code, reply.content) == (200, b"success")
    assert bill.states() == ("confirmed", "paid")
    assert bill.payment.reference == bill.fields()["trade_no"]
    assert len(outbox("order.paid")) == 1
    assert InboxEvent.objects.get().verdict == "accepted"
    # A replay, which anybody can send who saw the address that the shopper returned to, asks nobody.
    assert bill.asked == 1


@pytest.mark.parametrize("money", ["60", "60.0", "60.000"])
def test_the_same_money_written_otherwise_pays(bill: Bill, money: str) -> None:
    bill.knows(money=money)
    assert tell(bill.notice()).content == b"success"
    assert bill.states() == ("confirmed", "paid")


@pytest.mark.parametrize("status", [0, 2])
def test_a_signed_success_without_money_is_refused(bill: Bill, status: int) -> None:
    bill.knows(status=status)
    refused(bill, bill.notice(), kept="status")
    # The money comes, and the notice once more.
    bill.knows()
    assert tell(bill.notice()).content == b"success"
    assert bill.states() == ("confirmed", "paid")
    assert InboxEvent.objects.get().verdict == "accepted"


def test_a_signed_success_of_an_order_that_is_not_there_is_refused(bill: Bill) -> None:
    bill.platform.answer("/api.php", {"code": -1, "msg": "订单号不存在"})
    refused(bill, bill.notice(), kept="status")


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [({"money": "0.01"}, "amount"), ({"money": "60.01"}, "amount"), ({"trade_no": "999"}, "reference")],
)
def test_a_notice_that_the_answer_contradicts_is_refused(bill: Bill, changes: dict[str, str], doubt: str) -> None:
    bill.knows()
    refused(bill, bill.notice(**changes), kept=doubt)


@pytest.mark.parametrize("money", ["0.01", "59.99", "60.01", "6000.00"])
def test_another_amount_is_refused_even_if_both_say_so(bill: Bill, money: str) -> None:
    bill.knows(money=money)
    refused(bill, bill.notice(money=money), kept="amount")
    assert events(bill.order, "payment.refused") == ["payment.refused"]


def test_an_answer_about_another_merchant_is_refused(bill: Bill) -> None:
    bill.knows(pid="1002")
    refused(bill, bill.notice(), kept="merchant")


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": "1002"},
        {"type": "wxpay"},
        {"money": "-60.00"},
        {"money": "6e1"},
        {"money": "60.001"},
        {"money": "６０"},
        {"money": ""},
        {"out_trade_no": ""},
        {"trade_no": ""},
        {"trade_status": ""},
    ],
    ids=str,
)
def test_a_signed_notice_that_cannot_be_ours_is_refused_unasked(bill: Bill, changes: dict[str, str]) -> None:
    bill.knows()
    refused(bill, bill.notice(**changes), kept=None)
    assert bill.asked == 0


@pytest.mark.parametrize("more", ["money=1", "money[]=1", "param=x", "a=%FF", "sign=x", "name=" + quote("券")])
def test_polluted_parameters_are_refused_unasked(bill: Bill, more: str) -> None:
    bill.knows()
    refused(bill, bill.notice() + f"&{more}".encode(), kept=None)
    refused(bill, f"{more}&".encode() + bill.notice(), kept=None)
    assert bill.asked == 0


def test_a_query_beside_a_body_says_nothing(bill: Bill) -> None:
    bill.knows()
    with staying():
        address = f"/webhooks/payments/epay/?{bill.notice().decode()}"
        for body in (b"", b"money=1"):
            reply = Client(headers={"host": "ops.test"}).post(address, body, content_type=FORM)
            assert (reply.status_code, reply.content) == (400, b"fail")
    assert bill.states() == ("pending", "pending")
    assert bill.asked == 0


@pytest.mark.parametrize("verb", ["get", "post"])
def test_a_huge_notice_is_refused(bill: Bill, verb: str) -> None:
    assert tell(b"a=" + b"x" * 70_000, verb=verb).status_code == 413
    assert tell(b"a=" + b"x" * 60_000, verb=verb).status_code == 400
    assert bill.states() == ("pending", "pending")


def test_a_notice_of_another_order_or_account_moves_nothing(bill: Bill, shop: Reseller) -> None:
    bill.knows()
    gateway_account_save(code="other", gateway="epay", config=CONFIG, schema_name="shop_two")
    assert tell(bill.notice(), account="other").content == b"fail"
    assert tell(bill.notice(out_trade_no="002NOTHINGOFTHEKIND00000")).content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert bill.asked == 0
    assert set(InboxEvent.objects.values_list("verdict", flat=True)) == {"refused"}


def test_no_answer_keeps_the_notice_and_is_asked_for_again(bill: Bill) -> None:
    def silent(_: dict[str, str]) -> httpx.Response:
        raise httpx.ReadTimeout("silence")

    bill.platform.answers["/api.php"] = silent
    refused(bill, bill.notice(), kept="could not be confirmed", as_="unapplied")
    assert KEY not in InboxEvent.objects.get().reason
    # Told twice, put on the list once; and no notice has to come again.
    assert outbox("payment.noticed") == [{"payment_id": bill.payment.pk}]
    bill.knows()
    OutboxEvent.objects.filter(topic="payment.noticed").update(run_at=F("run_at") - timedelta(minutes=1))
    drain()
    assert bill.states()[0] == "confirmed"
    assert outbox("payment.noticed") == []
    InboxEvent.objects.update(received_at=F("received_at") - timedelta(minutes=1))
    sweep()
    drain()
    kept = InboxEvent.objects.get()
    assert (kept.verdict, kept.reason) == ("accepted", "")
    assert tell(bill.notice()).content == b"success"


def test_the_schedule_finds_money_whose_notice_was_lost(bill: Bill) -> None:
    bill.knows()
    payment_follow(payment_id=bill.payment.pk)
    assert bill.states() == ("confirmed", "paid")


def test_what_the_shopper_brings_back_is_a_reason_to_ask_and_no_more(bill: Bill) -> None:
    """The address that the shopper returns to is signed exactly as a notice is."""
    bill.knows(status=0)
    with staying():
        client = Client(headers={"host": "one.test"})
        reply = client.get(f"/pay/{bill.order.number}/return/?{bill.notice().decode()}")
    assert reply.status_code == 302
    assert bill.states() == ("pending", "pending")
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("verb", ["put", "delete", "head", "options"])
def test_no_other_verb_is_a_notice(bill: Bill, verb: str) -> None:
    bill.knows()
    with staying():
        reply = getattr(Client(headers={"host": "ops.test"}), verb)(
            f"/webhooks/payments/epay/?{bill.notice().decode()}"
        )
    assert reply.status_code == 405
    assert bill.states() == ("pending", "pending")


# --- money back -------------------------------------------------------------------------------------------------------


def returning(bill: Bill, supplier_double: Any) -> Refund:
    """A refund that was decided, and not told yet."""
    bill.knows()
    tell(bill.notice())
    supplier_double.on_submit("first", REFUSED)
    fulfill(bill.order)
    line_refund(line_id=bill.order.lines.get().pk)
    return Refund.objects.get()


def outcome(refund: Refund) -> tuple[str, str]:
    refund.refresh_from_db()
    return refund.status, refund.code


def test_without_a_refund_call_a_person_is_asked_for(bill: Bill, supplier_double: Any) -> None:
    refund = returning(bill, supplier_double)
    asked = bill.asked
    assert refund_run(refund_id=refund.pk) is None
    assert outcome(refund) == ("failed", "no_refund_call")
    assert refund.get_status_display() == "需要人工处理"
    assert bill.asked == asked
    bill.order.refresh_from_db()
    assert bill.order.status == "paid"
    assert events(bill.order, "refund.failed", "refund.succeeded") == ["refund.failed"]


@pytest.fixture
def refunding(bill: Bill, supplier_double: Any) -> Refund:
    gateway_account_save(code="epay", gateway="epay", config={**CONFIG, "can_refund": True})
    return returning(bill, supplier_double)


def test_money_goes_back_where_there_is_a_call(bill: Bill, refunding: Refund) -> None:
    bill.platform.answer("/api.php", {"code": 1, "msg": "退款成功"})
    assert refund_run(refund_id=refunding.pk) is None
    assert outcome(refunding) == (RefundStatus.SUCCEEDED, "")
    assert bill.states()[1] == "refunded"


@pytest.mark.parametrize("answer", ["", "<html>", '{"msg":"?"}'])
def test_an_unclear_refund_is_never_sent_twice_by_itself(bill: Bill, refunding: Refund, answer: str) -> None:
    bill.platform.answer("/api.php", answer)
    asked = bill.asked
    for _ in range(3):
        assert refund_run(refund_id=refunding.pk) is None
    assert outcome(refunding) == ("failed", "unclear")
    assert bill.asked == asked + 1
    # A person has looked there, and it did not go through.
    bill.platform.answer("/api.php", {"code": 1})
    refund_retry(refund_id=refunding.pk, actor="operator")
    refund_run(refund_id=refunding.pk)
    assert outcome(refunding) == (RefundStatus.SUCCEEDED, "")
    assert bill.asked == asked + 2


def test_a_worker_that_dies_while_it_returns_money_leaves_it_to_people(bill: Bill, refunding: Refund) -> None:
    def dies(_: dict[str, str]) -> httpx.Response:
        raise KeyboardInterrupt

    bill.platform.answers["/api.php"] = dies
    with pytest.raises(KeyboardInterrupt):
        refund_run(refund_id=refunding.pk)
    asked = bill.asked
    assert refund_run(refund_id=refunding.pk) is None
    assert outcome(refunding) == ("failed", "unclear")
    assert bill.asked == asked


def test_a_refused_refund_is_for_people(bill: Bill, refunding: Refund) -> None:
    bill.platform.answer("/api.php", {"code": -1, "msg": "余额不足"})
    refund_run(refund_id=refunding.pk)
    assert outcome(refunding) == ("failed", "-1")
