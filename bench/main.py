"""`manage.py bench [NAME …]`: run workloads, print tables, judge, and exit 1 where a goal is missed."""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from bench import (
    audit,
    backlog,
    codes,
    kills,
    machine,
    money,
    orders,
    outage,
    pages,
    reconcile,
    refused,
    rescreen,
    shops,
    slow,
    statement,
)
from bench.figures import Report, as_json, judged_table, table_text, verdict
from bench.load import Broken
from bench.stage import Stage, stage
from kameng.embedded import environment, paths
from kameng.embedded.console import Refused, clear_errors, say

WORKLOADS = (
    "pages",
    "orders",
    "codes",
    "shops",
    "outage",
    "backlog",
    "kills",
    "slow",
    "reconcile",
    "money",
    "audit",
    "refused",
    "statement",
    "rescreen",
)
#: What runs where nothing is named: the outage takes a quarter of an hour by itself.
USUAL = ("pages", "orders", "codes", "shops")
#: Those that are compared with a bare Django project beside the demo.
WITH_BARE = {"pages", "orders"}


class Stopped(BaseException):
    """Somebody asked this process to end."""


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 0 where everything was right and every goal met. Raises `Refused`."""
    options = parser().parse_args(arguments)
    if environment.production(os.environ):
        raise Refused("bench fills a demo of its own with orders; it is not for production (KAMENG_ENV)")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    names = options.names or list(USUAL)
    about = machine.describe(paths.ROOT)
    try:
        with clear_errors(), contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout), stage() as running:
            if WITH_BARE.intersection(names):
                running.start_bare()
            reports = [_run(name, running, options) for name in names]
    except Stopped:
        return 130
    command = " ".join(["manage.py", "bench", *arguments])
    return _tell(reports, {**about, "command": command}, for_programs=options.json)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="manage.py bench", description=__doc__)
    made.add_argument("names", nargs="*", type=_workload, metavar="NAME", help=", ".join(WORKLOADS))
    made.add_argument("--orders", type=_positive, default=None, metavar="N", help="orders of the main case")
    made.add_argument(
        "--shops", type=_positive, default=outage.SHOPS, metavar="N", help="shops of the outage and the kills"
    )
    made.add_argument(
        "--entries", type=_positive, default=money.ENTRIES, metavar="N", help="entries of the book of `money`"
    )
    made.add_argument(
        "--listings", type=_positive, default=rescreen.LISTINGS, metavar="N", help="listings that are screened again"
    )
    made.add_argument(
        "--sizes",
        type=_positives,
        metavar="1,16,64",
        help=f"shops that are there (default {_text(shops.SIZES)}), or buyers at once (default {orders.BUYERS})",
    )
    made.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return made


def _run(name: str, running: Stage, options: argparse.Namespace) -> Report:
    begun = time.monotonic()
    try:
        match name:
            case "pages":
                report = pages.run(running)
            case "orders":
                sizes = options.sizes or (orders.BUYERS,)
                report = orders.run(running, orders=options.orders or orders.ORDERS, sizes=sizes)
            case "codes":
                report = codes.run(running)
            case "backlog":
                report = backlog.run(running, orders=options.orders or backlog.ORDERS)
            case "kills":
                report = kills.run(running, orders=options.orders or kills.ORDERS, shops=options.shops)
            case "slow":
                report = slow.run(running)
            case "reconcile":
                report = reconcile.run(running, orders=options.orders or reconcile.ROWS)
            case "refused":
                report = refused.run(running, orders=options.orders or refused.ORDERS)
            case "statement":
                report = statement.run(running, orders=options.orders or statement.ORDERS)
            case "audit":
                report = audit.run(running, orders=options.orders or audit.ORDERS)
            case "rescreen":
                report = rescreen.run(running, listings=options.listings)
            case "money":
                report = money.run(running, entries=options.entries)
            case "outage":
                report = outage.run(running, orders=options.orders or outage.ORDERS, shops=options.shops)
            case _:
                report = shops.run(running, sizes=options.sizes or shops.SIZES)
    except Broken as broken:
        report = Report(name, broken=[str(broken)])
    report.broken += [said for said in running.dead() if said not in report.broken]
    say(f"  {name} took {time.monotonic() - begun:.0f} s")
    return report


def _tell(reports: Sequence[Report], about: dict[str, Any], *, for_programs: bool) -> int:
    well, line = verdict(reports)
    if for_programs:
        document = {"about": about, "workloads": [as_json(report) for report in reports], "well": well, "verdict": line}
        say(json.dumps(document, ensure_ascii=False, indent=2))
        return 0 if well else 1
    say("\n" + "\n".join(f"{name}: {value}" for name, value in about.items()))
    for report in reports:
        for table in report.tables:
            say(f"\n{table_text(table)}")
    say(f"\n{table_text(judged_table(reports))}\n\n{line}")
    return 0 if well else 1


def _workload(text: str) -> str:
    if text not in WORKLOADS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(WORKLOADS)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _positives(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _text(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped
