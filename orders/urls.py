"""Where orders are read."""

from django.urls import path

from orders import api

api_urlpatterns = [
    path("orders/<str:number>/events/", api.OrderEvents.as_view(), name="api_order_events"),
]
