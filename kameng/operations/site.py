"""The operators' admin with every page: the models' are found by the framework, these are named here."""

from kameng.admin.sites import operations_site
from kameng.operations import (
    attempts,
    book,
    cases,
    domains,
    licenses,
    lists,
    pages,
    papers,
    plans,
    queue,
    refunds,
    requirements,
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
    "domains",
    "licenses",
    "lists",
    "operations_site",
    "pages",
    "papers",
    "plans",
    "queue",
    "refunds",
    "requirements",
    "review",
    "scans",
    "shops",
    "subjects",
    "transfers",
]
