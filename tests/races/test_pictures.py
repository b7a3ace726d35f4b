"""Two people upload a logo at the same moment: one row of each state, which the database itself holds to."""

from collections.abc import Iterator

import pytest

from compliance.gate import pictures
from compliance.screening.drawn_logos import logo
from resellers.brand.models import BrandPicture
from resellers.models import Reseller
from tests.compliance.test_pictures import saved, upload
from tests.races.test_own_goods import meet_at
from tests.races.threads import at_once

pytestmark = pytest.mark.race


@pytest.fixture(autouse=True)
def bare(live_shop: Reseller) -> Iterator[None]:
    """The shop's own row outlives the test: it goes without a logo again."""
    yield
    Reseller.objects.filter(pk=live_shop.pk).update(logo_picture="")


def test_the_later_of_two_logos_is_shown(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_at(monkeypatch, (pictures, "brand_picture_put"))
    one, other = saved(logo(109)), saved(logo(112))
    results = at_once(live_shop, lambda: upload(live_shop, one), lambda: upload(live_shop, other))
    assert [result.is_clear for result in results] == [True, True]
    assert sorted(BrandPicture.objects.values_list("state", flat=True)) == ["before", "shown"]
    shown = BrandPicture.objects.get(state="shown")
    assert Reseller.objects.get(pk=live_shop.pk).logo_picture == shown.name
