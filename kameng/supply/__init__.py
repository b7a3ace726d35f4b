"""The supply API: another site buys from this shop by program. In the shop's schema, over all stages of an order."""
