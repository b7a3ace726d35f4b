"""Two who apply the same preview at the same moment: one of them is told that prices have moved."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from catalog.listings import repricing
from catalog.listings.exceptions import PricesMoved
from catalog.listings.models import Repricing
from catalog.listings.plans import Ask
from resellers.models import Reseller
from tests.factories import on_sale
from tests.races.threads import SURELY, at_once, pause_after

pytestmark = pytest.mark.usefixtures("supplier_double")


def _applying(shop: Reseller) -> list[Callable[[], Repricing]]:
    ask = Ask("chosen", "price", Decimal("66.00"), chosen=frozenset({on_sale().pk}))
    seen = repricing.repricing_foresee(shop=shop, ask=ask).digest
    apply = partial(repricing.repricing_apply, shop=shop, ask=ask, scope_name="", digest=seen, actor="staff:owner")
    return [partial(apply, key=key) for key in ("a", "b")]


def test_a_preview_is_applied_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    works = _applying(live_shop)
    pause_after(monkeypatch, "catalog.listings.repricing.repricing_foresee")
    assert {type(result) for result in at_once(live_shop, *works)} == {Repricing, PricesMoved}
    assert Repricing.objects.count() == 1


def test_without_the_lock_it_would_be_applied_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    works = _applying(live_shop)
    monkeypatch.setattr(repricing, "prices_lock", lambda: None)
    pause_after(monkeypatch, "catalog.listings.repricing.repricing_foresee", patience=SURELY)
    assert [type(result) for result in at_once(live_shop, *works)] == [Repricing, Repricing]
