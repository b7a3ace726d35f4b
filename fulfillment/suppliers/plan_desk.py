"""Carrying out applications that were paid for: a shop with its owner, or another year.

Runs in the transaction that books the purchase, behind the order's lock. What cannot be done is undone to a savepoint
and said, which refunds the order. Two who paid for one subdomain wait for each other at the unique key of the shops.
"""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_tenants.utils import get_public_schema_name, schema_context

from catalog.models import Category
from compliance.gate.exceptions import ContentBlocked
from compliance.gate.shops import shop_open
from compliance.trail.services import entry_append
from kameng.accounts.models import User
from kameng.core import sql
from resellers.models import Reseller
from resellers.plans.applications import host_of
from resellers.plans.commissions import invited_write
from resellers.plans.exceptions import PlanChanged, PlanRefused
from resellers.plans.focus import shelves_of
from resellers.plans.models import Application, Subscription
from resellers.plans.services import subscription_open, subscription_renew
from resellers.plans.skus import sku_of
from resellers.services import ShopInvalid

Kind, Status, Refusal = Application.Kind, Application.Status, Application.Refusal

_ORDER = """
SELECT o.number FROM fulfillment_supplierorder AS buy
  JOIN fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN orders_orderline AS line ON line.id = work.line_id
  JOIN orders_order AS o ON o.id = line.order_id
 WHERE buy.reference = %s
"""


class Desk:
    """The desk that the adapter for plans asks."""

    def carry_out(self, *, reference: str, application: str, sku: str, paid: Decimal) -> str:
        """Do what was applied for; a `Refusal` where it cannot be done, which the application keeps."""
        found = Application.objects.select_for_update(of=("self",)).filter(code=application).first()
        number = _order_of(reference)
        if found is None or sku != sku_of(found.kind, found.plan.code):
            return str(Refusal.WRONG)
        if found.status == Status.DONE:
            return "" if found.order_number == number else str(Refusal.WRONG)
        if refusal := _carried_out(found, number, paid):
            _refused(found, number, refusal)
        return refusal

    def is_done(self, *, reference: str, application: str) -> bool:
        """Whether the order of this reference has done it."""
        done = Application.objects.filter(code=application, status=Status.DONE)
        return done.filter(order_number=_order_of(reference)).exists()


def _order_of(reference: str) -> str:
    return next((str(number) for (number,) in sql.rows(_ORDER, [reference])), "")


def _carried_out(application: Application, number: str, paid: Decimal) -> str:
    try:
        with transaction.atomic():
            if application.kind == Kind.OPENING:
                _open(application, number, paid)
            else:
                _renew(application, number, paid)
    except ContentBlocked:
        return str(Refusal.NAME)
    except PlanChanged:
        return str(Refusal.CHANGED)
    except PlanRefused:
        return str(Refusal.GONE)
    except (ShopInvalid, ValidationError, IntegrityError, _Held):
        return str(Refusal.TAKEN)
    return ""


class _Held(Exception):
    """Somebody else's application holds the subdomain: this one's time was over before its money came."""


def _open(application: Application, number: str, paid: Decimal) -> None:
    others = Application.objects.filter(
        slug=application.slug, kind=Kind.OPENING, status=Status.WAITING, reserved_until__gt=timezone.now()
    )
    if others.exclude(pk=application.pk).exists():
        raise _Held
    # Shops are made in public only; the house shop's schema is entered again afterwards.
    with schema_context(get_public_schema_name()):
        shop = shop_open(
            slug=application.slug,
            name=application.name,
            host_names=[host_of(application.slug)],
            categories=shelves_of(application.focus, Category.objects.values_list("slug", flat=True)),
            is_open=False,
        ).shop
    with schema_context(shop.schema_name):
        User.objects.create(
            username=application.username, password=application.password, is_staff=True, is_superuser=True
        )
    if application.inviter_id is not None:
        invited_write(shop_id=shop.pk, inviter_id=application.inviter_id)
    begun = subscription_open(
        key=f"application:{application.code}",
        shop_id=shop.pk,
        plan=application.plan,
        price_paid=paid,
        paid_by=Subscription.PaidBy.ORDER,
        order_number=number,
        actor="shopper",
    )
    _done(application, number, shop)
    _told("shop.opened", shop, begun)


def _renew(application: Application, number: str, paid: Decimal) -> None:
    if application.shop is None:
        raise PlanRefused
    renewed = subscription_renew(
        key=f"application:{application.code}",
        shop_id=application.shop.pk,
        price_paid=paid,
        paid_by=Subscription.PaidBy.ORDER,
        order_number=number,
        actor="shopper",
        plan_id=application.plan_id,
    )
    _done(application, number, application.shop)
    _told("shop.renewed", application.shop, renewed)


def _done(application: Application, number: str, shop: Reseller) -> None:
    application.status, application.order_number, application.shop = Status.DONE, number, shop
    application.password = ""
    application.save(update_fields=["status", "order_number", "shop", "password"])


def _refused(application: Application, number: str, refusal: str) -> None:
    application.status, application.refusal, application.order_number = Status.REFUSED, refusal, number
    application.password = ""
    application.save(update_fields=["status", "refusal", "order_number", "password"])


def _told(action: str, shop: Reseller, bought: Subscription) -> None:
    entry_append(
        actor="shopper",
        subject=f"shop:{shop.slug}",
        action=action,
        data={"plan": bought.plan.code, "until": bought.until.isoformat(), "paid": str(bought.price_paid)},
    )
