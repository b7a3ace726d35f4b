"""Goods of their own that owners deliver by hand."""
