"""The three plans that an installation begins with; operators change them in the admin."""

from decimal import Decimal

from resellers.plans.models import Plan

SEEDS = (
    Plan(
        code="trial",
        name="体验",
        name_en="Trial",
        opening_fee=Decimal(0),
        yearly_rent=Decimal(99),
        supply_discount=Decimal(0),
        commission=Decimal(5),
        features=["全平台商品马上能卖", "自己的二级域名", "手机上管店"],
        features_en=["The whole catalogue at once", "A subdomain of your own", "Run it from a phone"],
        position=1,
    ),
    Plan(
        code="standard",
        name="标准",
        name_en="Standard",
        opening_fee=Decimal(200),
        yearly_rent=Decimal(499),
        supply_discount=Decimal("0.5"),
        commission=Decimal(10),
        features=["供货价更低", "邀请佣金更高", "体验版的全部功能"],
        features_en=["Lower supply prices", "A higher commission", "All of Trial"],
        position=2,
    ),
    Plan(
        code="flagship",
        name="旗舰",
        name_en="Flagship",
        opening_fee=Decimal(500),
        yearly_rent=Decimal(1999),
        supply_discount=Decimal(1),
        commission=Decimal(15),
        features=["供货价最低", "邀请佣金最高", "标准版的全部功能"],
        features_en=["The lowest supply prices", "The highest commission", "All of Standard"],
        position=3,
    ),
)


def plans_seed() -> None:
    """Those that are missing; what an operator has changed stays."""
    Plan.objects.bulk_create(SEEDS, ignore_conflicts=True)
