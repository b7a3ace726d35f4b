"""The file that a bank or Alipay pays by: each approved withdrawal is in one, once."""

import csv
import io
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.core.sheets import harmless
from resellers.withdrawals.models import Payee, PayoutBatch, Withdrawal

#: A file stays short enough for a person to look through.
AT_MOST = 1000
#: As their templates have them: these are read by machines there, and are Chinese whoever exports.
_ALIPAY = ("序号（必填）", "收款方支付宝账号（必填）", "收款方姓名（必填）", "金额（必填，单位：元）", "备注（选填）")
_BANK = ("序号（必填）", "收款方姓名（必填）", "收款方银行账号（必填）", "开户行（必填）", *_ALIPAY[3:])


class NothingToPay(Problem):
    """No approved withdrawal is without a file."""

    code = "nothing_to_pay"


@transaction.atomic
def payout_export(*, kind: str, actor: str) -> PayoutBatch:
    """Put everything that is approved and in no file yet into a new one. Raises `NothingToPay`."""
    waiting = list(
        Withdrawal.objects.select_for_update(of=("self",))
        .filter(status=Withdrawal.Status.APPROVED, batch__isnull=True, payee__kind=kind)
        .order_by("pk")[:AT_MOST]
    )
    if not waiting:
        raise NothingToPay(_("没有待导出的%(kind)s打款") % {"kind": Payee.Kind(kind).label})
    batch = PayoutBatch.objects.create(
        number=random_id(10),
        kind=kind,
        count=len(waiting),
        total=sum((asked.payout for asked in waiting), Decimal(0)),
        created_by=actor,
    )
    Withdrawal.objects.filter(pk__in=[asked.pk for asked in waiting]).update(batch=batch)
    return batch


def payout_file(batch: PayoutBatch) -> bytes:
    """The batch as CSV in UTF-8 with a mark, which spreadsheets need; the same bytes whenever it is asked for."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    is_bank = batch.kind == Payee.Kind.BANK
    writer.writerow(_BANK if is_bank else _ALIPAY)
    rows = batch.withdrawals.select_related("payee").order_by("pk")
    for place, asked in enumerate(rows, start=1):
        told = asked.payee.details
        who = (told["name"], told["account"], told["bank"]) if is_bank else (told["account"], told["name"])
        writer.writerow([place, *map(harmless, who), f"{asked.payout:.2f}", f"{asked.number} {batch.number}"])
    return written.getvalue().encode("utf-8-sig")
