"""Who opens which page of a shop's admin: one table, which knows every page, and holds for each of them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, resolve
from django.utils import timezone
from django_tenants.utils import schema_context

from catalog.listings.models import Listing
from compliance.gate.models import Case, Screening
from kameng.admin.sites import EARNINGS, shop_site
from kameng.manage.rights import RIGHTS, Visitors
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, own_good
from tests.flows import paid
from tests.resellers.withdrawals.test_services import pay_to
from tests.staff import addresses, owner_of, staff_of

#: What each role opens, as its menu says; everybody has the first page and their own account.
MENUS = {
    "support": {"orders/order", "orders/by-hand", "customers", "announcement", "share"},
    "goods": {
        "goods", "own", "prices", "price-changes", "range", "listings/pricerule", "cases", "announcement", "share",
        "coupons",
    },
    "finance": {"orders/order", "statement", "withdrawals", "deposit", "share"},
}  # fmt: skip
#: What nobody but an owner sends.
OWNERS = (
    "withdrawals", "clients", "plan", "domains", "papers", "look", "staff", "setup", "withdrawals/001/cancel",
    "deposit",
)  # fmt: skip
#: Every page that somebody who owns nothing opens, by name. Written down once more, so that nobody gains one unseen.
EVERYBODYS = {
    "", "app_list", "index", "jsi18n", "login", "logout", "password_change", "password_change_done", "search",
    "second_factor", "share", "share_file",
}  # fmt: skip
OPENED = {
    "support": {
        "orders_order_changelist", "orders_order_change", "customers", "customer", "by_hand", "announcement",
    },
    "goods": {
        "goods", "goods_save", "range", "prices", "price_changes", "price_change_undo", "product_name",
        "listings_pricerule_changelist", "listings_pricerule_add", "listings_pricerule_change",
        "listings_pricerule_delete", "own_goods", "own_good_new", "own_good", "own_codes", "own_import", "coupons",
        "coupon", "cases", "announcement", EARNINGS,
    },
    "finance": {
        "orders_order_changelist", "orders_order_change", "orders_export", EARNINGS, "statement", "statement_file",
        "statement_print", "deposit", "withdrawals", "payee_cancel",
    },
}  # fmt: skip
#: Of those, what they do not send.
ONLY_SEEN = {"", "app_list", "search", "coupons", "coupon", "deposit", "withdrawals", EARNINGS}


def names(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    """Of every page."""
    for found in patterns:
        if isinstance(found, URLResolver):
            yield from names(found.url_patterns)
        else:
            yield found.name or ""


def test_every_page_has_an_entry_and_every_entry_a_page() -> None:
    there = set(names(shop_site.get_urls()))
    assert there - RIGHTS.keys() == set()
    assert RIGHTS.keys() - there - {EARNINGS} == set()


def test_money_and_keys_are_closed_to_visitors_and_sent_by_owners_alone() -> None:
    for name in ("withdrawals", "withdrawal_cancel", "clients", "client", "staff_member"):
        assert (RIGHTS[name].sends, RIGHTS[name].visitors) == (frozenset(), Visitors.CLOSED), name
    helped = {name for name, right in RIGHTS.items() if right.visitors is Visitors.HELP}
    assert {"goods_save", "prices", "look", "announcement"} <= helped
    assert not helped & {"plan", "domains", "papers", "staff", "customer", "statement", "orders_export"}


@pytest.mark.parametrize("role", OPENED)
def test_no_role_has_a_page_that_is_not_written_down_here(role: str) -> None:
    opened = {name for name, right in RIGHTS.items() if role in right.opens}
    assert opened == EVERYBODYS | OPENED[role]
    assert {name for name, right in RIGHTS.items() if role in right.sends} == opened - ONLY_SEEN


@pytest.mark.parametrize("role", ["", *OPENED])
def test_every_page_refuses_whom_it_is_not_for(shop: Reseller, role: str) -> None:
    client = staff_of(shop, *filter(None, [role]))
    opened = EVERYBODYS | OPENED.get(role, set())
    for address in addresses(shop_site):
        name = resolve(address, urlconf="kameng.urls_shop").url_name or ""
        if name not in opened:
            assert client.get(address).status_code == 403, address
        if name not in opened - ONLY_SEEN:
            assert client.post(address).status_code == 403, address


def menu_of(page: str) -> set[str]:
    """Where the menu leads, without what everybody has."""
    nav = page[page.index("nav-sidebar") :] if "nav-sidebar" in page else page
    found = set(re.findall(r'href="/manage/([a-z/-]+)/"', nav))
    return found - {"second-factor", "password_change", "logout"}


@pytest.mark.parametrize("role", MENUS)
def test_a_role_opens_what_its_menu_shows_and_nothing_else(shop: Reseller, role: str) -> None:
    on_sale()
    client = staff_of(shop, role)
    home = client.get("/manage/").content.decode()
    assert menu_of(home) == MENUS[role]
    everything = {address for addresses in MENUS.values() for address in addresses} | {
        "clients", "plan", "domains", "papers", "look", "staff", "changes", "orders-export", "staff/1",
    }  # fmt: skip
    opened = {address for address in everything if client.get(f"/manage/{address}/").status_code == 200}
    assert opened == MENUS[role] | ({"orders-export"} if role == "finance" else set())
    refused = client.get("/manage/staff/")
    assert refused.status_code == 403
    assert "不归你的身份" in refused.content.decode()
    for address in OWNERS:
        answer = client.post(f"/manage/{address}/", {"act": "request", "amount": "1", "key": "k", "is_open": ""})
        assert answer.status_code == 403, address
    assert client.get("/manage/nothing/").status_code == 404
    assert client.get("/manage/second-factor/").status_code == client.get("/manage/password_change/").status_code == 200


@pytest.mark.parametrize("role", ["", *MENUS])
def test_no_link_leads_anybody_where_they_may_not_go(
    shop: Reseller, role: str, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    own_good(shop)
    paid(shop, on_sale())
    now = timezone.now()
    about = {"subject_kind": "shop", "schema_name": shop.schema_name, "subject_id": shop.pk}
    case = Case.objects.create(**about, title="店铺", state="sent_back", statement="改店名", due_at=now, decided_at=now)
    pay_to(shop)
    pay_to(shop, "mallory@example.com")
    client = staff_of(shop, *filter(None, [role]))
    seen: set[str] = set()
    found = ["/manage/"]
    while found:
        address = found.pop()
        name = resolve(address, urlconf="kameng.urls_shop").url_name or ""
        if name in seen | {"logout", "statement_file", "share_file"}:
            continue
        seen.add(name)
        answer = client.get(address)
        assert answer.status_code in (200, 302), address
        found += re.findall(r'href="(/manage/[^"?#]*)', answer.content.decode())
    assert {"index", "share"} <= seen
    if role == "goods":
        page = client.get("/manage/cases/").content.decode()
        assert "要改请找店主" in page
        places = [{"field": "announcement"}]
        screening = Screening.objects.create(**about, rules_version=0, verdict="flagged", findings=places)
        Case.objects.filter(pk=case.pk).update(screening=screening)
        page = client.get("/manage/cases/").content.decode()
        assert 'class="k-btn k-small" href="/manage/announcement/"' in page


def test_who_has_no_role_has_their_account_and_nothing_else(shop: Reseller) -> None:
    client = staff_of(shop)
    home = client.get("/manage/")
    assert (home.status_code, menu_of(home.content.decode())) == (200, {"share"})
    assert client.get("/manage/password_change/").status_code == 200
    assert client.get("/manage/orders/order/").status_code == 403


def test_who_sees_orders_alone_sees_nothing_of_what_they_bring(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order = paid(shop, on_sale())
    pages = ("/manage/", "/manage/orders/order/", f"/manage/orders/order/{order.pk}/change/")
    for role, sees in (("support", False), ("finance", True)):
        client = staff_of(shop, role, username=role)
        for page in pages:
            text = client.get(page).content.decode()
            assert ("我赚" in text or "毛利" in text) == sees, (role, page)
    assert "供货价" not in staff_of(shop, "support").get(pages[-1]).content.decode()


@pytest.mark.usefixtures("supplier_double")
def test_roles_add_up_and_owners_need_none(shop: Reseller) -> None:
    variant = on_sale()
    form: dict[str, Any] = {"price": "59.00", "is_visible": "on"}
    save = f"/manage/goods/{variant.pk}/"
    assert staff_of(shop, "support", "finance").post(save, form).status_code == 403
    with schema_context(shop.schema_name):
        assert not Listing.objects.exists()
    assert staff_of(shop, "goods", "finance", username="other").post(save, form).status_code == 302
    assert owner_of(shop).post(save, {**form, "price": "60.00"}).status_code == 302
    with schema_context(shop.schema_name):
        assert str(Listing.objects.get().price) == "60.00"


def test_buttons_that_would_be_refused_are_not_drawn(shop: Reseller) -> None:
    finance, owner = staff_of(shop, "finance"), owner_of(shop)
    for address, word in (("withdrawals", 'value="request"'), ("deposit", 'value="put_in"')):
        assert word not in finance.get(f"/manage/{address}/").content.decode(), address
    assert owner.get("/manage/listings/pricerule/add/").status_code == 200
