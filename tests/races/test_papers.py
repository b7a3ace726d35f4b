"""Two people at one paper: what one has decided, the other does not decide otherwise."""

from datetime import date

import pytest

from compliance.models import License
from compliance.papers import PaperDecided, paper_confirm, paper_hand_in, paper_take_back
from compliance.scans.services import scan_open
from compliance.selectors import licenses_in_force
from compliance.services import Terms, license_add, license_revoke
from compliance.trail.models import AuditEntry
from resellers.models import Reseller
from tests.compliance.test_scans import png
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_after, without_row_locks

pytestmark = pytest.mark.race

#: Where both have read the paper and neither has written.
READ = "compliance.papers.license_locked"


def renewal() -> tuple[License, License]:
    """A paper that counts, and its renewal, which two operators have looked at."""
    terms = Terms("brand", "S-1", "Valve", date(2026, 1, 1), brands=("steam",))
    former = license_add(seller="live", terms=terms, actor="staff:li")
    waits = paper_hand_in(seller="live", terms=terms, uploads=[png()], by="staff:live/owner", former=former.pk)
    for actor in ("staff:li", "staff:wang"):
        scan_open(scan_id=waits.scans.get().pk, actor=actor)
    return former, waits


def confirm_twice(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, *, patience: float = BRIEFLY
) -> tuple[list[object], int]:
    """What came of two confirming the same, and how often that is written down."""
    _former, waits = renewal()
    pause_after(monkeypatch, READ, patience=patience)
    results = at_once(
        shop,
        lambda: paper_confirm(license_id=waits.pk, actor="staff:li"),
        lambda: paper_confirm(license_id=waits.pk, actor="staff:wang"),
    )
    said = AuditEntry.objects.filter(subject=f"license:{waits.pk}", action="license.confirmed").count()
    return [type(result) for result in results], said


def test_a_paper_is_confirmed_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    results, said = confirm_twice(live_shop, monkeypatch)
    assert (sorted(map(str, results)), said) == (sorted(map(str, [License, PaperDecided])), 1)


def test_without_its_lock_a_paper_is_confirmed_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    assert confirm_twice(live_shop, monkeypatch, patience=SURELY) == ([License, License], 2)


def confirm_and_take_back(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, *, patience: float = BRIEFLY
) -> tuple[list[object], int]:
    """What came of an operator who confirms what its owner takes back, and how many papers the shop is left with."""
    _former, waits = renewal()
    pause_after(monkeypatch, READ, patience=patience)
    results = at_once(
        shop,
        lambda: paper_confirm(license_id=waits.pk, actor="staff:li"),
        lambda: paper_take_back(license_id=waits.pk, seller="live", by="staff:live/owner"),
    )
    return results, licenses_in_force().count()


def test_what_its_owner_takes_back_while_it_is_confirmed_replaces_nothing(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, left = confirm_and_take_back(live_shop, monkeypatch)
    assert ([isinstance(result, PaperDecided) for result in results].count(True), left) == (1, 1)


def test_without_its_lock_a_shop_is_left_with_no_paper(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    results, left = confirm_and_take_back(live_shop, monkeypatch, patience=SURELY)
    assert ([isinstance(result, PaperDecided) for result in results].count(True), left) == (0, 0)


def test_a_former_paper_that_is_revoked_meanwhile_stays_revoked_and_its_renewal_counts(live_shop: Reseller) -> None:
    former, waits = renewal()
    confirmed, _revoked = at_once(
        live_shop,
        lambda: paper_confirm(license_id=waits.pk, actor="staff:li"),
        lambda: license_revoke(license_id=former.pk, actor="staff:wang"),
    )
    former.refresh_from_db()
    assert isinstance(confirmed, License)
    # One of both: replaced, or revoked.
    assert (former.replaced_by_id is None) is (former.revoked_at is not None)
    assert list(licenses_in_force()) == [waits]
