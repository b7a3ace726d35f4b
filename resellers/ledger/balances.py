"""What is on an account: the last snapshot, and what came after it."""

from collections.abc import Mapping
from decimal import Decimal

from django.db import OperationalError, connection, transaction

from kameng.core import sql
from resellers.ledger.models import Account

_NOW = """
SELECT account.name, account.owner, coalesce(known.amount, 0) + coalesce(
       (SELECT sum(entry.amount) FROM public.ledger_entry AS entry
         WHERE entry.account_id = account.id AND entry.id > coalesce(known.upto, 0)), 0)
  FROM public.ledger_account AS account
  LEFT JOIN public.ledger_balance AS known ON known.account_id = account.id
"""
_SOME = _NOW + " WHERE account.name = ANY(%s::text[]) AND account.owner = %s"
_ALL = _NOW + " ORDER BY account.name, account.owner"

#: Whoever adds an entry holds the table in a way that this waits for, from before it takes its number until its end:
#: so no number up to the highest that is seen then can still turn up.
_WAIT = "LOCK TABLE public.ledger_entry IN SHARE MODE"
_HIGHEST = "SELECT coalesce(max(id), 0) FROM public.ledger_entry"
_TAKE = """
INSERT INTO public.ledger_balance AS known (account_id, upto, amount)
SELECT entry.account_id, %(upto)s, sum(entry.amount)
  FROM public.ledger_entry AS entry
 WHERE entry.id > %(since)s AND entry.id <= %(upto)s
 GROUP BY entry.account_id
    ON CONFLICT (account_id) DO UPDATE
       SET upto = excluded.upto, amount = known.amount + excluded.amount, taken_at = statement_timestamp()
"""
#: Every account has been summed up to here; one whose snapshot is older had no entry since.
_SINCE = "SELECT coalesce(max(upto), 0) FROM public.ledger_balance"
#: How long others may be kept from adding entries while a snapshot waits for those that are being added.
PATIENCE = "200ms"
ALONE = 0x6C656467


def balance(name: Account.Name, owner: int = 0) -> Decimal:
    """What is on one account, in yuan, as it grows: what we owe is positive on an account of what we owe."""
    return balances_of(owner, name)[name]


def balances_of(owner: int, *names: Account.Name) -> Mapping[Account.Name, Decimal]:
    """The same for several accounts of one owner."""
    known = sql.rows_anywhere(_SOME, [[str(name) for name in names], owner])
    found = {Account.Name(name): _as_it_grows(Account.Name(name), amount) for name, _owner, amount in known}
    return {name: found.get(name, Decimal(0)) for name in names}


def balances() -> Mapping[tuple[Account.Name, int], Decimal]:
    """Every account's, in the same way."""
    return {
        (Account.Name(name), owner): _as_it_grows(Account.Name(name), amount)
        for name, owner, amount in sql.rows_anywhere(sql.Report(_ALL), [])
    }


def _as_it_grows(name: Account.Name, amount: Decimal) -> Decimal:
    return amount if name in Account.DEBIT else -amount


def balances_snapshot() -> bool:
    """Sum up what is new, so that reading stays quick. False where the book was too busy; the next one catches up."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(_WAIT)
            cursor.execute(_HIGHEST)
            (upto,) = cursor.fetchone()
    except OperationalError:
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ALONE])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(_SINCE)
        (since,) = cursor.fetchone()
        if upto > since:
            cursor.execute(_TAKE, {"upto": upto, "since": since})
    return True
