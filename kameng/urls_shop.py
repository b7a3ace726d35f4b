"""A shop's host: its own schema. The site map."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language

from catalog.listings import urls as goods_urls
from catalog.listings import views as goods
from fulfillment import urls as fulfillment_urls
from fulfillment import views as fulfillment
from kameng.api import SUPPLY, OrderView, SchemaView
from kameng.core.endpoint import UnknownAddress
from kameng.manage import staff, visits
from kameng.manage.site import shop_site
from kameng.opening import views as opening
from kameng.pages import account, sign_in
from kameng.pages import hosts as hosts_pages
from kameng.pages import order as order_pages
from kameng.pages import personal_data as data_pages
from kameng.pages import report as report_pages
from kameng.supply import urls as supply_urls
from orders import urls as orders_urls
from orders import views as orders
from payments import checking, coupon_links
from payments import urls as payments_urls
from payments import views as payments
from resellers import views as look

handler400 = "kameng.pages.too_large.bad_request"
handler404 = "catalog.listings.views.not_found"

api_urlpatterns = [
    *goods_urls.api_urlpatterns,
    *orders_urls.api_urlpatterns,
    path("orders/<str:number>/", OrderView.as_view(), name="api_order"),
    *payments_urls.api_urlpatterns,
    *fulfillment_urls.api_urlpatterns,
    path("schema/", SchemaView.as_view(), name="api_schema"),
]
supply_urlpatterns = [
    *supply_urls.api_urlpatterns,
    path("schema/", SchemaView.as_view(below=SUPPLY), name="supply_schema"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api_urlpatterns)),
    path(SUPPLY, include(supply_urlpatterns)),
    re_path(r"^api/", UnknownAddress.as_view()),
    path("webhooks/", include([*payments_urls.webhook_urlpatterns, *fulfillment_urls.webhook_urlpatterns])),
    path("", goods.home, name="home"),
    path("c/", goods.categories, name="categories"),
    path("c/<slug:slug>/", goods.category, name="category"),
    path("search/", goods.search, name="search"),
    path("p/<slug:slug>/", goods.product, name="product"),
    path("p/<slug:slug>/report/", report_pages.report, name="report"),
    path("p/<slug:slug>/report/thanks/", report_pages.report_thanks, name="report_thanks"),
    path("p/<slug:slug>/account/", fulfillment.account_line, name="account_line"),
    # No longer than this: a whole number is no address here.
    re_path(r"^numbers/(?P<prefix>1[3-9][0-9]{5})/$", goods.number_origin, name="number_origin"),
    path("help/", goods.help_page, name="help"),
    path("hosts/", hosts_pages.hosts, name="hosts"),
    path("legal/<slug:doc>/", goods.legal, name="legal"),
    path("privacy/", goods.legal, {"doc": "privacy"}, name="privacy"),
    path("privacy/data/", data_pages.personal_data, name="personal_data"),
    path("coupon/<str:code>/", coupon_links.coupon_link, name="coupon_link"),
    path("checkout/", orders.checkout, name="checkout"),
    path("checkout/<str:number>/", checking.confirm, name="confirm"),
    path("checkout/<str:number>/edit/", orders.edit, name="edit"),
    path("pay/<str:number>/", payments.cashier, name="cashier"),
    path("pay/<str:number>/status/", payments.cashier_status, name="cashier_status"),
    path("pay/<str:number>/check/", payments.cashier_check, name="cashier_check"),
    path("pay/<str:number>/cancel/", payments.cashier_cancel, name="cashier_cancel"),
    path("pay/<str:number>/return/", payments.cashier_return, name="cashier_return"),
    path("pay/<str:number>/login/", payments.cashier_login, name="cashier_login"),
    path("pay/<str:number>/qr.png", payments.cashier_qr, name="cashier_qr"),
    path("orders/lookup/", orders.lookup, name="lookup"),
    path("o/<str:number>/", order_pages.order, name="order"),
    path("o/<str:number>/status/", order_pages.order_status, name="order_status"),
    path("o/<str:number>/codes/", order_pages.order_reveal, name="order_reveal"),
    path("account/", account.overview, name="account"),
    path("account/orders/", account.orders, name="account_orders"),
    path("account/orders/<str:number>/", account.keep, name="account_keep"),
    path("account/wallet/", account.wallet, name="account_wallet"),
    path("account/points/", account.points, name="account_points"),
    path("account/security/", account.security, name="account_security"),
    path("account/data/", account.data, name="account_data"),
    path("account/login/", sign_in.login, name="account_login"),
    path("account/logout/", sign_in.logout, name="account_logout"),
    path("account/register/", sign_in.register, name="account_register"),
    path("account/reset/<str:token>/", sign_in.reset, name="account_reset"),
    path("apply/", opening.apply, name="apply"),
    path("apply/subdomain/", opening.subdomain, name="apply_subdomain"),
    path("apply/renew/<str:code>/", opening.renew, name="apply_renew"),
    path("manage/visit/", visits.enter, name="visit_enter"),
    path("manage/join/<str:invitation>/", staff.join, name="staff_join"),
    path("manage/", shop_site.urls),
    path("theme.<slug:version>.css", look.theme, name="theme"),
    path("brand/<str:name>", look.brand_picture, name="brand_picture"),
    # Choosing a language changes nothing but the reader's own cookie, and the button stands on pages without a token.
    path("language/", csrf_exempt(set_language), name="set_language"),
]
