"""What an owner takes along: all of it, nothing of anybody else's, and never more of it in memory than a batch."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterable
from decimal import Decimal

import pytest
from django.db import connection

from catalog.listings.models import Listing, PriceRule
from compliance.tenures import shop_close
from compliance.trail.models import AuditEntry
from kameng import shop_export
from kameng.shop_export import EXPORTS, export_write
from orders.models import OrderLine
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from tests import remembered
from tests.factories import on_sale, place
from tests.orders.test_monthly import read_csv
from tests.staff import operator, owner_of

Tables = dict[str, list[list[str]]]


def tables_of(answer: Iterable[bytes]) -> Tables:
    """Every file of a download."""
    packed = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert packed.testzip() is None
    return {name: read_csv([packed.read(name)]) for name in packed.namelist()}


def test_an_owner_and_operators_take_along_a_shop_that_is_closed_and_nobody_elses(
    shop: Reseller, other_shop: Reseller
) -> None:
    variant = on_sale()
    order = place(shop, variant)
    OrderLine.objects.update(product_name="=HYPERLINK(1)")
    Listing.objects.create(variant=variant, price=Decimal("61.50"), name="@自定")
    PriceRule.objects.create(product=variant.product, kind="percent", value=5)
    for owner, amount in ((shop.pk, Decimal(7)), (other_shop.pk, Decimal(9))):
        moves = [Move(Name.TOP_UPS, amount, owner), Move(Name.AVAILABLE, -amount, owner)]
        post(f"test:{owner}", Kind.TOP_UP, moves, shop_id=owner)
    shop_close(shop_id=shop.pk, reason="不做了", actor="staff:a")
    client = owner_of(shop)
    assert "带走店铺数据" in client.get("/manage/plan/").content.decode()
    answer = client.post("/manage/plan/", {"act": "export"})
    assert answer["Content-Disposition"].startswith('attachment; filename="one-2')
    mine = tables_of(answer)
    names = ("orders", "order_lines", "ledger", "listings", "price_rules", "own_goods")
    assert list(mine) == [f"{name}.csv" for name in names]
    assert mine["orders.csv"][1][:4] == [order.grouped_number, "待付款", "138****5678", "60.00"]
    assert mine["order_lines.csv"][1][1] == "'=HYPERLINK(1)"
    assert "482***375" in mine["order_lines.csv"][1][10]
    assert [row[1:4] for row in mine["ledger.csv"][1:]] == [["充值保证金", "店主可提现", "7.00"]]
    assert mine["listings.csv"][1][2:5] == [variant.sku, "61.50", "'@自定"]
    assert mine["price_rules.csv"][1][:4] == ["商品", variant.product.name, "加百分比", "5.00"]
    everything = str(mine)
    assert order.contact not in everything
    assert "482019375" not in everything
    # Operators get the same, and another owner only the headings and what is theirs.
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    asked = operator().post("/admin/tenures/", {"act": "export", "shop": shop.pk, "key": "k"})
    assert tables_of(asked) == mine
    theirs = tables_of(owner_of(other_shop).post("/manage/plan/", {"act": "export"}))
    assert {name: len(rows) for name, rows in theirs.items()} == {**dict.fromkeys(mine, 1), "ledger.csv": 2}
    trail = AuditEntry.objects.filter(action="shop.exported").order_by("sequence")
    assert list(trail.values_list("actor", "subject")) == [
        ("staff:owner", "shop:one"), ("staff:operator", "shop:one"), ("staff:owner", "shop:two"),
    ]  # fmt: skip
    assert trail[0].data == {
        "orders": 1,
        "order_lines": 1,
        "ledger": 1,
        "listings": 1,
        "price_rules": 1,
        "own_goods": 0,
    }
    # Each reads everything, so there are not many; the house shop's is nobody's to take.
    statuses = [client.post("/manage/plan/", {"act": "export"}).status_code for _ in range(EXPORTS)]
    assert (statuses[0], statuses[-1]) == (200, 302)
    Reseller.objects.filter(pk=other_shop.pk).update(is_house=True)
    remembered.forget()
    assert (
        owner_of(Reseller.objects.get(slug="two"), username="late").post("/manage/plan/", {"act": "export"}).status_code
        == 404
    )


def test_however_long_a_table_is_a_batch_of_it_is_in_memory(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_export, "BATCH", 50)
    peaks = []
    for last in (150, 600):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM listings_pricerule")
            cursor.execute(
                "INSERT INTO listings_pricerule (category_id, kind, value, rounding)"
                " SELECT n, 'percent', 5, 'none' FROM generate_series(1, %s) AS n",
                [last],
            )
        with io.BytesIO() as file:
            tracemalloc.start()
            assert export_write(file, shop)["price_rules"] == last
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
