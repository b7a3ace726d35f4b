"""The product's settings, with one migration more."""

from kameng.settings.base import *  # noqa: F403

MIGRATION_MODULES = {"orders": "bench.column.orders"}
