"""Who gets in where: every page of both admins, asked for by everybody who might try."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from kameng.admin.sites import operations_site, shop_site
from resellers.models import Reseller
from tests.conftest import OPERATIONS_HOST
from tests.factories import on_sale, place
from tests.staff import PASSWORD, addresses, at, member_of, operator, owner_of, visitor

SHOP_PAGES = addresses(shop_site)
OPERATIONS_PAGES = addresses(operations_site)
STRANGERS = ("nobody", "member", "owner of another shop", "operator")


def _stranger(who: str, shop: Reseller, other_shop: Reseller, host: str) -> Client:
    """Somebody who has no business at `host`, with every cookie they ever got."""
    if who == "nobody":
        return visitor(host)
    if who == "member":
        return at(member_of(shop), host)
    if who == "operator":
        return at(operator(), host)
    return at(owner_of(other_shop), host)


def answers(client: Client, pages: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Status and where it leads, of each page; whoever asks signs in only once."""
    given = {}
    for page in pages:
        answer = client.get(page)
        given[page] = (answer.status_code, answer.headers.get("Location", "").partition("?")[0])
    return given


@pytest.mark.parametrize("who", STRANGERS)
def test_a_shops_admin_shows_nothing_to_strangers(shop: Reseller, other_shop: Reseller, who: str) -> None:
    given = answers(_stranger(who, shop, other_shop, "one.test"), SHOP_PAGES)
    assert given == dict.fromkeys(SHOP_PAGES, (302, "/manage/login/"))


@pytest.mark.parametrize("who", ["nobody", "member", "owner of another shop"])
def test_the_operators_admin_shows_nothing_to_strangers(shop: Reseller, other_shop: Reseller, who: str) -> None:
    given = answers(_stranger(who, shop, other_shop, OPERATIONS_HOST), OPERATIONS_PAGES)
    assert given == dict.fromkeys(OPERATIONS_PAGES, (302, "/admin/login/"))


def test_no_page_of_the_operators_is_at_a_shops_host(shop: Reseller) -> None:
    assert answers(owner_of(shop), OPERATIONS_PAGES) == dict.fromkeys(OPERATIONS_PAGES, (404, ""))


def test_no_page_of_a_shop_is_at_the_operations_host(shop: Reseller) -> None:
    assert answers(operator(), SHOP_PAGES) == dict.fromkeys(SHOP_PAGES, (404, ""))


def test_an_owner_opens_every_page_of_their_shop(shop: Reseller) -> None:
    pages = [page for page in SHOP_PAGES if "/1/" not in page]
    opened = {page: (403 if _is_closed(shop_site, page) else 200, "") for page in pages}
    assert answers(owner_of(shop), pages) == opened


def test_an_operator_opens_every_page_of_the_platform(shop: Reseller) -> None:
    pages = [page for page in OPERATIONS_PAGES if "/1/" not in page and "QRS" not in page]
    opened = {page: (403 if _is_closed(operations_site, page) else 200, "") for page in pages}
    assert answers(operator(), pages) == opened


def _is_closed(site: object, address: str) -> bool:
    """A form for rows that no page adds."""
    if not address.endswith("/add/"):
        return False
    app_label, model_name = address.split("/")[2:4]
    page = next(
        page
        for model, page in site._registry.items()  # type: ignore[attr-defined]
        if (model._meta.app_label, model._meta.model_name) == (app_label, model_name)
    )
    return not page.can_add


@pytest.mark.parametrize(
    ("whose", "host", "door"),
    [
        ("one", "two.test", "/manage/login/"),
        ("one", OPERATIONS_HOST, "/admin/login/"),
        ("operations", "one.test", "/manage/login/"),
    ],
)
def test_a_name_and_password_of_one_schema_are_worth_nothing_in_another(
    shop: Reseller, other_shop: Reseller, whose: str, host: str, door: str
) -> None:
    if whose == "one":
        owner_of(shop, username="somebody")
    else:
        operator(username="somebody")
    client = visitor(host)
    answer = client.post(door, {"username": "somebody", "password": PASSWORD})
    assert answer.status_code == 200
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_an_owner_signs_in_with_their_password_and_nothing_else(shop: Reseller) -> None:
    owner_of(shop)
    client = visitor("one.test")
    assert client.post("/manage/login/", {"username": "owner", "password": "wrong"}).status_code == 200
    assert settings.SESSION_COOKIE_NAME not in client.cookies
    answer = client.post("/manage/login/?next=/manage/", {"username": "owner", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/manage/")
    assert client.get("/manage/").status_code == 200


def test_after_ten_tries_even_the_right_password_waits(shop: Reseller) -> None:
    owner_of(shop)
    client = visitor("one.test")
    for _ in range(10):
        client.post("/manage/login/", {"username": "owner", "password": "wrong"})
    answer = client.post("/manage/login/", {"username": "owner", "password": PASSWORD})
    assert "试得太快了" in answer.content.decode()
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_one_address_that_tries_too_often_locks_nobody_else_out(shop: Reseller) -> None:
    owner_of(shop)
    client = visitor("one.test")
    for _ in range(12):
        client.post("/manage/login/", {"username": "owner", "password": "wrong"}, REMOTE_ADDR="203.0.113.9")
    answer = visitor("one.test").post("/manage/login/?next=/manage/", {"username": "owner", "password": PASSWORD})
    assert answer.status_code == 302


def test_an_owner_changes_their_password_and_other_browsers_are_out(shop: Reseller) -> None:
    here, elsewhere = owner_of(shop), visitor("one.test")
    assert elsewhere.post("/manage/login/", {"username": "owner", "password": PASSWORD}).status_code == 302
    form = {"old_password": PASSWORD, "new_password1": "another-horse-8", "new_password2": "another-horse-8"}
    assert here.post("/manage/password_change/", {**form, "old_password": "wrong"}).status_code == 200
    assert elsewhere.get("/manage/").status_code == 200
    assert here.post("/manage/password_change/", form).status_code == 302
    assert here.get("/manage/").status_code == 200
    assert elsewhere.get("/manage/").status_code == 302


def test_the_operations_host_begins_with_its_admin(db: None) -> None:
    answer = visitor(OPERATIONS_HOST).get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_an_order_of_another_shop_is_not_there_whatever_address_is_tried(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    mine = place(shop, variant)
    with schema_context(other_shop.schema_name), connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('orders_order', 'id'), %s)", [mine.pk + 1_000])
        theirs = place(other_shop, variant, contact="13912349999")
    client = owner_of(shop)
    assert client.get(f"/manage/orders/order/{mine.pk}/change/").status_code == 200
    for guess in (theirs.pk, 0, "x", theirs.number, f"{theirs.pk}%2F"):
        assert client.get(f"/manage/orders/order/{guess}/change/").status_code == 404
    for term in (theirs.number, theirs.grouped_number, "13912349999", "9999"):
        assert "data-row" not in client.get("/manage/orders/order/", {"q": term}).content.decode()
    for term in (mine.number, mine.grouped_number, "5678"):
        assert client.get("/manage/orders/order/", {"q": term}).content.decode().count("data-row") == 1


def test_each_site_has_only_what_lies_in_its_schemas() -> None:
    both = {label.rpartition(".")[2] for label in settings.BOTH_SIDES}
    shops = {label.rpartition(".")[2] for label in settings.TENANT_APPS}
    shared = {label.rpartition(".")[2] for label in settings.SHARED_APPS}
    assert {model._meta.app_label for model in shop_site._registry} <= shops
    assert {model._meta.app_label for model in operations_site._registry} <= shared
    assert both <= shops & shared


def test_nothing_is_deleted_many_at_once_and_rows_of_public_not_at_all(shop: Reseller) -> None:
    variant = on_sale()
    client = operator()
    for model, page in operations_site._registry.items():
        assert page.actions is None
        assert not page.can_delete, model
    rows: dict[str, Any] = {
        "catalog/variant": variant,
        "catalog/product": variant.product,
        "catalog/category": variant.product.category,
        "suppliers/supplier": variant.offers.all()[0].supplier,
        "suppliers/supplieroffer": variant.offers.all()[0],
        "resellers/reseller": shop,
    }
    for address, row in rows.items():
        answer = client.post(f"/admin/{address}/{row.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 403, address
        row.refresh_from_db()
