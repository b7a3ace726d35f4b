"""One after another: whoever names the same things waits until the one before has committed or given up."""

from collections.abc import Iterable

from django.db import connection

from kameng.core import sql

#: The order of the keys is the same for everybody, so that no two wait for each other.
_IN_TURN = """
SELECT pg_advisory_xact_lock(key)
  FROM (SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(%s::text[]) AS name ORDER BY key) AS keys
"""


def in_turn(names: Iterable[str]) -> None:
    """Hold back others of this shop with one of the same names, from the next statement to the transaction's end."""
    tenant: str = connection.schema_name  # type: ignore[attr-defined]
    if keys := [f"{tenant}/{name}" for name in names]:
        sql.later(_IN_TURN, [keys])
