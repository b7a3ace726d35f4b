"""The last yuan asked for, a code given, and a word said by several at once."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from kameng.accounts import second_factor
from kameng.accounts.models import User
from kameng.accounts.second_factor import CodeRefused, second_factor_check
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.withdrawals.models import PayoutBatch, Withdrawal
from resellers.withdrawals.payouts import NothingToPay, payout_export
from resellers.withdrawals.services import WithdrawalRefused, withdrawal_approve, withdrawal_cancel, withdrawal_request
from tests.races.threads import SURELY, at_once, pause_after, pause_before, without_row_locks
from tests.resellers.withdrawals.test_services import ask, earn, pay_to
from tests.staff import code_of, owner_of, with_second_factor

pytestmark = pytest.mark.race


def take_all(shop: Reseller, times: int) -> list[Any]:
    """So many want the last hundred yuan at the same moment."""
    earn(shop, Decimal(100))
    pay_to(shop)
    wishes = [
        lambda key=str(place): withdrawal_request(shop_id=shop.pk, amount=Decimal(60), key=key, actor="x")
        for place in range(times)
    ]
    return at_once(shop, *wishes)


def test_of_fifty_who_want_the_last_yuan_one_gets_it(live_shop: Reseller) -> None:
    results = take_all(live_shop, 50)
    assert [type(result) for result in results].count(WithdrawalRefused) == 49
    assert Withdrawal.objects.count() == 1
    held = balances_of(live_shop.pk, Name.AVAILABLE, Name.WITHDRAWALS)
    assert held == {Name.AVAILABLE: Decimal(40), Name.WITHDRAWALS: Decimal(60)}


def test_without_the_lock_more_is_taken_than_there_is(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "resellers.withdrawals.services.balances_of", patience=SURELY)
    take_all(live_shop, 2)
    assert Withdrawal.objects.count() == 2
    assert balances_of(live_shop.pk, Name.AVAILABLE)[Name.AVAILABLE] == Decimal(-20)


def test_an_owner_who_takes_it_back_and_an_operator_who_agrees_do_not_both(live_shop: Reseller) -> None:
    earn(live_shop, Decimal(100))
    pay_to(live_shop)
    asked = ask(live_shop)
    at_once(
        live_shop,
        lambda: withdrawal_cancel(withdrawal_id=asked.pk, actor="owner"),
        lambda: withdrawal_approve(withdrawal_id=asked.pk, actor="operator"),
    )
    asked.refresh_from_db()
    held = balances_of(live_shop.pk, Name.AVAILABLE)[Name.AVAILABLE]
    assert (asked.status, held) in {("canceled", Decimal(100)), ("approved", Decimal(0))}


def test_of_two_exports_one_has_it(live_shop: Reseller) -> None:
    earn(live_shop, Decimal(100))
    pay_to(live_shop)
    withdrawal_approve(withdrawal_id=ask(live_shop).pk, actor="operator")
    results = at_once(live_shop, *[lambda: payout_export(kind="alipay", actor="x")] * 2)
    assert {type(result) for result in results} == {PayoutBatch, NothingToPay}


# --- a code ------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(live_shop: Reseller) -> Iterator[User]:
    """Somebody with a second factor, who is gone afterwards."""
    owner_of(live_shop, username="racer")
    user = User.objects.get(username="racer")
    yield user
    user.delete()


def same_code(shop: Reseller, user: User) -> list[Any]:
    """Two come with the same code."""
    code = code_of(with_second_factor(shop.schema_name, user.username))
    return at_once(shop, *[lambda: second_factor_check(user_id=user.pk, code=code)] * 2)


def test_of_two_with_the_same_code_one_gets_in(
    live_shop: Reseller, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_before(monkeypatch, "kameng.core.sql.execute", patience=SURELY)
    results = same_code(live_shop, owner)
    assert sorted(type(result) is CodeRefused for result in results) == [False, True]


def test_without_the_condition_both_get_in(live_shop: Reseller, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = " AND last_step < %(step)s"
    assert condition in second_factor._USE
    monkeypatch.setattr(second_factor, "_USE", second_factor._USE.replace(condition, ""))
    pause_before(monkeypatch, "kameng.core.sql.execute", patience=SURELY)
    assert same_code(live_shop, owner) == [None, None]
