"""Where delivered codes are looked at, and where suppliers report."""

from django.urls import path

from fulfillment import api, webhooks

api_urlpatterns = [
    path("products/<slug:slug>/account-check/", api.AccountCheckView.as_view(), name="api_account_check"),
    path("orders/<str:number>/reveal/", api.CodesReveal.as_view(), name="api_order_reveal"),
]
webhook_urlpatterns = [
    path("suppliers/<slug:supplier>/", webhooks.supplier_webhook, name="supplier_webhook"),
]
