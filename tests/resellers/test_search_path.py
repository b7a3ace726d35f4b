"""Where statements go when the search path is not sent before each of them."""

from contextlib import suppress

import pytest
from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django_tenants.utils import schema_context

from orders.models import Order
from resellers.models import Reseller
from tests.factories import on_sale, place

pytestmark = pytest.mark.usefixtures("supplier_double")


def here() -> str:
    """The schema that the database itself would look into first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        found: str = cursor.fetchone()[0]
    return found


class Undo(Exception):
    """Ends a transaction."""


def test_the_path_is_sent_when_the_shop_changes_and_not_again(
    shop: Reseller, other_shop: Reseller, django_assert_num_queries
) -> None:
    assert settings.TENANT_LIMIT_SET_CALLS
    assert here() == "shop_one"
    with django_assert_num_queries(2):
        Order.objects.count()
        Order.objects.count()
    with django_assert_num_queries(3), schema_context(other_shop.schema_name):
        Order.objects.count()
        Order.objects.count()
        assert here() == "shop_two"
    assert here() == "shop_one"


def test_a_shop_entered_inside_a_savepoint_that_is_undone_does_not_swallow_the_next_statement(
    shop: Reseller, other_shop: Reseller
) -> None:
    assert here() == "shop_one"
    with suppress(Undo), transaction.atomic():
        connection.set_tenant(other_shop)  # type: ignore[attr-defined]
        assert here() == "shop_two"
        raise Undo
    # The database is back in shop one now; what we say must count, not what it remembers.
    assert here() == "shop_two"
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert here() == "shop_one"


def test_a_transaction_that_is_undone_or_a_connection_that_is_lost_does_not_either(live_shop: Reseller) -> None:
    other_shop = Reseller.objects.get(slug="two")
    assert here() == "shop_live"
    with suppress(Undo), transaction.atomic():
        connection.set_tenant(other_shop)  # type: ignore[attr-defined]
        assert here() == "shop_two"
        raise Undo
    assert here() == "shop_two"
    connection.close()
    assert here() == "shop_two"
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    assert here() == "shop_live"


def test_a_statement_that_fails_takes_the_path_in_its_message_back_and_the_next_one_sends_it_again(
    live_shop: Reseller,
) -> None:
    assert here() == "shop_live"
    connection.set_tenant(Reseller.objects.get(slug="two"))  # type: ignore[attr-defined]
    with pytest.raises(DataError), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / (count(*) - count(*)) FROM orders_order")
    assert here() == "shop_two"
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    with suppress(Undo), transaction.atomic():
        raise Undo  # it is entered and left, and nothing is said
    assert here() == "shop_live"


def test_a_path_that_waits_is_not_lost_where_a_transaction_begins_before_the_first_statement(
    live_shop: Reseller,
) -> None:
    other = Reseller.objects.get(slug="two")
    assert here() == "shop_live"
    connection.set_tenant(other)  # type: ignore[attr-defined]
    with connection.cursor():  # says nothing
        pass
    with transaction.atomic():
        assert here() == "shop_two"
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    with transaction.atomic(), connection.cursor():
        pass
    assert here() == "shop_live"


def test_an_order_refused_by_a_constraint_leaves_the_next_one_in_its_own_shop(shop: Reseller) -> None:
    variant = on_sale()
    first = place(shop, variant)
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(number=first.number, contact="x", total=1, contact_digest="x", expires_at=first.expires_at)
    second = place(shop, variant)
    assert here() == "shop_one"
    assert Order.objects.filter(pk__in=[first.pk, second.pk]).count() == 2
