"""The whole platform over days: what operators see of it, and take away as a file."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.wallets import wallet_pay
from resellers.ledger.balances import balances_snapshot
from resellers.ledger.days import days_reckon
from resellers.ledger.models import Reckoned
from resellers.ledger.spans import Span, span_course, span_shops, span_sums
from resellers.models import Reseller
from tests.customers.shoppers import bought, with_account, with_wallet
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import REFUSED, TOPPED_UP, drain, fulfill, paid
from tests.staff import operator

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")
PAGE = "/admin/platform/"


@pytest.fixture
def reckoned(shop: Reseller) -> None:
    """Paid 60, of which 57 is the platform's; the supplier charged 55."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    fulfill(paid(shop, on_sale()))
    moment = timezone.now()
    assert balances_snapshot()
    days_reckon(at=moment)


def test_operators_see_what_came_in_and_what_is_left_and_of_which_shop(shop: Reseller, reckoned: None) -> None:
    today = timezone.localdate()
    total = span_sums(Span(today, today))
    assert [total.received, total.sales, total.cost, total.owners] == [60, 57, 55, 3]
    assert [total.payments, total.deliveries, total.delivered_rate, total.half_within] == [1, 1, 1, 5]
    assert [(pk, sums.profit) for pk, sums in span_shops(Span(today, today))] == [(shop.pk, total.profit)]
    page = operator().get(PAGE).content.decode()
    for text in ("¥60.00", "¥3.00", "100.0%", shop.name, "数据截至"):
        assert text in page
    assert "汇总停住了" not in page
    empty = operator().get(f"{PAGE}?first=2020-01-01&last=2020-01-31").content.decode()
    assert ("这段时间没有动过钱" in empty, "¥60.00" in empty) == (True, False)


def test_every_day_of_a_span_is_drawn_and_every_month_of_a_long_one(shop: Reseller, reckoned: None) -> None:
    today = timezone.localdate()
    month = span_course(Span(today - timedelta(days=29), today))
    assert (len(month), month[-1].since, month[-1].sums.received) == (30, today, Decimal(60))
    year = span_course(Span(today.replace(year=today.year - 1), today))
    assert len(year) == 13
    assert (year[-1].since, year[-1].sums.received) == (today.replace(day=1), Decimal(60))
    assert "每月收款" in operator().get(f"{PAGE}?first={year[0].since}&last={today}").content.decode()


def test_the_file_has_every_shop_the_total_and_every_day(shop: Reseller, reckoned: None) -> None:
    answer = operator().get(f"{PAGE}file/")
    assert "attachment" in answer["Content-Disposition"]
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[1].startswith(f"{shop.slug},{shop.name},1,60.00,1,0,0,0.00,0.00,0.00,57.00,0.00,55.00,")
    assert lines[2].startswith(",合计,1,60.00,")
    assert len(lines) == 3 + 1 + 1 + 30
    assert f",{timezone.localdate()},1,60.00," in lines[-1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("first=soon", "2026-11-01"), ("first=2026-02-02&last=2026-02-01", "对调"),
        ("first=1900-01-01&last=2026-01-01", "5 年"), ("first=2026-02-30", "2026-11-01"),
    ],
)  # fmt: skip
def test_days_that_are_none_are_refused_with_what_to_write(db: None, asked: str, said: str) -> None:
    for address in (PAGE, f"{PAGE}file/"):
        answer = operator().get(f"{address}?{asked}")
        assert (answer.status_code, said in answer.content.decode()) == (422, True)


def test_money_that_goes_into_a_wallet_and_out_of_it_is_counted_apart(shop: Reseller) -> None:
    """60 came in, and stayed: it bought something else."""
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    order = bought(shop, on_sale(suppliers=("first",)), customer=customer)
    wallet_pay(order=order, customer=customer, shop_id=shop.pk)
    ScriptedSupplier.on_submit("first", REFUSED)
    drain()
    assert balances_snapshot()
    days_reckon(at=timezone.now())
    today = timezone.localdate()
    total = span_sums(Span(today, today))
    assert [total.payments, total.received, total.refunds, total.refunded] == [2, 120, 0, 0]
    assert [total.balance_paid, total.balance_back, total.failures] == [60, 120, 2]
    page = operator().get(PAGE).content.decode()
    assert "另有余额付款 ¥60.00" in page
    assert "另有退到余额 ¥120.00" in page


def test_it_says_when_nobody_adds_up_any_more(shop: Reseller, reckoned: None) -> None:
    Reckoned.objects.update(at=timezone.now() - timedelta(hours=1))
    assert "汇总停住了" in operator().get(PAGE).content.decode()
    Reckoned.objects.update(sense="1")  # by code that counted something else
    assert "还没有汇总过" in operator().get(PAGE).content.decode()
    Reckoned.objects.all().delete()
    assert "还没有汇总过" in operator().get(PAGE).content.decode()
