"""The project itself as an app: its commands, and its Celery app wherever Django runs."""

from django.apps import AppConfig


class KamengConfig(AppConfig):
    """Loads the Celery app, so that a web process rings the right bell."""

    name = "kameng"

    def ready(self) -> None:
        """Make it the current app."""
        import kameng.celery  # noqa: F401
