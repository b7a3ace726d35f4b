"""`manage.py reconcile --date YYYY-MM-DD`: hold a day's bills against our books."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kameng.reconciliation.comparing import open_breaks
from kameng.reconciliation.models import Break, Side, Statement
from kameng.reconciliation.parties import Party, gateway_parties, has_bills, party_of
from kameng.reconciliation.services import Busy, compare, gateway_reconcile, supplier_reconcile
from kameng.reconciliation.supplier_bills import BillUnreadable, lines_of
from payments.merchants.models import GatewayAccount


class Command(BaseCommand):
    """Fetches, compares and writes down what does not agree; adjusts nothing. May be run again at any time."""

    help = (
        "Compares bills of gateways and suppliers with our books. Exits with 1 if anything is open, 2 without a bill."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which day, whose bill, and where it is."""
        parser.add_argument("--date", type=_day, required=True, help="a day of China's calendar, such as 2026-11-09")
        parser.add_argument(
            "--account", metavar="CODE", help="one merchant account, or a supplier; all accounts if left out"
        )
        parser.add_argument("--bill", type=Path, metavar="FILE", help="a supplier's bill as CSV (docs/operations.md)")
        parser.add_argument("--json", action="store_true", help="one JSON document for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what agrees and what does not."""
        day: date = options["date"]
        try:
            statements = [
                self._one(party, day, options["bill"]) for party in _parties(options["account"], options["bill"])
            ]
        except Busy as busy:
            raise CommandError(f"{busy} is being reconciled by somebody else at this moment") from busy
        if options["json"]:
            self.stdout.write(json.dumps([_document(one) for one in statements], ensure_ascii=False, indent=2))
        else:
            for one in statements:
                self.stdout.write(_text(one))
        if any(one.status != Statement.Status.DONE or one.message for one in statements):
            raise SystemExit(2)
        if any(open_breaks(one) for one in statements):
            raise SystemExit(1)

    def _one(self, party: Party, day: date, bill: Path | None) -> Statement:
        if party.side == Side.GATEWAY:
            return gateway_reconcile(party=party, day=day)
        if bill is None:
            kept = Statement.objects.filter(side=party.side, owner_id=party.owner_id, day=day).first()
            if kept is None or kept.fetched_at is None:
                raise CommandError(f"{party.code} has sent no bill for {day}: give one with --bill")
            return compare(kept)
        try:
            with bill.open("rb") as file:
                return supplier_reconcile(party=party, day=day, lines=lines_of(file), actor="command")
        except (OSError, BillUnreadable) as error:
            raise CommandError(f"{bill}: {error}") from error


def _parties(code: str | None, bill: Path | None) -> list[Party]:
    if code is None:
        if bill is not None:
            raise CommandError("--bill needs --account: whose bill is it?")
        return list(gateway_parties())
    party = party_of(code)
    if party is None:
        raise CommandError(f"no merchant account and no supplier is called {code}")
    if party.side == Side.GATEWAY:
        if not has_bills(GatewayAccount.objects.get(pk=party.owner_id)):
            raise CommandError(f"the gateway of {code} writes no bills")
        if bill is not None:
            raise CommandError(f"the bill of {code} is fetched, not brought")
    return [party]


def _text(one: Statement) -> str:
    head = f"{one.code} {one.day}: {one.status}"
    if one.fetched_at is None:
        return f"{head}, {one.message}"
    told = f"{one.rows} rows, {one.matched} agree, {one.in_transit} in transit, {open_breaks(one)} open"
    sums = f"in {one.theirs_in}/{one.ours_in}/{one.ledger_in}, back {one.theirs_back}/{one.ours_back}/{one.ledger_back}"
    lines = [f"{head}, {told}; theirs/ours/ledger: {sums}{'; ' + one.message if one.message else ''}"]
    for found in _open(one):
        lines.append(
            f"  {found.kind} {found.number}: ours {found.ours} {found.our_state},"
            f" theirs {found.theirs} {found.their_state}"
        )
    return "\n".join(lines)


def _document(one: Statement) -> dict[str, Any]:
    sums = ("theirs_in", "ours_in", "ledger_in", "theirs_back", "ours_back", "ledger_back", "fees")
    return {
        "side": one.side,
        "code": one.code,
        "day": one.day.isoformat(),
        "status": one.status,
        "message": one.message,
        "rows": one.rows,
        "matched": one.matched,
        "in_transit": one.in_transit,
        **{name: str(getattr(one, name)) for name in sums},
        "open": [
            {
                "kind": found.kind,
                "number": found.number,
                "order": found.order_number,
                "ours": None if found.ours is None else str(found.ours),
                "theirs": None if found.theirs is None else str(found.theirs),
                "assignee": found.assignee,
                "first_seen_at": found.first_seen_at.isoformat(),
            }
            for found in _open(one)
        ],
    }


def _open(one: Statement) -> Any:
    found = Break.objects.filter(side=one.side, owner_id=one.owner_id, day=one.day, status=Break.Status.OPEN)
    return found.order_by("kind", "number").iterator()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"not a day: {text!r}") from None
