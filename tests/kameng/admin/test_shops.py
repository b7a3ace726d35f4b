"""Opening shops, closing them, and where they answer, as operators do it."""

import pytest
from django.db import connection
from django_tenants.utils import schema_context, schema_exists

from kameng.accounts.models import User
from resellers.models import Domain, Reseller
from tests.factories import (
    on_sale,
)
from tests.staff import operator, visitor


@pytest.fixture(autouse=True)
def _in_public(db: None) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


SHOP = {
    "slug": "star", "name": "星光卡盟", "host": "Star.Test.", "owner": "boss", "owner_password": "correct-horse-7",
    "settlement_days": "14",
}  # fmt: skip


def test_a_shop_is_opened_with_its_owner_and_sells_at_once(db: None) -> None:
    variant = on_sale()
    answer = operator().post("/admin/resellers/reseller/add/", SHOP)
    assert answer.status_code == 302, answer.content.decode()
    shop = Reseller.objects.get(slug="star")
    assert shop.settlement_days == 14
    assert (shop.schema_name, [domain.domain for domain in shop.domains.all()]) == ("shop_star", ["star.test"])
    client = visitor("star.test")
    assert variant.product.name in client.get("/").content.decode()
    signed_in = client.post("/manage/login/?next=/manage/", {"username": "boss", "password": "correct-horse-7"})
    assert signed_in["Location"] == "/manage/"
    assert client.get("/manage/").status_code == 200


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"slug": "Star"}, "代号只能用小写字母"),
        ({"slug": "1star"}, "代号只能用小写字母"),
        ({"slug": "one"}, "已存在"),
        ({"host": "one.test"}, "已经属于别的店铺"),
        ({"host": "not a host"}, "不是一个域名"),
        ({"host": ""}, "开新店要填这一项"),
        ({"owner_password": ""}, "开新店要填这一项"),
        ({"owner_password": "short"}, "8"),
        ({"name": ""}, "必填项"),
        ({"settlement_days": "91"}, "90"),
        ({"settlement_days": "-1"}, "0"),
        ({"settlement_days": "1e1"}, "整数"),
    ],
)
def test_a_shop_that_cannot_be_opened_leaves_nothing_behind(typed: dict[str, str], said: str) -> None:
    before = (Reseller.objects.count(), Domain.objects.count())
    answer = operator().post("/admin/resellers/reseller/add/", {**SHOP, **typed})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert (Reseller.objects.count(), Domain.objects.count()) == before
    assert not schema_exists("shop_star")
    assert "correct-horse-7" not in answer.content.decode()


def _shop_form(shop: Reseller, **changes: str) -> dict[str, str]:
    domains = list(shop.domains.order_by("pk"))
    form = {
        "name": shop.name, "is_open": "on", "settlement_days": "3", "owner": "owner", "owner_password": "",
        "domains-TOTAL_FORMS": str(len(domains)), "domains-INITIAL_FORMS": str(len(domains)),
    }  # fmt: skip
    for place, domain in enumerate(domains):
        form |= {f"domains-{place}-id": str(domain.pk), f"domains-{place}-tenant": str(shop.pk)}
        form |= {f"domains-{place}-domain": domain.domain}
        if domain.is_primary:
            form[f"domains-{place}-is_primary"] = "on"
    return {**form, **changes}


def test_a_shop_is_closed_renamed_and_given_hosts(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    client = operator()
    address = f"/admin/resellers/reseller/{shop.pk}/change/"
    form = _shop_form(shop, name="新名字", **{"domains-TOTAL_FORMS": "2", "domains-1-tenant": str(shop.pk)})
    form |= {"domains-1-id": "", "domains-1-domain": "Second.TEST", "domains-1-is_primary": "on"}
    del form["is_open"]
    assert client.post(address, form).status_code == 302
    shop.refresh_from_db()
    assert (shop.name, shop.is_open) == ("新名字", False)
    assert shop.settlement_days == 3
    assert set(shop.domains.values_list("domain", "is_primary")) == {("one.test", False), ("second.test", True)}
    form = _shop_form(shop, **{"domains-1-DELETE": "on"})
    assert client.post(address, form).status_code == 302
    assert list(shop.domains.values_list("domain", "is_primary")) == [("one.test", True)]


def test_the_last_host_and_anothers_host_stay_where_they_are(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    client = operator()
    address = f"/admin/resellers/reseller/{shop.pk}/change/"
    assert "最后一个域名" in client.post(address, _shop_form(shop, **{"domains-0-DELETE": "on"})).content.decode()
    form = _shop_form(shop, **{"domains-TOTAL_FORMS": "2", "domains-1-tenant": str(shop.pk), "domains-1-id": ""})
    assert client.post(address, {**form, "domains-1-domain": "TWO.test"}).status_code == 200
    assert list(shop.domains.values_list("domain", flat=True)) == ["one.test"]
    assert Domain.objects.get(domain="two.test").tenant.slug == "two"


def test_an_owners_password_is_reset_without_being_shown(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    answer = operator().post(
        f"/admin/resellers/reseller/{shop.pk}/change/", _shop_form(shop, owner_password="another-horse-8"), follow=True
    )
    assert "another-horse-8" not in answer.content.decode()
    with schema_context(shop.schema_name):
        assert User.objects.get(username="owner").check_password("another-horse-8")
    assert not User.objects.filter(username="owner").exists()


def test_the_operations_host_is_no_shop(db: None) -> None:
    public = Reseller.objects.get(schema_name="public")
    client = operator()
    assert client.get(f"/admin/resellers/reseller/{public.pk}/change/").status_code == 302
    assert "operations" not in client.get("/admin/resellers/reseller/").content.decode().partition("result_list")[2]
