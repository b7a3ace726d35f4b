"""Whoever pastes more than a form carries reads what to do instead."""

import pytest
from django.conf import settings
from django.test import Client

from resellers.models import Reseller
from tests.staff import operator, owner_of, visitor

MUCH = "k" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)


def pasted(client: Client, address: str) -> str:
    response = client.post(address, {"codes": MUCH})
    assert response.status_code == 413
    return response.content.decode()


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "256 KB"), ("en", "up to 256 KB")])
def test_in_both_admins_and_both_languages(shop: Reseller, language: str, words: str) -> None:
    owner, staff = owner_of(shop), operator()
    for client, address in ((owner, "/manage/announcement/"), (staff, "/admin/stock/")):
        client.cookies["kameng_language"] = language
        html = pasted(client, address)
        assert words in html
    assert 'href="/manage/announcement/"' in pasted(owner, "/manage/announcement/")


def test_a_shopper_reads_the_shops_page_and_nothing_is_logged(shop: Reseller, caplog: pytest.LogCaptureFixture) -> None:
    assert "没有下单，也没有扣款" in pasted(visitor("one.test"), "/checkout/")
    assert caplog.records == []
