"""Five addresses."""

from django.urls import path

from bench.bare import views

urlpatterns = [
    path("", views.listing),
    path("row/", views.row),
    path("orders/", views.order_place),
    path("notices/", views.notice),
    path("orders/<str:number>/", views.codes),
]
