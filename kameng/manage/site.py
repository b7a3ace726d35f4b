"""A shop's own admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import shop_site
from kameng.manage import (
    by_hand,
    cases,
    checklist,
    clients,
    deposit,
    domains,
    home,
    look,
    monthly,
    own_goods,
    own_stock,
    papers,
    plan,
    visits,
)

__all__ = [
    "by_hand", "cases", "checklist", "clients", "deposit", "domains", "home", "look", "monthly", "own_goods",
    "own_stock", "papers", "plan", "shop_site", "visits",
]  # fmt: skip
