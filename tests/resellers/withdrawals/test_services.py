"""Money on its way to an owner: asked for, agreed to, paid or given back, and in the book at each step."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from kameng.alerts.models import Alert
from kameng.audit.ledger import withdrawals_are_in_the_book
from kameng.core.encryption import Unreadable
from kameng.core.sheets import harmless
from resellers.ledger.balances import balances
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.withdrawals.models import Payee, PayoutBatch, Withdrawal
from resellers.withdrawals.payees import PayeeRefused, masked, payee_cancel, payee_of, payee_save, payee_usable
from resellers.withdrawals.payouts import NothingToPay, payout_export, payout_file
from resellers.withdrawals.selectors import review_of
from resellers.withdrawals.services import (
    NeedsAnother,
    WithdrawalClosed,
    WithdrawalRefused,
    withdrawal_approve,
    withdrawal_cancel,
    withdrawal_pay,
    withdrawal_reject,
    withdrawal_request,
)

HUNDRED = Decimal("100.00")


def earn(shop: Reseller, amount: Decimal, key: str = "earned") -> None:
    """So much is available."""
    moves = [Move(Name.PENDING, amount, shop.pk), Move(Name.AVAILABLE, -amount, shop.pk)]
    post(key, Kind.SETTLEMENT, moves, shop_id=shop.pk)


def pay_to(shop: Reseller, account: str = "13812345678", **other: str) -> Payee:
    told = {"kind": "alipay", "name": "张三", **other}
    return payee_save(shop_id=shop.pk, account=account, actor="staff:owner", **told)


def ask(shop: Reseller, amount: str = "100.00", key: str = "k") -> Withdrawal:
    return withdrawal_request(shop_id=shop.pk, amount=Decimal(amount), key=key, actor="staff:owner")


def held() -> dict[str, Decimal]:
    """The owner's accounts, without what nothing is on."""
    return {str(name): amount for (name, _owner), amount in balances().items() if amount and name != Name.PENDING}


@pytest.fixture
def rich(shop: Reseller) -> Reseller:
    """A shop with a thousand yuan to take, and somebody to pay."""
    earn(shop, Decimal(1000))
    pay_to(shop)
    return shop


def test_money_leaves_what_is_available_and_is_paid_less_the_fee(rich: Reseller) -> None:
    Reseller.objects.filter(pk=rich.pk).update(withdrawal_fee=Decimal("0.50"), withdrawal_fee_percent=Decimal("0.6"))
    asked = ask(rich)
    assert (asked.fee, asked.payout) == (Decimal("1.10"), Decimal("98.90"))
    assert held() == {"available": Decimal(900), "withdrawals": HUNDRED}
    withdrawal_approve(withdrawal_id=asked.pk, actor="a")
    assert held()["withdrawals"] == HUNDRED
    for _ in range(2):
        withdrawal_pay(withdrawal_id=asked.pk, reference="2026 1129 0001", actor="a")
    assert held() == {"available": 900, "payouts": Decimal("98.90"), "withdrawal_fees": Decimal("1.10")}
    asked.refresh_from_db()
    assert (asked.status, asked.reference, asked.closed_by) == ("paid", "202611290001", "a")
    assert list(withdrawals_are_in_the_book()) == []


def test_the_same_form_sent_twice_asks_once(rich: Reseller) -> None:
    assert ask(rich).pk == ask(rich).pk
    assert held()["withdrawals"] == HUNDRED
    assert ask(rich, key="other").pk != ask(rich).pk


@pytest.mark.parametrize(
    ("amount", "says"), [("1000.01", "1000.00"), ("49.99", "50"), ("100.001", "两位小数"), ("0", "50"), ("-60", "50")]
)
def test_more_than_there_is_or_less_than_is_paid_is_refused_and_nothing_moves(
    rich: Reseller, amount: str, says: str
) -> None:
    with pytest.raises(WithdrawalRefused) as refused:
        ask(rich, amount)
    assert says in str(refused.value.fields["amount"])
    assert held() == {"available": 1000}
    assert not Withdrawal.objects.exists()


def test_who_owes_can_take_nothing(shop: Reseller) -> None:
    pay_to(shop)
    earn(shop, Decimal(-5))
    with pytest.raises(WithdrawalRefused) as refused:
        ask(shop, "50")
    assert "0.00" in str(refused.value.fields["amount"])


def test_a_fee_that_eats_everything_is_refused(rich: Reseller) -> None:
    Reseller.objects.filter(pk=rich.pk).update(withdrawal_fee=Decimal(60))
    with pytest.raises(WithdrawalRefused):
        ask(rich, "60")


def test_the_house_shop_has_nothing_to_take_out(rich: Reseller) -> None:
    Reseller.objects.filter(pk=rich.pk).update(is_house=True)
    with pytest.raises(WithdrawalRefused):
        ask(rich)


@pytest.mark.parametrize("is_approved", [False, True])
def test_what_is_rejected_goes_back_with_a_reason_once(rich: Reseller, is_approved: bool) -> None:
    asked = ask(rich)
    if is_approved:
        withdrawal_approve(withdrawal_id=asked.pk, actor="a")
    with pytest.raises(WithdrawalRefused):
        withdrawal_reject(withdrawal_id=asked.pk, reason=" 不 ", actor="a")
    for _ in range(2):
        withdrawal_reject(withdrawal_id=asked.pk, reason="姓名和账户不一致", actor="a")
    assert held() == {"available": 1000}
    with pytest.raises(WithdrawalClosed):
        withdrawal_pay(withdrawal_id=asked.pk, reference="20261129", actor="a")
    assert list(withdrawals_are_in_the_book()) == []


def test_an_owner_takes_a_wish_back_until_it_is_approved(rich: Reseller) -> None:
    first, second = ask(rich), ask(rich, key="second")
    for _ in range(2):
        withdrawal_cancel(withdrawal_id=first.pk, actor="staff:owner")
    withdrawal_approve(withdrawal_id=second.pk, actor="a")
    with pytest.raises(WithdrawalClosed):
        withdrawal_cancel(withdrawal_id=second.pk, actor="staff:owner")
    with pytest.raises(WithdrawalClosed):
        withdrawal_approve(withdrawal_id=first.pk, actor="a")
    with pytest.raises(WithdrawalClosed):
        withdrawal_pay(withdrawal_id=first.pk, reference="20261129", actor="a")
    assert held() == {"available": 900, "withdrawals": HUNDRED}


def test_a_large_sum_takes_two_different_people(rich: Reseller, settings: pytest.FixtureRequest) -> None:
    settings.WITHDRAWAL_SECOND_APPROVAL = Decimal(100)  # type: ignore[attr-defined]
    small, large = ask(rich, "99.99"), ask(rich, "100", key="large")
    settings.WITHDRAWAL_SECOND_APPROVAL = Decimal(10_000)  # type: ignore[attr-defined]
    assert withdrawal_approve(withdrawal_id=small.pk, actor="a").status == "approved"
    assert withdrawal_approve(withdrawal_id=large.pk, actor="a").status == "requested"
    with pytest.raises(NeedsAnother):
        withdrawal_approve(withdrawal_id=large.pk, actor="a")
    assert withdrawal_approve(withdrawal_id=large.pk, actor="b").status == "approved"
    with pytest.raises(IntegrityError), transaction.atomic():
        Withdrawal.objects.filter(pk=large.pk).update(seconded_by="b")


# --- payees ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"account": "12345"}, {"account"}), ({"account": "=cmd@x"}, {"account"}), ({"name": "=1+1"}, {"name"}),
        ({"name": "@x"}, {"name"}), ({"kind": "bank"}, {"bank"}), ({"kind": "cash"}, {"kind"}),
        ({"kind": "bank", "account": "6222 0O", "bank": "-1"}, {"account", "bank"}),
    ],
)  # fmt: skip
def test_a_payee_that_cannot_be_paid_is_refused(shop: Reseller, told: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(PayeeRefused) as refused:
        pay_to(shop, **{"account": "13812345678", **told})
    assert set(refused.value.fields) == wrong
    assert not Payee.objects.exists()


def test_a_payee_is_sealed_and_shown_masked(shop: Reseller) -> None:
    payee = pay_to(shop)
    assert "13812345678" not in payee.sealed
    assert payee.details == {"name": "张三", "account": "13812345678"}
    assert str(payee) == "张* 138****5678"
    assert masked({"name": "李小明", "account": "6222020200112233445", "bank": "招商银行"}) == "李** 招商银行 **** 3445"
    assert masked({"name": "王五", "account": "wangwu@example.com"}) == "王* wa***@example.com"
    Payee.objects.filter(pk=payee.pk).update(shop_id=Reseller.objects.get(slug="two").pk)
    payee.refresh_from_db()
    with pytest.raises(Unreadable):
        assert payee.details


def test_a_changed_payee_waits_a_day_is_told_of_and_can_be_taken_back(rich: Reseller) -> None:
    first = payee_of(rich.pk)
    assert first is not None
    assert pay_to(rich).pk == first.pk
    assert not Alert.objects.exists()
    changed = pay_to(rich, "wangwu@example.com")
    assert Alert.objects.get().kind == "payee.changed"
    with pytest.raises(PayeeRefused):
        ask(rich)
    with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=59)), pytest.raises(PayeeRefused):
        payee_usable(rich.pk)
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        assert payee_usable(rich.pk).pk == changed.pk
        assert payee_cancel(shop_id=rich.pk, actor="staff:owner") is None
    kept = payee_cancel(shop_id=rich.pk, actor="staff:owner")
    assert kept is not None
    assert kept.pk == first.pk
    assert ask(rich).payee_id == first.pk


def test_an_operator_sees_a_new_payee_and_one_that_was_left(rich: Reseller) -> None:
    asked = ask(rich)
    assert (review_of(asked).is_first_payee, review_of(asked).is_old_payee) == (True, False)
    withdrawal_approve(withdrawal_id=asked.pk, actor="a")
    withdrawal_pay(withdrawal_id=asked.pk, reference="20261129", actor="a")
    again = ask(rich, key="again")
    pay_to(rich, "wangwu@example.com")
    review = review_of(again)
    assert (review.is_first_payee, review.is_old_payee, review.paid, review.withdrawn) == (False, True, 1, HUNDRED)


# --- files -------------------------------------------------------------------------------------------------


def test_what_is_approved_is_in_one_file_once_and_the_file_stays_as_it_was(rich: Reseller) -> None:
    asked = [ask(rich, "60", key=str(place)) for place in range(3)]
    for one in asked[:2]:
        withdrawal_approve(withdrawal_id=one.pk, actor="a")
    batch = payout_export(kind="alipay", actor="a")
    assert (batch.count, batch.total) == (2, Decimal(120))
    file = payout_file(batch)
    lines = file.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("序号（必填）,收款方支付宝账号（必填）,收款方姓名（必填）,金额")
    assert lines[1:] == [
        f"{place},13812345678,张三,60.00,{one.number} {batch.number}" for place, one in enumerate(asked[:2], start=1)
    ]
    with pytest.raises(NothingToPay):
        payout_export(kind="alipay", actor="a")
    withdrawal_reject(withdrawal_id=asked[0].pk, reason="姓名不一致", actor="a")
    pay_to(rich, "wangwu@example.com")
    assert payout_file(PayoutBatch.objects.get()) == file


def test_cards_have_a_file_of_their_own(shop: Reseller) -> None:
    earn(shop, HUNDRED)
    pay_to(shop, "6222020200112233445", kind="bank", bank="招商银行深圳分行")
    withdrawal_approve(withdrawal_id=ask(shop).pk, actor="a")
    with pytest.raises(NothingToPay):
        payout_export(kind="alipay", actor="a")
    (_head, row) = payout_file(payout_export(kind="bank", actor="a")).decode("utf-8-sig").splitlines()
    assert row.startswith("1,张三,6222020200112233445,招商银行深圳分行,100.00,")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert harmless("张三") == "张三"


# --- the audit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("status = 'canceled'", "makes 0 on withdrawals"), ("status = 'paid'", "makes 100.00 on payouts"),
        ("amount = 90", "makes 90.00 on withdrawals"), ("shop_id = shop_id + 1", "makes 0 on withdrawals"),
    ],
)  # fmt: skip
def test_a_row_that_says_something_else_than_the_book_is_named(rich: Reseller, change: str, says: str) -> None:
    ask(rich)
    assert list(withdrawals_are_in_the_book()) == []
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE public.withdrawals_withdrawal SET {change}")
    assert any(says in breach for breach in withdrawals_are_in_the_book())


def test_what_only_the_book_knows_is_named(rich: Reseller) -> None:
    moves = [Move(Name.AVAILABLE, HUNDRED, rich.pk), Move(Name.PAYOUTS, -HUNDRED, rich.pk)]
    post("payout:NOBODY", Kind.PAYOUT, moves, shop_id=rich.pk)
    post("adjust:1", Kind.SETTLEMENT, moves, shop_id=rich.pk)
    said = " ".join(withdrawals_are_in_the_book())
    assert "withdrawal NOBODY makes 0 on payouts" in said
    assert "adjust:1 is on payouts" in said
