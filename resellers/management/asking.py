"""Asking the person at the terminal."""

import getpass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def new_password(username: str) -> str:
    """A password for a new account, unseen. Raises `CommandError` for a weak one."""
    password = getpass.getpass(f"password for {username}: ")
    try:
        validate_password(password)
    except ValidationError as weak:
        raise CommandError(" ".join(weak.messages)) from weak
    return password
