"""A platform on its first day: shops are open, and nobody has put anything into the catalogue."""

import pytest
from django.test import Client

from catalog.models import Revision
from catalog.selectors import revisions
from resellers.models import Reseller


@pytest.fixture(autouse=True)
def _nothing_yet(db: None) -> None:
    Revision.objects.all().delete()


@pytest.mark.parametrize("path", ["/", "/c/", "/search/?q=wzry", "/api/v1/products/"])
def test_a_shop_without_a_catalogue_shows_itself(path: str) -> None:
    assert Client().get(path, headers={"host": "one.test"}).status_code == 200


def test_the_first_change_is_seen() -> None:
    shop = Reseller.objects.get(slug="one")
    assert revisions(shop_id=shop.pk).catalog == 0

    Revision.bump()

    assert revisions(shop_id=shop.pk).catalog == 1
