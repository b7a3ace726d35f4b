"""Platform staff in a shop's admin: in by one ticket, seen by the owner, for half an hour, and never at the money."""

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.models import Listing, PriceRule
from compliance.trail.models import AuditEntry
from compliance.visits.models import Visit
from compliance.visits.services import TICKET_SECONDS, VISIT_SECONDS, visit_ask, visit_over
from kameng.accounts.models import User
from kameng.admin.sites import shop_site
from resellers.models import Reseller
from tests.factories import on_sale
from tests.flows import drain, in_a_moment
from tests.staff import PASSWORD, addresses, at, code_of, operator, owner_of, visitor, with_second_factor

DOOR = "/admin/shops/one/visit/"
WISH = {"reason": "店主说改价不生效", "how": "look"}
ENTRY = re.compile(r'href="https?://[^/"]+(/manage/visit/\?ticket=[^"]+)"')


def let_in(desk: Client, **typed: str) -> str:
    """The address that an operator's wish comes to, at the shop's host."""
    found = ENTRY.search(desk.post(DOOR, {**WISH, **typed}).content.decode())
    assert found is not None
    return html.unescape(found[1])


def inside(shop: Reseller, *, helps: bool = False) -> Client:
    """Somebody of the platform in a shop's admin."""
    _asked, ticket = visit_ask(shop=shop, by="staff:li", reason="看看为什么", helps=helps)
    client = visitor(f"{shop.slug}.test")
    assert client.get("/manage/visit/", {"ticket": ticket}).status_code == 302
    return client


def written() -> list[tuple[str, str, str]]:
    """What the trail has of visits."""
    found = AuditEntry.objects.filter(action__startswith="shop.visit").order_by("sequence")
    return list(found.values_list("action", "subject", "actor"))


def test_an_operator_goes_in_with_a_reason_is_seen_on_every_page_and_goes_again(shop: Reseller) -> None:
    owner, desk, client = owner_of(shop), operator(username="li"), visitor("one.test")
    assert DOOR in desk.get(f"/admin/resellers/reseller/{shop.pk}/change/").content.decode()
    assert "平台还没有人进过" in desk.get(DOOR).content.decode()
    assert desk.post(DOOR, {**WISH, "reason": "看"}).status_code == 422
    assert desk.get("/admin/shops/nobody/visit/").status_code == 404
    entered = client.get(let_in(desk))
    assert (entered.status_code, entered["Location"]) == (302, "/manage/")
    for page in ("/manage/", "/manage/goods/", "/manage/orders/order/"):
        shown = client.get(page).content.decode()
        assert "平台员工 li 以只读身份进入" in shown
        assert WISH["reason"] in shown
    theirs = owner.get("/manage/").content.decode()
    assert "身份进入" not in theirs
    assert "平台员工 li 在最近 24 小时里进过你的店铺后台" in theirs
    assert written() == [("shop.visited", "shop:one", "staff:li")]
    assert client.post("/manage/logout/").status_code == 200
    assert client.get("/manage/").status_code == 302
    assert written()[1:] == [("shop.visit_ended", "shop:one", "staff:li")]
    told = owner.get("/manage/changes/").content.decode()
    for sentence in ("平台员工 li 进入店铺后台（只读）：店主说改价不生效", "平台员工 li 离开店铺后台（自己离开）"):
        assert sentence in told
    assert WISH["reason"] in desk.get(DOOR).content.decode()


def test_a_ticket_counts_once_in_its_own_shop_and_for_a_minute(shop: Reseller, other_shop: Reseller) -> None:
    desk, client = operator(), visitor("one.test")
    used, late, foreign = (let_in(desk) for _ in range(3))
    assert client.get(used).status_code == 302
    forged = signing.dumps(Visit.objects.order_by("pk")[1].pk, salt=f"visit/{other_shop.schema_name}")
    refused = {
        used: ("one.test", "已经用过"),
        foreign: ("two.test", "不是这家店的"),
        f"/manage/visit/?ticket={forged}": ("one.test", "不是这家店的"),
        f"{late}x": ("one.test", "不是这家店的"),
        "/manage/visit/": ("one.test", "不是这家店的"),
    }
    for address, (host, words) in refused.items():
        stranger = visitor(host)
        answer = stranger.get(address)
        assert (answer.status_code, words in answer.content.decode()) == (403, True)
        assert stranger.get("/manage/").status_code == 302
    with in_a_moment(TICKET_SECONDS + 2):
        answer = visitor("one.test").get(late)
    assert (answer.status_code, "过期" in answer.content.decode()) == (403, True)
    assert client.post(foreign).status_code == 405
    assert Visit.objects.filter(entered_at__isnull=False).count() == len(written()) == 1
    # What was opened in one shop is worth nothing in another, nor among the operators.
    for host, page in (("two.test", "/manage/"), ("ops.test", "/admin/")):
        assert at(client, host).get(page).status_code == 302


@pytest.mark.usefixtures("supplier_double")
def test_whoever_only_looks_changes_nothing_wherever_they_try(shop: Reseller) -> None:
    client, variant = inside(shop), on_sale()
    for page in addresses(shop_site):
        assert client.post(page, {"price": "59.00", "is_visible": "on", "password": PASSWORD}).status_code == 403, page
    save = client.post(f"/manage/goods/{variant.pk}/", {"price": "59.00", "is_visible": "on"})
    assert "这次是只读进店" in save.content.decode()
    closed = ("withdrawals", "clients", "clients/1", "second-factor", "password_change")
    assert {client.get(f"/manage/{page}/").status_code for page in closed} == {403}
    with schema_context(shop.schema_name):
        assert not Listing.objects.exists()
        assert not LogEntry.objects.exclude(user__username="platform:li").exists()
    assert written() == [("shop.visited", "shop:one", "staff:li")]


@pytest.mark.usefixtures("supplier_double")
def test_helping_takes_a_code_and_reaches_goods_and_prices_only(shop: Reseller) -> None:
    variant, desk = on_sale(), operator(username="li")
    for code in ("", "123456"):
        assert desk.post(DOOR, {**WISH, "how": "help", "code": code}).status_code == 422
    key = with_second_factor("public", "li")
    assert desk.post(DOOR, {**WISH, "how": "help"}).status_code == 422
    client = visitor("one.test")
    client.get(let_in(desk, how="help", code=code_of(key)))
    assert "平台员工 li 以协助身份进入" in client.get("/manage/goods/").content.decode()
    save = client.post(f"/manage/goods/{variant.pk}/", {"price": "59.00", "is_visible": "on"})
    assert save.status_code in (200, 302)
    rule = {"kind": "percent", "value": "9", "rounding": "none", "scope": "shop"}
    assert client.post("/manage/listings/pricerule/add/", rule).status_code in (200, 302)
    money = ("withdrawals", "clients", "deposit", "plan", "domains", "papers", "cases", "staff", "setup")
    for page in money:
        answer = client.post(f"/manage/{page}/", {"act": "request", "amount": "1", "key": "k", "code": code_of(key)})
        assert answer.status_code == 403, page
    with schema_context(shop.schema_name):
        assert str(Listing.objects.get().price) == "59.00"
        assert LogEntry.objects.filter(user__username="platform:li").count() >= 2
        assert PriceRule.objects.count() <= 1


def test_a_visit_is_over_after_half_an_hour_whether_anybody_looks_or_not(shop: Reseller) -> None:
    client = inside(shop)
    with in_a_moment(VISIT_SECONDS - 5):
        assert client.get("/manage/goods/").status_code == 200
    begun = Visit.objects.get()
    assert (begun.until - begun.entered_at).total_seconds() == VISIT_SECONDS  # type: ignore[operator]
    with in_a_moment(VISIT_SECONDS + 5):
        assert client.get("/manage/goods/").status_code == 302
    # Its session was over as well; another one does not help.
    Visit.objects.update(until=begun.entered_at)
    client = visitor("one.test")
    with schema_context(shop.schema_name):
        client.force_login(User.objects.get(username="platform:li"))
    assert client.get("/manage/").status_code == 403
    assert client.get("/manage/").status_code == 302
    drain()
    assert Visit.objects.get().ended_at is None  # its row of work waits by the database's clock
    with schema_context(shop.schema_name):
        assert visit_over(visit_id=begun.pk) is None
        assert visit_over(visit_id=begun.pk) is None
        said = LogEntry.objects.order_by("-pk").values_list("change_message", flat=True)[0]
    assert said == "平台员工 li 离开店铺后台（时间到）"
    assert [action for action, _subject, _actor in written()] == ["shop.visited", "shop.visit_ended"]


def test_the_account_of_a_visit_is_nobodys_to_open(shop: Reseller) -> None:
    client, owner = inside(shop), owner_of(shop)
    with schema_context(shop.schema_name):
        account = User.objects.get(username="platform:li")
    assert not account.has_usable_password()
    assert "platform:li" not in owner.get("/manage/staff/").content.decode()
    form = {"roles": ["support"], "is_active": "on"}
    for act in ("", "again"):
        assert owner.post(f"/manage/staff/{account.pk}/", {**form, "act": act}).status_code == 404
    assert owner.post("/manage/staff/", {"username": "platform:wang", "roles": ["support"]}).status_code == 422
    with schema_context(shop.schema_name):
        assert not User.objects.get(pk=account.pk).has_usable_password()
        assert not User.objects.filter(username="platform:wang").exists()
    # A second visit of the same person ends the first.
    again = inside(shop)
    assert (client.get("/manage/").status_code, again.get("/manage/").status_code) == (302, 200)
    assert Visit.objects.filter(ended_at__isnull=True).count() == 1
