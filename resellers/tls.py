"""Whether a certificate may be issued for a host: asked by the web server in front of us before it does so.

Asked for names that strangers make up too, so it costs no query each (`hosts_now`).
Caddy's on-demand TLS asks with `?domain=`; see https://caddyserver.com/docs/automatic-https#on-demand-tls.
"""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from resellers.hosts import hostname, hosts_now


@require_safe
def tls_ask(request: HttpRequest) -> HttpResponse:
    """200 for a host of ours, 404 for any other."""
    known = hostname(request.GET.get("domain", "")[:254]) in hosts_now()
    return HttpResponse(status=200 if known else 404, content_type="text/plain")
