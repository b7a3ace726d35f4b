"""The demo's own goods: in one shop, one whose codes lie in stock and one that the owner delivers by hand."""

from collections.abc import Callable
from decimal import Decimal

from catalog.models import Category, Product
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import StockCode
from fulfillment.suppliers.own_goods import Wanted, own_good_save
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.stock_room import stock_load
from resellers.models import Reseller

CODES = 30
CATEGORY = "education"
_STOCKED, _BY_HAND = "英语听力课兑换码", "一对一口语课预约"
_ACCOUNT = {
    "name": "account", "type": "text", "label": "上课昵称", "required": True,
    "pattern": r"[^<>]{1,80}", "example": "player_01",
}  # fmt: skip


def own_goods_seed(shop: Reseller, *, code: Callable[[], str]) -> None:
    """Two goods of the shop's own; `code` makes up a code. What is there stays."""
    category = Category.objects.filter(slug=CATEGORY).first()
    if category is None or Product.objects.filter(owner=shop).exists():
        return
    stocked = own_good_save(
        shop=shop,
        product=Product(
            category=category, kind=Product.Kind.CODE, name=_STOCKED, summary="店主自己的课程，付款后自动发兑换码",
            notes="打开课程网站，登录后在「兑换」里输入兑换码，一个账号用一次。",
        ),
        wanted=[Wanted("季卡", Decimal("29.90"), max_quantity=3), Wanted("年卡", Decimal("89.00"), max_quantity=3)],
    )  # fmt: skip
    variants = list(stocked.variants.all())
    for variant in variants:
        if not StockCode.objects.filter(variant=variant).exists():
            stock_load(supplier=owners_stock(), variant=variant, codes=[code() for _ in range(CODES)])
    availability_refresh(variant_ids=[variant.pk for variant in variants])
    own_good_save(
        shop=shop,
        product=Product(
            category=category, kind=Product.Kind.TOPUP, name=_BY_HAND,
            summary="店主帮你排课，付款后一小时内给上课时间和链接",
            notes="写清楚上课用的昵称。排好以后，订单页能看到上课时间和链接。", account_fields=[_ACCOUNT],
            hand_minutes=60,
        ),
        wanted=[Wanted("一节 25 分钟", Decimal("35.00"))],
    )  # fmt: skip
