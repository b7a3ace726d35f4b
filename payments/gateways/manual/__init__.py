"""Transfers to an account of ours that people look into."""
