"""`manage.py shop_template`: write the SQL template of a shop anew, after its apps' migrations have changed."""

from typing import Any

from django.core.management.base import BaseCommand

from kameng.embedded import postgres
from resellers.shop_template import TEMPLATE_PATH, template_write


class Command(BaseCommand):
    """Doorway to `template_write`."""

    help = "Writes resellers/template.sql anew from the migrations of a shop's apps."

    def handle(self, *args: Any, **options: Any) -> None:
        """Dump with the same PostgreSQL that serves."""
        size = template_write(postgres.find().folder / "pg_dump")
        self.stdout.write(f"{TEMPLATE_PATH.name}: {size} bytes")
