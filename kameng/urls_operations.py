"""The operations host: the public schema."""

from django.urls import include, path

from fulfillment import urls as fulfillment_urls
from kameng.health import healthz, readyz
from kameng.metrics import metrics
from payments import urls as payments_urls
from resellers.tls import tls_ask

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("tls/ask", tls_ask, name="tls_ask"),
    path("webhooks/", include([*payments_urls.webhook_urlpatterns, *fulfillment_urls.webhook_urlpatterns])),
]
