"""Everything about suppliers on the operators' site, a module for each kind of thing."""

from fulfillment.suppliers.admin import after_sales, offers, prices, ranking, stock, suppliers

__all__ = ["after_sales", "offers", "prices", "ranking", "stock", "suppliers"]
