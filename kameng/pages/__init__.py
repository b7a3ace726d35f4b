"""Pages that show several stages at once: an order with its payments, refunds and deliveries."""
