"""The audit against the other side's books."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError

import pytest
from django.utils import timezone

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import DuplicateSupply, StockCode, Supplier
from fulfillment.suppliers.stock_room import code_open
from kameng.audit import outside
from kameng.audit.services import audit
from orders.models import OrderEvent
from payments.models import Payment, Refund
from tests.kameng.audit.conftest import Busy

Books = dict[str, list[dict[str, Any]]]


@pytest.fixture
def books(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Books that agree with ours, to be changed by tests; keys are `suppliers/CODE` and `gateways/CODE`."""
    kept: Books = {f"suppliers/{supplier.code}": _supplier_book(supplier) for supplier in Supplier.objects.all()}
    del kept["suppliers/bad"]
    kept["gateways/scripted"] = [_trade(payment) for payment in Payment.objects.filter(status="confirmed")]

    def get(url: str) -> Any:
        key = url.removeprefix("http://sandbox/_control/").removesuffix("/book")
        if key not in kept:
            raise HTTPError(url, 404, "Not Found", None, None)  # type: ignore[arg-type]
        return kept[key]

    monkeypatch.setattr(outside, "_get", get)
    return kept


def _supplier_book(supplier: Supplier) -> list[dict[str, Any]]:
    rows = []
    booked = set(DuplicateSupply.objects.values_list("reference", flat=True))
    for buy in SupplierOrder.objects.filter(supplier_id=supplier.pk):
        charged = buy.status in ("succeeded", "unknown") or buy.reference in booked
        codes = [code_open(code) for code in StockCode.objects.filter(reference=buy.reference)]
        rows.append(
            {"reference": buy.reference, "charged": "55.00" if charged else "0", "times": int(charged), "codes": codes}
        )
    return rows


def _trade(payment: Payment) -> dict[str, Any]:
    returned = sum((refund.amount for refund in payment.refunds.filter(status="succeeded")), Decimal(0))
    an_hour_ago = timezone.now() - timedelta(hours=1)
    return {
        "payment": payment.number,
        "amount": str(payment.amount),
        "paid_at": an_hour_ago.isoformat(),
        "refunded": f"{returned:.2f}",
    }


def told(code: str) -> tuple[str, ...]:
    """What the invariant says is broken."""
    return next(verdict.examples for verdict in audit(sandbox="http://sandbox") if verdict.code == code)


def row(books: Books, key: str, **fields: Any) -> dict[str, Any]:
    """The first row of a book that has these fields."""
    return next(row for row in books[key] if fields.items() <= row.items())


def test_books_that_agree_break_nothing(books: Books) -> None:
    assert [verdict.code for verdict in audit(sandbox="http://sandbox") if not verdict.ok] == []


def test_a_purchase_charged_twice_is_named(books: Books) -> None:
    row(books, "suppliers/good")["times"] = 2
    (said,) = told("I6")
    assert said.startswith("good charged purchase 00")
    assert said.endswith(" 2 times")


def test_a_charge_for_a_purchase_that_is_not_ours_is_named(books: Books) -> None:
    books["suppliers/good"].append({"reference": "R1", "charged": "55.00", "times": 1, "codes": []})
    assert told("I6") == ("good knows purchase R1, which is not ours",)


def test_a_charge_for_a_rejected_purchase_is_named_unless_it_is_booked(books: Books) -> None:
    assert told("I6") == ()
    DuplicateSupply.objects.all().delete()
    assert any("was charged by hasty, and is rejected and not booked" in said for said in told("I6"))


def test_a_success_that_the_supplier_does_not_know_is_named(books: Books) -> None:
    reference = books["suppliers/good"].pop()["reference"]
    assert told("I6") == (f"shop_one: purchase {reference} succeeded, and good does not know it",)


def test_other_codes_than_were_sent_are_named(books: Books) -> None:
    row(books, "suppliers/sender", times=1)["codes"] = ["SENT-0001", "SENT-9999"]
    (said,) = told("I6")
    assert said.endswith("2 codes sent, 1 delivered")


def test_a_supplier_without_a_book_is_passed_over(books: Books) -> None:
    assert "suppliers/bad" not in books
    assert told("I6") == ()


def test_money_that_the_gateway_never_had_is_named(books: Books) -> None:
    number = books["gateways/scripted"].pop()["payment"]
    assert told("I3") == (f"shop_one: payment {number} is confirmed, and scripted was not paid",)


def test_money_for_a_number_that_is_not_ours_is_named(books: Books) -> None:
    trade = {"payment": "P1", "amount": "1.00", "paid_at": timezone.now().isoformat(), "refunded": "0.00"}
    books["gateways/scripted"].append(trade)
    assert told("I3") == ("scripted was paid 1.00 for P1, which is not ours",)


def test_another_amount_is_named(books: Books) -> None:
    row(books, "gateways/scripted", amount="60.00")["amount"] = "59.00"
    (said,) = told("I3")
    assert said.endswith("is confirmed over 60.00, and scripted was paid 59.00")


def test_money_that_we_did_not_notice_is_named_after_a_while(books: Books) -> None:
    payment = Payment.objects.filter(status="canceled")[0]
    trade = _trade(payment) | {"paid_at": timezone.now().isoformat()}
    books["gateways/scripted"].append(trade)
    assert told("I3") == ()
    trade["paid_at"] = (timezone.now() - timedelta(minutes=5)).isoformat()
    assert told("I3") == (f"shop_one: payment {payment.number} is canceled, and scripted was paid 60.00",)
    OrderEvent.objects.create(
        order=payment.order, name="payment.refused", actor="x", data={"payment": payment.number, "reason": "amount"}
    )
    assert told("I3") == ()


def test_a_refund_that_the_gateway_never_made_is_named(books: Books) -> None:
    row(books, "gateways/scripted", refunded="60.00")["refunded"] = "0.00"
    (said,) = told("I3")
    assert said.endswith("60.00 went back, scripted says 0.00")


def test_a_refund_on_its_way_may_be_there_already(books: Books) -> None:
    refund = Refund.objects.filter(cause="surplus")[0]
    Refund.objects.filter(pk=refund.pk).update(status="pending")
    assert not any(said.endswith("scripted says 60.00") for said in told("I3"))
    row(books, "gateways/scripted", payment=refund.payment.number)["refunded"] = "60.01"
    assert any(said.endswith("0 went back, scripted says 60.01") for said in told("I3"))
