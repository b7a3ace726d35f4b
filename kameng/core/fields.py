"""Fields that the schema border needs."""

from typing import Any

from django.db import models


def public_key(to: str, verbose_name: Any, *, null: bool = False, db_index: bool = True) -> Any:
    """A reference from a shop's schema into public.

    No database constraint: with a thousand shops, real ones would hang thousands of triggers on each public table.
    Public rows are archived instead of deleted, and `audit` looks for dangling references. What a unique constraint
    begins with, or nobody looks up, needs no index: each costs a thousand shops a thousand pages.
    """
    return models.ForeignKey(
        to,
        models.DO_NOTHING,
        verbose_name=verbose_name,
        db_constraint=False,
        related_name="+",
        null=null,
        blank=null,
        db_index=db_index,
    )
