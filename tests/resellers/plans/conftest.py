"""The house shop with plans on sale."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from catalog.models import Category
from kameng.opening.goods import plans_sell
from resellers.models import Reseller
from resellers.plans.seeds import plans_seed
from tests import remembered


@pytest.fixture
def house(shop: Reseller, settings: Any) -> Iterator[Reseller]:
    """The shop as the house shop, with the three plans on sale."""
    settings.SHOPS_DOMAIN = "shops.test"
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    remembered.forget()
    shop.refresh_from_db()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    Category.objects.create(slug="mobile-games", name="手游")
    plans_seed()
    plans_sell()
    yield shop
    connection.set_tenant(shop)  # type: ignore[attr-defined]
