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
from compliance.gate import services as gate
from compliance.gate.exceptions import CaseClosed, CaseMoved
from compliance.gate.models import Case
from compliance.gate.services import case_decide, subject_take_down
from compliance.trail.models import AuditEntry
from fulfillment.suppliers import choosing
from orders.exceptions import GoodsTakenDown
from orders.models import Order
from orders.selectors import order_told
from payments.models import Payment
from resellers.models import Reseller
from tests.compliance.gate import CLEAR, DOUBTFUL, doubtful_words, renamed
from tests.doubles import ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import confirm, drain, states
from tests.program import Program, refusal, staying
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_before, without_row_locks

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
    monkeypatch.setattr("kameng.core.remembered.FRESH_SECONDS", 0)
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


GUARDED = pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "without its guard"])


@GUARDED
@pytest.mark.usefixtures("_doubt")
def test_of_two_who_decide_at_once_one_is_told_that_it_is_late(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    renamed(on_sale(max_quantity=1).product, DOUBTFUL)
    case = Case.objects.get()
    if not is_guarded:
        without_row_locks(monkeypatch)
    patience = BRIEFLY if is_guarded else SURELY
    pause_before(monkeypatch, "compliance.gate.services.case_close", patience=patience)
    results = at_once(
        live_shop,
        lambda: case_decide(case_id=case.pk, digest=case.digest, to="approved", actor=ACTOR),
        lambda: case_decide(case_id=case.pk, digest=case.digest, to="sent_back", actor="staff:wang", reasons=["R03"]),
    )
    late = sum(isinstance(result, CaseClosed) for result in results)
    assert (late, AuditEntry.objects.count()) == ((1, 1) if is_guarded else (0, 2))


@GUARDED
@pytest.mark.usefixtures("_doubt")
def test_what_comes_between_reading_a_version_and_deciding_is_not_on_sale(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    product = on_sale(max_quantity=1).product
    renamed(product, DOUBTFUL)
    case = Case.objects.get()
    if not is_guarded:
        without_row_locks(monkeypatch)
    edit = Thread(target=lambda: elsewhere(lambda: renamed(product, f"{DOUBTFUL} 新")))
    close = gate.case_close

    def edited_meanwhile(*args: Any, **options: Any) -> None:
        edit.start()
        edit.join(BRIEFLY if is_guarded else 20)
        close(*args, **options)

    monkeypatch.setattr(gate, "case_close", edited_meanwhile)
    case_decide(case_id=case.pk, digest=case.digest, to="approved", actor=ACTOR)
    edit.join(20)
    product.refresh_from_db()
    unseen = (f"{DOUBTFUL} 新", "flagged" if is_guarded else "clear")
    assert (product.name, product.standing) == unseen


@GUARDED
def test_two_who_take_down_at_once_make_one_case(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    variant = on_sale(max_quantity=1)
    if not is_guarded:
        without_row_locks(monkeypatch)
    # Without the guard, the one that writes the chain first keeps the other from coming here.
    pause_before(monkeypatch, "compliance.gate.services.case_close")
    at_once(live_shop, lambda: take_down(variant), lambda: take_down(variant))
    taken_down = AuditEntry.objects.filter(action="case.taken_down").count()
    assert (Case.objects.count(), taken_down) == ((1, 1) if is_guarded else (2, 2))


@GUARDED
def test_an_order_that_was_placed_during_a_take_down_cannot_be_paid(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    variant, read = on_sale(), shelves.shelf_now

    def taken_down_meanwhile(shop: Reseller) -> Any:
        found = read(shop)
        elsewhere(lambda: take_down(variant))
        return found

    with monkeypatch.context() as between:
        between.setattr("orders.services.shelf_now", taken_down_meanwhile)
        order = place(live_shop, variant)
    if is_guarded:
        with pytest.raises(GoodsTakenDown):
            open_payment(live_shop, order)
    else:
        monkeypatch.setattr("payments.services.order_told", lambda order: (order_told(order)[0], False))
        open_payment(live_shop, order)
    assert Payment.objects.count() == (0 if is_guarded else 1)


@GUARDED
def test_money_that_comes_with_a_take_down_goes_back_and_nothing_is_bought(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    variant = on_sale()
    order = place(live_shop, variant)
    payment = open_payment(live_shop, order)
    at_once(live_shop, lambda: take_down(variant), lambda: confirm(payment))
    if not is_guarded:
        assert choosing._TAKEN_DOWN in choosing._RANKED
        monkeypatch.setattr(choosing, "_RANKED", choosing._RANKED.replace(choosing._TAKEN_DOWN, "FALSE"))
        monkeypatch.setattr(choosing, "is_taken_down_here", lambda variant_id: False)
    drain()
    drain()
    order.refresh_from_db()
    assert ScriptedSupplier.bought_from() == ([] if is_guarded else ["first"])
    assert (order.status == "refunded") is is_guarded
