"""A shop's host: its own schema. The site map."""

from django.urls import URLPattern, URLResolver, path
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language

from catalog.listings import views as goods
from kameng.pages import order as order_pages
from orders import views as orders
from payments import views as payments
from resellers import views as look

handler404 = "catalog.listings.views.not_found"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", goods.home, name="home"),
    path("c/", goods.categories, name="categories"),
    path("c/<slug:slug>/", goods.category, name="category"),
    path("search/", goods.search, name="search"),
    path("p/<slug:slug>/", goods.product, name="product"),
    path("help/", goods.help_page, name="help"),
    path("legal/<slug:doc>/", goods.legal, name="legal"),
    path("checkout/", orders.checkout, name="checkout"),
    path("checkout/<str:number>/", orders.confirm, name="confirm"),
    path("checkout/<str:number>/edit/", orders.edit, name="edit"),
    path("pay/<str:number>/", payments.cashier, name="cashier"),
    path("pay/<str:number>/status/", payments.cashier_status, name="cashier_status"),
    path("pay/<str:number>/check/", payments.cashier_check, name="cashier_check"),
    path("pay/<str:number>/cancel/", payments.cashier_cancel, name="cashier_cancel"),
    path("pay/<str:number>/return/", payments.cashier_return, name="cashier_return"),
    path("pay/<str:number>/qr.png", payments.cashier_qr, name="cashier_qr"),
    path("orders/lookup/", orders.lookup, name="lookup"),
    path("o/<str:number>/", order_pages.order, name="order"),
    path("o/<str:number>/status/", order_pages.order_status, name="order_status"),
    path("o/<str:number>/codes/", order_pages.order_reveal, name="order_reveal"),
    path("theme.<slug:version>.css", look.theme, name="theme"),
    # Choosing a language changes nothing but the reader's own cookie, and the button stands on pages without a token.
    path("language/", csrf_exempt(set_language), name="set_language"),
]
