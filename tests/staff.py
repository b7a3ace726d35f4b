"""The people behind the shops, and others who would like to be: each signed in at one host, as far as they can be."""

import time
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tenants.utils import get_public_schema_name, schema_context

from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.services import fulfillment_run
from kameng.accounts.models import User
from kameng.accounts.second_factor import second_factor_begin, second_factor_confirm
from kameng.accounts.totp import code_at, step_of
from kameng.admin.sites import StaffSite
from orders.models import Order
from resellers.models import Reseller
from resellers.services import staff_set
from tests.conftest import OPERATIONS_HOST
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import UNKNOWN, fulfill, paid

PASSWORD = "correct-horse-7"
URLCONFS = {"manage": "kameng.urls_shop", "operations": "kameng.urls_operations"}


def visitor(host: str) -> Client:
    """A browser at a host, signed in nowhere."""
    return Client(headers={"host": host})


def owner_of(shop: Reseller, *, username: str = "owner") -> Client:
    """Whoever runs a shop, at the shop's host."""
    return _signed_in(shop.schema_name, f"{shop.slug}.test", staff_set(
        schema_name=shop.schema_name, username=username, password=PASSWORD
    ))  # fmt: skip


def staff_of(shop: Reseller, *roles: str, username: str = "helper") -> Client:
    """Somebody of a shop who owns nothing of it, and sees to that."""
    user = staff_set(schema_name=shop.schema_name, username=username, password=PASSWORD, is_superuser=False)
    with schema_context(shop.schema_name):
        User.objects.filter(pk=user.pk).update(roles=list(roles))
    return _signed_in(shop.schema_name, f"{shop.slug}.test", user)


def operator(*, username: str = "operator") -> Client:
    """An operator, at the operations host."""
    public = get_public_schema_name()
    return _signed_in(public, OPERATIONS_HOST, staff_set(schema_name=public, username=username, password=PASSWORD))


def member_of(shop: Reseller) -> Client:
    """Somebody with an account in a shop who is not its staff."""
    with schema_context(shop.schema_name):
        user = User.objects.create_user("member", password=PASSWORD)
    return _signed_in(shop.schema_name, f"{shop.slug}.test", user)


def with_second_factor(schema_name: str, username: str) -> str:
    """Set one up for somebody who is there already; its key."""
    with schema_context(schema_name):
        user = User.objects.get(username=username)
        key = second_factor_begin(user_id=user.pk, password=PASSWORD)
        second_factor_confirm(user_id=user.pk, code=code_of(key, ahead=-1))
    return key


def code_of(key: str, *, ahead: int = 0) -> str:
    """What the app shows now, or some steps later."""
    return code_at(key, step_of(time.time()) + ahead)


def _signed_in(schema_name: str, host: str, user: User) -> Client:
    client = visitor(host)
    with schema_context(schema_name):
        client.force_login(user)
    return client


def at(client: Client, host: str) -> Client:
    """The same browser with all its cookies, at another host: as if somebody had carried them there."""
    carried = visitor(host)
    for name, morsel in client.cookies.items():
        carried.cookies[name] = morsel.value
    return carried


#: Addresses with something in them, and something that might be there.
_SAMPLES: dict[str, list[object]] = {
    "goods_save": [1],
    "price_change_undo": [1],
    "product_name": [1],
    "own_good": [1],
    "own_codes": [1],
    "own_import": [1],
    "supplier_step": [1, "pause"],
    "offer_price_confirm": [1],
    "order": ["one", "ABCDEFGHJKMNPQRS"],
    "order_act": ["one", "ABCDEFGHJKMNPQRS"],
    "refund_ask": ["one", "ABCDEFGHJKMNPQRS"],
    "transfer": [1],
    "refund": ["001ABCDEFGHJKMNPQRS"],
    "attempt": ["001ABCDEFGHJKMNPQRS"],
    "attempt_act": ["001ABCDEFGHJKMNPQRS"],
    "alert_close": [1],
    "after_sales_answer": [1],
    "duplicate_close": [1],
    "price_sync": [1],
    "reconciliation_break": [1],
    "withdrawal_cancel": [1],
    "withdrawal": [1],
    "withdrawal_act": [1],
    "payout_file": [1],
    "statement_file": ["csv"],
    "client": [1],
    "coupon": [1],
    "license_scans": [1],
    "license_scan": [1],
    "case": [1],
    "paper": [1],
    "paper_scan": [1],
    "appeal": [1],
    "subject": ["product", "public", 1],
    "report_goods": [1],
    "shop_visit": ["one"],
    "staff_member": [1],
    "customer": [1],
    "share_file": ["qr.png"],
}


def addresses(site: StaffSite) -> list[str]:
    """Every page of a site that an address leads to: its own pages, and the list, form and row of each model."""
    urlconf = URLCONFS[site.name]
    found = [reverse(f"{site.name}:{name}", urlconf=urlconf) for name in ("index", "password_change")]
    found += [reverse(f"{site.name}:{page.name}", urlconf=urlconf, args=_SAMPLES.get(page.name)) for page in site.pages]
    for model in site._registry:
        prefix = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}"
        found += [reverse(f"{prefix}_changelist", urlconf=urlconf), reverse(f"{prefix}_add", urlconf=urlconf)]
        found += [reverse(f"{prefix}_{what}", urlconf=urlconf, args=[1]) for what in ("change", "delete")]
    return found


def rows_form(prefix: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """A list that is edited in place, as its form sends it."""
    form = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": str(len(rows)), "_save": "1"}
    for place, row in enumerate(rows):
        form |= {f"{prefix}-{place}-{name}": str(value) for name, value in row.items() if value is not False}
    return form


def order_address(shop: Reseller, order: Order) -> str:
    """An order's page among the operators'."""
    return f"/admin/orders/{shop.slug}/{order.number}/"


def handed_over(shop: Reseller) -> tuple[Order, Fulfillment]:
    """A paid order that waits for a person, since its supplier explains nothing; in the shop's schema."""
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    work = Fulfillment.objects.get(line__order=order)
    SupplierOrder.objects.update(created_at=timezone.now() - timedelta(hours=2))
    fulfillment_run(fulfillment_id=work.pk)
    work.refresh_from_db()
    assert work.status == Fulfillment.Status.MANUAL
    return order, work
