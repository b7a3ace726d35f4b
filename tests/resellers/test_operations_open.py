"""The first command of an installation: the operations host and its operators."""

import getpass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kameng.accounts.models import User
from resellers.models import Domain, Reseller
from resellers.services import domain_add

HOST = "ops.example.com"
PASSWORD = "a-long-one-4711"

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(autouse=True)
def _host(settings: Any) -> None:
    settings.OPERATIONS_HOST = HOST


def answer(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: password)


def test_the_platform_answers_on_its_host_and_asks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert Client().get("/tls/ask", {"domain": HOST}, headers={"host": HOST}).status_code == 404

    call_command("operations_open")
    call_command("operations_open")

    assert Domain.objects.filter(domain=HOST).count() == 1
    assert capsys.readouterr().out.splitlines() == [f"operations are at http://{HOST}/admin/"] * 2
    assert Client().get("/tls/ask", {"domain": HOST}, headers={"host": HOST}).status_code == 200


def test_an_operator_can_sign_in_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, PASSWORD)

    call_command("operations_open", operator="alice")

    operator = User.objects.get(username="alice")
    assert (operator.is_staff, operator.is_superuser) == (True, True)
    assert operator.check_password(PASSWORD)


def test_a_weak_password_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "12345678")

    with pytest.raises(CommandError):
        call_command("operations_open", operator="alice")

    assert not User.objects.filter(username="alice").exists()
    assert not Domain.objects.filter(domain=HOST).exists()


def test_the_host_of_a_shop_cannot_become_the_operations_host() -> None:
    domain_add(shop=Reseller.objects.get(slug="one"), host=HOST)

    with pytest.raises(CommandError, match=HOST):
        call_command("operations_open")

    assert Domain.objects.get(domain=HOST).tenant.slug == "one"
