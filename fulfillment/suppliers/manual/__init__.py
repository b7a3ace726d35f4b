"""Goods that a person delivers."""
