"""A shop's own admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import shop_site
from kameng.manage import cases, checklist, clients, deposit, home, look, monthly, plan

__all__ = ["cases", "checklist", "clients", "deposit", "home", "look", "monthly", "plan", "shop_site"]
