"""The database backend: django-tenants' own, without the statements that change nothing."""
