"""The money book of the whole platform: double entry, written once, never changed."""
