"""The numbers under which a shop's business is registered: their form, who writes them, and where they stand."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from resellers.demo import HOUSE
from resellers.models import Reseller
from resellers.registrations import CODE_ALPHABET, check_character, credit_code, icp_number, telecom_license
from tests.kameng.admin.test_shop_goods import LOOK
from tests.staff import operator, owner_of

#: The standard's own example with its right last character, and a company that everybody knows.
CODES = ("91350100M000100Y43", "9144030071526726XG", HOUSE.credit_code)
REGISTERED = {
    "company": "某某网络有限公司",
    "credit_code": " 91350100 m000100y43",
    "telecom_license": "粤b2-20261234",
    "icp": "粤ICP备2026123456号-2",
    "license_url": "https://license.example/a?b=1&c=2",
}


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_held_to_its_last_character_and_each_other_is_refused(code: str) -> None:
    credit_code(code)
    assert check_character(code) == code[17]
    for wrong in set(CODE_ALPHABET) - {code[17]}:
        with pytest.raises(ValidationError):
            credit_code(code[:17] + wrong)
    for place in range(17):  # one wrong digit anywhere is found
        other = "1" if code[place] == "0" else "0"
        with pytest.raises(ValidationError):
            credit_code(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (
            credit_code,
            CODES,
            ("", "91350100M000100Y4", "91350100I000100Y43", "91350100m000100y43", "９1350100M000100Y43"),
        ),
        (
            icp_number,
            ("京ICP备12345678号", "粤ICP备2026123456号-12", "沪ICP证030173号", HOUSE.icp),
            ("", "ICP备12345678号", "京ICP备号", "京ICP备12345678", "纽ICP备12345678号", "京ICP备123456号\n"),
        ),
        (
            telecom_license,
            ("京B2-20261234", "B2-20261234", "A2.B1.B2-20090001", "合字B2-20261234", HOUSE.telecom_license),
            ("", "京C2-20261234", "京B2-", "京B2-2026 1234", "京B3-20261234"),
        ),
    ],
    ids=["credit", "icp", "telecom"],
)  # fmt: skip
def test_numbers_have_a_form(check: Callable[[str], None], right: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    for number in right:
        check(number)
    for number in wrong:
        with pytest.raises(ValidationError):
            check(number)


def test_the_owner_writes_them_and_every_page_shows_them_with_where_to_look(shop: Reseller) -> None:
    owner = owner_of(shop)
    assert 'data-testid="registration"' not in owner.get("/help/").content.decode()
    assert owner.post("/manage/look/", {**LOOK, **REGISTERED}).status_code == 302
    for path in ("/", "/help/", "/orders/lookup/", "/nothing/"):
        drawn = " ".join(Client(headers={"host": "one.test"}).get(path).content.decode().split())
        assert "某某网络有限公司" in drawn
        place = "https://license.example/a?b=1&amp;c=2"
        assert f'<a href="{place}" rel="noopener nofollow">营业执照 91350100M000100Y43</a>' in drawn
        assert '增值电信业务经营许可证 <span lang="zh-Hans">粤B2-20261234</span>' in drawn
        ministry = "https://beian.miit.gov.cn/"
        assert f'<a href="{ministry}" rel="noopener nofollow" lang="zh-Hans">粤ICP备2026123456号-2</a>' in drawn
    for name, wrong in (
        ("credit_code", "91350100M000100Y44"),
        ("icp", "12345678"),
        ("telecom_license", "x"),
        ("license_url", "javascript:alert(1)"),
    ):
        refused = owner.post("/manage/look/", {**LOOK, **REGISTERED, name: wrong})
        assert refused.status_code == 422
        assert f'id="id_{name}_error"' in refused.content.decode()
    assert Reseller.objects.get(pk=shop.pk).credit_code == "91350100M000100Y43"


def test_operators_write_them_too(shop: Reseller) -> None:
    form = {
        "name": "Shop one", "is_open": "on", "settlement_days": "7", "owner": "owner", "owner_password": "",
        "domains-TOTAL_FORMS": "0", "domains-INITIAL_FORMS": "0", **REGISTERED, "telecom_license": "粤B2-20261234",
    }  # fmt: skip
    address = f"/admin/resellers/reseller/{shop.pk}/change/"
    client = operator()
    assert "校验不对" in client.post(address, {**form, "credit_code": "91350100M000100Y44"}).content.decode()
    assert client.post(address, {**form, "credit_code": "91350100M000100Y43"}).status_code == 302
    assert Reseller.objects.get(pk=shop.pk).icp == "粤ICP备2026123456号-2"
