"""Transfers by hand: what people say is what the gateway answers, and before they say so nothing is certain."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from kameng.core.http import HttpClient
from payments.gateways.base import (
    ByHand,
    Channel,
    ChargeRequest,
    GatewayMisconfigured,
    GatewayStatus,
    Moved,
    NoticeRefused,
    Receiving,
    RefundRequest,
    RefundStatus,
)
from payments.gateways.manual.gateway import ManualGateway
from tests.payments.gateways.platforms import PAYMENT, REFUND

CAME = Moved(PAYMENT, "ICBC-7", Decimal("57.00"), datetime(2026, 11, 29, tzinfo=UTC))


class Notebook:
    """A desk with one page."""

    def __init__(self) -> None:
        self.came: dict[str, Moved] = {}
        self.awaited: set[str] = set()
        self.due: dict[str, RefundRequest] = {}
        self.sent: dict[str, Moved] = {}

    def received(self, payment: str) -> Moved | None:
        return self.came.get(payment)

    def is_awaited(self, payment: str) -> bool:
        return payment in self.awaited

    def send_back(self, request: RefundRequest) -> None:
        self.due.setdefault(request.refund, request)

    def returned(self, refund: str) -> Moved | None:
        return self.sent.get(refund)

    def is_due(self, refund: str) -> bool:
        return refund in self.due


@pytest.fixture
def desk() -> Notebook:
    return Notebook()


@pytest.fixture
def manual(manual_config: dict[str, object], http: HttpClient, desk: Notebook) -> ManualGateway:
    gateway = ManualGateway(manual_config, http)
    assert isinstance(gateway, ByHand)
    return ManualGateway(manual_config, http, desk=desk)


def test_shoppers_are_told_the_account_and_its_code(manual: ManualGateway, charge_request: Any) -> None:
    request = ChargeRequest(**{**vars(charge_request), "channel": Channel.TRANSFER})
    charged = manual.charge(request)
    assert (charged.qr, charged.url) == ("https://qr.example/acme", "")
    assert manual.receiving == Receiving("某某科技有限公司", "工商银行某支行", "6222020200001234567", "")
    with pytest.raises(ValueError, match="channel"):
        manual.charge(charge_request)


@pytest.mark.parametrize(
    "wrong",
    [{"bank": ""}, {"number": ""}, {"bank": "", "number": "", "qr": ""}, {"holder": "名" * 121}, {"qr": "q" * 513}],
)
def test_an_account_that_nobody_could_pay_into_is_refused(
    manual_config: dict[str, object], http: HttpClient, wrong: dict[str, str]
) -> None:
    with pytest.raises(GatewayMisconfigured):
        ManualGateway(manual_config | wrong, http)


def test_what_two_people_agree_on_is_confirmed_and_nothing_before(manual: ManualGateway, desk: Notebook) -> None:
    assert manual.query(PAYMENT).status is GatewayStatus.PENDING
    assert manual.close(PAYMENT).status is GatewayStatus.MISSING
    desk.awaited.add(PAYMENT)
    assert manual.close(PAYMENT).status is GatewayStatus.PENDING
    desk.came[PAYMENT] = CAME
    for result in (manual.query(PAYMENT), manual.close(PAYMENT)):
        assert (result.payment, result.status) == (PAYMENT, GatewayStatus.CONFIRMED)
        assert (result.reference, result.amount, result.currency) == ("ICBC-7", Decimal("57.00"), "CNY")
        assert (result.merchant, result.app) == (manual.merchant, manual.app) == ("6222020200001234567", "")


def test_a_refund_is_before_people_once_and_done_when_they_say_so(
    manual: ManualGateway, desk: Notebook, refund_request: RefundRequest
) -> None:
    asked = {"payment": PAYMENT, "refund": REFUND}
    assert manual.refund_query(**asked).status is RefundStatus.MISSING
    for _ in range(2):
        assert manual.refund(refund_request).status is RefundStatus.PENDING
    assert list(desk.due) == [REFUND]
    assert manual.refund_query(**asked).status is RefundStatus.PENDING
    desk.sent[REFUND] = Moved(REFUND, "ICBC-8", Decimal("57.00"), CAME.at)
    done = manual.refund(refund_request)
    assert (done.status, done.reference, done.amount) == (RefundStatus.SUCCEEDED, "ICBC-8", Decimal("57.00"))


def test_there_are_no_notices_and_nobody_to_ask_without_a_desk(
    manual: ManualGateway, manual_config: dict[str, object], http: HttpClient
) -> None:
    assert manual.notice_verbs == frozenset()
    with pytest.raises(NoticeRefused):
        manual.verify_notice(headers={}, body=b"{}")
    with pytest.raises(GatewayMisconfigured):
        ManualGateway(manual_config, http).query(PAYMENT)
