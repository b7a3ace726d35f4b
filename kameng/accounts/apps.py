"""Who signs in, as an app of its own, ready after the framework's."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Keeps schemas small."""

    name = "kameng.accounts"

    def ready(self) -> None:
        """Write no permission for each model and verb.

        Who may do what is decided by sites and services (`kameng.admin.bases`), and there is no table for those rows
        (docs/adr/0050).
        """
        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
