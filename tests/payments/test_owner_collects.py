"""A shop's owner collects through an account of their own: what the goods cost is held from the deposit, until the
goods have arrived or the shopper has their money back."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from kameng.alerts.models import Alert
from kameng.pages.story import order_story
from orders.access import order_token
from orders.models import Order
from orders.services import order_cancel
from orders.statements import statement_of
from payments.exceptions import GatewayDown, MethodUnavailable
from payments.gateways.base import GatewayRefused, GatewayStatus, PaymentResult, RefundResult, RefundStatus
from payments.gateways.registry import GATEWAYS
from payments.merchants.models import GatewayAccount
from payments.merchants.services import gateway_account_place, gateway_account_save
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_apply
from payments.refunds import refund_request
from payments.services import Verdict, payment_apply, payment_start
from resellers.deposits.services import deposit_take_out
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, code_on_sale, on_sale, open_payment, place
from tests.flows import REFUSED, TOPPED_UP, confirm, drain, fulfill, outbox, paid, states
from tests.fulfillment.test_partial import part
from tests.kameng.reconciliation.books import Day, breaks, some_day
from tests.own_collection import FEE, PAID, SUPPLY, audited, book, fund, own_till, purse
from tests.program import Program, refusal

NOTHING, HUNDRED = Decimal(0), Decimal(100)
LEFT = HUNDRED - SUPPLY


@pytest.fixture
def here(shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]) -> Reseller:
    """A shop whose owner collects, with a deposit of a hundred yuan."""
    own_till(shop)
    fund(shop, HUNDRED)
    return shop


def delivered(shop: Reseller, **wishes: int) -> Order:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale(), **wishes)
    fulfill(order)
    return order


def give_back(order: Order, amount: str, cause: str) -> Refund:
    return refund_request(
        payment_id=order.payments.get().pk, amount=Decimal(amount), cause=cause, reason="商量好的", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip


def sent(refund: Refund) -> None:
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference="R1")
    refund_apply(refund_id=refund.pk, result=done, actor="notice")


def closed(payment: Payment) -> None:
    """The gateway has closed the attempt."""
    result = PaymentResult(payment=payment.number, status=GatewayStatus.CLOSED)
    payment_apply(payment_id=payment.pk, result=result, actor="schedule")


def to_the_platform(shop: Reseller, order: Order) -> Payment:
    """An attempt at the platform's account, of another gateway than the owner's."""
    return payment_start(
        order=order,
        shop_id=shop.pk,
        gateway="other",
        channel="qr",
        client_ip="127.0.0.1",
        return_url="https://shop.test/",
    )


def test_the_price_is_the_owners_and_the_goods_are_paid_from_the_deposit(here: Reseller) -> None:
    order = place(here, on_sale())
    assert purse(here) == (HUNDRED, NOTHING)
    payment = open_payment(here, order)
    assert open_payment(here, order).pk == payment.pk
    assert purse(here) == (LEFT, SUPPLY)
    assert audited(here) == []
    for _ in range(3):
        confirm(payment)
    held = {"top_ups": HUNDRED, "deposit": LEFT, "deposit_held": SUPPLY}
    assert book() == {**held, "own_clearing": PAID - FEE, "orders": PAID, "takings": -FEE}
    assert audited(here) == []
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    fulfill(order)
    earned = PAID - FEE
    assert book() == {
        "top_ups": HUNDRED, "deposit": LEFT, "own_clearing": earned, "takings": earned, "sales": SUPPLY
    }  # fmt: skip
    order.refresh_from_db()
    assert (order.status, order.owner_collects, order.held) == ("fulfilled", True, NOTHING)
    assert audited(here) == []
    statement = statement_of(here, order, now=timezone.now())
    assert statement is not None
    assert (statement.paid, statement.supply, statement.fee, statement.own) == (PAID, SUPPLY, FEE, PAID - SUPPLY - FEE)
    assert (statement.is_direct, statement.platform_fee, statement.taken_back) == (True, NOTHING, NOTHING)


def test_what_was_delivered_and_goes_back_is_held_until_the_shopper_has_it(here: Reseller) -> None:
    """By parts that do not divide: together they are the whole supply price. Where the owner's gateway will not return
    it, the deposit answers for it."""
    order = delivered(here, quantity=1)
    for place_in_row, amount in enumerate(["10.01", "0.02", "49.97"]):
        refund = give_back(order, amount, f"ops:{place_in_row}")
        assert purse(here)[1] > 0
        assert audited(here) == []
        if place_in_row == 1:
            no = RefundResult(refund=refund.number, status=RefundStatus.FAILED, code="NO_BALANCE")
            refund_apply(refund_id=refund.pk, result=no, actor="notice")
            assert purse(here)[1] == Decimal("0.02")
        sent(refund)
        assert audited(here) == []
    assert purse(here) == (HUNDRED, NOTHING)
    assert book() == {"top_ups": HUNDRED, "deposit": HUNDRED}
    statement = statement_of(here, order, now=timezone.now())
    assert statement is not None
    assert (statement.taken_back, statement.own) == (PAID - SUPPLY, NOTHING)
    assert states(order) == ("refunded", "refunded")


@pytest.mark.parametrize("returns", [True, False])
def test_what_nobody_delivers_goes_back_through_the_owners_account(
    here: Reseller, monkeypatch: pytest.MonkeyPatch, returns: bool
) -> None:
    """A fee that their gateway does not give back is the owner's, not the platform's."""
    monkeypatch.setattr(ScriptedGateway, "refund_returns_fee", returns)
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(here, on_sale(suppliers=("first",)))
    drain()
    assert states(order) == ("refunded", "refunded")
    lost = {} if returns else {"own_clearing": -FEE, "takings": -FEE}
    assert book() == {"top_ups": HUNDRED, "deposit": HUNDRED, **lost}
    assert audited(here) == []


def test_a_part_that_nobody_has_is_free_again_and_the_rest_is_charged(here: Reseller) -> None:
    fund(here, "200")
    ScriptedSupplier.on_submit("first", part("AAAA-1111", "BBBB-2222"))
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(here, code_on_sale(), quantity=3)
    fulfill(order)
    assert purse(here) == (Decimal(300) - 3 * SUPPLY, SUPPLY)
    assert audited(here) == []
    drain()
    drain()
    assert purse(here) == (Decimal(300) - 2 * SUPPLY, NOTHING)
    assert book()["sales"] == 2 * SUPPLY
    assert states(order) == ("partly_refunded", "delivered")
    assert audited(here) == []


# --- a deposit that does not reach --------------------------------------------------------------------------


def test_where_the_deposit_is_short_nothing_is_opened_and_the_platforms_account_still_works(
    here: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GATEWAYS, "other", ScriptedGateway)
    GatewayAccountFactory(gateway="other", position=9)
    deposit_take_out(shop_id=here.pk, amount=Decimal("43.01"), key="k")
    order = place(here, on_sale())
    answer = Program().post(
        f"orders/{order.number}/payments/", {"gateway": "scripted", "channel": "qr"}, token=order_token(order)
    )
    assert refusal(answer) == (422, "method_unavailable")
    assert "56.99" not in answer.content.decode()
    assert not Payment.objects.exists()
    assert ScriptedGateway.calls == []
    assert purse(here) == (Decimal("56.99"), NOTHING)
    assert Alert.objects.get(kind="deposit.exhausted").level == "urgent"
    confirm(to_the_platform(here, order))
    assert states(order) == ("paid", "queued")
    assert "clearing" in book()
    fund(here, "500.00")
    assert not Alert.objects.filter(kind__startswith="deposit", closed_at=None).exists()
    assert audited(here) == []


def test_an_owner_is_warned_before_it_is_too_late(here: Reseller) -> None:
    Reseller.objects.filter(pk=here.pk).update(deposit_warning=Decimal("43.00"))
    first = open_payment(here, place(here, on_sale()))
    assert not Alert.objects.exists()
    closed(first)
    Reseller.objects.filter(pk=here.pk).update(deposit_warning=Decimal("43.01"))
    open_payment(here, place(here, on_sale()))
    told = Alert.objects.get()
    assert (told.kind, told.level, told.data["balance"]) == ("deposit.low", "warning", "43.00")


# --- attempts that come to nothing, and money that comes late ------------------------------------------------


def test_what_is_held_is_free_when_the_last_open_attempt_at_the_owners_ends(here: Reseller) -> None:
    order = place(here, on_sale())
    code, link = open_payment(here, order), open_payment(here, order, channel="h5")
    assert purse(here) == (LEFT, SUPPLY)
    closed(code)
    assert purse(here) == (LEFT, SUPPLY)
    order_cancel(order_id=order.pk, actor="shopper")
    drain()
    link.refresh_from_db()
    assert link.status == "canceled"
    assert purse(here) == (HUNDRED, NOTHING)
    ScriptedGateway.failures["charge"] = GatewayRefused("NO")
    with pytest.raises(GatewayDown):
        open_payment(here, place(here, on_sale()))
    assert purse(here) == (HUNDRED, NOTHING)
    assert audited(here) == []


def test_money_to_the_platform_frees_what_waited_for_the_owner_whose_money_then_goes_back(
    here: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GATEWAYS, "other", ScriptedGateway)
    GatewayAccountFactory(gateway="other", position=9)
    order = place(here, on_sale())
    owners = open_payment(here, order)
    platforms = to_the_platform(here, order)
    assert confirm(platforms).verdict == Verdict.CONFIRMED
    assert purse(here) == (HUNDRED, NOTHING)
    assert confirm(owners).verdict == Verdict.SURPLUS
    assert audited(here) == []
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    drain()
    order.refresh_from_db()
    assert (order.status, order.owner_collects) == ("fulfilled", False)
    assert Refund.objects.get().payment_id == owners.pk
    assert book()["clearing"] == PAID
    assert "own_clearing" not in book()
    assert audited(here) == []


@pytest.mark.parametrize("reaches", [True, False])
def test_late_money_is_delivered_if_the_deposit_still_reaches_and_else_goes_back(here: Reseller, reaches: bool) -> None:
    order = place(here, on_sale())
    payment = open_payment(here, order)
    order_cancel(order_id=order.pk, actor="shopper")
    drain()
    if not reaches:
        deposit_take_out(shop_id=here.pk, amount=Decimal(50), key="k")
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    assert confirm(payment).verdict == (Verdict.CONFIRMED if reaches else Verdict.SURPLUS)
    assert confirm(payment).verdict == Verdict.REPEATED
    assert audited(here) == []
    drain()
    assert audited(here) == []
    if reaches:
        assert states(order) == ("fulfilled", "delivered")
        assert purse(here) == (LEFT, NOTHING)
        return
    refund = Refund.objects.get()
    assert (refund.amount, refund.status, refund.reason) == (PAID, "succeeded", "店铺暂时供不了货，自动退回")
    assert states(order) == ("canceled", "waiting")
    assert order_story(order).status.state == "late_payment"
    assert outbox("order.paid") == []
    assert purse(here) == (Decimal(50), NOTHING)
    assert Alert.objects.filter(kind="deposit.exhausted").exists()


def test_the_owners_bill_is_held_against_the_owners_account_in_the_book(here: Reseller) -> None:
    day = Day(here, some_day(), on_sale(suppliers=("first",)))
    payment = day.sell()
    refund = day.give_back(payment, Decimal("1.00"))
    day.reconcile(day.row(payment), day.row(refund))
    assert breaks() == set()


# --- whose account it is ------------------------------------------------------------------------------------


def saved(code: str, schema_name: str, *, owner_collects: bool | None) -> GatewayAccount:
    return gateway_account_save(
        code=code, gateway="scripted", config={}, schema_name=schema_name, owner_collects=owner_collects
    )


def test_an_owners_account_is_of_one_sub_site_for_good(
    shop: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    with pytest.raises(ValidationError):
        saved("own", "", owner_collects=True)
    account = saved("own", shop.schema_name, owner_collects=True)
    for schema_name in ("", other_shop.schema_name):
        with pytest.raises(ValidationError):
            gateway_account_place(
                account_id=account.pk, name="x", schema_name=schema_name, position=0, fee_percent=NOTHING,
                fee_bearer="owner",
            )  # fmt: skip
    with pytest.raises(ValidationError):
        saved("own", shop.schema_name, owner_collects=False)
    saved("own", shop.schema_name, owner_collects=None)
    assert GatewayAccount.objects.get().owner_collects
    Reseller.objects.filter(pk=other_shop.pk).update(is_house=True)
    with pytest.raises(ValidationError):
        saved("house", other_shop.schema_name, owner_collects=True)


def test_an_order_is_never_paid_half_to_one_and_half_to_the_other(here: Reseller) -> None:
    order = place(here, on_sale())
    Payment.objects.create(
        order=order, number="PART", account_id=GatewayAccountFactory(gateway="other").pk, gateway="other",
        channel="qr", amount=20, status="confirmed", reference="T", confirmed_at=timezone.now(),
        expires_at=order.expires_at,
    )  # fmt: skip
    with pytest.raises(MethodUnavailable):
        open_payment(here, order)
    assert purse(here) == (HUNDRED, NOTHING)


# --- the audit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE orders_order SET held = held + 1", "holds 58.00 of the deposit, the book says 57.00"),
        ("UPDATE orders_orderline SET supply_price = 50", "it needs 50.00"),
        ("UPDATE orders_order SET owner_collects = false", "which somebody else collected"),
        ("UPDATE public.deposits_topup SET amount = 90", "brought shop"),
        (
            "SELECT public.ledger_post('odd', 'deposit_out', NULL, '', ARRAY['deposit', 'cost'],"
            " ARRAY[(SELECT owner FROM public.ledger_account WHERE name = 'deposit'), 0], ARRAY[43.01, -43.01])",
            "is at -0.01",
        ),
    ],
)
def test_what_does_not_agree_is_named(here: Reseller, change: str, says: str) -> None:
    paid(here, on_sale())
    assert audited(here) == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(change)
    assert any(says in breach for breach in audited(here)), audited(here)
