"""A shop's own admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import shop_site
from kameng.manage import cases, clients, deposit, domains, home, look, monthly, papers

__all__ = ["cases", "clients", "deposit", "domains", "home", "look", "monthly", "papers", "shop_site"]
