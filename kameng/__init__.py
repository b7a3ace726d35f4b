"""Kameng sells virtual goods on a house shop and on reseller sub-sites.

Imports nothing: set-up begins before there is a `.venv`.
"""
