"""Hold every promise against the database, all of it seen at one moment."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from django_tenants.utils import get_public_schema_name, schema_context

from kameng.audit import costs, deposits, goods, ledger, lines, money, outside, records, secrets, trail
from kameng.audit.reading import Invariant, Verdict, shops
from kameng.core.snapshot import one_moment
from resellers.models import Reseller

EXAMPLES = 5


def invariants(*, logs: Path | None = None, sandbox: str = "") -> list[Invariant]:
    """What is checked; I11 comes with coupons."""
    other_side = [partial(outside.captured_is_in_the_books, sandbox)] if sandbox else []
    charged = [partial(outside.charges_were_used, sandbox)] if sandbox else []
    written = [partial(secrets.logs_hold_nothing, logs)] if logs is not None and logs.is_dir() else []
    return [
        Invariant(
            "I1",
            "every journal sums to zero and agrees with its shop",
            [
                *(ledger.book_agrees_with_the_shop, ledger.fees_are_in_the_book, ledger.purchases_are_in_the_book),
                *(deposits.holds_are_in_the_book, deposits.orders_hold_what_they_cost, deposits.one_collects),
                ledger.clients_paid_for_their_orders,
            ],
            [
                *(ledger.book_sums_to_zero, ledger.withdrawals_are_in_the_book, ledger.balances_are_in_the_book),
                *(deposits.nothing_below_zero, deposits.top_ups_are_in_the_book),
            ],
        ),
        Invariant("I2", "a paid line ends delivered or refunded, never both", [lines.delivered_or_refunded]),
        Invariant("I3", "captured is delivered, refunded or open", [money.captured_is_accounted_for], other_side),
        Invariant(
            "I4",
            "a code has one owner, in the exact quantity",
            [goods.codes_have_one_owner],
            [goods.codes_are_known_once],
        ),
        Invariant("I5", "one active purchase for each duty, one success used", [goods.one_purchase_at_a_time]),
        Invariant("I6", "charged by a supplier is used or booked", [goods.what_was_charged_was_used], charged),
        Invariant(
            "I7",
            "one effect for each gateway transaction",
            [money.one_effect_per_transaction],
            [money.one_payment_per_transaction],
        ),
        Invariant(
            "I8",
            "no code or key in logs, Redis or records",
            [secrets.records_hold_nothing],
            [secrets.public_records_hold_nothing, secrets.redis_holds_nothing, *written],
        ),
        Invariant("I9", "nothing of one shop in another", [records.nothing_of_another_shop]),
        Invariant(
            "I10", "no work overdue or on no list", [records.open_work_is_on_a_list], [records.nothing_is_overdue]
        ),
        Invariant("I12", "nothing in the audit trail was changed or taken out", [], [trail.trail_is_whole]),
        Invariant("I13", "stock is conserved", [goods.stock_is_conserved], [goods.stock_is_free_or_owned]),
        Invariant("I14", "only legal steps, each of them told", [records.only_legal_steps]),
        Invariant("I15", "references lead somewhere", [records.references_lead_somewhere], [records.shops_exist]),
        Invariant("I16", "nothing on sale at a loss or at an unknown cost", [], [costs.costs_are_known_and_covered]),
    ]


def audit(*, logs: Path | None = None, sandbox: str = "") -> list[Verdict]:
    """A verdict for each invariant.

    `logs` is a folder to look through, `sandbox` the base URL of the other side's books. Raises `OSError` if those
    cannot be read.
    """
    with schema_context(get_public_schema_name()), one_moment():
        everywhere = shops()
        return [verdict_of(invariant, everywhere) for invariant in invariants(logs=logs, sandbox=sandbox)]


def verdict_of(invariant: Invariant, everywhere: list[Reseller]) -> Verdict:
    """Whether one of them holds, over the platform and in these shops."""
    breaches = _breaches(invariant, everywhere)
    examples = tuple(islice(breaches, EXAMPLES))
    return Verdict(invariant.code, invariant.promise, len(examples) + sum(1 for _ in breaches), examples)


def _breaches(invariant: Invariant, everywhere: list[Reseller]) -> Iterator[str]:
    for platform_check in invariant.over_platform:
        yield from platform_check()
    for shop in everywhere if invariant.in_shop else ():
        with schema_context(shop.schema_name):
            for check in invariant.in_shop:
                for breach in check(shop):
                    yield f"{shop.schema_name}: {breach}"
