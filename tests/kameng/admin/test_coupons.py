"""Coupons as owners and operators make them: what it costs beforehand, whose they are, and who may."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django_tenants.utils import schema_context, tenant_context

from compliance.trail.models import AuditEntry
from customers.coupons.models import Coupon
from payments.coupons import coupon_use
from resellers.models import Reseller
from tests.factories import coupon, on_sale, place
from tests.staff import code_of, operator, owner_of, staff_of, with_second_factor

pytestmark = pytest.mark.usefixtures("supplier_double")

LIST, NEW = "/manage/coupons/", "/manage/coupons/new/"
WISH = {"coupon": "save3", "kind": "amount", "value": "3", "contact_limit": "1", "threshold": "50", "act": "open"}


def text(reply: Any) -> str:
    return " ".join(reply.content.decode().split())


def test_an_owner_sees_what_it_costs_before_it_is_made(shop: Reseller) -> None:
    on_sale(), on_sale(supply_price=Decimal("58.00"))
    owner = owner_of(shop)
    said = text(owner.post(NEW, WISH | {"act": "look"}))
    assert "能用的在售面额 2 种；刚够门槛时，其中 1 种赚得比优惠少" in said
    assert "最多让出一单所赚的 100%" in said
    assert not Coupon.objects.exists()
    assert owner.post(NEW, WISH).status_code == 302
    made = Coupon.objects.get()
    assert (made.code, made.borne_by, made.shop_id, made.created_by) == ("SAVE3", "owner", shop.pk, "staff:owner")
    with tenant_context(shop):
        assert "新建优惠券 SAVE3：满50减3" in LogEntry.objects.values_list("change_message", flat=True)
        coupon_use(shop=shop, order_id=place(shop, on_sale()).pk, code="save3", actor="shopper")
    shown = text(owner.get(LIST))
    assert all(word in shown for word in ("满50减3", "SAVE3", "1/∞", "¥3.00", "店主承担", "可用"))
    assert "SAVE3" in text(owner.get(f"{LIST}{made.pk}/"))


def test_a_coupon_is_shared_by_link_and_code_while_it_can_be_used(shop: Reseller) -> None:
    mine, ours, everywhere = coupon(shop), coupon(shop, "OURS", by_platform=True), coupon(None, "EVERYONE")
    owner, ops = owner_of(shop), operator()
    for client, page, code in (
        (owner, f"{LIST}{mine.pk}/", "SAVE3"),
        (ops, f"/admin/coupons/{ours.pk}/", "OURS"),
    ):
        said = text(client.get(page))
        assert re.search(rf'data-copy="https?://one\.test(:\d+)?/coupon/{code}/"', said)
        assert 'src="data:image/png;base64,' in said
        assert "打开就记下：http" in said
        assert "直营店的链接" not in said
    assert Reseller.objects.filter(is_house=True).exists() == (
        "直营店的链接" in text(ops.get(f"/admin/coupons/{everywhere.pk}/"))
    )
    Coupon.objects.update(is_paused=True)
    assert "/coupon/SAVE3/" not in text(owner.get(f"{LIST}{mine.pk}/"))


@pytest.mark.parametrize("act", ["open", "look"])
def test_what_makes_no_sense_is_said_at_its_field(shop: Reseller, act: str) -> None:
    reply = owner_of(shop).post(NEW, WISH | {"coupon": "x", "threshold": "2", "act": act})
    assert reply.status_code == 422
    assert all(f'id="id_{name}_error"' in reply.content.decode() for name in ("coupon", "threshold"))
    assert not Coupon.objects.exists()


def test_an_owner_ends_it_and_it_says_so(shop: Reseller) -> None:
    made = coupon(shop)
    owner = owner_of(shop)
    page = f"{LIST}{made.pk}/"
    assert owner.post(page, {"use_limit": "0"}).status_code == 422
    assert owner.post(page, {"use_limit": "5", "is_paused": "on"}).status_code == 302
    made.refresh_from_db()
    assert (made.use_limit, made.is_paused) == (5, True)
    with tenant_context(shop):
        assert "停用优惠券 SAVE3" in LogEntry.objects.values_list("change_message", flat=True)
    assert "已停用" in text(owner.get(LIST))


def test_nobody_sees_anothers_and_owners_not_the_platforms(shop: Reseller, other_shop: Reseller) -> None:
    theirs, platforms = coupon(other_shop, "THEIRS"), coupon(shop, "PLATFORM", by_platform=True)
    owner = owner_of(shop)
    shown = text(owner.get(LIST))
    assert "THEIRS" not in shown
    assert "PLATFORM" not in shown
    for one in (theirs, platforms):
        assert owner.get(f"{LIST}{one.pk}/").status_code == 404
        assert owner.post(f"{LIST}{one.pk}/", {"is_paused": "on"}).status_code == 404
    assert not Coupon.objects.filter(is_paused=True).exists()


def test_whoever_sees_to_goods_looks_and_makes_none(shop: Reseller) -> None:
    made = coupon(shop)
    helper = staff_of(shop, "goods")
    assert NEW not in text(helper.get(LIST))
    assert "保存" not in text(helper.get(f"{LIST}{made.pk}/"))
    assert helper.post(NEW, WISH | {"coupon": "OTHER"}).status_code == 403
    assert helper.post(f"{LIST}{made.pk}/", {"is_paused": "on"}).status_code == 403
    assert [(one.code, one.is_paused) for one in Coupon.objects.all()] == [("SAVE3", False)]


def test_an_operator_gives_the_platforms_money_with_a_code_alone(shop: Reseller) -> None:
    desk = operator()
    new = "/admin/coupons/new/"
    wish = WISH | {"coupon": "ALLES", "shop": ""}
    assert desk.post(new, wish | {"code": "123456"}).status_code == 422
    assert not Coupon.objects.exists()
    key = with_second_factor("public", "operator")
    assert desk.post(new, wish | {"code": code_of(key)}).status_code == 302
    assert desk.post(new, wish | {"coupon": "ONE", "code": code_of(key, ahead=1)}).status_code == 422
    assert desk.post(new, wish | {"coupon": "ONEONLY", "shop": shop.pk}).status_code == 302
    everywhere, here = Coupon.objects.order_by("pk")
    assert (everywhere.shop, everywhere.borne_by, here.shop) == (None, "platform", shop)
    with schema_context("public"):
        assert list(AuditEntry.objects.values_list("action", flat=True)) == ["coupon.opened"] * 2
    shown = text(desk.get("/admin/coupons/"))
    assert all(word in shown for word in ("ALLES", "ONEONLY", "所有店铺", "平台承担", shop.name))
    page = f"/admin/coupons/{everywhere.pk}/"
    assert desk.post(page, {"use_limit": "9", "is_paused": "on"}).status_code == 302
    everywhere.refresh_from_db()
    assert (everywhere.use_limit, everywhere.is_paused) == (9, True)
    assert desk.get(f"/admin/coupons/{coupon(shop).pk}/").status_code == 404
