"""From the page to apply on to a shop whose owner signs in; and everything that can come between."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from catalog.listings.shelf import shelf_now
from compliance.tenures import shop_close, shop_plan_grant, shop_resume, shop_suspend, shop_upgrade
from compliance.trail.models import AuditEntry
from kameng.audit.plans import plans_are_in_the_book
from orders.badges import badge_of, line_badge
from orders.exceptions import ShopClosed
from orders.faces import recent_faces
from orders.models import Order
from payments.models import Refund
from resellers.ledger.balances import balance
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.plans.commissions import commission_take_back, invitation_of
from resellers.plans.exceptions import PlanRefused
from resellers.plans.models import Affiliate, Application, Commission, Plan, Subscription, Tenure
from tests import remembered
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import confirm, states
from tests.resellers.plans.applying import apply, earn, give, order_in, order_of, pay
from tests.resellers.test_services import BYTES_AT_MOST, bytes_of
from tests.staff import PASSWORD, owner_of, visitor

Status = Application.Status


def test_a_paid_application_is_a_shop_whose_owner_signs_in(
    house: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    page = visitor("one.test").get("/apply/").content.decode()
    assert "699" in page
    assert page.count('name="plan"') == 3
    assert visitor("two.test").get("/apply/").status_code == 404
    connection.set_tenant(house)  # type: ignore[attr-defined]
    order = order_of(apply())
    assert (order.total, Reseller.objects.filter(slug="alpha").exists()) == (Decimal(699), False)
    assert states(pay(house, order)) == ("fulfilled", "delivered")
    shop = Reseller.objects.get(slug="alpha")
    assert (shop.name, shop.is_open, shop.categories) == ("阿尔法充值", False, ["mobile-games"])
    assert bytes_of(shop.schema_name) <= BYTES_AT_MOST
    bought = Subscription.objects.get(shop=shop)
    assert (bought.plan.code, bought.price_paid, bought.order_number) == ("standard", Decimal(699), order.number)
    tenure = Tenure.objects.get(shop=shop)
    assert (tenure.paid_until, tenure.supply_discount) == (bought.until, Decimal("0.50"))
    assert Application.objects.get().password == ""
    assert AuditEntry.objects.get().action == "shop.opened"
    # The owner signs in with what they chose, and finds what is left to do.
    browser = visitor("alpha.shops.test")
    signed = browser.post("/manage/login/", {"username": "boss", "password": PASSWORD, "next": "/manage/"})
    assert signed.status_code == 302
    assert 'data-testid="setup"' in browser.get("/manage/").content.decode()
    assert browser.get("/manage/plan/").status_code == 200
    connection.set_tenant(house)  # type: ignore[attr-defined]
    told = visitor("one.test").post(f"/o/{order.number}/", {"contact": "5678"}, follow=True).content.decode()
    assert "alpha.shops.test 的套餐办好了" in told
    assert 'data-testid="opened-manage"' in told
    assert "充到" not in told
    assert "已到账" not in told
    assert '<span class="badge tone-ok">已开通</span>' in told
    connection.set_tenant(house)  # type: ignore[attr-defined]
    order = Order.objects.get(pk=order.pk)
    assert (badge_of(order)[1], line_badge(order.lines.get())[1]) == ("已开通", "已开通")
    assert recent_faces([order])[0].badge == "已开通"
    assert list(plans_are_in_the_book()) == []


def test_what_cannot_be_is_said_at_its_field_and_holds_nothing(house: Reseller) -> None:
    wrong = apply(
        "www", plan="none", name="游戏外挂辅助", focus="", username="a", password="123", contact="x", agrees=""
    ).content.decode()
    for field in ("plan", "name", "slug", "focus", "username", "password", "contact", "agrees"):
        assert f'href="#{field}"' in wrong, field
    assert not Application.objects.exists()
    order_of(apply("bravo"))
    again = apply("bravo", contact="13912345678")
    assert again.status_code == 422
    assert "有人刚申请了这个地址" in again.content.decode()
    assert Order.objects.count() == Application.objects.count() == 1
    look = visitor("one.test").get("/apply/subdomain/", {"slug": "bravo"}).content.decode()
    assert "有人刚申请了这个地址" in look


def test_whoever_comes_back_from_the_check_finds_what_they_filled_in(house: Reseller, other_shop: Reseller) -> None:
    give(other_shop)
    browser = visitor("one.test")
    form = {
        "plan": "trial", "name": "阿尔法充值", "slug": "alpha", "focus": "games", "username": "boss",
        "password": PASSWORD, "contact": "13812345678", "agrees": "yes",
    }  # fmt: skip
    order = order_in(house, browser.post(f"/apply/?from={invitation_of(other_shop)}", form))
    back = browser.get(f"/checkout/{order.number}/edit/", follow=True)
    again = back.redirect_chain[-1][0]
    page = back.content.decode()
    for field in ("name", "slug", "username", "contact"):
        assert f'value="{form[field]}"' in page, field
    for chosen in ("trial", "games", "yes"):
        assert re.search(rf'value="{chosen}"[^>]*checked', page), chosen
    assert PASSWORD not in page
    assert other_shop.name in page
    # The name is held for nobody else, and who brought them is not forgotten.
    assert "有人刚申请" not in browser.get("/apply/subdomain/", {"slug": "alpha"}).content.decode()
    connection.set_tenant(house)  # type: ignore[attr-defined]
    second = order_in(house, browser.post(again, {**form, "name": "贝塔充值"}))
    asked = Application.objects.get(order_number=second.number)
    assert (asked.name, asked.inviter_id) == ("贝塔充值", other_shop.pk)
    for number in (order.number, "0", ""):
        stranger = visitor("one.test").get("/apply/", {"order": number}).content.decode()
        assert "boss" not in stranger
        assert "13812345678" not in stranger


def test_of_two_who_pay_for_one_subdomain_the_later_one_gets_the_money_back(
    house: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    late = order_of(apply())
    Application.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    first = order_of(apply(contact="13912345678"))
    assert states(pay(house, first)) == ("fulfilled", "delivered")
    pay(house, late)
    assert Refund.objects.get().amount == Decimal(699)
    assert Application.objects.get(order_number=late.number).refusal == "taken"
    assert Reseller.objects.filter(slug="alpha").count() == 1
    told = visitor("one.test").post(f"/o/{late.number}/", {"contact": "5678"}, follow=True).content.decode()
    assert "已经由别人开了店" in told
    connection.set_tenant(house)  # type: ignore[attr-defined]
    # And who lapsed does not get in before somebody whose time still runs.
    lapsed = order_of(apply("gamma"))
    Application.objects.filter(slug="gamma").update(reserved_until=timezone.now() - timedelta(seconds=1))
    order_of(apply("gamma", contact="13912345678"))
    pay(house, lapsed)
    assert Application.objects.get(order_number=lapsed.number).refusal == "taken"
    assert not Reseller.objects.filter(slug="gamma").exists()


def test_the_database_lets_one_hold_a_subdomain(house: Reseller) -> None:
    plan = Plan.objects.get(code="trial")
    held = {"kind": "opening", "plan": plan, "slug": "delta"}
    Application.objects.create(code="A" * 12, **held)
    Application.objects.create(code="B" * 12, status="lapsed", **held)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(code="C" * 12, **held)


def test_a_plan_makes_goods_cheaper_for_the_shop_and_for_nobody_else(
    house: Reseller, other_shop: Reseller, supplier_double: type[ScriptedSupplier]
) -> None:
    variant = on_sale(suppliers=("first",))
    give(other_shop, "flagship")
    for shop, supply in ((other_shop, "56.43"), (house, "57.00")):
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        assert place(shop, variant).lines.get().supply_price == Decimal(supply)
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert "open-standard" not in shelf_now(other_shop)[0].by_sku
    shown, _current = shelf_now(house)
    assert "open-standard" in shown.by_sku
    assert "open-a-shop" not in shown.by_slug


def test_a_shop_closes_in_the_statement_that_places_an_order_and_its_paid_ones_go_on(
    house: Reseller,
    other_shop: Reseller,
    gateway_double: type[ScriptedGateway],
    supplier_double: type[ScriptedSupplier],
    caplog: pytest.LogCaptureFixture,
) -> None:
    variant = on_sale(suppliers=("first",))
    give(other_shop)
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    paid_before = place(other_shop, variant)
    ways = (
        lambda: Tenure.objects.filter(shop=other_shop).update(paid_until=timezone.now() - timedelta(seconds=1)),
        lambda: shop_suspend(shop_id=other_shop.pk, reason="资料过期", actor="staff:a"),
    )
    for closes in ways:
        closes()
        with pytest.raises(ShopClosed):
            place(other_shop, variant, contact="13912345678")
        remembered.forget()
        caplog.clear()
        assert visitor("two.test").get("/").status_code == 503
        assert caplog.records == []
        assert visitor("two.test").get("/orders/lookup/").status_code == 200
        connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert "资料过期" in owner_of(other_shop).get("/manage/").content.decode()
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    confirm(open_payment(other_shop, paid_before))
    assert states(paid_before)[0] == "paid"
    with pytest.raises(PlanRefused):
        shop_suspend(shop_id=other_shop.pk, reason=" ", actor="staff:a")
    shop_resume(shop_id=other_shop.pk, actor="staff:a")
    shop_plan_grant(shop_id=other_shop.pk, plan=Plan.objects.get(code="trial"), key="again", actor="staff:a")
    assert place(other_shop, variant, contact="13712345678").pk
    shop_close(shop_id=other_shop.pk, reason="店主不做了", actor="staff:a")
    with pytest.raises(ShopClosed):
        place(other_shop, variant, contact="13612345678")
    actions = list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == ["shop.granted", "shop.suspended", "shop.resumed", "shop.granted", "shop.closed"]


def test_an_upgrade_is_paid_once_out_of_the_balance_and_brings_the_inviter_their_share(
    house: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    give(other_shop)
    opened = order_of(apply("invited", query=f"?from={invitation_of(other_shop)}", plan="trial"))
    pay(house, opened)
    mine = Reseller.objects.get(slug="invited")
    flagship = Plan.objects.get(code="flagship")
    price = Decimal(500) + Decimal(1900)
    ask = {"shop_id": mine.pk, "plan_id": flagship.pk, "actor": "staff:boss"}
    with pytest.raises(PlanRefused):
        shop_upgrade(key="k", quoted=price, **ask)
    earn(mine, "2500")
    with pytest.raises(PlanRefused):
        shop_upgrade(key="k", quoted=price - 1, **ask)
    for _ in range(2):
        shop_upgrade(key="k", quoted=price, **ask)
    assert balance(Name.AVAILABLE, mine.pk) == Decimal(100)
    assert balance(Name.RENTS) == price
    assert Tenure.objects.get(shop=mine).supply_discount == Decimal(1)
    # Ten percent of 99 waits as what orders earn does, ten percent of the upgrade is there at once.
    assert balance(Name.PENDING, other_shop.pk) == Decimal("9.90")
    assert balance(Name.AVAILABLE, other_shop.pk) == Decimal(240)
    assert Commission.objects.filter(inviter=other_shop).count() == 2
    for _ in range(2):
        commission_take_back(order_number=opened.number, key="R1", refunded=Decimal("49.50"))
    assert balance(Name.PENDING, other_shop.pk) == Decimal("4.95")
    assert list(plans_are_in_the_book()) == []
    Commission.objects.update(taken_back=0)
    assert len(list(plans_are_in_the_book())) == 1


def test_no_tree_of_commissions_is_deeper_than_two(house: Reseller, other_shop: Reseller) -> None:
    third = Reseller.objects.get(slug="live")
    Affiliate.objects.create(shop=other_shop, level=0)
    Affiliate.objects.create(shop=third, level=1, inviter_id=other_shop.pk, inviter_level=0)
    below = "INSERT INTO public.plans_affiliate (shop_id, level, inviter_id, inviter_level) VALUES (%s, %s, %s, %s)"
    tries = [
        (below, [house.pk, 1, third.pk, 0]),
        (below, [house.pk, 1, third.pk, 1]),
        (below, [house.pk, 2, third.pk, 1]),
        (below, [house.pk, 1, third.pk, None]),
        ("UPDATE public.plans_affiliate SET level = 0 WHERE shop_id = %s", [third.pk]),
        (
            "UPDATE public.plans_affiliate SET level = 1, inviter_id = %s, inviter_level = 0 WHERE shop_id = %s",
            [third.pk, other_shop.pk],
        ),
    ]
    for statement, parameters in tries:
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    assert Affiliate.objects.count() == 2
