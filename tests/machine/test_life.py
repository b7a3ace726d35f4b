"""The life of orders as it may come: bought, paid, told twice, told late, forgotten, refunded, with suppliers that lie
down and workers that die, in any order; after each step the books agree, and in the end everybody has what is theirs.

Short and the same each time by default. `--hypothesis-profile=nightly` looks for new lives, longer ones, two hundred of
them.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from catalog.models import Variant
from customers.accounts import customer_open
from customers.models import Route
from fulfillment import outcomes
from fulfillment.callbacks import callback_receive
from fulfillment.decisions import attempt_confirm, attempt_fail, attempt_fail_agree, fulfillment_retry
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.suppliers.models import DuplicateSupply, Supplier, SupplierBreaker
from fulfillment.suppliers.registry import ADAPTERS
from kameng.audit.services import invariants, verdict_of
from kameng.core.problems import Problem
from kameng.dispatch import dispatch
from kameng.outbox.services import claim, run
from orders.keeping import order_keep, refund_route_choose
from orders.models import Order
from orders.services import order_cancel
from payments import refund_outcomes
from payments.approvals import refund_by_hand, refund_retry
from payments.coupons import coupon_use
from payments.gateways.base import RefundRequest
from payments.gateways.registry import GATEWAYS
from payments.models import Payment, Refund
from payments.notices import notice_receive
from payments.wallets import wallet_pay
from resellers.models import Reseller
from tests import remembered
from tests.factories import (
    GatewayAccountFactory,
    ProductFactory,
    SupplierFactory,
    coupon,
    on_sale,
    open_payment,
    place,
)
from tests.machine.world import BookedGateway, BookedSupplier, Killed, Mode, Sale, Till, time_passes

ACCOUNT, SUPPLIERS = "till", ("first", "second")
#: What is looked at after each step. Secrets and what is overdue are looked at in the end: nobody works in between.
AT_EACH_STEP = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I11", "I13", "I14", "I15")
IN_THE_END = (*AT_EACH_STEP, "I10")
#: What shoppers type: most of them nothing; an owner's, or the platform's, which may pay for all.
CODES = st.sampled_from(["", "", "OWNERS", "ALLES"])
#: By default, and at night.
SHORT = settings(
    max_examples=6, stateful_step_count=14, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LONG = settings(
    max_examples=200, stateful_step_count=30, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
#: For how long nobody works before somebody does.
AWAY_SECONDS = 540
#: Seconds between rounds in the end: first some in which what is under way still is, then more than anything may wait
#: by rule: an hour for what is unclear, and the pauses in between.
ROUNDS = (2, 3, 5, *([320] * 40))


def _note(text: str) -> None:
    """For whoever reads about a life that went wrong."""
    if currently_in_test_context():
        note(text)


class Life(RuleBasedStateMachine):
    """One shop with a top-up and a code, two suppliers that sell both, and one gateway."""

    shop: Reseller
    payments: Bundle[str] = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self._undone = transaction.atomic()
        self._undone.__enter__()
        BookedSupplier.reset()
        BookedGateway.reset()
        remembered.forget()
        GatewayAccountFactory(code=ACCOUNT)
        for code in SUPPLIERS:
            SupplierFactory.create(code=code, adapter=BookedSupplier.code)
        top_up = on_sale(suppliers=SUPPLIERS)
        codes = on_sale(product=ProductFactory(kind="code", account_fields=[]), suppliers=SUPPLIERS)
        self.goods: dict[str, Variant] = {"top-up": top_up, "codes": codes}
        coupon(self.shop, "OWNERS", use_limit=2)
        coupon(None, "ALLES", value=Decimal(70), use_limit=2)
        self.customer = customer_open(contact="13900000000", password="correct-horse-9")
        self.orders = 0
        self.notices = 0
        #: Seconds since everything was worked off before somebody waited.
        self.idle = 0
        #: Whether anything happened to the books since they were looked at.
        self.is_news = True

    def teardown(self) -> None:
        """The end of the day: everybody is well again, and nothing stays open."""
        try:
            self._everybody_is_well()
            for seconds in ROUNDS:
                self._work(deaths=True)
                self._people()
                if self._is_over():
                    break
                self.wait(seconds)
            self._judge()
        finally:
            transaction.set_rollback(True)
            self._undone.__exit__(None, None, None)

    # --- what shoppers do ---------------------------------------------------------------------------------------------

    @rule(
        target=payments,
        good=st.sampled_from(["top-up", "codes"]),
        quantity=st.integers(1, 3),
        code=CODES,
        keeps=st.booleans(),
    )
    def buy(self, good: str, quantity: int, code: str, keeps: bool) -> str:
        return self._bought(good, quantity, code, keeps=keeps)

    def _bought(self, good: str, quantity: int, code: str = "", *, keeps: bool = False) -> str:
        """The number of the payment that was opened; nothing where nobody sells, or a coupon has paid for all."""
        self.orders += 1
        try:
            order = place(self.shop, self.goods[good], quantity=quantity, contact=f"138{self.orders:08d}")
        except Problem as refused:
            _note(f"not sold: {refused}")  # every supplier is at rest
            return ""
        if keeps:
            # Who keeps it in the account wants refunds in the wallet.
            order_keep(order_id=order.pk, customer=self.customer, is_own_device=True)
            refund_route_choose(order_id=order.pk, customer=self.customer, to=Route.WALLET)
        self._use(order, code)
        return open_payment(self.shop, order).number if self._is_unpaid(order) else ""

    def _is_unpaid(self, order: Order) -> bool:
        order.refresh_from_db()
        return order.status == Order.Status.PENDING

    def _use(self, order: Order, code: str) -> None:
        try:
            if code:
                coupon_use(shop=self.shop, order_id=order.pk, code=code, actor="shopper")
        except Problem as refused:
            _note(f"no coupon: {refused}")

    @rule(number=payments)
    def pay_from_the_wallet(self, number: str) -> None:
        payment = self._payment(number)
        if payment is not None:
            try:
                wallet_pay(order=payment.order, customer=self.customer, shop_id=self.shop.pk)
            except Problem as refused:
                _note(f"not from the wallet: {refused}")

    @rule(number=payments, code=CODES)
    def use_a_coupon_late(self, number: str, code: str) -> None:
        """Somebody has been asked for the money by then."""
        payment = self._payment(number)
        if payment is not None:
            self._use(payment.order, code)

    @rule(number=payments)
    def give_up(self, number: str) -> None:
        payment = self._payment(number)
        if payment is not None and self._is_unpaid(payment.order):
            order_cancel(order_id=payment.order_id, actor="shopper")

    @rule(target=payments, number=payments)
    def open_another_payment(self, number: str) -> str:
        payment = self._payment(number)
        if payment is None or payment.order.status != Order.Status.PENDING:
            return ""
        try:
            return open_payment(self.shop, payment.order, channel="h5").number
        except Problem as refused:
            _note(f"no second way to pay: {refused}")
            return ""

    @rule(number=payments, cents=st.sampled_from([0, 0, 0, 0, -1, 1]))
    def pay(self, number: str, cents: int) -> None:
        self.is_news = False  # only the gateway knows
        payment = self._payment(number)
        if payment is not None and BookedGateway.is_payable(number):
            BookedGateway.pay(number, payment.amount + Decimal(cents) / 100)

    @rule(target=payments, good=st.sampled_from(["top-up", "codes"]), quantity=st.integers(1, 3), code=CODES)
    def buy_and_pay_at_once(self, good: str, quantity: int, code: str = "") -> str:
        """As most people do: without it few lives get as far as a purchase at a supplier."""
        number = self._bought(good, quantity, code)
        self.pay(number, 0)
        self.tell_of_a_payment(number, times=1, fresh=True, genuine=True)
        self.is_news = True
        return number

    # --- what others tell ---------------------------------------------------------------------------------------------

    @rule(number=payments, times=st.integers(1, 3), fresh=st.booleans(), genuine=st.sampled_from([True, True, False]))
    def tell_of_a_payment(self, number: str, times: int, fresh: bool, genuine: bool) -> None:
        if number not in BookedGateway.paid:
            return
        for _ in range(times):
            self.notices += fresh
            body = json.dumps({"id": f"{number}-{self.notices if fresh else 0}", "payment": number}).encode()
            headers = {"signature": "genuine" if genuine else "forged"}
            reply = notice_receive(account_code=ACCOUNT, headers=headers, body=body)
            assert genuine or reply.status != 200

    @rule(place=st.integers(0, 5), times=st.integers(1, 2))
    def call_back(self, place: int, times: int) -> None:
        """A supplier rings about something that it sold, once or again."""
        if not BookedSupplier.book:
            return
        reference = [*BookedSupplier.book][place % len(BookedSupplier.book)]
        buy = SupplierOrder.objects.get(reference=reference)
        code = Supplier.objects.values_list("code", flat=True).get(pk=buy.supplier_id)
        for _ in range(times):
            reply = callback_receive(supplier_code=code, headers={"event": reference}, body=reference.encode())
            assert reply[0] == 200

    # --- how everybody is ---------------------------------------------------------------------------------------------

    @rule(supplier=st.sampled_from(SUPPLIERS), mode=st.sampled_from(Mode))
    def a_supplier_changes(self, supplier: str, mode: Mode) -> None:
        self.is_news = False
        BookedSupplier.modes[supplier] = mode

    @rule(till=st.sampled_from(Till))
    def the_gateway_changes(self, till: Till) -> None:
        self.is_news = False
        BookedGateway.till = till

    @rule(well=st.booleans())
    def suppliers_end_what_is_open(self, well: bool) -> None:
        self.is_news = False
        BookedSupplier.end(well=well)

    @rule(seconds=st.sampled_from([1, 6, 35, 70, 200, 1000]))
    def wait(self, seconds: int) -> None:
        # What an order kept that is over goes back within a moment of the audit's (I3): nobody is away for longer.
        if self.idle + seconds > AWAY_SECONDS:
            self._work(deaths=True)
            self.idle = 0
        self.idle += seconds
        time_passes(seconds)
        BookedSupplier.time_passes(seconds)

    # --- who works ----------------------------------------------------------------------------------------------------

    @rule(rows=st.integers(1, 6))
    def work(self, rows: int) -> None:
        self._work(rows)

    @precondition(lambda self: self.orders)
    @rule()
    def work_everything_off(self) -> None:
        self._work(deaths=True)

    @invariant()
    def the_books_agree(self) -> None:
        if self.is_news:
            self._audit(AT_EACH_STEP)
        self.is_news = True

    def _payment(self, number: str) -> Payment | None:
        return Payment.objects.select_related("order").filter(number=number).first() if number else None

    def _work(self, rows: int = 200, *, deaths: bool = False) -> None:
        """Work off so many rows. A worker that dies leaves the rest to the next, if there is to be one."""
        for _ in range(rows):
            claims = claim(limit=1)
            if not claims:
                return
            try:
                run(claims[0], dispatch)
            except Killed:
                _note("a worker died")
                if not deaths:
                    return
            finally:
                connection.set_tenant(self.shop)  # type: ignore[attr-defined]

    def _everybody_is_well(self) -> None:
        BookedSupplier.modes.clear()
        BookedGateway.till = Till.WELL
        BookedSupplier.end(well=True)

    def _people(self) -> None:
        """What waits for people is decided by what the other side's book says."""
        for work in Fulfillment.objects.filter(status="manual"):
            for buy in SupplierOrder.objects.filter(fulfillment=work, status__in=SupplierOrder.ACTIVE):
                entry = BookedSupplier.book.get(buy.reference)
                if entry is None or entry.sale == Sale.FAILED:
                    asked = attempt_fail(supplier_order_id=buy.pk, actor="staff:1", note="对方后台查无此单")
                    if asked.status == asked.Status.WAITING:
                        attempt_fail_agree(decision_id=asked.pk, actor="staff:2")
                elif entry.done == entry.quantity:
                    codes = entry.codes(buy.reference)
                    attempt_confirm(supplier_order_id=buy.pk, actor="staff:1", note="对方后台显示成功", codes=codes)
                else:
                    fulfillment_retry(fulfillment_id=work.pk, actor="staff:1")
        for refund in Refund.objects.filter(status=Refund.Status.FAILED):
            if refund.number in BookedGateway.returned:
                refund_by_hand(refund_id=refund.pk, reference=f"R{refund.number}", note="后台显示已退", actor="staff:1")
            else:
                refund_retry(refund_id=refund.pk, actor="staff:1")

    def _is_over(self) -> bool:
        working = Fulfillment.objects.exclude(status__in=["delivered", "failed"]).exists()
        returning = Refund.objects.exclude(status=Refund.Status.SUCCEEDED).exists()
        waiting = Order.objects.filter(status=Order.Status.PENDING).exists()
        collecting = Payment.objects.filter(status__in=["created", "pending"]).exists()
        resting = SupplierBreaker.objects.exclude(state="closed").exists()
        arriving = bool(BookedSupplier.under_way)
        return not (arriving or working or returning or waiting or collecting or (resting and self._work_is_open()))

    def _work_is_open(self) -> bool:
        return Order.objects.filter(status=Order.Status.PAID).exists()

    def _audit(self, codes: tuple[str, ...]) -> None:
        with connection.cursor() as cursor:  # what is due on commit, as at one
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        for checked in invariants():
            if checked.code in codes:
                verdict = verdict_of(checked, [self.shop])
                assert verdict.ok, (checked.code, verdict.examples)

    # --- in the end ---------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        self._audit(IN_THE_END)
        assert self._is_over()
        for order in Order.objects.all():
            (line,) = order.lines.all()
            arrived = sum(Fulfillment.objects.filter(line=line).values_list("delivered_quantity", flat=True))
            paid, back = self._money(order)
            by_coupon = self._by_coupon(order)
            _note(f"{order.number}: {order.status}, {arrived} of {line.quantity} arrived, {paid} paid, {back} returned")
            assert paid - back + by_coupon + self._by_wallet(order) == line.price * arrived
            # Money goes back first: whoever paid some is left without it before a coupon is without its value.
            assert not by_coupon or arrived
            assert not arrived or order.status in (Order.Status.FULFILLED, Order.Status.PARTLY_REFUNDED)
            assert self._supplied(order) == arrived
        assert not [reference for reference, entry in BookedSupplier.book.items() if entry.times > 1]

    def _money(self, order: Order) -> tuple[Decimal, Decimal]:
        """What the gateway's book says came for the order, as it should have, and what went back."""
        right = [
            payment.number
            for payment in order.payments.all()
            if payment.number in BookedGateway.paid and BookedGateway.paid[payment.number].amount == payment.amount
        ]
        came = [BookedGateway.paid[number].amount for number in right]
        went = [amount for payment, amount in BookedGateway.returned.values() if payment in right]
        return sum((one for one in came if one), Decimal(0)), sum(went, Decimal(0))

    def _by_coupon(self, order: Order) -> Decimal:
        """What a coupon has paid of the order in the end; that the coupon says so too is I1."""
        return self._by_purse(order, "coupon")

    def _by_wallet(self, order: Order) -> Decimal:
        """The same of the wallet, less what came another way and went there; that the wallet says so too is I11."""
        into = Refund.objects.filter(payment__order=order, route=Route.WALLET, status=Refund.Status.SUCCEEDED)
        return self._by_purse(order, "wallet") - sum((one.amount for one in into), Decimal(0))

    def _by_purse(self, order: Order, gateway: str) -> Decimal:
        paid = Payment.objects.filter(order=order, gateway=gateway, status="confirmed")
        back = Refund.objects.filter(payment__in=paid, status=Refund.Status.SUCCEEDED)
        return sum((one.amount for one in paid), Decimal(0)) - sum((one.amount for one in back), Decimal(0))

    def _supplied(self, order: Order) -> int:
        """What suppliers' books say was sold for the order and not claimed back as supplied twice."""
        bought = SupplierOrder.objects.filter(fulfillment__line__order=order).values_list("reference", flat=True)
        twice = set(DuplicateSupply.objects.values_list("reference", flat=True))
        return sum(BookedSupplier.book[number].done for number in set(bought) - twice if number in BookedSupplier.book)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ADAPTERS, BookedSupplier.code, BookedSupplier)
    monkeypatch.setitem(GATEWAYS, BookedGateway.code, BookedGateway)


@pytest.mark.usefixtures("world")
def test_whatever_happens_everybody_has_what_is_theirs_in_the_end(shop: Reseller) -> None:
    machine = type("LifeInThisShop", (Life,), {"shop": shop})
    nightly = settings.get_current_profile_name() == "nightly"
    run_state_machine_as_test(machine, settings=LONG if nightly else SHORT)


def _lived(shop: Reseller, *, suppliers: Sequence[Mode], till: Till = Till.WELL) -> None:
    """A life of one purchase, to its end."""
    life = type("LifeInThisShop", (Life,), {"shop": shop})()
    for code, mode in zip(SUPPLIERS, suppliers, strict=True):
        life.a_supplier_changes(code, mode)
    life.the_gateway_changes(till)
    life.buy_and_pay_at_once("top-up", 1)
    life.work_everything_off()
    life.the_books_agree()
    life.teardown()


@pytest.mark.usefixtures("world")
def test_who_believes_at_once_that_there_is_no_such_order_buys_twice_and_is_seen(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lived(shop, suppliers=(Mode.DELAYED, Mode.WELL))
    monkeypatch.setattr(outcomes, "_missing", outcomes._rejected)
    with pytest.raises(AssertionError):
        _lived(shop, suppliers=(Mode.DELAYED, Mode.WELL))


@pytest.mark.usefixtures("world")
def test_who_returns_money_under_another_number_each_time_is_seen(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lived(shop, suppliers=(Mode.REFUSES, Mode.REFUSES), till=Till.RETURNED_AND_LOST)
    numbers = count()

    def renumbered(*, refund: str, **told: Any) -> RefundRequest:
        return RefundRequest(refund=f"{refund}{next(numbers)}", **told)

    monkeypatch.setattr(refund_outcomes, "RefundRequest", renumbered)
    with pytest.raises(AssertionError):
        _lived(shop, suppliers=(Mode.REFUSES, Mode.REFUSES), till=Till.RETURNED_AND_LOST)
