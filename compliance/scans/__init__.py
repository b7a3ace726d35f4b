"""Scans of licenses: kept sealed in the database, shown to operators only, each look written down."""
