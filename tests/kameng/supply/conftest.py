"""A shop with a client that has a thousand yuan."""

import pytest

from resellers.models import Reseller
from tests.kameng.supply.downstream import Downstream, open_client


@pytest.fixture
def downstream(shop: Reseller) -> Downstream:
    return Downstream(open_client(shop, balance="1000.00"))
