"""An order's page while the order goes on under its eyes."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale
from tests.flows import codes, drain, paid

HOST = "one.test"


@pytest.mark.parametrize("read", [1, 2])
@pytest.mark.usefixtures("gateway_double", "supplier_double")
def test_a_page_that_says_the_codes_are_there_has_them(shop: Reseller, read: int) -> None:
    """Whatever the page has read when they arrive."""
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"))
    order = paid(shop, code_on_sale())
    reads = 0

    def arrives_after(execute: Any, statement: str, *rest: Any) -> Any:
        nonlocal reads
        answer = execute(statement, *rest)
        if 'FROM "orders_order' in statement:
            reads += 1
            if reads == read:
                drain()
        return answer

    visitor = Client(headers={"host": HOST})
    assert visitor.post("/orders/lookup/", {"number": order.number, "contact": order.contact}).status_code == 303
    with connection.execute_wrapper(arrives_after):
        page = visitor.get(f"/o/{order.number}/")
    assert page.status_code == 200
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert Order.objects.get(pk=order.pk).status == "fulfilled"
    assert page.context["polling"] is not bool(page.context["codes"])
    assert page.context["stamp"] is not page.context["polling"]
