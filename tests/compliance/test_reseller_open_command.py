"""Opening a shop at the terminal."""

import getpass
from collections.abc import Sequence

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_context

from kameng.accounts.models import User
from resellers.models import Domain, Reseller

pytestmark = pytest.mark.usefixtures("db")


def open_shop(slug: str = "fresh", *more: str, hosts: Sequence[str] = ("fresh.test",)) -> None:
    """As it is typed."""
    named = [argument for host in hosts for argument in ("--host", host)]
    call_command("reseller_open", slug, "--name", "新店", *named, *more)


def test_a_shop_is_open_at_once_on_all_its_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    open_shop("fresh", "--color", "#0B7A4F", hosts=["fresh.test", "WWW.Fresh.test"])

    shop = Reseller.objects.get(slug="fresh")
    assert (shop.schema_name, shop.name, shop.brand_color) == ("shop_fresh", "新店", "#0B7A4F")
    hosts = Domain.objects.filter(tenant=shop).order_by("pk")
    assert list(hosts.values_list("domain", "is_primary")) == [("fresh.test", True), ("www.fresh.test", False)]
    assert capsys.readouterr().out.startswith("shop_fresh is open at fresh.test, WWW.Fresh.test (")


def test_its_owner_signs_in_there_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "a-long-one-4711")
    open_shop("fresh", "--owner", "alice")

    with schema_context("shop_fresh"):
        assert User.objects.get(username="alice").check_password("a-long-one-4711")
    for elsewhere in ("public", "shop_one"):
        with schema_context(elsewhere):
            assert not User.objects.filter(username="alice").exists()


@pytest.mark.parametrize(
    ("slug", "host", "color", "said"),
    [
        ("Fresh Shop", "fresh.test", "#0B7A4F", "代号"),
        ("one", "fresh.test", "#0B7A4F", "已经有店铺在用"),
        ("fresh", "one.test", "#0B7A4F", "one.test.*已经属于别的店铺"),
        ("fresh", "not a host", "#0B7A4F", "not a host.*不是一个域名"),
        ("fresh", "fresh.test", "red; }", "brand_color"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line_and_leaves_nothing(
    slug: str, host: str, color: str, said: str
) -> None:
    shops, hosts = Reseller.objects.count(), Domain.objects.count()
    with pytest.raises(CommandError, match=said) as refused:
        open_shop(slug, "--color", color, hosts=["also.test", host])
    assert "\n" not in str(refused.value)
    assert (Reseller.objects.count(), Domain.objects.count()) == (shops, hosts)
    assert not _has_schema("shop_fresh")


def test_a_weak_password_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "12345678")
    with pytest.raises(CommandError):
        open_shop("fresh", "--owner", "alice")
    assert not _has_schema("shop_fresh")
    assert not Reseller.objects.filter(slug="fresh").exists()


def _has_schema(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None
