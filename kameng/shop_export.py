"""All that a shop has written down, as tables for its owner to take along: when they leave, or whenever they like.

Shoppers are masked as they are in the admin; codes and what goods cost the platform are in none of it.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from tempfile import TemporaryFile
from typing import IO

from django.http import FileResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import schema_context

from catalog.fees import fee_of
from catalog.listings.models import Listing, PriceRule
from catalog.models import Variant
from compliance.trail.services import entry_append
from kameng.core.sheets import Row, write_csv
from kameng.core.snapshot import one_moment
from kameng.core.throttle import require
from orders.faces import masked, masked_contact
from orders.models import Order, OrderLine
from resellers.ledger.models import Account, Entry
from resellers.models import Reseller

Name = Account.Name
#: How many rows are in memory at once.
BATCH = 2_000
#: So many files for one shop in so many seconds: each reads all that there is.
EXPORTS, SECONDS = 6, 3600
#: What is the owner's, or with them; of all of these it grows by negative entries.
ACCOUNTS = (
    Name.PENDING, Name.AVAILABLE, Name.WITHDRAWALS, Name.PAYOUTS, Name.DEPOSIT, Name.DEPOSIT_HELD, Name.TAKINGS,
)  # fmt: skip


def _orders(_shop: Reseller) -> Iterator[Row]:
    yield (
        _("订单号"), _("状态"), _("联系方式（已遮挡）"), _("金额"), _("收款"), _("下单时间"), _("付款时间"),
        _("完成时间"),
    )  # fmt: skip
    for order in Order.objects.order_by("pk").iterator(BATCH):
        yield (
            order.grouped_number, order.get_status_display(), masked_contact(order), order.total,
            _("店主自收") if order.owner_collects else _("平台代收"), order.created_at, order.paid_at,
            order.finished_at,
        )  # fmt: skip


def _lines(_shop: Reseller) -> Iterator[Row]:
    yield (
        _("订单号"), _("商品"), _("面额"), _("面额编码"), _("数量"), _("单价"), _("官方价"), _("供货价"), _("缺少数量"),
        _("状态"), _("充值账号（已遮挡）"), _("完成时间"),
    )  # fmt: skip
    for line in OrderLine.objects.select_related("order").order_by("pk").iterator(BATCH):
        typed = ((entry["label"], entry.get("shown") or entry["value"]) for entry in line.account)
        account = "、".join(f"{label} {masked(value)}" for label, value in typed)
        yield (
            line.order.grouped_number, line.product_name, line.variant_name, line.sku, line.quantity, line.price,
            line.official_price, line.supply_price, line.short_quantity, line.get_status_display(), account,
            line.finished_at,
        )  # fmt: skip


def _entries(shop: Reseller) -> Iterator[Row]:
    yield _("记账时间"), _("类型"), _("科目"), _("金额"), _("订单号"), _("凭据")
    found = Entry.objects.filter(account__owner=shop.pk, account__name__in=ACCOUNTS)
    for entry in found.select_related("journal", "account").order_by("pk").iterator(BATCH):
        journal = entry.journal
        yield (
            journal.posted_at, journal.get_kind_display(), entry.account.get_name_display(), -entry.amount,
            journal.order_number, journal.key,
        )  # fmt: skip


def _listings(_shop: Reseller) -> Iterator[Row]:
    yield _("商品"), _("面额"), _("面额编码"), _("自定售价"), _("自定名称"), _("展示"), _("排序"), _("更新时间")
    for listing in Listing.objects.select_related("variant__product").order_by("pk").iterator(BATCH):
        variant = listing.variant
        yield (
            variant.product.name, variant.name, variant.sku, listing.price, listing.name,
            _("是") if listing.is_visible else _("否"), listing.position, listing.updated_at,
        )  # fmt: skip


def _rules(_shop: Reseller) -> Iterator[Row]:
    yield _("范围"), _("名称"), _("方式"), _("数值"), _("取整"), _("更新时间")
    for rule in PriceRule.objects.select_related("category", "product", "variant").order_by("pk").iterator(BATCH):
        yield (*_scope(rule), rule.get_kind_display(), rule.value, rule.get_rounding_display(), rule.updated_at)


def _scope(rule: PriceRule) -> tuple[str, str]:
    if rule.variant is not None:
        return _("面额"), rule.variant.sku
    if rule.product is not None:
        return _("商品"), rule.product.name
    if rule.category is not None:
        return _("类目"), rule.category.name
    return _("全店"), ""


def _own_goods(shop: Reseller) -> Iterator[Row]:
    yield (
        _("商品"), _("类目"), _("面额"), _("面额编码"), _("售价"), _("原价"), _("平台服务费"),
        _("手工交付时限（分钟）"), _("在售"),
    )  # fmt: skip
    found = Variant.objects.filter(product__owner=shop).select_related("product__category")
    for variant in found.order_by("product_id", "position", "pk").iterator(BATCH):
        product = variant.product
        yield (
            product.name, product.category.name, variant.name, variant.sku, variant.own_price, variant.official_price,
            variant.own_price and fee_of(variant.own_price), product.hand_minutes,
            _("是") if product.is_active and variant.is_active else _("否"),
        )  # fmt: skip


#: File by file: what it is called, and its rows, the first of which names the columns.
TABLES: Mapping[str, Callable[[Reseller], Iterator[Row]]] = {
    "orders": _orders,
    "order_lines": _lines,
    "ledger": _entries,
    "listings": _listings,
    "price_rules": _rules,
    "own_goods": _own_goods,
}


def export_write(file: IO[bytes], shop: Reseller) -> dict[str, int]:
    """Write a ZIP of one CSV file for each table, all as they were at one moment; how many rows each has.

    Any number of rows needs the same memory. A text that a spreadsheet would run is made harmless (`core.sheets`).
    """
    counts = {}
    with (
        schema_context(shop.schema_name),
        one_moment(),
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name, rows in TABLES.items():
            counted = _Counted(rows(shop))
            # How long it becomes is not known before.
            with packed.open(f"{name}.csv", "w", force_zip64=True) as table:
                write_csv(table, [(name, counted)])
            counts[name] = counted.rows - 1
    return counts


class _Counted:
    """Rows, counted as they pass."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows, self.rows = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.rows += 1
            yield row


def export_answer(shop: Reseller, *, actor: str) -> FileResponse:
    """The file, made before the first byte is sent; who took it is in the trail. Raises `TooMany`."""
    require("shop-export", shop.slug, limit=EXPORTS, seconds=SECONDS)
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        counts = export_write(file, shop)
        entry_append(actor=actor, subject=f"shop:{shop.slug}", action="shop.exported", data=counts)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"{shop.slug}-{timezone.localdate():%Y%m%d}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
