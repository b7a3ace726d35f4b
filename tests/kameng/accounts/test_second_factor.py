"""A second factor from its first code to its last, as services and as people meet it."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context

from kameng.accounts.models import SecondFactor, User
from kameng.accounts.second_factor import (
    CodeRefused,
    SecondFactorMissing,
    SecondFactorRefused,
    recovery_renew,
    second_factor_begin,
    second_factor_check,
    second_factor_confirm,
    second_factor_of,
    second_factor_remove,
)
from kameng.core.encryption import Unreadable
from kameng.core.throttle import TooMany
from resellers.models import Reseller
from tests.staff import PASSWORD, code_of, operator, owner_of, with_second_factor

PAGE = "/manage/second-factor/"


@pytest.fixture
def user(shop: Reseller) -> User:
    """The owner, inside the shop."""
    owner_of(shop)
    return User.objects.get(username="owner")


def refused(user: User, code: str) -> bool:
    try:
        second_factor_check(user_id=user.pk, code=code)
    except CodeRefused:
        return True
    return False


def test_it_protects_nothing_until_one_code_was_right(user: User) -> None:
    key = second_factor_begin(user_id=user.pk, password=PASSWORD)
    with pytest.raises(SecondFactorMissing):
        second_factor_check(user_id=user.pk, code=code_of(key))
    with pytest.raises(CodeRefused):
        second_factor_confirm(user_id=user.pk, code="000000" if code_of(key) != "000000" else "000001")
    assert second_factor_of(user.pk) is None
    assert len(set(second_factor_confirm(user_id=user.pk, code=code_of(key)))) == 10
    assert second_factor_of(user.pk) is not None


def test_whoever_finds_an_open_browser_cannot_set_one_up_nor_a_second_one(user: User) -> None:
    with pytest.raises(SecondFactorRefused):
        second_factor_begin(user_id=user.pk, password="guess")
    assert not SecondFactor.objects.exists()
    key = with_second_factor("shop_one", "owner")
    with pytest.raises(SecondFactorRefused):
        second_factor_begin(user_id=user.pk, password=PASSWORD)
    assert SecondFactor.objects.get().key == key


def test_a_code_is_taken_once_and_none_of_before_it(user: User) -> None:
    key = with_second_factor("shop_one", "owner")
    here, before = code_of(key), code_of(key, ahead=-1)
    assert [refused(user, code) for code in (before, here, here, before)] == [True, False, True, True]
    assert not refused(user, code_of(key, ahead=1))


def test_a_recovery_code_stands_for_a_code_once_however_it_is_typed(user: User) -> None:
    key = second_factor_begin(user_id=user.pk, password=PASSWORD)
    codes = second_factor_confirm(user_id=user.pk, code=code_of(key))
    assert not any(code.replace("-", "") in str(SecondFactor.objects.values().get()) for code in codes)
    assert not refused(user, f" {codes[0].lower().replace('-', ' ')}")
    assert refused(user, codes[0])
    again = recovery_renew(user_id=user.pk, code=codes[1])
    assert refused(user, codes[2])
    assert not refused(user, again[0])


def test_guessing_ends_after_ten_tries_and_even_the_right_code_waits(user: User) -> None:
    key = with_second_factor("shop_one", "owner")  # two of them
    assert [refused(user, "000") for _ in range(8)] == [True] * 8
    with pytest.raises(TooMany):
        second_factor_check(user_id=user.pk, code=code_of(key))
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        assert not refused(user, code_of(key))


def test_while_nobody_counts_no_code_is_taken(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    key = with_second_factor("shop_one", "owner")
    monkeypatch.setattr("kameng.core.throttle.counters.count", lambda *args, **options: 0)
    with pytest.raises(TooMany):
        second_factor_check(user_id=user.pk, code=code_of(key))


def test_it_is_taken_off_with_a_code_only(user: User) -> None:
    key = with_second_factor("shop_one", "owner")
    with pytest.raises(CodeRefused):
        second_factor_remove(user_id=user.pk, code="123")
    second_factor_remove(user_id=user.pk, code=code_of(key))
    assert not SecondFactor.objects.exists()


def test_the_key_opens_in_its_own_schema_only(user: User) -> None:
    with_second_factor("shop_one", "owner")
    found = SecondFactor.objects.get()
    with schema_context("shop_two"), pytest.raises(Unreadable):
        assert found.key


def test_who_has_lost_phone_and_paper_is_helped_by_hand(user: User) -> None:
    with_second_factor("shop_one", "owner")
    call_command("second_factor_reset", schema="shop_one", user="owner", verbosity=0)
    assert second_factor_of(user.pk) is None
    for schema, name in (("shop_one", "owner"), ("shop_gone", "owner")):
        with pytest.raises(CommandError):
            call_command("second_factor_reset", schema=schema, user=name)


# --- pages -------------------------------------------------------------------------------------------------


def _page(client: Client, **typed: str) -> str:
    return client.post(PAGE, typed).content.decode()


def test_an_owner_sets_one_up_sees_its_codes_once_and_takes_it_off(user: User, shop: Reseller) -> None:
    owner = owner_of(shop)
    assert "开始启用" in owner.get(PAGE).content.decode()
    assert "密码不对" in _page(owner, act="begin", password="guess")
    drawn = _page(owner, act="begin", password=PASSWORD)
    assert "<svg" in drawn
    key = re.sub(r"\s", "", re.search(r'data-testid="key">([^<]+)<', drawn)[1])  # type: ignore[index]
    assert key not in owner.get(PAGE).content.decode().replace(" ", "")
    assert "验证码不对" in _page(owner, act="confirm", code="000")
    shown = _page(owner, act="confirm", code=code_of(key, ahead=-1))
    codes = re.findall(r"<li>([0-9A-Z]{5}-[0-9A-Z]{5})</li>", shown)
    assert len(codes) == 10
    again = owner.get(PAGE).content.decode()
    assert "10 / 10" in again
    assert not any(code in again for code in codes)
    assert owner.post(PAGE, {"act": "remove", "code": "1"}).status_code == 422
    assert owner.post(PAGE, {"act": "remove", "code": code_of(key)}).status_code == 302
    assert not SecondFactor.objects.exists()


def test_an_operators_factor_is_no_owners(user: User, shop: Reseller) -> None:
    operator(username="owner")
    key = with_second_factor("public", "owner")
    assert second_factor_of(user.pk) is None
    with pytest.raises(SecondFactorMissing):
        second_factor_check(user_id=user.pk, code=code_of(key))
    assert not SecondFactor.objects.exists()
