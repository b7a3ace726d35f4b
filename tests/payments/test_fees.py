"""What gateways keep: whose cost it is, from the payment to the last refund, and that the book and the rows agree."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from kameng.audit.services import audit
from orders.models import Order
from orders.statements import statement_of
from payments.approvals import refund_by_hand
from payments.contradictions import _disprove
from payments.fees import fee_share
from payments.gateways.base import RefundResult, RefundStatus
from payments.gateways.epay.gateway import EpayGateway
from payments.gateways.registry import GATEWAYS
from payments.merchants.models import FeeBearer, GatewayAccount
from payments.merchants.services import forget, gateway_account_save
from payments.models import Payment
from payments.refund_outcomes import refund_apply
from payments.refunds import line_refund, refund_request
from resellers.ledger.balances import balances
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale
from tests.flows import REFUSED, TOPPED_UP, confirm, drain, fulfill, paid

PAID, FEE = Decimal("60.00"), Decimal("0.36")
PLATFORM, OWNER = FeeBearer.PLATFORM, FeeBearer.OWNER


@pytest.mark.parametrize(
    ("percent", "amount", "fee"),
    [("0.6", "60.00", "0.36"), ("0.6", "0.83", "0.00"), ("0.6", "0.84", "0.01"), ("0.38", "12.50", "0.05"),
     ("2.555", "100.00", "2.56"), ("0", "60.00", "0.00"), ("9.999", "0.01", "0.00")],
)  # fmt: skip
def test_a_fee_is_rounded_half_up_to_the_fen(percent: str, amount: str, fee: str) -> None:
    assert GatewayAccount(fee_percent=Decimal(percent)).fee_of(Decimal(amount)) == Decimal(fee)


def test_the_parts_of_a_payment_have_its_whole_fee() -> None:
    payment = Payment(amount=Decimal("10.00"), fee=Decimal("0.06"))
    shares = [fee_share(payment, before=Decimal(n), amount=Decimal(1)) for n in range(10)]
    assert (sum(shares), min(shares), max(shares)) == (Decimal("0.06"), Decimal("0.00"), Decimal("0.01"))


def test_each_gateway_says_whether_a_refund_returns_its_fee() -> None:
    assert {code: gateway.refund_returns_fee for code, gateway in GATEWAYS.items()} == {
        "alipay": True, "wechatpay": True, "epay": False, "manual": False
    }  # fmt: skip
    assert not EpayGateway.refund_returns_fee


@pytest.mark.parametrize("percent", ["-0.001", "10", "0.0001"])
def test_what_is_no_fee_is_refused(gateway_double: type[ScriptedGateway], db: None, percent: str) -> None:
    with pytest.raises(ValidationError):
        gateway_account_save(code="till", gateway="scripted", config={}, fee_percent=Decimal(percent))
    assert not GatewayAccount.objects.exists()


def book() -> dict[str, Decimal]:
    """What lies where of what fees touch, without accounts on which nothing is."""
    wanted = ("clearing", "orders", "refunds", "fees", "pending")
    found = {str(name): amount for (name, _owner), amount in balances().items() if amount}
    return {name: found[name] for name in wanted if name in found}


def sound() -> None:
    """The audit finds nothing."""
    assert [example for verdict in audit() for example in verdict.examples] == []


def till(bearer: FeeBearer, percent: str = "0.6") -> GatewayAccount:
    return GatewayAccountFactory.create(fee_percent=Decimal(percent), fee_bearer=bearer)


def delivered(shop: Reseller) -> Order:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    return order


def give_back(order: Order, amount: str, cause: str) -> None:
    refund = refund_request(
        payment_id=order.payments.get().pk, amount=Decimal(amount), cause=cause, reason="商量好的", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference="R1")
    refund_apply(refund_id=refund.pk, result=done, actor="notice")


@pytest.fixture
def here(shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]) -> Reseller:
    return shop


@pytest.mark.parametrize(
    ("bearer", "returns", "after"),
    [
        (PLATFORM, True, {"fees": "0.18", "pending": "1.50"}),
        (PLATFORM, False, {"fees": "0.36", "pending": "1.50"}),
        (OWNER, True, {"pending": "1.32"}),
        (OWNER, False, {"pending": "1.14"}),
    ],
)
def test_a_fee_is_borne_by_who_was_agreed_on(
    here: Reseller, monkeypatch: pytest.MonkeyPatch, bearer: FeeBearer, returns: bool, after: dict[str, str]
) -> None:
    """Half of what was delivered goes back: half of the fee comes back with it, to who bears it, if any does."""
    monkeypatch.setattr(ScriptedGateway, "refund_returns_fee", returns)
    account = till(bearer)
    order = delivered(here)
    GatewayAccount.objects.filter(pk=account.pk).update(fee_percent=5)
    forget()
    is_own = bearer == OWNER
    before = {"clearing": PAID - FEE, "pending": Decimal(3) - FEE} if is_own else {"fees": FEE, "pending": Decimal(3)}
    assert book() == {"clearing": PAID - FEE, **before}
    sound()
    give_back(order, "30.00", "ops:1")
    half = FEE / 2 if returns else Decimal(0)
    assert book() == {"clearing": Decimal(30) - FEE + half, **{name: Decimal(text) for name, text in after.items()}}
    statement = statement_of(here, order, now=timezone.now())
    assert statement is not None
    own, platform = (FEE - half, Decimal(0)) if is_own else (Decimal(0), FEE - half)
    assert (statement.fee, statement.platform_fee, statement.own) == (own, platform, Decimal(after["pending"]))
    sound()


@pytest.mark.parametrize("bearer", [PLATFORM, OWNER])
@pytest.mark.parametrize("returns", [True, False])
def test_what_is_never_delivered_costs_the_owner_nothing(
    here: Reseller, monkeypatch: pytest.MonkeyPatch, bearer: FeeBearer, returns: bool
) -> None:
    monkeypatch.setattr(ScriptedGateway, "refund_returns_fee", returns)
    till(bearer)
    ScriptedSupplier.on_submit("first", REFUSED)
    ScriptedSupplier.on_submit("second", REFUSED)
    order = paid(here, on_sale())
    fulfill(order)
    line_refund(line_id=order.lines.get().pk)
    assert book() == {"clearing": PAID - FEE, "refunds": PAID, "fees": FEE}
    sound()
    drain()
    assert book() == ({} if returns else {"clearing": -FEE, "fees": FEE})
    sound()


def test_a_payment_that_never_was_cost_nothing(here: Reseller) -> None:
    till(OWNER)
    order = paid(here, on_sale())
    payment = order.payments.get()
    assert (payment.fee, payment.fee_bearer) == (FEE, "owner")
    assert _disprove(payment)
    assert book() == {}
    payment.refresh_from_db()
    GatewayAccount.objects.update(fee_percent=1)
    forget()
    confirm(payment)
    assert book() == {"clearing": PAID - Decimal("0.60"), "orders": PAID, "pending": Decimal("-0.60")}


def test_the_house_shop_bears_its_fees_itself(here: Reseller) -> None:
    Reseller.objects.filter(pk=here.pk).update(is_house=True)
    till(OWNER)
    delivered(here)
    assert book() == {"clearing": PAID - FEE, "fees": FEE}
    sound()


def test_of_a_refund_by_hand_no_fee_is_known_to_have_come_back(here: Reseller) -> None:
    till(PLATFORM)
    order = delivered(here)
    refund = refund_request(
        payment_id=order.payments.get().pk, amount=PAID, cause="ops:1", reason="商量好的", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip
    no = RefundResult(refund=refund.number, status=RefundStatus.FAILED, code="NO")
    refund_apply(refund_id=refund.pk, result=no, actor="notice")
    refund_by_hand(refund_id=refund.pk, reference="B1", note="网银转账", actor="ops")
    refund.refresh_from_db()
    assert (refund.status, refund.fee, refund.fee_returned) == ("succeeded", FEE, Decimal(0))
    assert book()["fees"] == FEE
    sound()


@pytest.mark.parametrize("change", ["fee = fee + 0.01", "fee_bearer = 'platform'"])
def test_a_fee_that_the_rows_tell_otherwise_is_found(here: Reseller, change: str) -> None:
    till(OWNER)
    delivered(here)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"UPDATE payments_payment SET {change}")
    found = next(verdict for verdict in audit() if verdict.code == "I1")
    assert any("in fees, the book says" in example for example in found.examples), found.examples
