"""Every page of a shop, with orders in the states that a page can show."""

from dataclasses import dataclass

from tests.live.platform import HOUSE, Good, Platform
from tests.live.shopper import until
from tests.live.visitor import Visitor

#: Pages that are the same for everybody.
PUBLIC = {
    "home": "/",
    "shelves": "/c/",
    "shelf": "/c/mobile-games/",
    "search": "/search/?q=wzry",
    "search-nothing": "/search/?q=zzzzzz",
    "product-topup": "/p/honor-of-kings/",
    "help": "/help/",
    "refund-rules": "/legal/refunds/",
    "minors": "/legal/minors/",
    "privacy": "/legal/privacy/",
    "terms": "/legal/terms/",
    "lookup": "/orders/lookup/",
    "order-of-a-stranger": "/o/ABCDEFGHJKMNPQRS/",
    "nothing-here": "/nothing/here/",
}
PRODUCTS = ("product-code", "product-phone")
PRIVATE = ("check", "cashier", "cashier-open", "order-unpaid", "order-canceled", "order-delivered", "order-codes",
           "order-verifying", "order-refunded", "account", "account-orders", "account-wallet", "account-points",
           "account-security")  # fmt: skip
PAGES = (*PUBLIC, *PRODUCTS, *PRIVATE)
#: What such an order's page must show before it is looked at.
STATES = {
    "order-unpaid": "created",
    "order-canceled": "canceled",
    "order-delivered": "delivered",
    "order-codes": "codes_ready",
    "order-verifying": "verifying",
    "order-refunded": "refunded",
}


@dataclass(frozen=True)
class Gallery:
    """Addresses by name, and the cookies of the device that placed the orders."""

    paths: dict[str, str]
    cookies: dict[str, str]
    contact: str


def hang(platform: Platform) -> Gallery:
    """Make the orders."""
    shopper = platform.shopper(HOUSE)
    visitor = Visitor(shopper)
    phone, code = platform.good("phone"), platform.good("code")
    paths = {**PUBLIC, "product-code": f"/p/{code.product}/", "product-phone": f"/p/{phone.product}/"}
    # Asked first, because the page is interesting from eight seconds on, when the supplier has still said nothing.
    platform.suppliers("hang", "xinghe")
    paths["order-verifying"] = _bought(platform, visitor, phone, "buying")
    platform.suppliers("reject")
    paths["order-refunded"] = _bought(platform, visitor, platform.good("topup"), "refunded")
    platform.make_well()
    paths["order-delivered"] = _bought(platform, visitor, platform.good("topup"), "delivered")
    paths["order-codes"] = _bought(platform, visitor, code, "delivered")
    paths["check"] = f"/checkout/{visitor.order(platform.good('topup'))}/"
    number = visitor.order(platform.good("topup"))
    visitor.check(number)
    paths["cashier"] = f"/pay/{number}/"
    number, _ = visitor.cashier(platform.good("topup"), "alipay")
    paths["cashier-open"], paths["order-unpaid"] = f"/pay/{number}/", f"/o/{number}/"
    number, _ = visitor.cashier(platform.good("topup"), "wechatpay")
    visitor.submit(f"/pay/{number}/", to=f"/pay/{number}/cancel/")
    paths["order-canceled"] = f"/o/{number}/"
    delivered, password = paths["order-delivered"], "correct-horse-9"
    number = delivered.split("/")[2]
    opened = visitor.submit(delivered, to="/account/register/", number=number, password=password, again=password)
    assert opened.headers["location"] == "/account/"
    paths["account"] = "/account/"
    paths |= {f"account-{name}": f"/account/{name}/" for name in ("orders", "wallet", "points", "security")}
    return Gallery(paths, visitor.cookies, visitor.contact)


def _bought(platform: Platform, visitor: Visitor, good: Good, status: str) -> str:
    """Pay, and wait until its line has that status."""
    number, payment = visitor.cashier(good, "alipay")
    platform.pay("alipay", payment)
    query = (
        "SELECT 1 FROM shop_house.orders_orderline AS line JOIN shop_house.orders_order AS placed"
        " ON placed.id = line.order_id WHERE placed.number = %s AND line.status = %s"
    )
    until(lambda: platform.sql(query, [number, status]))
    return f"/o/{number}/"
