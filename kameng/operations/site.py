"""The operators' admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import operations_site
from kameng.operations import (
    attempts,
    book,
    cases,
    licenses,
    lists,
    pages,
    plans,
    queue,
    refunds,
    review,
    scans,
    shops,
    subjects,
    transfers,
)

__all__ = [
    "attempts",
    "book",
    "cases",
    "licenses",
    "lists",
    "operations_site",
    "pages",
    "plans",
    "queue",
    "refunds",
    "review",
    "scans",
    "shops",
    "subjects",
    "transfers",
]
