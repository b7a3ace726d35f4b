"""Money into a deposit and out of it: seen by two people, or moved by its owner, and never what is held."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from kameng.audit.deposits import top_ups_are_in_the_book
from orders.models import Order
from resellers.deposits.models import TopUp
from resellers.deposits.services import (
    DepositRefused,
    deposit_put_in,
    deposit_take,
    deposit_take_out,
    deposit_warning_save,
    floor_of,
)
from resellers.deposits.top_ups import NeedsAnother, TopUpClosed, top_up_confirm, top_up_record, top_up_reject
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from tests.own_collection import fund, purse
from tests.resellers.withdrawals.test_services import earn

NOTHING, HUNDRED = Decimal(0), Decimal("100.00")


def seen(shop: Reseller, *, amount: Decimal = HUNDRED, reference: str = "2026 1129 0001") -> TopUp:
    return top_up_record(shop_id=shop.pk, amount=amount, reference=reference, actor="a")


def test_a_transfer_counts_when_a_second_person_has_seen_it(shop: Reseller, other_shop: Reseller) -> None:
    first = seen(shop)
    assert seen(shop).pk == first.pk
    assert purse(shop) == (NOTHING, NOTHING)
    with pytest.raises(NeedsAnother):
        top_up_confirm(top_up_id=first.pk, actor="a")
    for _ in range(2):
        top_up_confirm(top_up_id=first.pk, actor="b")
    assert purse(shop) == (HUNDRED, NOTHING)
    with pytest.raises(TopUpClosed):
        top_up_reject(top_up_id=first.pk, reason="没有收到", actor="b")
    for shop_id, amount in ((other_shop.pk, HUNDRED), (shop.pk, Decimal(90))):
        with pytest.raises(DepositRefused):
            top_up_record(shop_id=shop_id, amount=amount, reference="202611290001", actor="b")
    with pytest.raises(IntegrityError), transaction.atomic():
        TopUp.objects.update(closed_by="a")
    assert list(top_ups_are_in_the_book()) == []


def test_a_transfer_that_did_not_come_is_put_aside_and_may_be_written_down_anew(shop: Reseller) -> None:
    first = seen(shop)
    with pytest.raises(DepositRefused):
        top_up_reject(top_up_id=first.pk, reason=" 无 ", actor="a")
    for _ in range(2):
        top_up_reject(top_up_id=first.pk, reason="金额登记错了", actor="a")
    with pytest.raises(TopUpClosed):
        top_up_confirm(top_up_id=first.pk, actor="b")
    again = seen(shop, amount=Decimal(90))
    assert again.pk != first.pk
    top_up_confirm(top_up_id=again.pk, actor="b")
    assert purse(shop) == (Decimal(90), NOTHING)


@pytest.mark.parametrize(
    ("amount", "reference"), [("0", "20261129"), ("-1", "20261129"), ("1.001", "20261129"), ("1", "123")]
)
def test_what_is_no_transfer_is_refused(shop: Reseller, amount: str, reference: str) -> None:
    with pytest.raises(DepositRefused):
        seen(shop, amount=Decimal(amount), reference=reference)
    assert not TopUp.objects.exists()


def test_an_owner_moves_what_is_available_in_and_what_is_not_held_out(shop: Reseller) -> None:
    earn(shop, HUNDRED)
    for _ in range(2):
        deposit_put_in(shop_id=shop.pk, amount=Decimal(80), key="k")
    with pytest.raises(DepositRefused) as refused:
        deposit_put_in(shop_id=shop.pk, amount=Decimal("20.01"), key="l")
    assert "20.00" in str(refused.value)
    assert deposit_take(shop_id=shop.pk, amount=Decimal(57), key="hold", order_number="X")
    with pytest.raises(DepositRefused) as refused:
        deposit_take_out(shop_id=shop.pk, amount=Decimal("23.01"), key="m")
    assert "23.00" in str(refused.value)
    for _ in range(2):
        deposit_take_out(shop_id=shop.pk, amount=Decimal(23), key="m")
    assert purse(shop) == (NOTHING, Decimal(57))
    assert balances_of(shop.pk, Name.AVAILABLE)[Name.AVAILABLE] == Decimal(43)
    assert not deposit_take(shop_id=shop.pk, amount=Decimal("0.01"), key="more", order_number="Y")
    assert not Order.objects.exists()


def test_the_house_shop_needs_none(shop: Reseller) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    for moves in (lambda: seen(shop), lambda: deposit_put_in(shop_id=shop.pk, amount=HUNDRED, key="k")):
        with pytest.raises(DepositRefused):
            moves()


def test_the_owner_says_when_to_be_warned(shop: Reseller, settings: pytest.FixtureRequest) -> None:
    settings.DEPOSIT_WARNING = Decimal(500)  # type: ignore[attr-defined]
    fund(shop, HUNDRED)
    assert floor_of(shop) == Decimal(500)
    with pytest.raises(DepositRefused):
        deposit_warning_save(shop_id=shop.pk, floor=Decimal(-1))
    deposit_warning_save(shop_id=shop.pk, floor=Decimal(0))
    shop.refresh_from_db()
    assert floor_of(shop) == NOTHING
