"""`manage.py seed_demo`: the shops, goods, suppliers and accounts of the demo."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kameng.demo import seed


class Command(BaseCommand):
    """Doorway to `seed`."""

    help = "Opens the demo's shops and fills them; refused in production."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say who can sign in."""
        if settings.PRODUCTION:
            raise CommandError("the demo has no place in production")
        for log_in in seed(bench=settings.BENCH):
            self.stdout.write(f"{log_in.where}: {log_in.url} {log_in.user}")
