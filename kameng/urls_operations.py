"""The operations host: the public schema."""

from django.urls import include, path

from fulfillment import urls as fulfillment_urls
from kameng.health import healthz, readyz
from payments import urls as payments_urls

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("webhooks/", include([*payments_urls.webhook_urlpatterns, *fulfillment_urls.webhook_urlpatterns])),
]
