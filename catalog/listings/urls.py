"""Where the shop's goods are looked at."""

from django.urls import path

from catalog.listings import api

api_urlpatterns = [
    path("products/", api.ProductList.as_view(), name="api_products"),
    path("products/<slug:slug>/", api.ProductView.as_view(), name="api_product"),
]
