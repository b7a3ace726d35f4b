"""A Django project with the framework's own defaults and nothing else: what the machine can do with Django at best."""

CODES = 20_000
