"""Breaks as a table for a spreadsheet, which must not take anything in it for a formula.

Source: owasp.org/www-community/attacks/CSV_Injection. Numbers of ours stay numbers: only texts are made harmless.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from kameng.core.sheets import harmless
from kameng.reconciliation.models import Break

BOM = "\ufeff"


def breaks_csv(found: Iterable[Break]) -> Iterator[str]:
    """Line by line, with a mark that says UTF-8."""
    headings = [
        _("账单日"), _("对账方"), _("代号"), _("类型"), _("单号"), _("对方单号"), _("订单号"), _("我方"), _("对方"),
        _("差额"), _("币种"), _("我方状态"), _("对方状态"), _("状态"), _("处理人"), _("发生时间"), _("首次发现"),
        _("结束"),
    ]  # fmt: skip
    yield BOM + _line(headings)
    for one in found:
        difference = None if one.ours is None or one.theirs is None else one.theirs - one.ours
        texts = [one.code, one.get_kind_display(), one.number, one.reference, one.order_number]
        amounts = ["" if value is None else f"{value:f}" for value in (one.ours, one.theirs, difference)]
        states = [one.currency, one.our_state, one.their_state, one.get_status_display(), one.assignee]
        moments = [_moment(value) for value in (one.happened_at, one.first_seen_at, one.closed_at)]
        head = [one.day.isoformat(), str(one.get_side_display())]
        yield _line([*head, *map(harmless, map(str, texts)), *amounts, *map(harmless, map(str, states)), *moments])


def _line(values: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"
