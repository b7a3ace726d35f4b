"""Two people upload a logo at the same moment. Each guard has a test that shows what happens without it."""

from typing import Any

import pytest

from compliance.gate import pictures
from compliance.screening.drawn_logos import logo
from resellers.brand.models import BrandPicture
from resellers.models import Reseller
from tests.compliance.test_pictures import saved, upload
from tests.races.test_own_goods import meet_at
from tests.races.threads import at_once, without_row_locks

pytestmark = pytest.mark.race


def both_upload(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    meet_at(monkeypatch, (pictures, "brand_picture_put"))
    one, other = saved(logo(109)), saved(logo(112))
    return at_once(shop, lambda: upload(shop, one), lambda: upload(shop, other))


def test_the_later_of_two_logos_is_shown(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    results = both_upload(shop, monkeypatch)
    assert [result.is_clear for result in results] == [True, True]
    assert sorted(BrandPicture.objects.values_list("state", flat=True)) == ["before", "shown"]
    shown = BrandPicture.objects.get(state="shown")
    assert Reseller.objects.get(pk=shop.pk).logo_picture == shown.name


def test_without_the_lock_one_of_them_fails(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    results = both_upload(shop, monkeypatch)
    assert sum(isinstance(result, Exception) for result in results) == 1
