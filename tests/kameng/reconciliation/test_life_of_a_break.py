"""What becomes of a break: run again, gone, back, assigned, resolved; and of a bill that is not there or not whole."""

import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_context

from compliance.scans.models import Scan
from kameng.accounts.models import User
from kameng.alerts.models import Alert
from kameng.core.problems import Problem
from kameng.core.sheets import harmless
from kameng.reconciliation.export import breaks_csv
from kameng.reconciliation.models import Break, Row, Statement
from kameng.reconciliation.ours import CHINA
from kameng.reconciliation.selectors import Wanted, breaks_of
from kameng.reconciliation.services import (
    break_assign,
    break_note,
    break_resolve,
    day_run,
    reconciliation_due,
)
from kameng.reconciliation.supplier_bills import BillUnreadable, lines_of
from payments.gateways.base import BillBroken
from payments.models import Payment
from resellers.models import Reseller
from tests.compliance.test_scans import png
from tests.doubles import ScriptedGateway
from tests.flows import outbox
from tests.kameng.reconciliation.books import a_day, breaks, gateway, noon, some_day

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

Kind = Break.Kind


def history(found: Break) -> list[str]:
    return list(found.events.values_list("name", flat=True))


def test_a_break_lives_once_is_closed_when_it_is_gone_and_keeps_its_history(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell(buys=False)
    wrong = day.row(payment, amount=payment.amount + 1)
    for _ in range(2):
        day.reconcile(wrong)
    found = Break.objects.get()
    assert (found.kind, history(found)) == (Kind.AMOUNT, ["found"])
    assert Alert.objects.get(kind="reconciliation.breaks").closed_at is None

    day.reconcile(day.row(payment, amount=payment.amount + 2))
    found.refresh_from_db()
    assert (found.theirs, history(found)) == (payment.amount + 2, ["found", "changed"])

    day.reconcile(day.row(payment))
    found.refresh_from_db()
    assert (found.status, found.closed_at is not None) == ("gone", True)
    assert Alert.objects.get(kind="reconciliation.breaks").closed_at is not None

    day.reconcile(wrong)
    found.refresh_from_db()
    assert (found.status, found.closed_at) == ("open", None)
    assert history(found) == ["found", "changed", "gone", "reopened"]
    assert Break.objects.count() == 1


def test_people_assign_note_and_resolve_with_a_reason_and_no_money_moves(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell(buys=False)
    wrong = day.row(payment, amount=payment.amount + 1)
    day.reconcile(wrong)
    found = Break.objects.get()
    before = list(Payment.objects.values())
    with schema_context("public"):
        User.objects.create(username="lisi", is_staff=True)
        break_assign(break_id=found.pk, assignee="lisi", actor="staff:lisi")
        with pytest.raises(Problem):
            break_assign(break_id=found.pk, assignee="nobody", actor="staff:lisi")
        break_note(break_id=found.pk, text="  问了  渠道 ", actor="staff:lisi")
        with pytest.raises(Problem):
            break_note(break_id=found.pk, text=" ", actor="staff:lisi")
        with pytest.raises(Problem):
            break_resolve(break_id=found.pk, reason="好了", proof=png(), actor="staff:lisi")
        reason = "渠道更正了账单，凭证 CS-1"
        for no_picture in (b"", b"a page", b"%PDF-1.7"):
            with pytest.raises(Problem):
                break_resolve(break_id=found.pk, reason=reason, proof=no_picture, actor="staff:lisi")
        found.refresh_from_db()
        assert (found.status, Scan.objects.count(), len(history(found))) == ("open", 0, 3)
        break_resolve(break_id=found.pk, reason=reason, proof=png(), actor="staff:lisi")
        with pytest.raises(Problem):
            break_resolve(break_id=found.pk, reason=reason, proof=png(), actor="staff:lisi")
    found.refresh_from_db()
    assert (found.status, found.assignee) == ("resolved", "lisi")
    assert list(found.events.values_list("name", "actor", "text"))[1:] == [
        ("assigned", "staff:lisi", "lisi"),
        ("noted", "staff:lisi", "问了 渠道"),
        ("resolved", "staff:lisi", "渠道更正了账单，凭证 CS-1"),
    ]
    day.reconcile(wrong)
    assert breaks() == set()  # put aside by a person, and nothing about it has changed
    day.reconcile(day.row(payment, amount=payment.amount + 3))
    assert breaks() == {(Kind.AMOUNT, payment.number)}
    assert list(Payment.objects.values()) == before


def test_a_bill_that_is_not_ready_or_not_whole_leaves_everything_as_it_was(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell(buys=False)
    day.reconcile(day.row(payment))
    kept = Row.objects.count()
    for rows in ([day.row(payment), BillBroken("ends without its totals")], [BillBroken("cannot be unpacked")]):
        statement = day.reconcile(*rows)
        assert (statement.status, statement.rows) == ("done", 1)
        assert "BillBroken" in statement.message
        assert Row.objects.count() == kept
    assert breaks() == set()
    other = day.day - timedelta(days=5)
    day_run(day=other.isoformat())
    waiting = Statement.objects.get(day=other)
    assert (waiting.status, waiting.fetched_at, breaks()) == ("missing", None, set())
    assert Alert.objects.filter(kind="reconciliation.no_bill", closed_at=None).count() == 2


def test_yesterday_is_reconciled_each_day_until_its_bills_are_here(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell(buys=False)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    morning = datetime.combine(some_day(days_ago=-1), datetime.min.time(), CHINA)
    today = morning.date() - timedelta(days=1)
    assert not reconciliation_due(now=morning + timedelta(hours=10, minutes=29))
    assert reconciliation_due(now=morning + timedelta(hours=10, minutes=31))
    assert outbox("reconciliation.run") == [{"day": today.isoformat()}]
    # What was fetched before the day was over is not all of it.
    day.reconcile(day.row(payment), day=today)
    assert reconciliation_due(now=morning + timedelta(hours=11))
    Statement.objects.update(fetched_at=morning + timedelta(hours=11))
    assert not reconciliation_due(now=morning + timedelta(hours=12))
    # A day without trades has no bill; that is believed a day later, for which it has to be asked again.
    day_run(day=(today - timedelta(days=1)).isoformat())
    assert reconciliation_due(now=morning + timedelta(hours=12))
    assert outbox("reconciliation.run")[-1] == {"day": (today - timedelta(days=1)).isoformat()}


def test_the_command_says_what_is_open_and_by_its_end(shop: Reseller, tmp_path: Any) -> None:
    day = a_day(shop)
    payment, other = day.sell(), day.sell()
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    ScriptedGateway.bills[day.day] = [day.row(payment)]
    told = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", date=day.day, json=True, stdout=told)
    assert ended.value.code == 1
    (document,) = json.loads(told.getvalue())
    assert (document["code"], document["rows"], document["matched"]) == (gateway().code, 1, 1)
    assert [(row["kind"], row["number"]) for row in document["open"]] == [("not_theirs", other.number)]
    ScriptedGateway.bills[day.day].append(day.row(other))
    call_command("reconcile", date=day.day, account=gateway().code, stdout=told)
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", date=day.day - timedelta(days=9), stdout=told)
    assert ended.value.code == 2
    with pytest.raises(CommandError, match="nobody"):
        call_command("reconcile", date=day.day, account="nobody")
    with schema_context(shop.schema_name):
        buys = [day.buy_of(payment), day.buy_of(other)]
    bill = tmp_path / "bill.csv"
    rows = [f"{buy.reference},S1,{noon(day.day):%Y-%m-%d %H:%M:%S},sku,1,55.00,CNY,done" for buy in buys]
    bill.write_text("\n".join(["reference,supplier_reference,time,sku,quantity,amount,currency,state", *rows]), "utf-8")
    call_command("reconcile", date=day.day, account="first", bill=bill, stdout=told)
    assert breaks() == set()
    bill.write_text("reference,amount\nX,abc\n", "utf-8")
    with pytest.raises(CommandError, match="line 2"):
        call_command("reconcile", date=day.day, account="first", bill=bill)
    assert Statement.objects.get(side="supplier").rows == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"a,b\n1,2\n", 1),
        (b"reference,amount\nX,1\n,2\n", 3),
        (b"reference,amount\nX,-1\n", 2),
        (b"reference,amount\nX,NaN\n", 2),
        (b"reference,amount\nX,1,2\n", 2),
        (b"reference,amount,state\nX,1,maybe\n", 2),
        (b"reference,amount,time\nX,1,yesterday\n", 2),
        (b"reference,amount\nX,1\n\xff\xfe,2\n", 1),
        (b'reference,amount\n"X,1\n', 1),
        (b"reference,amount\n" + b"x" * 5000 + b",1\n", 1),
    ],
)
def test_a_table_that_is_no_bill_says_where(content: bytes, line: int) -> None:
    with pytest.raises(BillUnreadable) as refused:
        list(lines_of(io.BytesIO(content)))
    assert refused.value.line == line


def test_a_spreadsheet_takes_nothing_of_it_for_a_formula(shop: Reseller) -> None:
    day = a_day(shop)
    payment = day.sell(buys=False)
    day.reconcile(
        day.row(payment, amount=payment.amount - 1),
        day.row(payment, number="=HYPERLINK(1)", reference="@SUM(A1)", amount=Decimal("2.00")),
    )
    text = "".join(breaks_csv(breaks_of(Wanted())))
    assert ",'=HYPERLINK(1),'@SUM(A1)," in text
    assert ",60.0000,59.0000,-1.0000," in text
    assert text.startswith("\ufeff账单日,")
    for dangerous in ("=1", "+1", "-1", "@x", "\tx", " =1", "\r=1"):
        assert harmless(dangerous) == f"'{dangerous}"
    assert harmless("002KM7") == "002KM7"
