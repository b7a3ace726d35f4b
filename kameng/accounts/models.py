"""People who sign in: platform staff in public, an owner's staff and members in a shop's schema."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """An account of exactly one schema; the same name in another schema is somebody else."""
