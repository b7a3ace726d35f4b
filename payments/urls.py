"""Where orders are placed and paid, and where gateways report."""

from django.urls import path

from payments import api, placing, webhooks

api_urlpatterns = [
    path("orders/", placing.OrderPlace.as_view(), name="api_orders"),
    path("orders/<str:number>/payments/", api.PaymentStart.as_view(), name="api_order_payments"),
]
webhook_urlpatterns = [
    path("payments/<slug:account>/", webhooks.payment_webhook, name="payment_webhook"),
]
