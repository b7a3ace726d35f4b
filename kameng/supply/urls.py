"""The addresses of the supply API, below `/api/supply/v1/` of each shop's host."""

from django.urls import path

from kameng.supply import api

api_urlpatterns = [
    path("products/", api.SupplyProductList.as_view(), name="supply_products"),
    path("prices/", api.SupplyPriceList.as_view(), name="supply_prices"),
    path("stock/", api.SupplyStockList.as_view(), name="supply_stock"),
    path("balance/", api.SupplyBalanceView.as_view(), name="supply_balance"),
    path("orders/", api.SupplyOrderPlace.as_view(), name="supply_orders"),
    path("orders/<str:reference>/", api.SupplyOrderView.as_view(), name="supply_order"),
    path("orders/<str:reference>/cancel/", api.SupplyOrderCancel.as_view(), name="supply_cancel"),
]
