"""A shop's time: another year, what goes back with a refund, what operators give, and being told of its end."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from compliance.tenures import shop_close, shop_renew, shop_upgrade
from compliance.trail.models import AuditEntry
from kameng.alerts.models import Alert
from kameng.audit.plans import plans_are_in_the_book
from kameng.opening.refunds import plan_refunded
from orders.models import Order
from payments.approvals import refund_ask, refund_by_hand
from payments.gateways.base import GatewayRefused
from payments.models import Refund
from resellers.ledger.balances import balance
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.plans.applications import FORGOTTEN_DAYS, applications_forget, renewal_ask
from resellers.plans.commissions import invitation_of
from resellers.plans.exceptions import PlanRefused
from resellers.plans.models import Application, Commission, Plan, Subscription, Tenure
from resellers.plans.standing import Standing, standing
from resellers.plans.terms import year_after
from resellers.plans.warnings import tenures_watch
from tests.doubles import ScriptedGateway
from tests.flows import drain, states
from tests.kameng.admin.test_shops import SHOP
from tests.resellers.plans.applying import apply, earn, give, order_in, order_of, pay
from tests.staff import code_of, operator, owner_of, visitor, with_second_factor

MONEY = Decimal


def tenure_of(shop: Reseller) -> Tenure:
    """How it stands, as stored."""
    return Tenure.objects.get(shop=shop)


def link_of(owner: Client) -> str:
    """Where the owner's own admin sends them to pay for another year."""
    page = owner.post("/manage/plan/", {"act": "order"}, follow=True).content.decode()
    found = re.search(r'href="http://one\.test[^"]*(/apply/renew/\w+/)"', page)
    assert found is not None, page
    return found.group(1)


def renewal_order(house: Reseller, path: str, contact: str = "13812345678") -> Order:
    """The order that the link leads to, from a new browser."""
    return order_in(house, visitor("one.test").post(path, {"contact": contact}))


def test_another_year_is_paid_by_order_or_out_of_the_balance_and_each_counts_once(
    house: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    first = give(other_shop)
    owner = owner_of(other_shop)
    path = link_of(owner)
    assert link_of(owner) == path
    page = visitor("one.test").get(path).content.decode()
    assert "499" in page
    assert "two.test" in page
    browser = visitor("one.test")
    begun = order_in(house, browser.post(path, {"contact": "13912345678"}))
    back = browser.get(f"/checkout/{begun.number}/edit/", follow=True)
    assert back.redirect_chain[-1][0] == path
    assert 'value="13912345678"' in back.content.decode()
    assert "13912345678" not in visitor("one.test").get(path).content.decode()
    connection.set_tenant(house)  # type: ignore[attr-defined]
    begun.delete()
    wrong = visitor("one.test").post(path, {"contact": "x"})
    assert wrong.status_code == 422
    connection.set_tenant(house)  # type: ignore[attr-defined]
    assert not Order.objects.exists()
    # Two orders of one link, both paid: one of them is another year, the other one goes back.
    order, twice = renewal_order(house, path), renewal_order(house, path, "13912345678")
    assert states(pay(house, order)) == ("fulfilled", "delivered")
    pay(house, twice)
    assert Refund.objects.get().payment.order_id == twice.pk
    renewed = Subscription.objects.get(kind="renewal")
    a_year_later = timezone.localdate(first.until - timedelta(days=1))
    assert renewed.last_day == tenure_of(other_shop).last_day == year_after(a_year_later)
    assert (renewed.price_paid, renewed.paid_by, renewed.begins_at) == (MONEY(499), "order", first.until)
    assert visitor("one.test").get(path)["Location"] == f"/o/{order.number}/"
    connection.set_tenant(house)  # type: ignore[attr-defined]
    told = visitor("one.test").post(f"/o/{order.number}/", {"contact": "5678"}, follow=True).content.decode()
    assert "续费好了" in told
    # Out of the balance: at the price that was shown, with a code, and only what is there.
    pays = {"act": "renew", "quoted": "499.00", "key": "k"}
    assert owner.post("/manage/plan/", pays).status_code == 422
    pays["code"] = code_of(with_second_factor(other_shop.schema_name, "owner"))
    assert "不够" in owner.post("/manage/plan/", pays).content.decode()
    earn(other_shop, "600")
    assert "价格变了" in owner.post("/manage/plan/", pays | {"quoted": "1.00"}).content.decode()
    for _ in range(2):
        assert owner.post("/manage/plan/", pays).status_code == 302
    assert balance(Name.AVAILABLE, other_shop.pk) == MONEY(101)
    assert balance(Name.RENTS) == MONEY(499)
    assert tenure_of(other_shop).last_day == year_after(year_after(a_year_later))
    actions = AuditEntry.objects.order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["shop.granted", "shop.renewed", "shop.renewed"]
    assert list(plans_are_in_the_book()) == []


def test_the_rent_of_a_plan_that_the_shop_has_no_more_buys_nothing(
    house: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    give(other_shop, "trial")
    path = link_of(owner_of(other_shop))
    order = renewal_order(house, path)
    earn(other_shop, "5000")
    flagship = Plan.objects.get(code="flagship")
    shop_upgrade(shop_id=other_shop.pk, plan_id=flagship.pk, key="u", quoted=MONEY(2400), actor="staff:b")
    before = tenure_of(other_shop).paid_until
    pay(house, order)
    assert Refund.objects.get().amount == MONEY(99)
    assert Application.objects.get().refusal == "changed"
    assert tenure_of(other_shop).paid_until == before
    # Neither can the old link be paid any more where it still waits, nor one of a shop that is closed.
    Application.objects.update(status="waiting", refusal="", order_number="")
    assert visitor("one.test").post(path, {"contact": "13812345678"}).status_code == 409
    connection.set_tenant(house)  # type: ignore[attr-defined]
    asked = renewal_ask(shop_id=other_shop.pk)
    shop_close(shop_id=other_shop.pk, reason="不做了", actor="staff:a")
    closed = visitor("one.test").get(f"/apply/renew/{asked.code}/")
    assert (closed.status_code, "已经关闭" in closed.content.decode()) == (409, True)
    with pytest.raises(PlanRefused):
        renewal_ask(shop_id=other_shop.pk)
    with pytest.raises(PlanRefused):
        shop_renew(shop_id=other_shop.pk, key="k", quoted=MONEY(1999), actor="staff:b")


def give_back(order: Order, amount: str, key: str) -> None:
    """An operator returns so much of it, and the worker does what follows."""
    refund_ask(
        line_id=order.lines.get().pk, amount=MONEY(amount), reason="其他", note="店主不想开了", key=key, actor="a"
    )
    drain()
    order.refresh_from_db()


def test_what_all_goes_back_takes_back_the_time_and_the_commission_and_a_part_only_its_part_of_that(
    house: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    give(other_shop)
    opened = pay(house, order_of(apply("invited", query=f"?from={invitation_of(other_shop)}", plan="trial")))
    mine = Reseller.objects.get(slug="invited")
    until = tenure_of(mine).paid_until
    renewal = pay(house, renewal_order(house, f"/apply/renew/{renewal_ask(shop_id=mine.pk).code}/"))
    assert balance(Name.PENDING, other_shop.pk) == MONEY("19.80")
    give_back(renewal, "49.50", "half")
    assert balance(Name.PENDING, other_shop.pk) == MONEY("14.85")
    both = tenure_of(mine).paid_until
    assert Subscription.objects.filter(taken_back_at=None).count() == 3
    give_back(renewal, "49.50", "rest")
    assert balance(Name.PENDING, other_shop.pk) == MONEY("9.90")
    assert tenure_of(mine).paid_until == until != both
    assert standing(tenure_of(mine), timezone.now()) is Standing.OPEN
    give_back(opened, "99", "all")
    for refund in Refund.objects.all():
        plan_refunded(refund_id=refund.pk)
    assert balance(Name.PENDING, other_shop.pk) == 0
    assert Commission.objects.filter(inviter=other_shop, taken_back=MONEY("9.90")).count() == 2
    assert standing(tenure_of(mine), timezone.now()) is Standing.EXPIRED
    taken = AuditEntry.objects.filter(action="shop.time_taken_back").order_by("sequence")
    assert [entry.data["order"] for entry in taken] == [renewal.number, opened.number]
    told = visitor("one.test").post(f"/o/{opened.number}/", {"contact": "5678"}, follow=True).content.decode()
    assert "套餐时间已收回" in told
    assert list(plans_are_in_the_book()) == []


def test_what_a_person_returned_takes_back_the_time_and_the_commission_too(
    house: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    give(other_shop)
    opened = pay(house, order_of(apply("invited", query=f"?from={invitation_of(other_shop)}", plan="trial")))
    mine = Reseller.objects.get(slug="invited")
    gateway_double.failures["refund"] = GatewayRefused("NO_SUCH_CALL")
    give_back(opened, "99", "all")
    refund = Refund.objects.get()
    assert (refund.status, balance(Name.PENDING, other_shop.pk)) == ("failed", MONEY("9.90"))
    assert standing(tenure_of(mine), timezone.now()) is Standing.OPEN
    refund_by_hand(refund_id=refund.pk, reference="BANK-7", note="网银里看到", actor="a")
    drain()
    assert balance(Name.PENDING, other_shop.pk) == 0
    assert standing(tenure_of(mine), timezone.now()) is Standing.EXPIRED
    assert Subscription.objects.get(shop=mine).taken_back_at is not None
    assert list(plans_are_in_the_book()) == []


def test_operators_open_shops_with_a_plan_for_nothing(house: Reseller, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--name", "新店", "--host", "fresh.test"]
    with pytest.raises(CommandError, match=r"no plan 'gold'; there are: trial, standard, flagship"):
        call_command("reseller_open", "fresh", *named, "--plan", "gold")
    assert not Reseller.objects.filter(slug="fresh").exists()
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    call_command("reseller_open", "fresh", *named, "--plan", "trial")
    standard = Plan.objects.get(code="standard")
    answer = operator().post("/admin/resellers/reseller/add/", {**SHOP, "plan": str(standard.pk)})
    assert answer.status_code == 302, answer.content.decode()
    given = Subscription.objects.order_by("pk").values_list("shop__slug", "plan__code", "kind", "price_paid")
    assert list(given) == [("fresh", "trial", "granted", MONEY(0)), ("star", "standard", "granted", MONEY(0))]
    assert tenure_of(Reseller.objects.get(slug="star")).supply_discount == MONEY("0.50")
    trail = AuditEntry.objects.order_by("sequence").values_list("action", "subject", "actor")
    assert list(trail) == [
        ("shop.granted", "shop:fresh", "system"), ("shop.granted", "shop:star", "staff:operator"),
    ]  # fmt: skip


def test_what_nobody_paid_for_is_forgotten_with_its_password(house: Reseller) -> None:
    plan, now = Plan.objects.get(code="trial"), timezone.now()
    old = now - timedelta(days=FORGOTTEN_DAYS, seconds=1)

    def wrote(code: str, **fields: Any) -> None:
        Application.objects.create(code=code, plan=plan, **{"kind": "opening", "created_at": old, **fields})

    wrote("waits", slug="a", password="x", reserved_until=old)
    wrote("lapsed", slug="b", status="lapsed")
    wrote("young", slug="c", password="x", created_at=now)
    wrote("done", status="done", slug="d", password="left over", reserved_until=old)
    # Asked for long ago, and ordered a moment ago: its money may be on its way.
    wrote("ordered", kind="renewal", reserved_until=now)
    assert applications_forget() == 2
    left = Application.objects.order_by("code").values_list("code", "password")
    assert list(left) == [("done", ""), ("ordered", ""), ("young", "x")]
    assert applications_forget() == 0


def test_operators_are_told_of_an_end_thirty_seven_and_one_days_before_and_once_it_is_over(
    house: Reseller, other_shop: Reseller
) -> None:
    end = give(other_shop).until
    owner = owner_of(other_shop)
    seen = []
    for left in (32, 31, 20, 7, 3, 1, 0):
        # `left` whole days come after the one on which is looked.
        given = tenures_watch(now=end - timedelta(days=left, hours=12))
        assert tenures_watch(now=end - timedelta(days=left, hours=12)) == 0
        seen.append((left, given))
    assert seen == [(32, 0), (31, 0), (20, 1), (7, 1), (3, 0), (1, 1), (0, 0)]
    assert Alert.objects.filter(kind="plan.expiring", closed_at=None).count() == 1
    assert tenures_watch(now=end) == 1
    (told,) = Alert.objects.filter(closed_at=None)
    assert (told.kind, told.subject, told.url) == ("plan.expired", "two", "/admin/tenures/")
    assert told.data == {"shop": "two", "valid_until": str(tenure_of(other_shop).last_day)}
    # The owner reads it on the first page, whether or not anything ran; another year ends it all.
    Tenure.objects.update(paid_until=timezone.now() + timedelta(days=6))
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert "不续就不接新订单" in owner.get("/manage/").content.decode()
    connection.set_tenant(house)  # type: ignore[attr-defined]
    earn(other_shop, "600")
    shop_renew(shop_id=other_shop.pk, key="k", quoted=MONEY(499), actor="staff:b")
    assert not Alert.objects.filter(closed_at=None).exists()
    assert tenure_of(other_shop).told_days is None
    assert "不续就不接新订单" not in owner.get("/manage/").content.decode()
