"""A worker that is killed in the middle of a purchase."""

import pytest

from tests.integration.conftest import Accident
from tests.live.platform import Platform

pytestmark = pytest.mark.integration

#: The lease of a dead worker, and what may be in the way when it ends.
LEASE_SECONDS = 60 + 25


def test_what_a_killed_worker_had_in_hand_was_bought_once_and_arrives(platform: Platform, accident: Accident) -> None:
    for bought in accident.purchases:
        bought.delivered_by(1, limit=LEASE_SECONDS)
        assert bought.charged == (1, 0)
