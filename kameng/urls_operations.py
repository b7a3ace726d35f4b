"""The operations host: the public schema."""

from django.urls import path

from kameng.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
