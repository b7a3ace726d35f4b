"""A shop's own admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import shop_site
from kameng.manage import (
    announcement,
    cases,
    changes,
    checklist,
    clients,
    customers,
    deposit,
    domains,
    home,
    look,
    monthly,
    orders_export,
    papers,
    plan,
    rights,
    share,
    staff,
    visits,
)

__all__ = [
    "announcement", "cases", "changes", "checklist", "clients", "customers", "deposit", "domains", "home", "look",
    "monthly", "orders_export", "papers", "plan", "rights", "share", "shop_site", "staff", "visits",
]  # fmt: skip
