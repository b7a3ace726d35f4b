"""Scans of licenses, and pictures that prove something else: sealed in the database, shown to operators only, each look
written down.
"""
