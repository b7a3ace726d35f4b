"""A day of payments and its bill: `python -m bench.reconciled ROWS DAYS_AGO` in the product's environment.

Fills the house shop and the book with payments of one day by a few statements, writes the bill that a gateway would
send about them with a known number of breaks, then reads and compares it as the product does. Prints what it took.
"""

import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import django

BREAKS = 100
ROUTED = 20

_FILL = """
INSERT INTO {schema}.orders_order (number, status, contact, total, language, device_digest, address_digest,
       contact_digest, request_digest, created_at, expires_at, paid_at, finished_at)
SELECT %(route)s || %(mark)s || lpad(upper(to_hex(n)), 12, '0'), 'fulfilled', '13800000000', 57, 'zh-hans', '', '', '',
       '', %(noon)s, %(noon)s, %(noon)s, %(noon)s FROM generate_series(1, %(rows)s) AS n;
INSERT INTO {schema}.payments_payment (order_id, number, account_id, gateway, channel, amount, status, reference, qr,
       url, is_surplus, fee, created_at, expires_at, confirmed_at)
SELECT id, number || '00000000', %(account)s, 'wechatpay', 'qr', 57, 'confirmed', 'T' || number, '', '', false,
       0.34, %(noon)s, %(noon)s, %(noon)s
  FROM {schema}.orders_order WHERE number LIKE %(route)s || %(mark)s || '%%';
INSERT INTO public.ledger_account (name, owner) VALUES ('clearing', %(account)s), ('orders', %(shop)s),
       ('fees', %(account)s)
    ON CONFLICT DO NOTHING;
INSERT INTO public.ledger_journal (key, kind, shop_id, order_number, size)
SELECT 'payment:' || payment.number, 'payment', %(shop)s, left(payment.number, 16), 4
  FROM {schema}.payments_payment AS payment WHERE number LIKE %(route)s || %(mark)s || '%%';
INSERT INTO public.ledger_entry (journal_id, account_id, amount)
SELECT journal.id, account.id, move.amount
  FROM public.ledger_journal AS journal
 CROSS JOIN (VALUES ('clearing', %(account)s, 57), ('orders', %(shop)s, -57), ('fees', %(account)s, 0.34),
                    ('clearing', %(account)s, -0.34)) AS move (name, owner, amount)
  JOIN public.ledger_account AS account ON account.name = move.name AND account.owner = move.owner
 WHERE journal.key LIKE 'payment:' || %(route)s || %(mark)s || '%%';
"""


def main(rows: int, days_ago: int) -> dict[str, Any]:
    """Fill, write the bill, reconcile; what it took, in seconds and MiB."""
    django.setup()
    from django.utils import timezone

    from kameng.reconciliation.models import Break, Side
    from kameng.reconciliation.parties import Party
    from kameng.reconciliation.services import gateway_reconcile
    from payments.gateways.registry import GATEWAYS
    from payments.merchants.models import GatewayAccount

    day = timezone.localdate() - timedelta(days=days_ago)
    account = GatewayAccount.objects.get(code="wechatpay")
    route, mark = _fill(rows, day, account.pk, str(days_ago))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bill.csv.gz"
        _write(file, rows, day, f"{route}{mark}")
        FromFile.path = file
        GATEWAYS["from_file"] = FromFile  # type: ignore[assignment]
        GatewayAccount.objects.filter(pk=account.pk).update(gateway="from_file")
        before, begun = _peak(), time.monotonic()
        try:
            done = gateway_reconcile(party=Party(Side.GATEWAY, account.pk, account.code, account.name), day=day)
            first = time.monotonic() - begun
            again = time.monotonic()
            gateway_reconcile(party=Party(Side.GATEWAY, account.pk, account.code, account.name), day=day)
            second = time.monotonic() - again
        finally:
            GatewayAccount.objects.filter(pk=account.pk).update(gateway="wechatpay")
    found = Break.objects.filter(day=day, owner_id=account.pk)
    kinds: dict[str, int] = {}
    for kind in found.values_list("kind", flat=True):
        kinds[kind] = kinds.get(kind, 0) + 1
    return {
        "rows": done.rows, "matched": done.matched, "seconds": first, "again": second,
        "before_mib": before, "peak_mib": _peak(), "kinds": kinds,
    }  # fmt: skip


class FromFile:
    """A gateway whose bill is a file on this machine, read by WeChat Pay's own reader."""

    path: ClassVar[Path]
    required_config: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: object, http: object) -> None:
        pass

    def bill(self, day: date) -> Iterator[Any]:
        """As the adapter reads it, once it is here."""
        from payments.gateways.bills import unpacked
        from payments.gateways.wechatpay import bill

        return bill.rows(unpacked(self.path.open("rb")), merchant="1")


def _fill(rows: int, day: date, account: int, mark: str) -> tuple[str, str]:
    from django.db import connection, transaction

    from kameng.core.ids import ROUTE_LENGTH, routed_id
    from kameng.reconciliation.ours import CHINA
    from resellers.models import Reseller

    house = Reseller.objects.get(is_house=True)
    route = routed_id(house.pk, ROUTED)[:ROUTE_LENGTH]
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=CHINA)
    known = {"route": route, "mark": mark, "rows": rows, "account": account, "shop": house.pk, "noon": noon}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10min'")
        cursor.execute(_FILL.format(schema=house.schema_name), known)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return route, mark


def _write(file: Path, rows: int, day: date, head: str) -> None:
    """The first `BREAKS` rows have another amount, the last as many are left out and strangers stand in their place."""
    columns = (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
        "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
        "手续费,费率,订单金额,申请退款金额,费率备注"
    )
    total = 0
    with gzip.open(file, "wt", encoding="utf-8", newline="") as text:
        text.write(f"\ufeff{columns}\r\n")
        for number in range(1, rows + 1):
            fen = 5701 if number <= BREAKS else 5700
            total += fen
            name = f"{head}{number:012X}00000000" if number <= rows - BREAKS else f"{head}F{number:011X}00000000"
            cells = (
                f"{day} 12:00:00", "wx", "1", "0", "", f"42{number:026d}", name, "o", "NATIVE", "SUCCESS", "OTHERS",
                "CNY", "57.00", "0.00", "0", "0", "0.00", "0.00", "", "", "王者荣耀 60 点券", "", "0.34000", "0.60%",
                f"{fen / 100:.2f}", "0.00", "",
            )  # fmt: skip
            text.write(",".join(f"`{cell}" for cell in cells) + "\r\n")
        text.write("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n")
        fees = f"{rows * 34 // 100}.{rows * 34 % 100:02d}000"
        text.write(f"`{rows},`0.00,`0.00,`0.00,`{fees},`{total // 100}.{total % 100:02d},`0.00\r\n")


def _peak() -> float:
    """The most memory that this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
