"""Reading alerts."""

from kameng.alerts.models import Alert


def alerts_open() -> int:
    """How many alerts nobody has dealt with, and no condition has ended."""
    return Alert.objects.filter(closed_at__isnull=True).count()
