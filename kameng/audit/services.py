"""Hold every promise against the database, all of it seen at one moment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from django_tenants.utils import get_public_schema_name, schema_context

from kameng.audit import (
    balances,
    costs,
    coupons,
    deposits,
    goods,
    ledger,
    lines,
    money,
    outside,
    plans,
    records,
    secrets,
    trail,
    wallets,
)
from kameng.audit.reach import Scope, reach_of
from kameng.audit.reading import Breaches, Invariant, Verdict, shops
from kameng.audit.recent import recent_in_shop, recent_over_platform
from kameng.core.snapshot import one_moment
from resellers.models import Reseller

EXAMPLES = 5


def invariants(*, logs: Path | None = None, sandbox: str = "") -> list[Invariant]:
    """What is checked."""
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
                ledger.purses_paid_once,
            ],
            [
                *(ledger.journals_sum_to_zero, ledger.book_sums_to_zero, ledger.book_is_guarded),
                *(ledger.withdrawals_are_in_the_book, ledger.balances_are_in_the_book, ledger.days_add_up),
                *(deposits.top_ups_are_in_the_book, plans.plans_are_in_the_book),
                coupons.coupons_are_used_as_they_say,
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
        Invariant(
            "I9",
            "nothing of one shop in another",
            [records.nothing_of_another_shop, records.codes_are_of_this_shop, coupons.coupons_hold_here],
        ),
        Invariant(
            "I10", "no work overdue or on no list", [records.open_work_is_on_a_list], [records.nothing_is_overdue]
        ),
        Invariant(
            "I11",
            "nobody spends more than there is",
            [wallets.wallets_are_in_the_book],
            [balances.nothing_below_zero, coupons.no_coupon_is_used_up_twice],
        ),
        Invariant("I12", "nothing in the audit trail was changed or taken out", [], [trail.trail_is_whole]),
        Invariant("I13", "stock is conserved", [goods.stock_is_conserved], [goods.stock_is_free_or_owned]),
        Invariant("I14", "only legal steps, each of them told", [records.only_legal_steps]),
        Invariant("I15", "references lead somewhere", [records.references_lead_somewhere], [records.shops_exist]),
        Invariant("I16", "nothing on sale at a loss or at an unknown cost", [], [costs.costs_are_known_and_covered]),
    ]


def audit(*, since: datetime | None = None, logs: Path | None = None, sandbox: str = "") -> list[Verdict]:
    """A verdict for each invariant.

    With `since`, only what is recent is looked at (`kameng.audit.recent`) wherever everything would take long; each
    verdict says how far it goes. `logs` is a folder to look through, `sandbox` the base URL of the other side's books.
    Raises `OSError` if those cannot be read.
    """
    promises = invariants(logs=logs, sandbox=sandbox)
    with schema_context(get_public_schema_name()), one_moment(has_room=since is not None):
        everywhere = shops()
        if since is not None:
            return _verdicts_since(since, promises, everywhere)
        return [verdict_of(invariant, everywhere) for invariant in promises]


def verdict_of(invariant: Invariant, everywhere: list[Reseller]) -> Verdict:
    """Whether one of them holds, over the platform and in these shops."""
    found = _Found()
    for platform_check in invariant.over_platform:
        found.add(platform_check())
    for shop in everywhere if invariant.in_shop else ():
        with schema_context(shop.schema_name):
            for check in invariant.in_shop:
                found.add(_named(shop, check(shop)))
    return Verdict(invariant.code, invariant.promise, found.broken, tuple(found.examples))


@dataclass
class _Found:
    """What breaks an invariant, so far."""

    broken: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, breaches: Breaches) -> None:
        """Counted; kept only as far as somebody will read it."""
        remaining = iter(breaches)
        more = list(islice(remaining, EXAMPLES - len(self.examples)))
        self.examples += more
        self.broken += len(more) + sum(1 for _ in remaining)


def _named(shop: Reseller, breaches: Breaches) -> Iterator[str]:
    return (f"{shop.schema_name}: {breach}" for breach in breaches)


def _verdicts_since(since: datetime, promises: list[Invariant], everywhere: list[Reseller]) -> list[Verdict]:
    """Shop by shop instead of promise by promise: what is recent in one is copied once for all of them."""
    found = {invariant.code: _Found() for invariant in promises}

    def look(scope: Scope) -> None:
        for invariant in promises:
            for check in invariant.over_platform:
                if reach_of(check).scope is scope:
                    found[invariant.code].add(check())

    def look_in(shop: Reseller, scope: Scope) -> None:
        for invariant in promises:
            for check in invariant.in_shop:
                if reach_of(check).scope is scope:
                    found[invariant.code].add(_named(shop, check(shop)))

    look(Scope.WHOLE)
    with recent_over_platform(since):
        look(Scope.SINCE)
    for shop in everywhere:
        with schema_context(shop.schema_name):
            look_in(shop, Scope.WHOLE)
            with recent_in_shop(shop, since):
                look_in(shop, Scope.SINCE)
    return [_as_far_as_seen(invariant, found[invariant.code]) for invariant in promises]


def _as_far_as_seen(invariant: Invariant, found: _Found) -> Verdict:
    checks: list[Callable[..., Breaches]] = [*invariant.over_platform, *invariant.in_shop]
    reaches = [reach_of(check) for check in checks]
    scope = Scope.WHOLE if all(reach.scope is Scope.WHOLE for reach in reaches) else Scope.SINCE
    unseen = tuple(dict.fromkeys(reach.unseen for reach in reaches if reach.unseen))
    return Verdict(invariant.code, invariant.promise, found.broken, tuple(found.examples), scope, unseen)
