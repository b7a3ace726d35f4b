"""Two owners about each other, and two with one link, at the same moment."""

import pytest
from django_tenants.utils import schema_context

from kameng.accounts.models import Role, User
from kameng.accounts.people import (
    InvitationRefused,
    NotAnOwner,
    invitation_of,
    person_change,
    person_invite,
    person_join,
)
from resellers.models import Reseller
from resellers.services import staff_set
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_after, without_row_locks
from tests.staff import PASSWORD

pytestmark = pytest.mark.race


@pytest.fixture(autouse=True)
def nobody_yet(live_shop: Reseller) -> None:
    """Races commit, so somebody may be left of the one before."""
    with schema_context(live_shop.schema_name):
        User.objects.all().delete()


def each_shuts_out_the_other(shop: Reseller) -> tuple[list[type], int]:
    """What came of it, and how many owners are left."""
    one, other = (
        staff_set(schema_name=shop.schema_name, username=name, password=PASSWORD).pk for name in ("first", "second")
    )

    def shut_out(user_id: int, by: int) -> User:
        return person_change(user_id=user_id, by=by, first_name="", roles=[], is_owner=True, is_active=False)

    results = at_once(shop, lambda: shut_out(other, one), lambda: shut_out(one, other))
    with schema_context(shop.schema_name):
        return [type(result) for result in results], User.objects.filter(is_superuser=True, is_active=True).count()


def test_of_two_owners_who_shut_out_each_other_one_is_left(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_after(monkeypatch, "kameng.accounts.people._require_owner")
    came, left = each_shuts_out_the_other(live_shop)
    assert (set(came), left) == ({User, NotAnOwner}, 1)


def test_without_the_lock_nobody_is_left(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "kameng.accounts.people._require_owner", patience=SURELY)
    came, left = each_shuts_out_the_other(live_shop)
    assert (set(came), left) == ({User}, 0)


def two_with_one_link(shop: Reseller, monkeypatch: pytest.MonkeyPatch, *, patience: float = BRIEFLY) -> list[type]:
    owner = staff_set(schema_name=shop.schema_name, username="first", password=PASSWORD)
    with schema_context(shop.schema_name):
        waiting = person_invite(by=owner.pk, username="helper", first_name="", roles=[Role.SUPPORT], is_owner=False)
        link = invitation_of(waiting)
    pause_after(monkeypatch, "kameng.accounts.people.invited", patience=patience)
    results = at_once(
        shop,
        lambda: person_join(invitation=link, password="one-horse-9"),
        lambda: person_join(invitation=link, password="two-horses-9"),
    )
    return sorted((type(result) for result in results), key=lambda kind: kind.__name__)


def test_a_link_lets_in_one_of_two(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_with_one_link(live_shop, monkeypatch) == [InvitationRefused, User]


def test_without_the_lock_both_would_think_it_theirs(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    assert two_with_one_link(live_shop, monkeypatch, patience=SURELY) == [User, User]
