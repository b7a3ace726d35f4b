"""Money and icons as the shop's templates draw them."""

from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils.html import strip_tags
from django.utils.translation import override

from kameng.templatetags.shop import money, price


def drawn(source: str, **context: object) -> str:
    return Template("{% load shop %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("amount", "text"), [("57", "57.00"), ("0.1", "0.10"), ("1234.565", "1234.57"), ("-3.00", "-3.00")]
)
def test_money_has_two_decimals(amount: str, text: str) -> None:
    with override("zh-hans"):
        assert money(Decimal(amount)) == f"¥{text}"


def test_readers_of_english_are_told_which_yuan() -> None:
    with override("en"):
        assert money(Decimal("57.00")) == "CN¥57.00"
        assert strip_tags(price(Decimal("57.00"))) == "CN¥57.00"


def test_a_price_tag_reads_as_one_amount() -> None:
    with override("zh-hans"):
        assert strip_tags(price(Decimal("5.7"))) == "¥5.70"


def test_an_icon_says_nothing_to_screen_readers() -> None:
    svg = drawn('{% icon "search" %}')
    assert 'aria-hidden="true"' in svg
    assert "icons/sprite.svg#i-search" in svg


def test_the_name_of_an_icon_is_escaped() -> None:
    assert "<script" not in drawn("{% icon name %}", name='x"><script>')


def test_a_picture_stands_in_the_page_with_its_size_and_without_a_word() -> None:
    html = drawn('{% product_icon "steam" 56 %}')
    assert html.startswith('<svg class="picture" width="56" height="56" viewBox="0 0 96 96" aria-hidden="true"><rect')
    assert html.endswith("/></svg>")
    assert html.count("<svg") == 1


@pytest.mark.parametrize("name", ["", "no-such-product", "../sprite", "Steam", "steam.svg", "<script>"])
def test_a_product_without_a_picture_gets_the_generic_one(name: str) -> None:
    assert drawn("{% product_icon name 48 %}", name=name) == drawn('{% product_icon "generic" 48 %}')


def test_a_gateway_has_a_picture() -> None:
    assert drawn('{% payment_icon "alipay" %}') not in ("", drawn('{% payment_icon "no-such-gateway" %}'))
