"""Paying by transfer: the shopper's word, what one person writes down, what another agrees to, and the way back."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from kameng.audit.services import audit
from orders.access import device_digest
from orders.models import Order
from orders.services import order_expire
from payments.asking import payment_follow, payments_close
from payments.exceptions import MethodUnavailable, NeedsAnother
from payments.merchants.services import gateway_account_enable, gateway_account_save
from payments.models import Payment, Refund
from payments.services import payment_start
from payments.transfers.exceptions import TransferDecided, TransferRefused
from payments.transfers.models import Transfer
from payments.transfers.services import (
    transfer_confirm,
    transfer_record,
    transfer_reject,
    transfer_send,
    transfers_claim,
)
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import REFUSED, confirm, drain, events, in_a_moment, states
from tests.payments.test_in_app import browser

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ONE, OTHER = "staff:one", "staff:other"
CONFIG = {"holder": "某某科技", "bank": "工商银行", "number": "6222020200001234567"}


def takes_transfers() -> None:
    """Every shop does."""
    gateway_account_save(code="bank", gateway="manual", config=CONFIG, name="对公账户")


@pytest.fixture
def ordered(shop: Reseller) -> Order:
    """An order, in a shop that also takes transfers."""
    takes_transfers()
    ScriptedSupplier.on_submit("first", REFUSED)
    return place(shop, on_sale(suppliers=("first",)))


def by_transfer(shop: Reseller, order: Order) -> Payment:
    """The shopper chooses it."""
    return payment_start(
        order=order, shop_id=shop.pk, gateway="manual", channel="transfer", client_ip="", return_url="https://x.test/"
    )


def record(
    payment: Payment, *, amount: str = "60.00", reference: str = "icbc 0001", at: datetime | None = None
) -> Transfer:
    """One person has seen it."""
    return transfer_record(
        number=payment.number, amount=Decimal(amount), reference=reference, moved_at=at or timezone.now(), actor=ONE
    )


def came(payment: Payment, **seen: Any) -> Transfer:
    """Two have."""
    return transfer_confirm(transfer_id=record(payment, **seen).pk, actor=OTHER)


def unbroken() -> bool:
    """Whether the books agree with each other."""
    return [example for verdict in audit() for example in verdict.examples] == []


def test_the_shoppers_word_books_nothing_and_two_people_do(shop: Reseller, ordered: Order) -> None:
    payment = by_transfer(shop, ordered)
    assert (payment.status, payment.qr, payment.url) == ("pending", "", "")
    for _ in range(2):
        transfers_claim(payments=[payment])
    asked = Transfer.objects.get()
    assert (asked.status, asked.order_number, states(ordered)) == ("asked", ordered.number, ("pending", "waiting"))
    row = record(payment)
    assert (row.pk, row.status, row.reference) == (asked.pk, "recorded", "ICBC0001")
    transfers_claim(payments=[payment])
    assert Transfer.objects.count() == 1
    with pytest.raises(NeedsAnother):
        transfer_confirm(transfer_id=row.pk, actor=ONE)
    assert states(ordered) == ("pending", "waiting")
    for _ in range(2):
        assert transfer_confirm(transfer_id=row.pk, actor=OTHER).verdict == "confirmed"
    payment.refresh_from_db()
    assert (payment.status, payment.reference) == ("confirmed", "ICBC0001")
    assert events(ordered, "order.paid", "payment.confirmed") == ["payment.confirmed", "order.paid"]
    with pytest.raises(TransferDecided):
        transfer_reject(transfer_id=row.pk, reason="想想不对", actor=OTHER)


def test_an_open_word_keeps_the_payment_pending_and_late_money_pays_all_the_same(
    shop: Reseller, ordered: Order
) -> None:
    payment = by_transfer(shop, ordered)
    transfers_claim(payments=[payment])
    Order.objects.update(expires_at=F("created_at"))
    order_expire(order_id=ordered.pk)
    payments_close(order_id=ordered.pk)
    assert states(ordered)[0] == "expired"
    with in_a_moment(3600):
        assert payment_follow(payment_id=payment.pk) is not None
    payment.refresh_from_db()
    assert payment.status == "pending"
    transfer_reject(transfer_id=Transfer.objects.get().pk, reason="没有收到", actor=ONE)
    with in_a_moment(3600):
        assert payment_follow(payment_id=payment.pk) is None
    payment.refresh_from_db()
    assert payment.status == "canceled"
    assert came(payment).verdict == "confirmed"
    assert states(ordered)[0] == "paid"


def test_wrong_money_is_confirmed_as_having_come_and_pays_nothing(shop: Reseller, ordered: Order) -> None:
    payment = by_transfer(shop, ordered)
    row = came(payment, amount="59.99")
    assert (row.status, row.verdict) == ("confirmed", "refused")
    assert "59.99" in row.reason
    assert states(ordered) == ("pending", "waiting")
    assert came(payment, reference="ICBC0002").verdict == "confirmed"
    assert states(ordered)[0] == "paid"


def test_a_second_transfer_for_one_payment_is_no_second_payment(shop: Reseller, ordered: Order) -> None:
    payment = by_transfer(shop, ordered)
    came(payment)
    assert came(payment, reference="ICBC0002").verdict == "refused"
    drain()
    payment.refresh_from_db()
    assert payment.reference == "ICBC0001"


def test_a_reference_is_written_down_once_however_it_is_typed_and_whichever_shop_it_is_for(
    shop: Reseller, ordered: Order
) -> None:
    record(by_transfer(shop, ordered))
    another = by_transfer(shop, place(shop, on_sale()))
    with pytest.raises(TransferRefused) as refused:
        record(another, reference="Icbc 00 01")
    assert "reference" in refused.value.fields
    assert Transfer.objects.count() == 1


def test_money_that_the_order_did_not_need_goes_back_by_hand(shop: Reseller, ordered: Order) -> None:
    quicker, payment = open_payment(shop, ordered), by_transfer(shop, ordered)
    confirm(quicker)
    assert came(payment).verdict == "surplus"
    drain()
    sent_back(Refund.objects.get(payment=payment))


def test_what_nobody_could_deliver_is_sent_back_by_one_and_confirmed_by_another(shop: Reseller, ordered: Order) -> None:
    came(by_transfer(shop, ordered))
    drain()
    assert states(ordered) == ("paid", "failed")
    sent_back(Refund.objects.get())
    assert states(ordered) == ("refunded", "refunded")
    assert unbroken()


def sent_back(refund: Refund) -> None:
    """A refund waits for people, goes wrong once, and ends when two of them agree."""
    assert refund.status == "pending"
    row = Transfer.objects.get(kind="out")
    assert (row.number, row.amount, row.status) == (refund.number, Decimal("60.00"), "asked")
    sent: dict[str, Any] = {"transfer_id": row.pk, "moved_at": timezone.now(), "actor": ONE}
    transfer_send(reference="OUT0001", **sent)
    transfer_reject(transfer_id=row.pk, reason="流水号抄错", actor=OTHER)
    transfer_send(reference="OUT0002", **sent)
    with pytest.raises(NeedsAnother):
        transfer_confirm(transfer_id=row.pk, actor=ONE)
    refund.refresh_from_db()
    assert refund.status == "pending"
    transfer_confirm(transfer_id=row.pk, actor=OTHER)
    refund.refresh_from_db()
    assert (refund.status, refund.reference, refund.fee_returned) == ("succeeded", "OUT0002", Decimal("0.00"))


def test_what_cannot_be_sent_back_is_a_failed_refund_and_may_be_tried_again(shop: Reseller, ordered: Order) -> None:
    came(by_transfer(shop, ordered))
    drain()
    transfer_reject(transfer_id=Transfer.objects.get(kind="out").pk, reason="对方销户", actor=ONE)
    refund = Refund.objects.get()
    assert (refund.status, refund.code) == ("failed", "not_sent")


def test_what_cannot_be_is_not_written_down(shop: Reseller, ordered: Order) -> None:
    payment, now = by_transfer(shop, ordered), timezone.now()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"amount": "0"}, "amount"),
        ({"amount": "1.001"}, "amount"),
        ({"reference": "123"}, "reference"),
        ({"at": now + timedelta(days=1)}, "moved_at"),
        ({"at": now - timedelta(days=500)}, "moved_at"),
    ]
    for seen, field in wrong:
        with pytest.raises(TransferRefused) as refused:
            record(payment, **seen)
        assert set(refused.value.fields) == {field}
    assert not Transfer.objects.exists()


def test_money_for_another_kind_of_payment_is_not_written_down(shop: Reseller, ordered: Order) -> None:
    for number in (open_payment(shop, ordered).number, "ZZZ12345", "甲"):
        with pytest.raises(TransferRefused):
            transfer_record(number=number, amount=Decimal(60), reference="ICBC1", moved_at=timezone.now(), actor=ONE)
    assert not Transfer.objects.exists()


def test_the_database_itself_wants_two(shop: Reseller, ordered: Order) -> None:
    row = record(by_transfer(shop, ordered))
    for by in ("", ONE):
        with pytest.raises(IntegrityError), transaction.atomic():
            Transfer.objects.filter(pk=row.pk).update(status="confirmed", decided_by=by)


def test_only_an_account_that_is_in_use_is_offered(shop: Reseller, ordered: Order) -> None:
    payment = by_transfer(shop, ordered)
    gateway_account_enable(account_id=payment.account_id, is_active=False)
    with pytest.raises(MethodUnavailable):
        by_transfer(shop, ordered)


def test_the_cashier_shows_what_was_chosen_last_and_opens_nothing_twice(shop: Reseller, ordered: Order) -> None:
    Order.objects.update(device_digest=device_digest("phone-1"), checked_at=timezone.now())
    GatewayAccountFactory()
    client, address = browser("Mozilla/5.0"), f"/pay/{ordered.number}/"
    for way in ("scripted", "manual", "scripted", "manual", "scripted"):
        assert client.post(address, {"gateway": way}).status_code == 303
        shown, payment = client.get(address).content.decode(), Payment.objects.get(gateway=way)
        assert shown.count('aria-pressed="true"') == 1
        assert re.search(rf'data-testid="pay-{way}"\s+aria-pressed="true"', shown)
        assert (f"qr.png?v={payment.number}" in shown, "我已转账" in shown) == (way == "scripted", way == "manual")
    assert Payment.objects.count() == 2
    code = client.get(f"{address}qr.png?v={payment.number}")
    assert code.content.startswith(b"\x89PNG")
    for nothing in ("qr.png", f"qr.png?v={Payment.objects.get(gateway='manual').number}"):
        assert client.get(f"{address}{nothing}").status_code == 404


def test_the_cashier_tells_where_to_and_takes_the_shoppers_word(shop: Reseller, ordered: Order) -> None:
    Order.objects.update(device_digest=device_digest("phone-1"), checked_at=timezone.now())
    client = browser("Mozilla/5.0")
    address = f"/pay/{ordered.number}/"
    assert "转账汇款" in client.get(address).content.decode()
    assert not Payment.objects.exists()
    assert client.post(address, {"gateway": "manual"}).status_code == 303
    payment = Payment.objects.get()
    page = client.get(address).content.decode()
    for text in (*CONFIG.values(), payment.number, "我已转账"):
        assert text in page
    assert client.post(f"{address}check/", {"transferred": "1"}).status_code == 303
    page = client.get(address).content.decode()
    assert "已通知我们去查收" in page
    assert "我已转账" not in page
    Order.objects.update(status="expired")
    assert "我们正在核对" in client.get(address).content.decode()
