"""Reloadly: airtime and data for phones abroad, and gift cards, paid from an account in one currency."""
