"""Forgetting a shopper: nothing of them is left in the shop's schema, and what was bought, paid and delivered is."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from compliance.reports.models import Report
from compliance.reports.services import contacts_forget, report_add, report_handle
from fulfillment.models import DeliveryReveal, SupplierOrder
from fulfillment.reveals import codes_reveal
from kameng.inbox.models import InboxEvent
from kameng.privacy.forgetting import NotOver, order_forget
from kameng.privacy.retention import notices_forget, shop_forget
from orders.access import contact_matches
from orders.models import MinorSpending, Order, OrderEvent, OrderLine
from orders.services import Buyer, Declared, LineRequest, order_cancel, order_place
from payments.models import Payment
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import CategoryFactory, ProductFactory, code_on_sale, on_sale, open_payment, place
from tests.flows import TOPPED_UP, codes, confirm, drain, fulfill, outbox, states

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")
CONTACT, UID, NAME = "canary.shopper@example.com", "918273645", "金丝雀"
FORM = [
    {"name": "uid", "label": "编号", "type": "text", "required": True, "pattern": "[0-9]{6,12}", "example": "1234567"},
    {"name": "role", "label": "角色名", "type": "text", "required": False, "pattern": "", "example": ""},
]


def everything(schema_name: str) -> str:
    """All that is written down in a schema, each row of each table as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema_name])
        tables = [name for (name,) in cursor.fetchall()]
        said = []
        for table in tables:
            cursor.execute(f'SELECT "{table}"::text FROM "{schema_name}"."{table}"')  # one column: the whole row
            said += [row for (row,) in cursor.fetchall()]
    return "\n".join(said)


def finished(shop: Reseller, *, age: str = "") -> Order:
    """A delivered order, with the account in every place where others may have written it."""
    category = CategoryFactory.create(limits_minors=True)
    product = ProductFactory.create(category=category, account_fields=FORM)
    variant = on_sale(product=product, suppliers=("first",))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    line = LineRequest(sku=variant.sku, quantity=1, account={"uid": UID, "role": NAME * 3})
    order = order_place(
        shop=shop, lines=[line], contact=CONTACT, buyer=Buyer(device_digest="d" * 64, address="192.0.2.7"),
        declared=Declared(age=age), idempotency_key="web:" + "a" * 64,
    ).order  # fmt: skip
    payment = open_payment(shop, order)
    confirm(payment)
    fulfill(order)
    drain()
    Payment.objects.filter(order=order).update(call=f'{{"openid": "{CONTACT}"}}')
    SupplierOrder.objects.update(
        message=f"user {UID} charged", evidence=json.dumps({"account": UID, "role": NAME * 3, "mail": CONTACT.upper()})
    )
    OrderEvent.objects.create(order=order, name="line.noted", actor="staff:li", data={"note": f"给 {CONTACT} 打过电话"})
    order.refresh_from_db()
    assert order.status == Order.Status.FULFILLED
    return order


def test_nothing_of_the_person_is_left_in_the_shop_and_the_transaction_is(shop: Reseller) -> None:
    order = finished(shop)
    before = everything(shop.schema_name)
    assert all(trace in before for trace in (CONTACT, UID, NAME))
    assert order_forget(order_id=order.pk, actor="shopper") is True
    after = everything(shop.schema_name)
    for trace in (
        CONTACT,
        CONTACT.upper(),
        UID,
        NAME,
        json.dumps(NAME)[1:-1],
        "d" * 64,
        "a" * 64,
        order.contact_digest,
    ):
        assert trace not in after, trace
    line, known = OrderLine.objects.get(), Order.objects.get()
    assert (known.total, known.paid_at, known.finished_at, states(order)) == (
        order.total, order.paid_at, order.finished_at, ("fulfilled", "delivered"),
    )  # fmt: skip
    assert [entry["label"] for entry in line.account] == ["编号", "角色名"]
    assert len({entry["value"] for entry in line.account}) == 2
    assert Payment.objects.get().reference
    assert json.loads(SupplierOrder.objects.get().evidence)["account"] == line.account[0]["value"]
    assert order_forget(order_id=order.pk, actor="shopper") is False  # a second time changes nothing
    for proof in ("", CONTACT, ".com", line.account[0]["value"][-4:]):
        assert contact_matches(known, proof) is False


def test_an_order_under_way_is_kept_and_money_that_comes_late_goes_back(shop: Reseller) -> None:
    variant = on_sale()
    order = place(shop, variant)
    with pytest.raises(NotOver):
        order_forget(order_id=order.pk, actor="shopper")
    payment = open_payment(shop, order)
    order_cancel(order_id=order.pk, actor="shopper")
    with pytest.raises(NotOver):
        order_forget(order_id=order.pk, actor="shopper")  # the attempt to pay is still open
    Payment.objects.update(status=Payment.Status.CANCELED)
    assert order_forget(order_id=order.pk, actor="shopper")
    confirm(payment)
    assert states(order) == ("canceled", "waiting")
    assert outbox("payment.surplus") == [{"payment_id": payment.pk}]


def test_a_guest_takes_data_along_and_has_them_deleted(shop: Reseller) -> None:
    order = finished(shop)
    browser: Any = Client(headers={"host": "one.test"})
    assert 'href="/privacy/data/"' in browser.get("/privacy/").content.decode()
    assert "180" in browser.get("/privacy/").content.decode()
    form = {"number": order.grouped_number, "contact": CONTACT}
    missed = browser.post("/privacy/data/", {**form, "contact": "other@example.com"})
    assert "没查到" in missed.content.decode()
    taken = browser.post("/privacy/data/", {**form, "act": "take"})
    assert taken["Content-Disposition"] == f'attachment; filename="order-{order.number}.json"'
    data = taken.json()
    assert (data["contact"], data["lines"][0]["account"]) == (CONTACT, {"编号": UID, "角色名": NAME * 3})
    assert (data["payments"][0]["amount"], data["status"]) == (f"{order.total}", "fulfilled")
    unsure = browser.post("/privacy/data/", {**form, "act": "forget"})
    assert unsure.status_code == 422
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert Order.objects.get().contact == CONTACT
    done = browser.post("/privacy/data/", {**form, "act": "forget", "sure": "yes"})
    assert 'data-testid="forgotten"' in done.content.decode()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert CONTACT not in everything(shop.schema_name)
    again = browser.post("/privacy/data/", {**form, "act": "take"})
    assert "没查到" in again.content.decode()


def test_the_job_forgets_what_is_old_a_batch_at_a_time_and_keeps_who_looked_at_codes(
    shop: Reseller, settings: LazySettings
) -> None:
    variant = code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"))
    coded = place(shop, variant, contact="13900001111")
    confirm(open_payment(shop, coded))
    fulfill(coded)
    codes_reveal(order=coded, actor="shopper", address="192.0.2.9")
    unpaid = place(shop, variant, contact="13900002222")
    order_cancel(order_id=unpaid.pk, actor="shopper")
    waiting = place(shop, variant, contact="13900003333")
    settings.RETENTION_ORDER_DAYS, settings.RETENTION_UNPAID_DAYS = 180, 30

    def grow_older(days: int) -> None:
        by = timedelta(days=days)
        Order.objects.update(
            created_at=F("created_at") - by, expires_at=F("expires_at") - by, finished_at=F("finished_at") - by
        )

    grow_older(29)
    assert shop_forget() == 0
    grow_older(2)
    assert shop_forget() == 1
    assert Order.objects.get(pk=unpaid.pk).contact == ""
    assert Order.objects.get(pk=coded.pk).contact == "13900001111"
    grow_older(150)
    another = place(shop, variant, contact="13900004444")
    order_cancel(order_id=another.pk, actor="shopper")
    Order.objects.filter(pk=another.pk).update(
        created_at=timezone.now() - timedelta(days=99), expires_at=timezone.now() - timedelta(days=98)
    )
    assert shop_forget(batch=1) == 1
    assert shop_forget(batch=1) == 1
    assert shop_forget() == 0
    assert Order.objects.get(pk=coded.pk).contact == ""
    look = DeliveryReveal.objects.get()
    assert (look.actor, len(look.address_digest)) == ("shopper", 64)
    assert Order.objects.get(pk=waiting.pk).contact == "13900003333"  # it still waits for its money


def test_a_minors_month_counts_on_until_it_is_over(shop: Reseller, settings: LazySettings) -> None:
    settings.MINOR_CAPS = {"8-15": (Decimal(100), Decimal(100))}
    order = finished(shop, age="8-15")
    order_forget(order_id=order.pk, actor="shopper")
    assert MinorSpending.objects.count() == 2
    assert Order.objects.get().age == ""
    MinorSpending.objects.update(created_at=timezone.now() - timedelta(days=40))
    shop_forget()
    assert not MinorSpending.objects.exists()


def test_reports_and_notices_are_forgotten_as_well(db: None, settings: LazySettings) -> None:
    settings.RETENTION_NOTICE_DAYS = 10
    for contact in ("old@example.com", "new@example.com"):
        report = report_add(schema_name="shop_one", product="p", product_name="P", kind="fraud", contact=contact)
        report_handle(report_id=report.pk, note="核实过了", actor="staff:li")
    Report.objects.filter(contact="old@example.com").update(handled_at=timezone.now() - timedelta(days=31))
    assert contacts_forget(days=30) == 1
    assert sorted(Report.objects.values_list("contact", flat=True)) == ["", "new@example.com"]
    for place_, days in enumerate((9, 11)):
        InboxEvent.objects.create(
            source="alipay", account="a", event_id=f"{place_}", body=b"buyer=x", headers={"a": "b"}, verdict="accepted",
            received_at=timezone.now() - timedelta(days=days),
        )  # fmt: skip
    assert notices_forget() == 1
    assert [bytes(body) for body in InboxEvent.objects.order_by("pk").values_list("body", flat=True)] == [
        b"buyer=x",
        b"",
    ]
