"""What a price, and the amounts that a product is sold in, say about where the goods come from. Pure."""

import re
from dataclasses import dataclass
from decimal import Decimal

from compliance.screening.rules import Category, Severity

#: Words of a category's name or slug, the part of the official price below which nobody sells honestly, and what such
#: goods usually are. The first that fits counts. Credit and gift cards have margins of a few percent; memberships are
#: given out in bundles and cost half; games are sold off at a quarter.
_FLOORS: tuple[tuple[tuple[str, ...], Decimal, Category], ...] = (
    (
        ("phone", "data", "话费", "流量", "giftcard", "gift", "礼品卡", "购物卡"),
        Decimal("0.70"),
        Category.REAL_NAME_ACCOUNT,
    ),
    (("member", "会员", "video", "music", "影音", "视频", "音乐"), Decimal("0.35"), Category.SHARED_ACCOUNT),
    (("software", "软件", "office", "办公", "激活"), Decimal("0.25"), Category.CRACKED_SOFTWARE),
    (("topup", "点券", "充值", "直充"), Decimal("0.45"), Category.SHARED_ACCOUNT),
    (("game", "游戏"), Decimal("0.20"), Category.SHARED_ACCOUNT),
)
_OTHERWISE = (Decimal("0.25"), Category.SHARED_ACCOUNT)

#: Kinds of goods for the shopper's own account, and what amounts are called that are somebody else's account.
_OWN_ACCOUNT = frozenset({"topup", "phone", "data", "membership", "code"})
_OTHER_ACCOUNT = re.compile(r"成品号|成品账号|独享号|共享号|发账号|账号密码|小号|租号|车位|网盘链接|百度云链接")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A price that is too good."""

    category: Category
    rule: str
    severity: Severity


def suspicion(category: str, kind: str, price: Decimal | None, official_price: Decimal | None) -> Suspicion | None:
    """Whether a price is so far below the official one that the goods cannot come from where they should."""
    if price is None or official_price is None or price < 0 or official_price <= 0:
        return None
    words = f"{category} {kind}".casefold()
    floor, likely = next(
        ((floor, likely) for named, floor, likely in _FLOORS if any(word in words for word in named)), _OTHERWISE
    )
    if price >= official_price * floor:
        return None
    return Suspicion(likely, "price-far-below-official", Severity.MEDIUM)


def mismatch(kind: str, variant: str) -> tuple[int, int] | None:
    """Where the name of an amount names an account, though the kind says that goods go onto the shopper's own."""
    found = _OTHER_ACCOUNT.search(variant[:400]) if kind in _OWN_ACCOUNT else None
    return found.span() if found else None
