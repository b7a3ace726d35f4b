"""Where suppliers tell us of their orders, on any of our hosts."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from fulfillment.callbacks import MAX_BYTES, SupplierUnknown, callback_receive
from kameng.core.problems import Malformed, TooLarge
from kameng.core.raw import headers_of, raw_body


@csrf_exempt
@require_POST
def supplier_webhook(request: HttpRequest, supplier: str) -> HttpResponse:
    """Hand the raw callback on and answer as the supplier's protocol wants it."""
    try:
        body = raw_body(request, limit=MAX_BYTES)
        status, content_type, reply = callback_receive(supplier_code=supplier, headers=headers_of(request), body=body)
    except (TooLarge, Malformed) as refused:
        return HttpResponse(f"{refused.code}\n", status=refused.status, content_type="text/plain")
    except SupplierUnknown:
        return HttpResponse("not_found\n", status=404, content_type="text/plain")
    return HttpResponse(reply, status=status, content_type=content_type)
