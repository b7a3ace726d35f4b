"""A shop's own admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import shop_site
from kameng.manage import cases, checklist, clients, deposit, domains, home, look, monthly, papers, plan, visits

__all__ = [
    "cases", "checklist", "clients", "deposit", "domains", "home", "look", "monthly", "papers", "plan",
    "shop_site", "visits",
]  # fmt: skip
