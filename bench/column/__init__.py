"""A release that adds a column to the orders of every shop, for `bench shops`: it is never part of the product."""
