"""Orders by program: what they may say, and that a refusal moves nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest

from catalog.listings.models import Listing
from catalog.models import Revision, Variant
from orders.models import Order
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import CONTACT, VariantFactory, code_on_sale, on_sale
from tests.orders.asking import UID, assert_nothing_moved, body_of
from tests.program import Program, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double")

SERVER_FORM = [
    {
        "name": "uid",
        "label": "编号",
        "type": "text",
        "required": True,
        "pattern": "[0-9]{6,12}",
        "example": "482019375",
    },
    {
        "name": "server",
        "label": "区服",
        "type": "select",
        "required": True,
        "choices": [{"value": "ios-qq", "label": "苹果 QQ"}, {"value": "android-wx", "label": "安卓 微信"}],
        "example": "ios-qq",
    },
]


@pytest.mark.parametrize(
    "quantity",
    [0, -1, 11, 10**9, 10**30, -(10**30), "1", "1e3", "１", 1.0, 1e3, 1.5, True, False, None, [], {}, "", "--1"],
    ids=repr,
)
def test_a_quantity_that_is_no_integer_within_the_limit_is_refused(
    program: Program, variant: Variant, quantity: object
) -> None:
    reply = program.post("orders/", body_of(variant, quantity=quantity))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["lines.0.quantity"]
    assert_nothing_moved()


@pytest.mark.parametrize("number", ["1e3", "1E0", "1.0", "0x1", "01", "+1", "１", "1_0", "NaN", "Infinity", "9" * 5000])
def test_a_number_is_read_as_it_is_written(program: Program, variant: Variant, number: str) -> None:
    raw = json.dumps(body_of(variant)).replace('"quantity": 1', f'"quantity": {number}').encode()
    reply = program.post("orders/", raw)
    assert refusal(reply) in {(422, "invalid"), (400, "malformed")}
    assert_nothing_moved()


@pytest.mark.parametrize("sku", ["nothing", "", " ", "x" * 100_000, "<script>alert(1)</script>", "' OR 1=1 --", "１"])
def test_an_unknown_sku_is_refused(program: Program, variant: Variant, sku: str) -> None:
    reply = program.post("orders/", body_of(variant, sku=sku))
    assert refusal(reply) == ((404, "unknown_sku") if sku else (422, "invalid"))
    assert len(reply.content) < 300
    assert_nothing_moved()


def test_what_another_shop_sells_is_unknown_here(program: Program, shop: Reseller, variant: Variant) -> None:
    elsewhere = on_sale()
    Reseller.objects.filter(pk=shop.pk).update(categories=[variant.product.category.slug])
    shop_touch(shop_id=shop.pk)
    assert refusal(program.post("orders/", body_of(elsewhere))) == (404, "unknown_sku")
    assert_nothing_moved()
    assert program.post("orders/", body_of(variant)).status_code == 201


def test_what_the_owner_hides_is_unknown(program: Program, shop: Reseller, variant: Variant) -> None:
    Listing.objects.create(variant_id=variant.pk, is_visible=False)
    shop_touch(shop_id=shop.pk)
    assert refusal(program.post("orders/", body_of(variant))) == (404, "unknown_sku")
    assert_nothing_moved()


@pytest.mark.parametrize("what", ["variant", "product", "category"])
def test_what_is_off_sale_is_unknown(program: Program, variant: Variant, what: str) -> None:
    row: Any = {"variant": variant, "product": variant.product, "category": variant.product.category}[what]
    row.is_active = False
    row.save(update_fields=["is_active"])
    Revision.bump()
    assert refusal(program.post("orders/", body_of(variant))) == (404, "unknown_sku")
    assert_nothing_moved()


def test_what_nobody_supplies_is_unavailable(program: Program, variant: Variant) -> None:
    nobody_offers: Any = VariantFactory()
    assert refusal(program.post("orders/", body_of(nobody_offers))) == (409, "unavailable")
    assert_nothing_moved()


@pytest.mark.parametrize(
    ("account", "wrong"),
    [
        ({"uid": "12", "server": "ios-qq"}, ["uid"]),
        ({"uid": "9" * 500, "server": "ios-qq"}, ["uid"]),
        ({"uid": "4" * 200_000, "server": "ios-qq"}, ["uid"]),
        ({"uid": "<script>alert(1)</script>", "server": "ios-qq"}, ["uid"]),
        ({"uid": "482019375\u0000", "server": "ios-qq"}, ["uid"]),
        ({"uid": "4820\u200b19375", "server": "ios-qq"}, ["uid"]),
        ({"uid": 482019375, "server": "ios-qq"}, ["uid"]),
        ({"uid": ["482019375"], "server": "ios-qq"}, ["uid"]),
        ({"uid": None, "server": "ios-qq"}, ["uid"]),
        ({"uid": "", "server": "ios-qq"}, ["uid"]),
        ({"uid": "482019375", "server": "moon"}, ["server"]),
        ({"uid": "482019375", "server": "苹果 QQ"}, ["server"]),
        ({"uid": "482019375"}, ["server"]),
        ({}, ["server", "uid"]),
        ({"uid": "482019375", "server": "ios-qq", "zone": "1"}, ["zone"]),
        ({"uid": "482019375", "server": "ios-qq", "__class__": "x"}, ["__class__"]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_account_that_does_not_fit_the_form_is_refused(
    program: Program, shop: Reseller, account: dict[str, Any], wrong: list[str]
) -> None:
    variant = on_sale(product__account_fields=SERVER_FORM)
    reply = program.post("orders/", body_of(variant, account=account))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == [f"lines.0.account.{name}" for name in wrong]
    assert_nothing_moved()


@pytest.mark.parametrize("account", ["482019375", 5, [], [UID], True])
def test_an_account_that_is_no_object_is_refused(program: Program, variant: Variant, account: object) -> None:
    reply = program.post("orders/", body_of(variant, account=account))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["lines.0.account"]
    assert_nothing_moved()


def test_an_account_of_many_fields_is_refused_in_few_words(program: Program, variant: Variant) -> None:
    reply = program.post("orders/", body_of(variant, account={f"f{n}": "x" for n in range(10_000)}))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["lines.0.account"]
    assert len(reply.content) < 300
    assert_nothing_moved()


def test_codes_need_no_account(program: Program, shop: Reseller) -> None:
    card = code_on_sale()
    nothing: list[Any] = [{}, None]
    for account in nothing:
        assert program.post("orders/", body_of(card, account=account)).status_code == 201
    without = body_of(card)
    del without["lines"][0]["account"]
    assert program.post("orders/", without).status_code == 201
    assert refusal(program.post("orders/", body_of(card, account=UID))) == (422, "invalid")
    assert Order.objects.count() == 3


@pytest.mark.parametrize(
    "contact",
    [
        "",
        "   ",
        "abc",
        "1381234567",
        "12812345678",
        "+1 202 555 0100",
        "a@b",
        "@",
        "a@b@c.cn",
        None,
        13812345678,
        [],
        {},
        "x" * 500 + "@a.cn",
        "13812345678\u0000",
        "<script>@a.cn",
        "a\n@b.cn",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_contact_that_is_none_is_refused(program: Program, variant: Variant, contact: object) -> None:
    reply = program.post("orders/", body_of(variant, contact=contact))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["contact"]
    assert_nothing_moved()


def test_a_missing_contact_is_refused_with_what_it_is_for(program: Program, variant: Variant) -> None:
    body = body_of(variant)
    del body["contact"]
    reply = program.post("orders/", body)
    assert refusal(reply) == (422, "invalid")
    assert reply.json()["fields"] == {"contact": "请填写手机号或邮箱，查订单时要用"}
    assert_nothing_moved()


@pytest.mark.parametrize("coupon", ["SAVE10", " ", 5, True, ["SAVE10"]])
def test_a_coupon_that_does_not_exist_is_refused(program: Program, variant: Variant, coupon: object) -> None:
    reply = program.post("orders/", body_of(variant, coupon=coupon))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["coupon"]
    assert_nothing_moved()


@pytest.mark.parametrize("coupon", ["", None])
def test_no_coupon_is_no_matter(program: Program, variant: Variant, coupon: object) -> None:
    assert program.post("orders/", body_of(variant, coupon=coupon)).status_code == 201


@pytest.mark.parametrize(
    "quoted", [60, 60.0, "60,00", "６０", "-60.00", "6e1", "60.001", "", " 60.00", "NaN", [], True]
)
def test_a_quoted_total_that_is_no_amount_is_refused(program: Program, variant: Variant, quoted: object) -> None:
    reply = program.post("orders/", body_of(variant, quoted_total=quoted))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["quoted_total"]
    assert_nothing_moved()


@pytest.mark.parametrize("quoted", ["59.99", "60.01", "0.01", "0.00", "9" * 20])
def test_a_quoted_total_that_does_not_hold_is_refused_with_the_new_one(
    program: Program, variant: Variant, quoted: str
) -> None:
    reply = program.post("orders/", body_of(variant, quoted_total=quoted))
    assert refusal(reply) == (409, "price_changed")
    assert reply.json()["total"] == "60.00"
    assert_nothing_moved()


@pytest.mark.parametrize("price", ["0.01", 0, -1, None, [], {"yuan": 1}])
def test_a_price_that_a_client_sends_is_ignored(program: Program, variant: Variant, price: object) -> None:
    body = body_of(variant)
    body["lines"][0]["price"] = price
    assert program.post("orders/", body).json()["total"] == "60.00"
    assert Order.objects.get().total == Decimal("60.00")


@pytest.mark.parametrize("name", ["total", "amount", "discount", "status", "language", "is_admin", "x" * 500])
def test_a_field_that_nobody_asked_for_is_refused(program: Program, variant: Variant, name: str) -> None:
    for body, place in (
        (body_of(variant, **{name: "0.01"}), name[:40]),
        ({**body_of(variant), "lines": [{**body_of(variant)["lines"][0], name: "0.01"}]}, f"lines.0.{name[:40]}"),
    ):
        reply = program.post("orders/", body)
        assert refusal(reply) == (422, "invalid")
        assert fields(reply) == [place]
    assert_nothing_moved()


@pytest.mark.parametrize("lines", [None, {}, "sku-1", 5, [[]], ["sku-1"], [None], [5], [], [{}]], ids=repr)
def test_lines_that_are_no_list_of_objects_are_refused(program: Program, variant: Variant, lines: object) -> None:
    reply = program.post("orders/", {"lines": lines, "contact": CONTACT})
    assert refusal(reply) == (422, "invalid")
    assert all(name.startswith("lines") for name in fields(reply))
    assert fields(reply)
    assert_nothing_moved()


def test_twenty_lines_are_an_order_and_more_are_not(program: Program, variant: Variant) -> None:
    line = body_of(variant)["lines"][0]
    reply = program.post("orders/", {"lines": [line] * 21, "contact": CONTACT})
    assert (refusal(reply), fields(reply)) == ((422, "invalid"), ["lines"])
    reply = program.post("orders/", {"lines": [{}] * 60_000, "contact": CONTACT})
    assert (refusal(reply), fields(reply)) == ((422, "invalid"), ["lines"])
    assert_nothing_moved()
    assert program.post("orders/", {"lines": [line] * 20, "contact": CONTACT}).json()["total"] == "1200.00"


def test_a_character_that_cannot_be_stored_is_called_so(program: Program, variant: Variant) -> None:
    reply = program.post("orders/", body_of(variant, contact="13812345678\u0000"))
    assert reply.json()["fields"] == {"contact": "有不能用的字符"}
