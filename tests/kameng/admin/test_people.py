"""An owner lets people in by a link, says what they see to, and shuts them out; nobody gives themselves more."""

import html
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django_tenants.utils import schema_context

from kameng.accounts.models import Role, User
from kameng.accounts.people import INVITED, NotAnOwner, invitation_of, person_change
from kameng.accounts.second_factor import second_factor_of
from resellers.models import Reseller
from tests.flows import in_a_moment
from tests.staff import PASSWORD, at, code_of, owner_of, staff_of, visitor, with_second_factor

NEW = {"password": "quiet-river-17", "again": "quiet-river-17"}


def link_in(page: str) -> str:
    """The address in what an owner is shown, at the shop's host."""
    found = re.search(r"https?://[^/\s\"]+(/manage/join/[^<\s\"]+)", page)
    assert found is not None, page
    return html.unescape(found[1])


def invite(owner: Client, username: str = "wang", **typed: Any) -> str:
    answer = owner.post("/manage/staff/", {"username": username, "roles": ["support"], **typed})
    assert answer.status_code == 200
    return link_in(answer.content.decode())


def person(shop: Reseller, username: str = "wang") -> User:
    with schema_context(shop.schema_name):
        return User.objects.get(username=username)


def told(shop: Reseller) -> list[str]:
    """What the shop's list of changes says."""
    with schema_context(shop.schema_name):
        return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def test_a_link_opens_an_account_once_and_its_password_opens_it_from_then_on(
    shop: Reseller, other_shop: Reseller
) -> None:
    link = invite(owner_of(shop))
    waiting = person(shop)
    assert (waiting.roles, waiting.is_superuser, waiting.has_usable_password()) == (["support"], False, False)
    client = visitor("one.test")
    assert client.get("/manage/").status_code == 302
    page = client.get(link)
    assert (page.status_code, "wang" in page.content.decode()) == (200, True)
    for wrong in ({**NEW, "again": "another-river-17"}, {"password": "12345678", "again": "12345678"}):
        assert client.post(link, wrong).status_code == 422
    assert not person(shop).has_usable_password()
    # It is this shop's, as it was made.
    for foreign in (at(client, "two.test").get(link), client.get(f"{link[:-2]}x/")):
        assert foreign.status_code == 403
    joined = client.post(link, NEW)
    assert (joined.status_code, joined["Location"]) == (302, "/manage/")
    assert client.get("/manage/customers/").status_code == 200
    again = visitor("one.test")
    for late in (again.get(link), again.post(link, {"password": "mine-now-177", "again": "mine-now-177"})):
        assert (late.status_code, "用过了" in late.content.decode()) == (403, True)
    assert person(shop).check_password(NEW["password"])
    assert told(shop) == ["邀请员工，身份：客服", "用邀请链接设了密码"]


def test_a_link_is_worth_nothing_after_three_days_or_once_there_is_another(shop: Reseller) -> None:
    owner, client = owner_of(shop), visitor("one.test")
    first = invite(owner)
    second = link_in(owner.post(f"/manage/staff/{person(shop).pk}/", {
        "roles": ["support"], "is_active": "on", "act": "again",
    }).content.decode())  # fmt: skip
    assert (client.get(first).status_code, client.get(second).status_code) == (403, 200)
    with in_a_moment(INVITED.total_seconds() + 5):
        late = client.get(second)
    assert (late.status_code, "过期" in late.content.decode()) == (403, True)


def test_another_link_takes_password_second_factor_and_sessions(shop: Reseller) -> None:
    owner, helper = owner_of(shop), staff_of(shop, "support")
    with_second_factor(shop.schema_name, "helper")
    assert helper.get("/manage/customers/").status_code == 200
    form = {"roles": ["support"], "is_active": "on", "act": "again"}
    link = link_in(owner.post(f"/manage/staff/{person(shop, 'helper').pk}/", form).content.decode())
    assert helper.get("/manage/customers/").status_code == 302
    with schema_context(shop.schema_name):
        assert second_factor_of(person(shop, "helper").pk) is None
    assert visitor("one.test").post(link, NEW).status_code == 302


def test_who_is_shut_out_is_so_from_the_next_page_on_and_may_come_back(shop: Reseller) -> None:
    owner, helper = owner_of(shop), staff_of(shop, "support")
    page = f"/manage/staff/{person(shop, 'helper').pk}/"
    assert helper.get("/manage/customers/").status_code == 200
    assert owner.post(page, {"roles": ["support"]}).status_code == 302
    assert helper.get("/manage/customers/").status_code == 302
    assert visitor("one.test").post("/manage/login/", {"username": "helper", "password": PASSWORD}).status_code == 200
    # A link would not open it either.
    assert owner.post(page, {"roles": ["support"], "act": "again"}).status_code == 422
    assert owner.post(page, {"roles": ["goods"], "is_active": "on"}).status_code == 302
    back = visitor("one.test")
    assert back.post("/manage/login/?next=/manage/", {"username": "helper", "password": PASSWORD}).status_code == 302
    assert (back.get("/manage/goods/").status_code, back.get("/manage/customers/").status_code) == (200, 403)
    assert told(shop) == ["停用", "身份：客服 → 商品；重新启用"]


def test_an_owner_is_made_and_changed_with_a_second_factor(shop: Reseller) -> None:
    owner = owner_of(shop)
    wish = {"username": "li", "roles": ["owner", "support"]}
    assert owner.post("/manage/staff/", wish).status_code == 422
    key = with_second_factor(shop.schema_name, "owner")
    for code in ("", "000000"):
        assert owner.post("/manage/staff/", {**wish, "code": code}).status_code == 422
    with schema_context(shop.schema_name):
        assert not User.objects.filter(username="li").exists()
    assert owner.post("/manage/staff/", {**wish, "code": code_of(key)}).status_code == 200
    made = person(shop, "li")
    assert (made.is_superuser, made.roles) == (True, [])
    # The code is fresh for some minutes, in this session.
    page = f"/manage/staff/{made.pk}/"
    assert owner.post(page, {"roles": ["finance"], "is_active": "on"}).status_code == 302
    assert (person(shop, "li").is_superuser, person(shop, "li").roles) == (False, ["finance"])


def test_nobody_changes_themselves_or_has_no_role(shop: Reseller) -> None:
    owner = owner_of(shop)
    me = person(shop, "owner")
    page = f"/manage/staff/{me.pk}/"
    assert "这是你自己的账号" in owner.get(page).content.decode()
    assert owner.post(page, {"roles": ["support"]}).status_code in (200, 422)
    with schema_context(shop.schema_name), pytest.raises(NotAnOwner):
        person_change(user_id=me.pk, by=me.pk, first_name="", roles=[], is_owner=False, is_active=False)
    assert (person(shop, "owner").is_superuser, person(shop, "owner").is_active) == (True, True)
    assert owner.post("/manage/staff/", {"username": "zhao"}).status_code == 422
    invite(owner, "zhao")
    assert owner.post("/manage/staff/", {"username": "zhao", "roles": ["goods"]}).status_code == 422


def test_who_owns_nothing_gives_nobody_anything(shop: Reseller) -> None:
    owner_of(shop)
    helper = staff_of(shop, "support", "goods", "finance")
    mine = person(shop, "helper")
    for page in ("/manage/staff/", f"/manage/staff/{mine.pk}/"):
        assert helper.get(page).status_code == 403
        assert helper.post(page, {"username": "zhao", "roles": ["owner"], "is_active": "on"}).status_code == 403
    with schema_context(shop.schema_name):
        assert User.objects.count() == 2
        with pytest.raises(NotAnOwner):
            person_change(
                user_id=person(shop, "owner").pk, by=mine.pk, first_name="", roles=[Role.SUPPORT], is_owner=False,
                is_active=True,
            )  # fmt: skip
        # An account with a password has no link.
        assert visitor("one.test").get(f"/manage/join/{invitation_of(mine)}/").status_code == 403
