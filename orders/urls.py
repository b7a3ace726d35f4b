"""Where orders are placed and read."""

from django.urls import path

from orders import api

api_urlpatterns = [
    path("orders/", api.OrderPlace.as_view(), name="api_orders"),
    path("orders/<str:number>/events/", api.OrderEvents.as_view(), name="api_order_events"),
]
