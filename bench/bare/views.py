"""One page with 20 rows from one indexed query, and the three requests of an order, without any of the safeguards."""

import json
import secrets
from random import random

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt

from bench.bare import CODES
from bench.bare.models import Code, Order, Product

_TAKE = """
UPDATE bare_code SET order_id = %s WHERE id = (
    SELECT id FROM bare_code WHERE sku = %s AND order_id IS NULL AND id >= %s
     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
"""


def listing(request: HttpRequest) -> HttpResponse:
    """Twenty rows in a template."""
    products = Product.objects.filter(pk__gt=100).order_by("pk")[:20]
    return render(request, "bare/listing.html", {"products": list(products)})


def row(request: HttpRequest) -> JsonResponse:
    """One row by its index."""
    product = get_object_or_404(Product, sku="SKU-150")
    return JsonResponse({"name": product.name, "price": str(product.price)})


@csrf_exempt
def order_place(request: HttpRequest) -> JsonResponse:
    """An order at the price of the product."""
    wanted = json.loads(request.body)
    product = get_object_or_404(Product, sku=wanted["sku"])
    order = Order.objects.create(
        number=secrets.token_hex(8), sku=product.sku, contact=wanted["contact"], total=product.price
    )
    return JsonResponse({"number": order.number, "total": str(order.total)}, status=201)


@csrf_exempt
@transaction.atomic
def notice(request: HttpRequest) -> HttpResponse:
    """The money is there: give a code. Unsigned, and believed."""
    told = json.loads(request.body)
    order = Order.objects.select_for_update().get(number=told["number"])
    if order.status == "pending":
        order.status = "delivered"
        order.save(update_fields=["status"])
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [order.pk, order.sku, int(random() * CODES / 2)])
    return HttpResponse("success")


def codes(request: HttpRequest, number: str) -> JsonResponse:
    """What was delivered."""
    order = get_object_or_404(Order, number=number)
    return JsonResponse({"status": order.status, "codes": [code.text for code in Code.objects.filter(order=order)]})
