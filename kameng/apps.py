"""The project itself as an app: its commands, and its Celery app wherever Django runs."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class KamengConfig(AppConfig):
    """Loads the Celery app, so that a web process rings the right bell, and keeps schemas small."""

    name = "kameng"

    def ready(self) -> None:
        """Make it the current app.

        Who may do what is decided by sites and services (`kameng.admin.bases`). A permission for each model and verb, as
        the framework would write them, is read by nobody and costs each of a thousand shops 0.1 MB.
        """
        import kameng.celery  # noqa: F401

        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
