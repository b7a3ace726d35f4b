"""Where gateways tell us of payments and refunds, on any of our hosts."""

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from kameng.core.problems import Malformed, TooLarge
from kameng.core.raw import headers_of, raw_body
from payments.gateways.base import GatewayMisconfigured
from payments.notices import MAX_BYTES, AccountUnknown, VerbRefused, notice_receive

logger = logging.getLogger(__name__)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def payment_webhook(request: HttpRequest, account: str) -> HttpResponse:
    """Hand the raw notice on and answer as the gateway's protocol wants it."""
    try:
        body, verb = _notice(request), request.method or ""
        reply = notice_receive(account_code=account, headers=headers_of(request), body=body, verb=verb)
    except (TooLarge, Malformed) as refused:
        return HttpResponse(f"{refused.code}\n", status=refused.status, content_type="text/plain")
    except AccountUnknown:
        return HttpResponse("not_found\n", status=404, content_type="text/plain")
    except VerbRefused:
        return HttpResponseNotAllowed(["POST"])
    except GatewayMisconfigured as error:
        # The gateway repeats itself until somebody has put the keys right.
        logger.error("notice to %s cannot be read: %s", account, error)
        return HttpResponse("not ready\n", status=503, content_type="text/plain")
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


def _notice(request: HttpRequest) -> bytes:
    """The notice as it came: the body, or the query of a GET; never a mixture. Raises `TooLarge` or `Malformed`."""
    if request.method == "POST":
        return raw_body(request, limit=MAX_BYTES)
    query: str = request.META.get("QUERY_STRING", "")
    if len(query) > MAX_BYTES:
        raise TooLarge
    return query.encode("utf-8", errors="replace")
