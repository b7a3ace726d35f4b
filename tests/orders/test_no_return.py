"""Goods that are not taken back without a reason: said for each purchase, never beforehand, and kept in its words."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from orders.models import Order, OrderEvent
from orders.no_return import BY_PROGRAM, WORDINGS, wording_for
from resellers.models import Reseller
from tests.factories import code_on_sale, on_sale
from tests.orders.asking import body_of
from tests.program import Program, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double")
FORM = {"quantity": "1", "contact": "13812345678", "account_uid": "482019375"}


@pytest.mark.parametrize("kind", ["topup", "code"])
def test_without_scripts_the_box_is_empty_and_asked_for_and_what_was_said_is_kept(shop: Reseller, kind: str) -> None:
    variant = code_on_sale() if kind == "code" else on_sale()
    browser: Any = Client(headers={"host": "one.test"})
    form = {name: value for name, value in FORM.items() if kind != "code" or not name.startswith("account_")}
    placed = browser.post("/checkout/", {**form, "sku": variant.sku, "product": variant.product.slug})
    path = placed["Location"]
    drawn = browser.get(path).content.decode()
    (box,) = re.findall(r'<input id="no_return"[^>]*>', drawn)
    assert " checked" not in box
    wording = wording_for(kind)
    assert f'value="{wording}"' in box
    assert str(WORDINGS[wording]) in drawn
    for sent in ({}, {"no_return": ""}, {"no_return": "anything"}, {"no_return": BY_PROGRAM}):
        refused = browser.post(path, sent)
        assert refused.status_code == 422
        said = refused.content.decode()
        assert 'href="#no_return"' in said
        assert re.search(r'<input id="no_return"[^>]*aria-invalid="true"', said)
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    order = Order.objects.get()
    assert (order.checked_at, order.no_return_at, order.no_return_wording) == (None, None, "")
    assert browser.get(f"/pay/{order.number}/")["Location"] == path
    agreed = browser.post(path, {"no_return": wording})
    assert (agreed.status_code, agreed["Location"]) == (303, f"/pay/{order.number}/")
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    order.refresh_from_db()
    first = order.no_return_at
    assert first == order.checked_at is not None
    assert order.no_return_wording == wording
    assert OrderEvent.objects.get(name="order.checked").data == {"no_return": wording}
    browser.post(path, {"no_return": "charge-1"})
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    order.refresh_from_db()
    assert (order.no_return_at, order.no_return_wording) == (first, wording)


def test_a_program_may_say_that_it_asked_and_need_not(program: Program) -> None:
    variant = on_sale()
    wishes: list[dict[str, Any]] = [{}, {"no_return": None}, {"no_return": False}, {"no_return": True}]
    for wish in wishes:
        kept = BY_PROGRAM if wish.get("no_return") else ""
        number = program.post("orders/", body_of(variant, **wish)).json()["number"]
        order = Order.objects.get(number=number)
        assert order.no_return_wording == kept
        placed_at = order.expires_at - timedelta(seconds=settings.ORDER_EXPIRES_SECONDS)
        assert order.no_return_at == (placed_at if kept else None)
    wrongs: list[Any] = ["true", 1, []]
    for wrong in wrongs:
        reply = program.post("orders/", body_of(variant, no_return=wrong))
        assert refusal(reply) == (422, "invalid")
        assert fields(reply) == ["no_return"]
