"""An owner's month: every row by the book, and sums that lead from the balance before to the balance after."""

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from kameng.alerts.models import Alert
from kameng.core.ids import routed_id
from kameng.core.sheets import Row, harmless, write_csv, write_xlsx
from orders import monthly
from orders.models import Order, OrderLine
from orders.monthly import DoesNotFoot, Month, Totals, courses, months_of, page_of, rows_of
from payments.gateways.base import RefundResult, RefundStatus
from payments.merchants.models import FeeBearer
from payments.refund_outcomes import refund_apply
from payments.refunds import refund_request
from resellers.ledger.balances import balance
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.ledger.settlement import shop_settle
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale
from tests.flows import TOPPED_UP, fulfill, paid
from tests.staff import owner_of

NOW = timezone.now
FEE, ZERO = Decimal("0.36"), Decimal(0)


def read_csv(sent: Iterable[bytes]) -> list[list[str]]:
    """Every line of a file."""
    return list(csv.reader(io.StringIO(b"".join(sent).decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1+1", "'=1+1"), ("+86", "'+86"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("\r=x", "'\r=x"),
     ("  =1", "'  =1"), ("60 点券", "60 点券"), ("", ""), ("a=b", "a=b")],
)  # fmt: skip
def test_no_text_is_taken_for_a_formula(text: str, safe: str) -> None:
    assert harmless(text) == safe
    rows: list[Row] = [("a", "b"), ("x", text), ("y", Decimal("-1.50"))]
    as_csv, as_xlsx = io.BytesIO(), io.BytesIO()
    write_csv(as_csv, [("t", rows)])
    write_xlsx(as_xlsx, [("t", rows)])
    assert read_csv([as_csv.getvalue()]) == [["a", "b"], ["x", safe], ["y", "-1.50"]]
    sheet = zipfile.ZipFile(as_xlsx).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<v>-1.5</v>" in sheet


@pytest.mark.parametrize("text", ["2026-13", "2026-0", "0000-01", "2026-1", "x", "2026-011", "２０２６-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|year"):
        Month.read(text)


def test_months_follow_each_other() -> None:
    assert (Month(2026, 12).next, str(Month.read("2026-01").next)) == (Month(2027, 1), "2026-02")


@pytest.fixture
def busy(
    shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]
) -> tuple[Reseller, list[Order]]:
    """Two delivered orders whose fees the owner bears: one of last month, half of it given back in this one, all of
    which is available; and one of this month."""
    GatewayAccountFactory.create(fee_percent=Decimal("0.6"), fee_bearer=FeeBearer.OWNER)
    Reseller.objects.filter(pk=shop.pk).update(created_at=NOW() - timedelta(days=40))
    shop.refresh_from_db()
    orders = []
    for _ in range(2):
        ScriptedSupplier.on_submit("first", TOPPED_UP)
        orders.append(paid(shop, on_sale()))
        fulfill(orders[-1])
    _into_last_month(orders[0])
    refund = refund_request(
        payment_id=orders[0].payments.get().pk, amount=Decimal("30.00"), cause="ops:1", reason="商量好的", actor="ops",
        line_id=orders[0].lines.get().pk,
    )  # fmt: skip
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference="R1")
    refund_apply(refund_id=refund.pk, result=done, actor="notice")
    shop_settle(shop_id=shop.pk, day=timezone.localdate() + timedelta(days=8))
    return shop, orders


def _into_last_month(order: Order) -> None:
    moment = Month.of(NOW()).start - timedelta(days=1)
    Order.objects.filter(pk=order.pk).update(paid_at=moment)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("ALTER TABLE public.ledger_journal DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE public.ledger_journal SET posted_at = %s WHERE order_number = %s", [moment, order.number]
        )
        cursor.execute("ALTER TABLE public.ledger_journal ENABLE TRIGGER USER")


def test_two_months_lead_from_nothing_to_the_balance_of_the_book(busy: tuple[Reseller, list[Order]]) -> None:
    shop, (first, second) = busy
    this, last = months_of(shop, now=NOW())[:2]
    assert last.next == this
    earlier, later = [
        {row.number: (row.paid, row.supply, row.fee, row.taken_back, row.own) for row in rows_of(shop, month)}
        for month in (last, this)
    ]
    sixty, supply, half = Decimal(60), Decimal(57), FEE / 2
    assert earlier == {first.number: (sixty, supply, FEE, ZERO, Decimal("2.64"))}
    assert later == {
        first.number: (ZERO, ZERO, -half, Decimal("1.50"), Decimal("-1.32")),
        second.number: (sixty, supply, FEE, ZERO, Decimal("2.64")),
    }
    was, available_was = courses(shop, last, now=NOW())
    pending, available = courses(shop, this, now=NOW())
    assert (was.opening, was.closing, available_was.closing) == (ZERO, Decimal("2.64"), ZERO)
    settled = Decimal("3.96")
    assert (pending.opening, pending.moves, pending.closing) == (was.closing, {Kind.SETTLEMENT: -settled}, ZERO)
    assert (available.opening, available.moves, available.closing) == (ZERO, {Kind.SETTLEMENT: settled}, settled)
    assert available.closing == balance(Name.AVAILABLE, shop.pk)
    for month, course in ((last, was), (this, pending)):
        totals, rows = page_of(shop, month, first=0, count=200)
        assert rows == list(rows_of(shop, month))
        summed = Totals()
        for row in rows:
            summed.add(row)
        assert totals == summed
        assert page_of(shop, month, first=1, count=1) == (totals, rows[1:2])
        assert page_of(shop, month, first=9, count=1) == (totals, [])
        course.foot(totals.own)
    row = next(row for row in rows_of(shop, this) if row.number == second.number)
    assert row.available_at is not None
    assert row.available_at > NOW() + timedelta(days=6)


def test_a_file_holds_the_month_and_nothing_of_another_shop(
    busy: tuple[Reseller, list[Order]], other_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, (first, second) = busy
    OrderLine.objects.filter(order=second).update(product_name="=HYPERLINK(1)")
    client = owner_of(shop)
    page = client.get("/manage/statement/").content.decode()
    for number in (first.grouped_number, second.grouped_number):
        assert number in page
    monkeypatch.setattr("kameng.manage.monthly.PER_PAGE", 1)
    for asked, shown, other in (
        *(("1", first, second), ("x", first, second), ("0", first, second)),
        *(("2", second, first), ("9", second, first), ("9" * 30, second, first)),
    ):
        page = client.get(f"/manage/statement/?page={asked}").content.decode()
        assert (shown.grouped_number in page, other.grouped_number in page) == (True, False)
    answer = client.get("/manage/statement/csv/")
    assert answer["Content-Disposition"] == f'attachment; filename="{shop.slug}-{Month.of(NOW())}.csv"'
    lines = read_csv(answer)
    cells = {row[0]: row for row in lines if row}
    assert cells[second.grouped_number][1].startswith("'=HYPERLINK(1)")
    assert cells[first.grouped_number][3:10] == ["0.00", "0.00", "0.00", "-0.18", "1.50", "-1.32", "0.00"]
    assert cells["合计"][3:10] == ["0.00", "60.00", "57.00", "0.18", "1.50", "1.32", "0.00"]
    assert lines[-4:] == [
        ["待结算", "期末", "0.00"], ["可提现", "期初", "0.00"], ["可提现", "结算", "3.96"],
        ["可提现", "期末", "3.96"],
    ]  # fmt: skip
    book = zipfile.ZipFile(io.BytesIO(b"".join(client.get("/manage/statement/xlsx/"))))
    assert book.read("xl/worksheets/sheet1.xml").decode().count("<row ") == 4
    theirs = owner_of(other_shop)
    assert first.grouped_number not in theirs.get("/manage/statement/").content.decode()
    rows = read_csv(theirs.get("/manage/statement/csv/"))
    assert not [row for row in rows if any(order.grouped_number in row for order in (first, second))]


def test_the_whole_month_is_printed_with_sums_that_foot(
    busy: tuple[Reseller, list[Order]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, orders = busy
    monkeypatch.setattr("kameng.manage.monthly.PER_PAGE", 1)
    monkeypatch.setattr("kameng.manage.monthly.DRAWN", 1)
    client = owner_of(shop)
    assert "/manage/statement/print/?month=" in client.get("/manage/statement/").content.decode()
    page = b"".join(client.get("/manage/statement/print/")).decode()
    for order in orders:
        assert page.count(order.grouped_number) == 1
    assert page.count("全月合计") == 1
    assert page.index(orders[-1].grouped_number) < page.index("全月合计")
    assert "仍要打印" not in page
    monkeypatch.setattr("kameng.manage.monthly.LONG", 1)
    told = client.get("/manage/statement/print/").content.decode()
    assert "2 笔订单，打印出来约 1 张" in told
    assert orders[0].grouped_number not in told
    assert "这个月还没有订单" not in told
    assert orders[0].grouped_number in b"".join(client.get("/manage/statement/print/?anyway=1")).decode()
    monkeypatch.setattr("kameng.manage.monthly.TOO_LONG", 1)
    told = client.get("/manage/statement/print/?anyway=1").content.decode()
    assert ("打印出来约 1 张" in told, "仍要打印" in told) == (True, False)
    assert orders[0].grouped_number not in told
    monkeypatch.undo()
    monkeypatch.setattr("kameng.manage.monthly.rows_of", lambda shop, month: iter([]))
    refused = client.get("/manage/statement/print/?anyway=1")
    assert refused.status_code == 500
    assert "对不上" in refused.content.decode()


def test_a_month_without_orders_is_printed_too(shop: Reseller) -> None:
    assert "这个月还没有订单" in owner_of(shop).get("/manage/statement/print/").content.decode()


def test_what_does_not_foot_is_refused_and_told(busy: tuple[Reseller, list[Order]]) -> None:
    """Money that came onto the owner's account by a journal of nobody's shop: no row of the month explains it."""
    shop, (first, _second) = busy
    post("odd", Kind.CLAIM, [Move(Name.PENDING, Decimal(-1), shop.pk), Move(Name.COST, Decimal(1))], shop_id=None)
    client = owner_of(shop)
    for form in ("", "csv/", "xlsx/", "print/"):
        answer = client.get(f"/manage/statement/{form}")
        assert answer.status_code == 500
        assert "对不上" in answer.content.decode()
        assert first.grouped_number not in answer.content.decode()
    told = Alert.objects.get()
    assert (told.kind, told.times) == ("ledger.statement", 4)
    moves = [Move(Name.AVAILABLE, Decimal(-1), shop.pk), Move(Name.COST, Decimal(1))]
    post("odd again", Kind.CLAIM, moves, shop_id=None)
    with pytest.raises(DoesNotFoot):
        courses(shop, Month.of(NOW()), now=NOW())


@pytest.mark.parametrize("query", ["month=2026-13", "month=1999-01", "month=9999-12", "month=x"])
def test_a_month_that_is_none_of_the_shops_is_not_found(shop: Reseller, query: str) -> None:
    client = owner_of(shop)
    assert client.get(f"/manage/statement/?{query}").status_code == 404
    assert client.get(f"/manage/statement/csv/?{query}").status_code == 404


def test_more_orders_need_no_more_memory(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, two batches are held: the one that is read, and the one that comes."""
    monkeypatch.setattr(monthly, "BATCH", 50)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"shop": shop.pk, "count": 800, "route": routed_id(shop.pk, 3)})
    peaks = []
    for count in (150, 800):
        tracemalloc.start()
        assert sum(1 for _row in rows_of(shop, Month.of(NOW()), count=count)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


_MANY = """
INSERT INTO public.ledger_account (name, owner) VALUES ('orders', %(shop)s), ('sales', 0), ('pending', %(shop)s);
INSERT INTO public.ledger_journal (key, kind, shop_id, order_number, size)
SELECT 'delivery:' || n, 'delivery', %(shop)s, %(route)s || lpad(n::text, 13, '0'), 3
  FROM generate_series(1, %(count)s) AS n;
INSERT INTO public.ledger_entry (journal_id, account_id, amount)
SELECT journal.id, account.id, CASE account.name WHEN 'orders' THEN 60 WHEN 'sales' THEN -57 ELSE -3 END
  FROM public.ledger_journal AS journal CROSS JOIN public.ledger_account AS account;
"""
