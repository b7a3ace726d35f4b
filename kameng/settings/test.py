"""Settings for the tests: the real database and broker, faster passwords, no manifest for static files."""

import os
from urllib.parse import urlsplit

from kameng.settings.base import *  # noqa: F403
from kameng.settings.base import CACHES, LOGGING, REDIS_URL, STORAGES

#: Spread over processes (`-n`), each has a database of Valkey to itself, as it has one of PostgreSQL.
_number = os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")
REDIS_URL = urlsplit(REDIS_URL)._replace(path=f"/{int(_number) + 1}").geturl()
CACHES = {"default": {**CACHES["default"], "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
LOGGING = {**LOGGING, "root": {"handlers": ["console"], "level": "WARNING"}}
WHITENOISE_AUTOREFRESH = True
#: Who is asked first is what the ranking says; the tests of exploration switch it on.
SUPPLIER_EXPLORATION_PERCENT = 0
