"""Workers killed in the middle of purchases, one every three seconds; `manage.py bench kills` does it at length."""

import pytest

from tests.integration.conftest import KILLS, Accident
from tests.live.platform import Platform

pytestmark = pytest.mark.integration

#: The lease of a dead worker, and what may be in the way when it ends.
LEASE_SECONDS = 60 + 25


def test_what_killed_workers_had_in_hand_was_bought_once_and_arrives(platform: Platform, accident: Accident) -> None:
    assert (accident.kills, accident.hits) == (KILLS, KILLS)
    for bought in accident.purchases:
        bought.delivered_by(1, limit=LEASE_SECONDS)
        assert bought.charged == (1, 0)
