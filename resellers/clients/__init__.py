"""Clients that buy from a shop by its supply API: their prepaid money, their keys, and where they are called."""
