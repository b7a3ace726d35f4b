"""I1: the book sums to zero, and says the same as what it tells of."""

from kameng.audit.reach import left_out, whole
from kameng.audit.reading import Breaches, found
from payments.purses import PURSES
from resellers.ledger.days import days_false
from resellers.models import Reseller

_UNBALANCED = """
SELECT journal.key, journal.size, count(entry.id) AS entries, coalesce(sum(entry.amount), 0) AS total
  FROM ledger_journal AS journal LEFT JOIN ledger_entry AS entry ON entry.journal_id = journal.id
 GROUP BY journal.id HAVING count(entry.id) <> journal.size OR coalesce(sum(entry.amount), 0) <> 0
"""
_TOTAL = "SELECT sum(amount) AS total FROM public.ledger_entry HAVING sum(amount) <> 0"
_LOOSE = """
SELECT entry.id FROM ledger_entry AS entry
 WHERE NOT EXISTS (SELECT FROM public.ledger_account AS account WHERE account.id = entry.account_id)
"""
_SNAPSHOTS = """
SELECT account.name, account.owner, known.amount, coalesce(sum(entry.amount), 0) AS entries
  FROM public.ledger_balance AS known
  JOIN public.ledger_account AS account ON account.id = known.account_id
  LEFT JOIN public.ledger_entry AS entry ON entry.account_id = known.account_id AND entry.id <= known.upto
 GROUP BY account.id, known.account_id HAVING known.amount <> coalesce(sum(entry.amount), 0)
"""
#: Those of some triggers that somebody has switched off, or dropped.
UNGUARDED = """
SELECT guard FROM unnest(%s::text[]) AS guard
 WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = guard AND tgenabled IN ('O', 'A'))
"""
GUARDS = [
    *("ledger_account_stays", "ledger_journal_stays", "ledger_entry_stays"),
    *("ledger_journal_sums_to_zero", "ledger_entry_belongs"),
]


def journals_sum_to_zero() -> Breaches:
    """Each of them, with all of its entries."""
    yield from found("journal {key} has {entries} of {size} entries, and they sum to {total}", _UNBALANCED)
    yield from found("entry #{id} is on no account", _LOOSE)


@left_out("the sum of all entries, and sums that were written down")
def book_sums_to_zero() -> Breaches:
    """All journals together; and what was summed up is the sum."""
    yield from found("all entries sum to {total}", _TOTAL)
    yield from found("{name}:{owner} was summed up as {amount}, its entries are {entries}", _SNAPSHOTS)


@whole
def book_is_guarded() -> Breaches:
    """The database itself refuses what does not sum to zero, and changes."""
    yield from found("the book is without its guard {guard}", UNGUARDED, [GUARDS])


#: What an order holds by its own rows: what came in, less what bought something, less what goes back undelivered.
_OPEN = """
WITH shown AS (
    SELECT o.number,
           coalesce((SELECT sum(amount) FROM payments_payment WHERE order_id = o.id AND status = 'confirmed'), 0)
         - coalesce((SELECT sum(line.price * (line.quantity - line.short_quantity)) FROM orders_orderline AS line
                       JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
                      WHERE line.order_id = o.id AND work.status = 'delivered'), 0)
         - coalesce((SELECT sum(refund.amount) FROM payments_refund AS refund
                       JOIN payments_payment AS payment ON payment.id = refund.payment_id
                      WHERE payment.order_id = o.id AND (refund.line_id IS NULL OR refund.cause ~ '^(line|short):')), 0)
           AS amount
      FROM orders_order AS o
), booked AS (
    SELECT journal.order_number AS number, -sum(entry.amount) AS amount
      FROM public.ledger_account AS account
      JOIN ledger_entry AS entry ON entry.account_id = account.id
      JOIN ledger_journal AS journal ON journal.id = entry.journal_id
     WHERE account.name = 'orders' AND account.owner = %(shop)s
     GROUP BY journal.order_number
)
SELECT number, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (number)
 WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""
_BOOKED = """
SELECT coalesce(sum(entry.amount), 0) FROM public.ledger_account AS account
  JOIN ledger_entry AS entry ON entry.account_id = account.id
  JOIN ledger_journal AS journal ON journal.id = entry.journal_id
 WHERE account.name IN ({names}) AND journal.shop_id = %(shop)s AND journal.kind {kinds}
"""
#: The merchant accounts' money: the platform's, and their own of owners who collect.
_LIES = "'clearing', 'own_clearing'"
#: What came in and went out is what reached the merchant accounts: less fees, and less those that came back.
_SUMS = {
    "payments that came in": (
        "SELECT coalesce(sum(amount - fee), 0) FROM payments_payment WHERE status = 'confirmed'",
        _BOOKED.format(names=_LIES, kinds="IN ('payment', 'disproved')"),
    ),
    "refunds that went out": (
        "SELECT -coalesce(sum(amount - fee_returned), 0) FROM payments_refund"
        " WHERE status = 'succeeded' AND route = 'source'",
        _BOOKED.format(names=_LIES, kinds="= 'refund'"),
    ),
    "refunds that went into wallets": (
        "SELECT -coalesce(sum(amount), 0) FROM payments_refund WHERE status = 'succeeded' AND route = 'wallet'",
        _BOOKED.format(names="'wallet'", kinds="= 'refund'"),
    ),
    "refunds that are owed or went out": (
        "SELECT -coalesce(sum(amount), 0) FROM payments_refund WHERE status NOT IN ('waiting', 'rejected')",
        _BOOKED.format(names="'refunds'", kinds="= 'refund_due'"),
    ),
}


#: Each order's fees by its own rows: what each payment and refund says that it cost, and who bears it. Of what goes
#: back undelivered, the platform does; but nothing of what an owner's own gateway keeps.
_FEES = """
WITH paid AS (
    SELECT payment.order_id, payment.fee_bearer AS bearer, payment.fee AS amount
      FROM payments_payment AS payment WHERE payment.status = 'confirmed'
    UNION ALL
    SELECT payment.order_id, moved.bearer, moved.amount
      FROM payments_refund AS refund
      JOIN payments_payment AS payment ON payment.id = refund.payment_id
     CROSS JOIN LATERAL (
           SELECT (refund.line_id IS NULL OR refund.cause ~ '^(line|short):') AND NOT payment.owner_collects
               AS is_undelivered) AS how
     CROSS JOIN LATERAL (VALUES
           (payment.fee_bearer, CASE WHEN how.is_undelivered THEN -refund.fee ELSE 0 END),
           ('platform', CASE WHEN how.is_undelivered THEN refund.fee ELSE 0 END),
           (CASE WHEN how.is_undelivered THEN 'platform' ELSE payment.fee_bearer END, -refund.fee_returned)
         ) AS moved (bearer, amount)
), shown AS (
    SELECT o.number, paid.bearer, sum(paid.amount) AS amount
      FROM paid JOIN orders_order AS o ON o.id = paid.order_id
     GROUP BY o.number, paid.bearer
), booked AS (
    SELECT journal.order_number AS number, who.bearer, sum(entry.amount) AS amount
      FROM ledger_journal AS journal
      JOIN ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     CROSS JOIN LATERAL (
           SELECT CASE account.name WHEN 'fees' THEN 'platform' ELSE 'owner' END AS bearer) AS who
     WHERE journal.shop_id = %(shop)s AND (account.name = 'fees' OR account.name IN ('pending', 'takings')
           AND account.owner = %(shop)s AND journal.kind IN ('payment', 'disproved', 'refund', 'fee_waived'))
     GROUP BY journal.order_number, who.bearer
)
SELECT number, bearer, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (number, bearer)
 WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""


def fees_are_in_the_book(shop: Reseller) -> Breaches:
    """What gateways keep is booked as the payments and refunds say, for who bears it."""
    sentence = "order {number} costs the {bearer} {shown} in fees, the book says {booked}"
    yield from found(sentence, _FEES, {"shop": shop.pk})


def book_agrees_with_the_shop(shop: Reseller) -> Breaches:
    """Each order's money, and the sums of what came in and went out."""
    here = {"shop": shop.pk}
    yield from found("order {number} holds {shown}, the book says {booked}", _OPEN, here)
    for what, (shown, booked) in _SUMS.items():
        query = f"SELECT ({shown}) AS shown, ({booked}) AS booked"
        yield from found(
            what + " are {shown}, the book says {booked}",
            f"SELECT * FROM ({query}) AS sums WHERE shown <> booked",
            here,
        )


_SUPPLY = """
SELECT buy.reference, buy.status, buy.cost FROM fulfillment_supplierorder AS buy
 WHERE buy.status IN ('succeeded', 'partial', 'reversed') AND buy.cost > 0
   AND NOT EXISTS (SELECT FROM ledger_journal AS journal WHERE journal.key = 'supply:' || buy.reference)
"""
_NO_SUPPLY = """
SELECT journal.key FROM ledger_journal AS journal
 WHERE journal.shop_id = %(shop)s AND journal.kind = 'supply' AND NOT EXISTS (
       SELECT FROM fulfillment_supplierorder AS buy
        WHERE 'supply:' || buy.reference = journal.key AND buy.status IN ('succeeded', 'partial', 'reversed'))
"""


def purchases_are_in_the_book(shop: Reseller) -> Breaches:
    """Each purchase that arrived is charged for, and nothing else is."""
    yield from found("attempt {reference} is {status} and cost {cost}, which is not in the book", _SUPPLY)
    yield from found("{key} is in the book, and nothing arrived", _NO_SUPPLY, {"shop": shop.pk})


#: What each withdrawal moved by its own row, and by the book: in yuan, as the accounts grow.
_WITHDRAWN = """
WITH rows AS (
    SELECT number, shop_id, amount, fee, status IN ('requested', 'approved') AS is_open, status = 'paid' AS is_paid
      FROM public.withdrawals_withdrawal
), shown AS (
    SELECT number, 'available' AS name, shop_id AS owner, -amount AS amount FROM rows WHERE is_open OR is_paid
    UNION ALL SELECT number, 'withdrawals', shop_id, amount FROM rows WHERE is_open
    UNION ALL SELECT number, 'payouts', shop_id, amount - fee FROM rows WHERE is_paid
    UNION ALL SELECT number, 'withdrawal_fees', 0, fee FROM rows WHERE is_paid AND fee > 0
), booked AS (
    SELECT split_part(journal.key, ':', 2) AS number, account.name, account.owner, -sum(entry.amount) AS amount
      FROM ledger_journal AS journal
      JOIN ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     WHERE journal.kind IN ('withdrawal', 'payout', 'withdrawal_back')
     GROUP BY 1, 2, 3 HAVING sum(entry.amount) <> 0
)
SELECT number, name, owner, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (number, name, owner)
 WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""
#: An account of withdrawals on which somebody else has written.
_STRANGE = """
SELECT journal.key, account.name FROM public.ledger_account AS account
  JOIN public.ledger_entry AS entry ON entry.account_id = account.id
  JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
 WHERE account.name IN ('withdrawals', 'payouts', 'withdrawal_fees')
   AND journal.kind NOT IN ('withdrawal', 'payout', 'withdrawal_back')
"""


def withdrawals_are_in_the_book() -> Breaches:
    """Each of them moved what its state says, and nothing else did."""
    yield from found("withdrawal {number} makes {shown} on {name}:{owner}, the book says {booked}", _WITHDRAWN)
    yield from found("{key} is on {name}, which is for withdrawals", _STRANGE)


_BALANCES = """
SELECT client.id, client.name, client.balance, coalesce(-booked.amount, 0) AS booked
  FROM public.clients_client AS client
  LEFT JOIN (SELECT account.owner, sum(entry.amount) AS amount
               FROM public.ledger_account AS account
               JOIN public.ledger_entry AS entry ON entry.account_id = account.id
              WHERE account.name = 'prepaid' GROUP BY account.owner) AS booked ON booked.owner = client.id
 WHERE client.balance <> coalesce(-booked.amount, 0)
"""
#: What is paid from purses only passes through the accounts that stand for them.
_LEFT_OVER = """
SELECT account.code, sum(entry.amount) AS amount
  FROM public.merchants_gatewayaccount AS account
  JOIN public.ledger_account AS clearing ON clearing.name = 'clearing' AND clearing.owner = account.id
  JOIN public.ledger_entry AS entry ON entry.account_id = clearing.id
 WHERE account.gateway = ANY(%(purses)s) GROUP BY account.id HAVING sum(entry.amount) <> 0
"""
_NOBODYS = """
SELECT account.owner FROM public.ledger_account AS account
 WHERE account.name = 'prepaid' AND NOT EXISTS (
       SELECT FROM public.clients_client AS client WHERE client.id = account.owner)
"""


@whole
def balances_are_in_the_book() -> Breaches:
    """What each client can spend is what the book says of it, and belongs to a client."""
    yield from found("client #{id} {name} has {balance}, the book says {booked}", _BALANCES)
    purses = {"purses": [*PURSES]}
    yield from found("{amount} is left on account {code}, through which purses are spent", _LEFT_OVER, purses)
    yield from found("the book has a balance of client #{owner}, who does not exist", _NOBODYS)


@left_out("days of the platform's report")
def days_add_up() -> Breaches:
    """What the platform's report says of each day is what its entries add up to."""
    for false in days_false():
        yield f"{false.day} of {false.shop or 'no shop'} is not what the entries of that day add up to"


#: What orders moved in and out of purses, by their own payments and refunds.
_SPENT = """
WITH shown AS (
    SELECT payment.number, payment.amount AS amount FROM payments_payment AS payment
     WHERE payment.gateway = ANY(%(purses)s) AND payment.status = 'confirmed'
    UNION ALL
    SELECT refund.number, -refund.amount FROM payments_refund AS refund
      JOIN payments_payment AS payment ON payment.id = refund.payment_id
     WHERE payment.gateway = ANY(%(purses)s) AND refund.status = 'succeeded'
), booked AS (
    SELECT split_part(journal.key, ':', 2) AS number, -sum(entry.amount) AS amount
      FROM ledger_journal AS journal
      JOIN ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     WHERE journal.shop_id = %(shop)s AND account.name = 'clearing'
       AND journal.kind IN ('client_paid', 'client_back', 'coupon_paid', 'coupon_back', 'wallet_paid', 'wallet_back',
                            'points_paid', 'points_back')
     GROUP BY journal.key
)
SELECT number, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (number)
 WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""
_UNPAID_FOR = """
SELECT asked.reference, asked.client_id FROM supply_clientorder AS asked
 WHERE NOT EXISTS (SELECT FROM payments_payment AS payment
                    WHERE payment.order_id = asked.order_id AND payment.gateway = 'prepaid'
                      AND payment.status = 'confirmed')
"""


def purses_paid_once(shop: Reseller) -> Breaches:
    """Each payment from a purse, and each refund to one, moved it once; each order of a client has such a payment."""
    about = {"shop": shop.pk, "purses": [*PURSES]}
    yield from found("{number} moves {shown} in a purse, the book says {booked}", _SPENT, about)
    yield from found("order {reference} of client #{client_id} was not paid from a balance", _UNPAID_FOR)
