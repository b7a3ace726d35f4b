"""The book's functions look for tables along a path of their own, whatever shop the session is in: what they do need not
be planned anew in each shop, and no table of a shop can take the place of one of the book's."""

from django.db import migrations

_FUNCTIONS = (
    "ledger_refuse_change()",
    "ledger_check_journal()",
    "ledger_check_entries()",
    "ledger_post(text, text, bigint, text, text[], bigint[], numeric[])",
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0011_given")]
    operations = [
        migrations.RunSQL(
            f"ALTER FUNCTION public.{function} SET search_path = public, pg_temp",
            f"ALTER FUNCTION public.{function} RESET search_path",
        )
        for function in _FUNCTIONS
    ]
