"""The trail's functions look for tables along a path of their own, whatever shop the session is in: what they do need not
be planned anew in each shop, and no table of a shop can take the place of one of the trail's."""

from django.db import migrations

_FUNCTIONS = ("trail_refuse_change", "trail_check_entry", "trail_move_head", "trail_check_head")


class Migration(migrations.Migration):
    dependencies = [("trail", "0002_held_by_the_database")]
    operations = [
        migrations.RunSQL(
            f"ALTER FUNCTION public.{function}() SET search_path = public, pg_temp",
            f"ALTER FUNCTION public.{function}() RESET search_path",
        )
        for function in _FUNCTIONS
    ]
