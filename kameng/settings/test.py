"""Settings for the tests: the real database and broker, faster passwords, no manifest for static files."""

from kameng.settings.base import *  # noqa: F403
from kameng.settings.base import LOGGING, STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
LOGGING = {**LOGGING, "root": {"handlers": ["console"], "level": "WARNING"}}
WHITENOISE_AUTOREFRESH = True
#: Who is asked first is what the ranking says; the tests of exploration switch it on.
SUPPLIER_EXPLORATION_PERCENT = 0
