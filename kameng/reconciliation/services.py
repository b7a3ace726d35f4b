"""Getting a day's bills and comparing them; and what a person does with a break."""

import logging
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.scans.models import Scan
from compliance.scans.services import proof_add
from kameng.accounts.models import User
from kameng.alerts.services import alert_end, alert_raise
from kameng.core.locks import alone
from kameng.core.problems import Invalid, Problem
from kameng.outbox.services import publish
from kameng.reconciliation.comparing import neighbors, open_breaks, statement_compare
from kameng.reconciliation.models import Break, BreakEvent, Row, Side, Statement
from kameng.reconciliation.ours import CHINA
from kameng.reconciliation.parties import Party, gateway_parties
from kameng.reconciliation.storing import Line, statement_store
from payments.gateways.base import BillBroken, Billing, BillNotReady, BillRow, GatewayError
from payments.merchants.models import GatewayAccount
from payments.merchants.services import gateway_of

logger = logging.getLogger(__name__)

#: When gateways have written the bills of yesterday, on China's clock.
READY = time(10, 30)
#: Gateways keep bills for three months; so do we.
KEPT_DAYS = 100
#: For how many days a bill that is not there is asked for by itself.
TRIED_DAYS = 4
SHORTEST_REASON = 6
LONGEST_TEXT = 500
TOPIC = "reconciliation.run"


class Busy(Exception):
    """Somebody else is reconciling the same account."""


def statement_of(party: Party, day: date) -> Statement:
    """The account's or supplier's row for a day; made when it is first asked for."""
    found, _made = Statement.objects.get_or_create(
        side=party.side, owner_id=party.owner_id, day=day, defaults={"code": party.code, "currency": party.currency}
    )
    return found


def gateway_reconcile(*, party: Party, day: date) -> Statement:
    """Fetch a merchant account's bill and compare it, together with its neighbors. Again is harmless.

    A bill that is not there, or not whole, leaves the row with what was wrong, and what was compared before as it was.
    Raises `Busy`.
    """
    with alone(f"reconcile:{party.side}:{party.owner_id}") as is_mine:
        if not is_mine:
            raise Busy(party.code)
        statement = statement_of(party, day)
        try:
            _fetch(statement)
        except BillNotReady as waiting:
            return _without(statement, Statement.Status.MISSING, str(waiting))
        except GatewayError as failed:
            logger.warning("bill of %s for %s: %s", party.code, day, failed)
            return _without(statement, Statement.Status.FAILED, f"{type(failed).__name__}: {failed}")
        return compare(statement)


def supplier_reconcile(*, party: Party, day: date, lines: Iterator[Line], actor: str) -> Statement:
    """Keep the bill that somebody brought, in place of an earlier one of that day, and compare it.

    Raises `Busy`, and whatever reading the lines raises; nothing is kept then.
    """
    with alone(f"reconcile:{party.side}:{party.owner_id}") as is_mine:
        if not is_mine:
            raise Busy(party.code)
        with transaction.atomic():
            statement = statement_of(party, day)
            statement_store(statement=statement, lines=lines, uploaded_by=actor)
        return compare(statement)


def compare(statement: Statement) -> Statement:
    """Compare a kept bill, then those of the days beside it, and tell people."""
    compared = statement_compare(statement_id=statement.pk)
    for statement_id in neighbors(compared):
        _tell(statement_compare(statement_id=statement_id))
    # The first one again: what the neighbors have changed is theirs, but a run tells of its own day last.
    _tell(compared)
    return compared


def _fetch(statement: Statement) -> None:
    """No transaction is open while the gateway is called: the bill is a file of ours before the first row is kept."""
    gateway = gateway_of(GatewayAccount.objects.get(pk=statement.owner_id))
    if not isinstance(gateway, Billing):
        raise BillBroken("this gateway writes no bills")
    statement_store(statement=statement, lines=map(_line, gateway.bill(statement.day)))


def _line(row: BillRow) -> Line:
    return Line(row.kind, row.number, row.payment, row.reference, row.amount, row.fee, row.currency, row.state, row.at)


def _without(statement: Statement, status: Statement.Status, message: str) -> Statement:
    Statement.objects.filter(pk=statement.pk, fetched_at__isnull=True).update(status=status, compared_at=Now())
    Statement.objects.filter(pk=statement.pk).update(message=message[:200])
    statement.refresh_from_db()
    late = datetime.combine(statement.day + timedelta(days=2), time(0), CHINA)
    if status == Statement.Status.FAILED or timezone.now() >= late:
        alert_raise(
            "reconciliation.no_bill", subject=_subject(statement), url=_address(statement), reason=message[:200]
        )
    return statement


def _tell(statement: Statement) -> None:
    alert_end("reconciliation.no_bill", subject=_subject(statement))
    count = open_breaks(statement)
    if count:
        alert_raise("reconciliation.breaks", subject=_subject(statement), url=_address(statement), count=count)
    else:
        alert_end("reconciliation.breaks", subject=_subject(statement))


def _subject(statement: Statement) -> str:
    return f"{statement.code} {statement.day.isoformat()}"


def _address(statement: Statement) -> str:
    return f"/admin/reconciliation/?day={statement.day.isoformat()}&code={statement.code}"


def day_run(*, day: str) -> None:
    """Reconcile every merchant account for a day: the handler of the outbox.

    What somebody else has in hand is left to them: a row whose lease ran out meanwhile is the same work once more.
    """
    wanted = date.fromisoformat(day)
    for party in list(gateway_parties()):
        try:
            gateway_reconcile(party=party, day=wanted)
        except Busy:
            logger.info("%s is being reconciled by somebody else", party.code)
    for statement in _worth_another_look(wanted):
        compare(statement)


def _worth_another_look(day: date) -> list[Statement]:
    """Bills of other days that still have breaks: what was late is there by now, and closes them."""
    waiting = Break.objects.filter(status=Break.Status.OPEN).exclude(day=day, side=Side.GATEWAY)
    places = set(waiting.values_list("side", "owner_id", "day"))
    kept = Statement.objects.filter(fetched_at__isnull=False, day__gte=timezone.localdate() - timedelta(KEPT_DAYS))
    return [one for one in kept if (one.side, one.owner_id, one.day) in places]


def day_publish(*, day: date) -> None:
    """Have a worker reconcile a day."""
    with transaction.atomic():
        publish(TOPIC, day=day.isoformat())


def reconciliation_due(*, now: datetime | None = None) -> bool:
    """Once an hour, by beat: yesterday, from half past ten on and until all its bills are here.

    Days before it whose bills were not here are tried again; what is old is dropped. Whether there was anything to do.
    """
    here = timezone.localtime(now)
    _prune(here.date())
    if here.time() < READY:
        return False
    days = [here.date() - timedelta(days=back) for back in range(1, TRIED_DAYS + 1)]
    wanted = [day for day in days if not _is_finished(day) and (day == days[0] or _was_tried(day))]
    for day in wanted:
        day_publish(day=day)
    return bool(wanted)


def _is_finished(day: date) -> bool:
    """Every account's bill of the day is here; one that was fetched before the day was over does not count."""
    end = datetime.combine(day + timedelta(days=1), time(0), CHINA)
    done = Statement.objects.filter(
        day=day, side=Side.GATEWAY, status=Statement.Status.DONE, fetched_at__gte=end
    ).values_list("owner_id", flat=True)
    return {party.owner_id for party in gateway_parties()} <= set(done)


def _was_tried(day: date) -> bool:
    return Statement.objects.filter(day=day, side=Side.GATEWAY).exists()


def _prune(today: date) -> None:
    Row.objects.filter(statement__day__lt=today - timedelta(days=KEPT_DAYS)).delete()


@transaction.atomic
def break_assign(*, break_id: int, assignee: str, actor: str) -> Break:
    """Say who looks after it; nobody, if empty. Raises `Problem` for somebody who does not work here."""
    found = _locked(break_id)
    if assignee and not User.objects.filter(username=assignee, is_staff=True, is_active=True).exists():
        raise Problem(_("没有这位同事：%(name)s") % {"name": assignee[:40]})
    if found.assignee != assignee:
        found.assignee = assignee
        found.save(update_fields=["assignee"])
        _write(found, BreakEvent.Name.ASSIGNED, actor, assignee)
    return found


@transaction.atomic
def break_note(*, break_id: int, text: str, actor: str) -> Break:
    """Add to its history. Raises `Problem` for nothing."""
    found = _locked(break_id)
    _write(found, BreakEvent.Name.NOTED, actor, _said(text, shortest=1))
    return found


@transaction.atomic
def break_resolve(*, break_id: int, reason: str, proof: bytes, actor: str) -> Break:
    """A person has dealt with it, for a reason that a picture proves; it stays so unless its amounts change.

    `proof` is the file as it came; only its picture is kept, sealed. Moves no money. Raises `Problem` where the reason
    or the picture is missing, or nothing is open.
    """
    found = _locked(break_id)
    if found.status != Break.Status.OPEN:
        raise Problem(_("这条差异已经结束了"))
    said = _said(reason, shortest=SHORTEST_REASON)
    if not proof:
        raise Invalid(fields={"file": _("请附上凭证的图片：渠道或供应商的回复、银行回单或账单截图")})
    found.status, found.closed_at = Break.Status.RESOLVED, timezone.now()
    found.save(update_fields=["status", "closed_at"])
    scan = proof_add(proves=f"break:{found.pk}", upload=proof, actor=actor)
    _write(found, BreakEvent.Name.RESOLVED, actor, said, scan)
    statement = Statement.objects.filter(side=found.side, owner_id=found.owner_id, day=found.day).first()
    if statement is not None and not open_breaks(statement):
        alert_end("reconciliation.breaks", subject=_subject(statement))
    return found


def _locked(break_id: int) -> Break:
    return Break.objects.select_for_update().get(pk=break_id)


def _said(text: str, *, shortest: int) -> str:
    said = " ".join(text.split())[:LONGEST_TEXT]
    if len(said) < shortest:
        raise Problem(_("请写明依据，至少 %(count)s 个字") % {"count": shortest})
    return said


def _write(found: Break, name: BreakEvent.Name, actor: str, text: str, proof: Scan | None = None) -> None:
    BreakEvent.objects.create(subject=found, name=name, actor=actor, text=text, proof=proof)
