"""Taking money out, as an owner meets it, and agreeing to it, as operators do."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context

from resellers.models import Reseller
from resellers.withdrawals.models import Payee, Withdrawal
from resellers.withdrawals.payees import payee_of
from tests.resellers.withdrawals.test_services import ask, earn, pay_to
from tests.staff import PASSWORD, code_of, operator, owner_of, staff_of, visitor, with_second_factor

OWNERS, DESK = "/manage/withdrawals/", "/admin/withdrawals/"
PAYEE = {"act": "payee", "kind": "alipay", "name": "张三", "account": "13812345678"}
WISH = {"act": "request", "amount": "100.00", "key": "once"}


@pytest.fixture
def rich(shop: Reseller) -> Reseller:
    """A shop with a thousand yuan to take."""
    earn(shop, Decimal(1000))
    return shop


def desk_of(username: str = "operator") -> tuple[Client, str]:
    """An operator with a second factor, in public; and its key."""
    client = operator(username=username)
    key = with_second_factor("public", username)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    return client, key


def act(client: Client, asked: Withdrawal, name: str, **typed: str) -> tuple[int, str]:
    """One step at the desk: the answer, and where the withdrawal stands after it."""
    answer = client.post(f"{DESK}{asked.number}/act/", {"act": name, **typed})
    asked.refresh_from_db()
    return answer.status_code, asked.status


def test_without_a_second_factor_an_owner_is_told_how_to_get_one_and_nothing_moves(rich: Reseller) -> None:
    pay_to(rich)
    owner = owner_of(rich)
    page = owner.get(OWNERS).content.decode()
    assert 'href="/manage/second-factor/"' in page
    assert "还没有提过现" in page
    for typed in (PAYEE | {"account": "13900000000", "code": "123456"}, WISH | {"code": "123456"}):
        assert owner.post(OWNERS, typed).status_code == 422
    assert Payee.objects.count() == 1
    assert not Withdrawal.objects.exists()


def test_an_owner_asks_with_one_code_and_takes_it_back(rich: Reseller) -> None:
    owner = owner_of(rich)
    key = with_second_factor(rich.schema_name, "owner")
    assert owner.post(OWNERS, PAYEE | {"code": "0"}).status_code == 422
    assert owner.post(OWNERS, PAYEE | {"code": code_of(key)}).status_code == 302
    assert owner.post(OWNERS, WISH | {"amount": "1000.01"}).status_code == 422
    for _ in range(2):
        assert owner.post(OWNERS, WISH).status_code == 302
    asked = Withdrawal.objects.get()
    page = owner.get(OWNERS).content.decode()
    assert "张* 138****5678" in page
    assert "13812345678" not in page
    assert "审核中" in page
    assert owner.post(f"{OWNERS}{asked.number}/cancel/").status_code == 302
    asked.refresh_from_db()
    assert (asked.status, asked.requested_by, asked.closed_by) == ("canceled", "staff:owner", "staff:owner")
    with schema_context(rich.schema_name):
        assert LogEntry.objects.filter(change_message__contains="提现").count() == 3


def test_a_code_of_some_minutes_ago_and_one_of_another_session_are_asked_for_again(rich: Reseller) -> None:
    pay_to(rich)
    here, elsewhere = owner_of(rich), visitor("one.test")
    elsewhere.post("/manage/login/", {"username": "owner", "password": PASSWORD})
    key = with_second_factor(rich.schema_name, "owner")
    assert here.post(OWNERS, WISH | {"code": code_of(key)}).status_code == 302
    assert elsewhere.post(OWNERS, WISH | {"key": "b"}).status_code == 422
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        assert here.post(OWNERS, WISH | {"key": "c"}).status_code == 302
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        assert here.post(OWNERS, WISH | {"key": "d"}).status_code == 422
    assert sorted(Withdrawal.objects.values_list("key", flat=True)) == ["c", "once"]


def test_whoever_looks_after_the_money_stops_a_change_of_the_payee(rich: Reseller) -> None:
    first = pay_to(rich)
    stop = f"{OWNERS}payee/"
    for client in (owner_of(rich), staff_of(rich, "finance")):
        changed = pay_to(rich, "mallory@example.com")
        page = client.get(OWNERS).content.decode()
        assert "ma***@example.com" in page
        assert f'action="{stop}"' in page
        assert staff_of(rich, "goods", "support", username="other").post(stop).status_code == 403
        assert (client.get(stop).status_code, payee_of(rich.pk)) == (200, changed)
        assert client.post(stop).status_code == 302
        assert payee_of(rich.pk) == first
    assert staff_of(rich, "finance").post(OWNERS, {"act": "payee"}).status_code == 403


def test_nobody_takes_back_what_another_shop_asked_for(rich: Reseller, other_shop: Reseller) -> None:
    pay_to(rich)
    asked = ask(rich)
    assert owner_of(other_shop).post(f"{OWNERS}{asked.number}/cancel/", headers={"host": "two.test"}).status_code == 404
    asked.refresh_from_db()
    assert asked.status == "requested"


def test_operators_review_approve_export_and_mark_it_paid(rich: Reseller) -> None:
    pay_to(rich)
    asked = ask(rich)
    desk, key = desk_of()
    assert asked.number in desk.get(DESK).content.decode()
    page = desk.get(f"{DESK}{asked.number}/").content.decode()
    assert "第一次往这个账户打款" in page
    assert "900.00" in page
    assert act(desk, asked, "approve", code="0") == (422, "requested")
    assert act(desk, asked, "approve", code=code_of(key)) == (302, "approved")
    assert desk.post(DESK, {"kind": "alipay"}).status_code == 302
    assert desk.post(DESK, {"kind": "alipay"}).status_code == 422
    asked.refresh_from_db()
    assert asked.batch is not None
    files = [desk.post(f"{DESK}batches/{asked.batch.number}/") for _ in range(2)]
    assert files[0]["Content-Disposition"] == f'attachment; filename="payout-alipay-{asked.batch.number}.csv"'
    assert files[0].content == files[1].content
    assert b"13812345678" in files[0].content
    assert act(desk, asked, "pay", reference="") == (422, "approved")
    assert act(desk, asked, "pay", reference="2026112900001") == (302, "paid")
    assert "已打款" in desk.get(f"{DESK}{asked.number}/").content.decode()


def test_a_file_with_accounts_in_it_is_not_given_without_a_code(rich: Reseller) -> None:
    pay_to(rich)
    asked = ask(rich)
    desk, key = desk_of()
    act(desk, asked, "approve", code=code_of(key))
    desk.post(DESK, {"kind": "alipay"})
    asked.refresh_from_db()
    assert asked.batch is not None
    elsewhere = operator(username="other")
    assert elsewhere.post(f"{DESK}batches/{asked.batch.number}/", {"code": code_of(key, ahead=1)}).status_code == 302


def test_an_owner_reads_why_it_was_rejected(rich: Reseller) -> None:
    pay_to(rich)
    owner, asked = owner_of(rich), ask(rich)
    desk, _key = desk_of()
    assert act(desk, asked, "reject", reason="不") == (422, "requested")
    assert act(desk, asked, "reject", reason="姓名和账户实名不一致") == (302, "rejected")
    assert "姓名和账户实名不一致" in owner.get(OWNERS).content.decode()


def test_a_large_sum_waits_for_another_operator(rich: Reseller, settings: pytest.FixtureRequest) -> None:
    settings.WITHDRAWAL_SECOND_APPROVAL = Decimal(100)  # type: ignore[attr-defined]
    pay_to(rich)
    asked = ask(rich)
    desk, key = desk_of()
    assert act(desk, asked, "approve", code=code_of(key)) == (302, "requested")
    assert act(desk, asked, "approve") == (422, "requested")
    other, other_key = desk_of("second")
    assert act(other, asked, "approve", code=code_of(other_key)) == (302, "approved")
    assert (asked.seconded_by, asked.approved_by) == ("staff:operator", "staff:second")
