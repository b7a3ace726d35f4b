"""Two who want one subdomain: they apply at the same moment, or both pay at the same moment, too late to hold it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Category
from fulfillment.suppliers.opening.adapter import APPLICATION
from kameng.opening.goods import ADDRESS, plans_sell
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from payments.models import Refund
from resellers.models import Reseller
from resellers.plans.applications import Wish, application_submit
from resellers.plans.exceptions import ApplicationInvalid
from resellers.plans.models import Application, Subscription
from resellers.plans.seeds import plans_seed
from resellers.plans.skus import sku_of
from tests import remembered
from tests.factories import open_payment
from tests.flows import confirm, drain, fulfill, states
from tests.races.threads import SURELY, Meeting, at_once, pause_after
from tests.staff import PASSWORD

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double")]

SLUG, CONTACTS = "racing", ("13812345678", "13912345678")
INDEX = "application_holds_its_subdomain_alone"
_GONE = f"""
TRUNCATE public.plans_application, public.plans_tenure, public.plans_subscription, public.plans_affiliate,
         public.plans_commission;
DELETE FROM public.resellers_domain WHERE tenant_id IN (SELECT id FROM public.resellers_reseller WHERE slug = '{SLUG}');
DELETE FROM public.resellers_reseller WHERE slug = '{SLUG}';
DROP SCHEMA IF EXISTS shop_{SLUG} CASCADE;
"""


@pytest.fixture
def house(live_shop: Reseller, settings: Any) -> Iterator[Reseller]:
    """The shop that really commits, as the house shop with plans; what was opened is taken down again."""
    settings.SHOPS_DOMAIN = "shops.test"
    Reseller.objects.filter(pk=live_shop.pk).update(is_house=True)
    remembered.forget()
    live_shop.refresh_from_db()
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    try:
        Category.objects.create(slug="mobile-games", name="手游")
        plans_seed()
        plans_sell()
        yield live_shop
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(_GONE)
        Reseller.objects.filter(pk=live_shop.pk).update(is_house=False)
        remembered.forget()


def applied(contact: str) -> Application:
    """What somebody asks for."""
    wish = Wish("trial", f"店{contact}", SLUG, "games", f"boss{contact}", PASSWORD, agrees=True)
    return application_submit(wish=wish, inviter_id=None)


def paid_for(house: Reseller, application: Application, contact: str) -> Order:
    """Its order, with the money."""
    line = LineRequest(
        sku=sku_of("opening", "trial"), quantity=1, account={ADDRESS: "racing.test", APPLICATION: application.code}
    )
    order = order_place(shop=house, lines=[line], contact=contact, buyer=Buyer()).order
    Application.objects.filter(pk=application.pk).update(order_number=order.number)
    confirm(open_payment(house, order))
    return order


def paid_late(house: Reseller, contact: str) -> Order:
    """Somebody's order, paid after it held the name."""
    order = paid_for(house, applied(contact), contact)
    past = timezone.now() - timedelta(seconds=1)
    Application.objects.filter(order_number=order.number).update(reserved_until=past)
    return order


def both_open(house: Reseller, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Order], list[Any]]:
    """Both have seen that nobody has the name before either writes it."""
    meeting, seen = Meeting(patience=SURELY), Reseller.full_clean

    def full_clean(self: Reseller, *args: Any, **options: Any) -> None:
        seen(self, *args, **options)
        meeting.wait()

    monkeypatch.setattr(Reseller, "full_clean", full_clean)
    orders = [paid_late(house, contact) for contact in CONTACTS]
    return orders, at_once(house, *[lambda order=order: fulfill(order) for order in orders])


def test_one_of_two_gets_the_shop_and_the_other_one_the_money_back(
    house: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders, results = both_open(house, monkeypatch)
    assert not [result for result in results if isinstance(result, Exception)]
    drain()
    assert sorted(states(order) for order in orders) == [("fulfilled", "delivered"), ("refunded", "refunded")]
    shop = Reseller.objects.get(slug=SLUG)
    won = Application.objects.get(status="done")
    assert (won.shop, Subscription.objects.get().order_number) == (shop, won.order_number)
    lost = Application.objects.get(status="refused")
    assert lost.refusal == "taken"
    back = Refund.objects.get()
    assert (back.payment.order.number, back.amount, back.status) == (lost.order_number, Decimal(99), "succeeded")


def both_apply(house: Reseller, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Both have seen that nobody holds the name before either writes that they do."""
    pause_after(monkeypatch, "resellers.plans.applications.subdomain_wrong", patience=SURELY)
    return at_once(house, *[lambda contact=contact: applied(contact) for contact in CONTACTS])


def test_one_of_two_who_apply_at_once_holds_the_name(house: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    results = both_apply(house, monkeypatch)
    (refused,) = [result for result in results if isinstance(result, ApplicationInvalid)]
    assert list(refused.fields) == ["slug"]
    assert Application.objects.get() in results
    # Without its index both are told that it is theirs, and whoever pays first is refused for the other one's sake.
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname = %s", [INDEX])
        ((again,),) = cursor.fetchall()
        cursor.execute(f"TRUNCATE public.plans_application; DROP INDEX public.{INDEX}")
        try:
            held = both_apply(house, monkeypatch)
            orders = [paid_for(house, *one) for one in zip(held, CONTACTS, strict=True)]
            drain()
            assert [states(order)[0] for order in orders] == ["refunded", "fulfilled"]
        finally:
            cursor.execute("TRUNCATE public.plans_application")
            cursor.execute(again)
