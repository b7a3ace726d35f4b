"""A take-down while shoppers stand at the checkout, and a decision about what is being changed at this moment."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from catalog.listings import shelf as shelves
from catalog.models import Product, Variant
from catalog.screened import product_subject
from compliance.gate.exceptions import CaseMoved
from compliance.gate.models import Case
from compliance.gate.services import case_decide, subject_take_down
from orders.models import Order
from payments.models import Payment
from resellers.models import Reseller
from tests.compliance.gate import CLEAR, DOUBTFUL, doubtful_words, renamed
from tests.factories import GatewayAccountFactory, on_sale
from tests.flows import drain, states
from tests.program import Program, refusal, staying
from tests.races.threads import at_once

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]

ACTOR = "staff:li"


def elsewhere(work: Callable[[], Any]) -> None:
    """Done and committed by somebody else, in a session of their own, before we go on."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    thread.join(30)
    assert not failed, failed


def take_down(variant: Variant) -> None:
    subject_take_down(subject=product_subject(variant.product_id), actor=ACTOR, reasons=["game_cheat"])


def test_an_open_checkout_cannot_buy_what_was_taken_down(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = on_sale()
    GatewayAccountFactory()
    browser, program = Client(headers={"host": "live.test"}), Program("live.test")
    page = f"/p/{variant.product.slug}/"
    form = {"product": variant.product.slug, "sku": variant.sku, "quantity": "1", "contact": "13812345678"}
    form["account_uid"] = "482019375"
    line = {"sku": variant.sku, "quantity": 1, "account": {"uid": "482019375"}}
    placed = program.post("orders/", {"lines": [line], "contact": "a@b.cn"}).json()
    way = {"gateway": "scripted", "channel": "qr"}
    pay = f"orders/{placed['number']}/payments/"
    # One stands at the form, one has placed the order, and one has the code to scan before them.
    with staying():
        assert browser.get(page).status_code == 200
        scanning = browser.post("/checkout/", form)["Location"].split("/")[2]
    elsewhere(lambda: take_down(variant))
    with staying():
        refused = browser.post("/checkout/", {**form, "contact": "13900000000"})
    assert (refused.status_code, "刚刚下架" in refused.content.decode()) == (404, True)
    assert refusal(program.post("orders/", {"lines": [line], "contact": "c@d.cn"})) == (404, "unknown_sku")
    assert refusal(program.post(pay, way, token=placed["token"])) == (409, "taken_down")
    assert Payment.objects.count() == 0
    # The kept page goes with the revision, which is asked for once a second.
    monkeypatch.setattr(shelves, "FRESH_SECONDS", 0)
    with staying():
        assert browser.get(page).status_code == 404
    drain()
    numbers = (placed["number"], scanning)
    assert [states(order)[0] for order in Order.objects.filter(number__in=numbers)] == ["canceled"] * 2


@pytest.fixture
def _doubt(live_shop: Reseller) -> Iterator[None]:
    """Rules outlive what tests write."""
    rule = doubtful_words()
    yield
    rule.delete()


@pytest.mark.usefixtures("_doubt")
def test_what_is_changed_while_somebody_decides_is_not_approved_unseen(live_shop: Reseller) -> None:
    product = on_sale(max_quantity=1).product
    renamed(product, DOUBTFUL)
    case = Case.objects.get()
    results = at_once(
        live_shop,
        lambda: renamed(product, f"{DOUBTFUL} 新"),
        lambda: case_decide(case_id=case.pk, digest=case.digest, to="approved", actor=ACTOR),
    )
    edited, decided = results
    assert isinstance(edited, Product), edited
    # Whoever came first: what stands there now was seen by nobody, and is not on sale.
    product.refresh_from_db()
    assert (product.name, product.standing) == (f"{DOUBTFUL} 新", "flagged")
    waiting = Case.objects.get(state="open")
    if isinstance(decided, CaseMoved):
        assert waiting.pk == case.pk
    else:
        assert (decided.state, waiting.pk != case.pk) == ("approved", True)
    assert waiting.digest != case.digest
    assert renamed(product, CLEAR).standing == "clear"
