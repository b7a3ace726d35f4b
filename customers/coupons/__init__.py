"""Coupons: what lowers the price of an order, under which conditions, and who bears it (docs/adr/0047-coupons.md)."""
