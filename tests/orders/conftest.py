"""A program in front of a shop that sells one thing."""

import pytest

from catalog.models import Variant
from resellers.models import Reseller
from tests.factories import on_sale
from tests.program import Program


@pytest.fixture
def program(shop: Reseller) -> Program:
    return Program()


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    return on_sale()
