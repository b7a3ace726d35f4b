"""The operations host: the public schema."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from fulfillment import urls as fulfillment_urls
from kameng.health import healthz, readyz
from kameng.metrics import metrics
from kameng.operations.site import operations_site
from payments import urls as payments_urls
from resellers.tls import tls_ask

handler400 = "kameng.pages.too_large.bad_request"
handler403 = "kameng.operations.errors.forbidden"
handler404 = "kameng.operations.errors.not_found"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="operations:index")),
    path("admin/", operations_site.urls),
    path("language/", set_language, name="set_language"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("tls/ask", tls_ask, name="tls_ask"),
    path("webhooks/", include([*payments_urls.webhook_urlpatterns, *fulfillment_urls.webhook_urlpatterns])),
]
