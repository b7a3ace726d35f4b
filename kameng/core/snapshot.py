"""Reading several things as they were at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def one_moment(*, has_room: bool = False) -> Iterator[None]:
    """One snapshot for everything that is read inside, so that what happens meanwhile is seen whole or not at all.

    Nothing can be written inside; where it `has_room`, temporary tables can be made, and nothing is kept. Within a
    transaction that is open already, it is that transaction's snapshots.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ {'WRITE' if has_room else 'ONLY'}")
        yield
        if has_room:
            transaction.set_rollback(True)
