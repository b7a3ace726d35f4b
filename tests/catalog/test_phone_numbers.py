"""Where a number comes from: a hint under the field, which its owner may correct and which never refuses anything."""

import json
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django_tenants.utils import schema_context

from catalog.models import Product, Variant
from catalog.phone_numbers import (
    CARRIER_FIELD,
    NAMES,
    PREFIXES,
    PROVINCES_EN,
    Carrier,
    Origin,
    _table,
    origin_of,
    with_carrier,
)
from orders.models import Order
from resellers.models import Reseller
from tests.factories import ProductFactory, on_sale

TEL = {
    "name": "phone",
    "label": "充值手机号",
    "label_en": "Phone number to top up",
    "type": "tel",
    "required": True,
    "pattern": "1[3-9][0-9]{9}",
    "example": "13812345678",
}
NUMBER = "13812345678"

M, U, T, B, V = Carrier


@pytest.mark.parametrize(
    ("prefix", "carrier"),
    [
        *(
            ("1341234", M),
            ("1391234", M),
            ("1478888", M),
            ("1720000", M),
            ("1788888", M),
            ("1953333", M),
            ("1981234", M),
        ),
        *(("1301234", U), ("1453333", U), ("1661234", U), ("1759999", U), ("1961234", U)),
        *(
            ("1331234", T),
            ("1493333", T),
            ("1531234", T),
            ("1737777", T),
            ("1999999", T),
            ("1901234", T),
            ("1349000", T),
        ),
        *(("1920000", B), ("1929999", B)),
        *(
            ("1621234", V),
            ("1651234", V),
            ("1671234", V),
            ("1700000", V),
            ("1705555", V),
            ("1709999", V),
            ("1711234", V),
        ),
        *(("1541234", None), ("1691234", None)),
    ],
)
def test_the_numbering_plan_says_whose_a_prefix_is(prefix: str, carrier: Carrier | None) -> None:
    assert origin_of(prefix).carrier is carrier


@pytest.mark.parametrize(
    ("number", "province"),
    [("13800100000", "北京"), ("1381234", "江苏"), ("18888888888", "浙江"), ("1861234", "浙江"), ("1540000", "")],
)
def test_the_table_says_where_it_was_given_out(number: str, province: str) -> None:
    found = _table().find(number[:7])
    assert origin_of(number).province == (found["province"] if found else "")
    assert bool(origin_of(number).province) == bool(province)


def test_every_province_has_an_english_name() -> None:
    assert len(PROVINCES_EN) == 31
    sample = (f"{prefix}{middle:04d}" for prefix in ("135", "186", "189") for middle in range(0, 10_000, 7))
    provinces = {origin_of(prefix).province for prefix in sample} - {""}
    assert len(provinces) == 31
    assert provinces == set(PROVINCES_EN)


def test_our_plan_and_the_table_agree_on_what_was_not_leased_out() -> None:
    words = {"移动": M, "联通": U, "电信": T, "广电": B}
    differing = set()
    for prefix, carrier in PREFIXES.items():
        if carrier is V:
            continue
        for middle in range(0, 10_000, 111):
            found = _table().find((prefix + f"{middle:04d}")[:7])
            if found and found["phone_type"] in words and words[found["phone_type"]] is not carrier:
                differing.add(prefix)
    assert differing == set()


def test_a_part_of_a_prefix_that_was_leased_out_is_a_virtual_operators() -> None:
    leased = next(
        p for p in range(1_620_000, 1_630_000) if (_table().find(p) or {}).get("phone_type") == "电信虚拟运营商"
    )
    assert origin_of(str(leased)).carrier is V


@pytest.mark.parametrize(
    "number", ["", "138", "138123", "1281234", "2381234", "１３８１２３４", "138 1234", "abc", "+8613812"]
)
def test_what_is_no_beginning_of_a_number_is_no_question(number: str) -> None:
    with pytest.raises(ValueError, match="mobile"):
        origin_of(number)


def test_an_origin_reads_in_both_languages() -> None:
    assert Origin(M, "浙江").text(english=False) == "中国移动 · 浙江"
    assert Origin(M, "浙江").text(english=True) == "China Mobile · Zhejiang"
    assert (Origin(V).text(english=False), Origin(None, "西藏").text(english=True)) == ("虚拟运营商", "Tibet")
    assert Origin(None).text(english=True) == ""
    assert set(NAMES) == set(Carrier)


@pytest.mark.parametrize(("kind", "asks"), [("phone", True), ("data", True), ("membership", False), ("topup", False)])
def test_the_carrier_is_asked_only_where_a_phone_is_charged(kind: str, asks: bool) -> None:
    names = [field["name"] for field in with_carrier(kind, [TEL])]
    assert names == ["phone", CARRIER_FIELD][: 1 + asks]
    assert with_carrier(kind, [{**TEL, "type": "text"}]) == ({**TEL, "type": "text"},)
    own = [TEL, {**TEL, "name": CARRIER_FIELD}]
    assert list(with_carrier(kind, own)) == own


# --- the shop ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def credit(shop: Reseller, supplier_double: object) -> Variant:
    return on_sale(product=ProductFactory(kind=Product.Kind.PHONE, account_fields=[TEL]))


def client(language: str = "zh-hans") -> Client:
    return Client(headers={"host": "one.test", "accept-language": language})


def ordered(credit: Variant, **account: str) -> HttpResponse:
    form = {f"account_{name}": value for name, value in {"phone": NUMBER, **account}.items()}
    reply: Any = client().post("/checkout/", {"sku": credit.sku, "product": credit.product.slug, **form})
    return reply


def accounts(shop: Reseller) -> dict[str, dict[str, str]]:
    """What was ordered for whom, by the order's number."""
    with schema_context(shop.schema_name):
        return {order.number: order.lines.get().account_values for order in Order.objects.all()}


def test_seven_digits_are_answered_in_both_languages_and_kept_for_a_day(shop: Reseller) -> None:
    reply = client().get("/numbers/1381234/")
    assert reply.status_code == 200
    told = json.loads(reply.content)
    assert told["carrier"] == "移动"
    assert told["text"] == f"中国移动 · {told['province']}"
    assert told["text_en"] == f"China Mobile · {PROVINCES_EN[told['province']]}"
    assert reply["Cache-Control"] == "public, max-age=86400"
    assert not reply.cookies
    assert json.loads(client().get("/numbers/1541234/").content)["text"] == ""


@pytest.mark.parametrize("prefix", [NUMBER, "138123", "13812345", "1281234", "138123a", "%EF%BC%91381234", ""])
def test_no_whole_number_and_nothing_else_is_an_address(shop: Reseller, prefix: str) -> None:
    assert client().get(f"/numbers/{prefix}/").status_code == 404


def test_it_is_only_read(shop: Reseller) -> None:
    assert client().post("/numbers/1381234/").status_code == 405


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "运营商不对？"), ("en", "Another carrier?")])
def test_the_field_has_a_place_for_the_hint_and_a_correction_that_is_optional(
    credit: Variant, language: str, words: str
) -> None:
    html = client(language).get(f"/p/{credit.product.slug}/").content.decode()
    assert 'data-origin="/numbers/1300000/"' in html
    assert words in html
    select = re.search(r"<select[^>]*name=\"account_carrier\"[^>]*>.*?</select>", html, re.DOTALL)
    assert select is not None
    assert "required" not in select[0].partition(">")[0]
    assert re.findall(r'<option value="([^"]*)"', select[0]) == ["", *Carrier]
    assert html.count('name="account_carrier"') == 1


def test_other_goods_have_neither(shop: Reseller, supplier_double: object) -> None:
    membership = on_sale(product=ProductFactory(kind=Product.Kind.MEMBERSHIP, account_fields=[TEL]))
    html = client().get(f"/p/{membership.product.slug}/").content.decode()
    assert "data-origin" not in html
    assert "account_carrier" not in html


def test_without_scripts_the_check_page_says_where_the_number_comes_from(shop: Reseller, credit: Variant) -> None:
    placed = ordered(credit)
    assert placed.status_code == 303
    assert [*accounts(shop).values()] == [{"phone": NUMBER}]
    browser = client()
    browser.cookies = placed.cookies
    html = browser.get(placed["Location"]).content.decode()
    assert "号段归属" in html
    assert origin_of(NUMBER).text(english=False) in html
    assert "实际运营商" not in html


def test_a_correction_goes_into_the_account_and_back_into_the_form(shop: Reseller, credit: Variant) -> None:
    placed = ordered(credit, carrier="联通")
    ((number, account),) = accounts(shop).items()
    assert account == {"phone": NUMBER, "carrier": "联通"}
    browser = client()
    browser.cookies = placed.cookies
    html = browser.get(placed["Location"]).content.decode()
    assert "实际运营商" in html
    assert "中国联通" in html
    again = browser.get(f"/checkout/{number}/edit/").content.decode()
    assert '<option value="联通" selected>' in again
    assert '<details class="where" open>' in again


def test_a_carrier_that_is_none_is_refused_beside_the_field(shop: Reseller, credit: Variant) -> None:
    refused = ordered(credit, carrier="某某")
    assert refused.status_code == 422
    assert "请从列表里选择实际运营商" in refused.content.decode()
    assert accounts(shop) == {}


def test_a_number_of_nobodys_prefix_is_sold_to_all_the_same(shop: Reseller, credit: Variant) -> None:
    assert ordered(credit, phone="15412345678").status_code == 303
    assert [*accounts(shop).values()] == [{"phone": "15412345678"}]


def test_the_interface_lists_the_question_with_its_answers(credit: Variant) -> None:
    told = client().get(f"/api/v1/products/{credit.product.slug}/").json()
    (carrier,) = [field for field in told["account_fields"] if field["name"] == "carrier"]
    assert carrier["required"] is False
    assert [choice["value"] for choice in carrier["choices"]] == [*Carrier]
