"""What nobody may read out of a shop: what goods cost it, what they cost the platform, and what the house shop asks."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.models import Listing
from catalog.models import Revision, Variant
from orders.no_return import wording_for
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale
from tests.flows import TOPPED_UP, drain
from tests.kameng.supply.downstream import Downstream, open_client
from tests.program import staying

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

#: Supply price, cost, own price of the house shop, and the margins that would tell them.
SECRETS = ("57.31", "51.23", "63.47", "9.36", "15.44", "3.20")
_SUNG = re.compile(
    "|".join(rf"(?<![0-9]){re.escape(secret)}|(?<![0-9]){secret.replace('.', '')}(?![0-9])" for secret in SECRETS)
)
_NAMED = re.compile(r"supply_price(?!s)|full_supply")  # `supply_prices` is what the supply API calls its own list
#: Digits that tell nothing: a fraction of a second, and what is drawn by lot (numbers of orders, tokens, fingerprints).
_BY_CHANCE = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+|[0-9A-Za-z_-]{16,}")


def _told(text: str) -> list[str]:
    return _SUNG.findall(_BY_CHANCE.sub("", text)) + _NAMED.findall(text)


class Shopper(Client):
    """Goes through a shop and keeps what was answered."""

    def __init__(self) -> None:
        super().__init__(headers={"host": "one.test"})
        self.read: list[tuple[str, str]] = []

    def request(self, **request: Any) -> Any:
        """As the framework does."""
        with staying():
            answer = super().request(**request)
        self.read.append((str(request["PATH_INFO"]), answer.content.decode()))
        return answer


def test_no_page_or_program_of_a_shop_learns_them(shop: Reseller, other_shop: Reseller) -> None:
    GatewayAccountFactory()
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    variant = on_sale(suppliers=("first",), official_price=Decimal("69.00"), supply_price=Decimal("57.31"))
    Variant.objects.filter(pk=variant.pk).update(cost=Decimal("51.2345"))
    Revision.bump()
    Listing.objects.create(variant=variant, price=Decimal("66.67"))
    Reseller.objects.filter(pk=other_shop.pk).update(is_house=True)
    with schema_context(other_shop.schema_name):
        Listing.objects.create(variant=variant, price=Decimal("63.47"))
    downstream = Downstream(open_client(shop, balance="1000.00"))
    slug, category = variant.product.slug, variant.product.category.slug
    with staying():
        house = Client(headers={"host": "two.test"}).get(f"/p/{slug}/").content.decode()
    assert _told(house) == ["63.47"] * house.count("63.47") != []
    client = Shopper()
    for path in (
        "/", "/c/", f"/c/{category}/", f"/p/{slug}/", f"/search/?q={slug}", "/help/", "/api/v1/products/",
        f"/api/v1/products/{slug}/", "/api/v1/schema/", "/api/supply/v1/schema/", "/nowhere/",
    ):  # fmt: skip
        client.get(path)
    form = {"product": slug, "sku": variant.sku, "account_uid": "482019375", "contact": "13812345678"}
    confirm = client.post("/checkout/", form)["Location"]
    number = confirm.split("/")[2]
    client.get(confirm)
    client.post(confirm, {"no_return": wording_for(variant.product.kind)})
    client.get(f"/pay/{number}/")
    client.post(f"/pay/{number}/", {"gateway": "scripted"})
    for path in (f"/pay/{number}/", f"/pay/{number}/status/", f"/o/{number}/", f"/o/{number}/status/"):
        assert client.get(path).status_code == 200, path
    lines = [{"sku": variant.sku, "quantity": 1, "account": {"uid": "482019375"}}]
    body = {"lines": lines, "contact": "13812345678"}
    placed = client.post("/api/v1/orders/", body, content_type="application/json").json()
    token = {"authorization": f"Order {placed['token']}"}
    assert client.get(f"/api/v1/orders/{placed['number']}/", headers=token).json()["total"] == "66.67"
    for answer in (
        downstream.get("products/"),
        downstream.order("A-1", variant.sku, account={"uid": "482019375"}),
        downstream.order("A-2", variant.sku, max_cost="1.00", account={"uid": "482019375"}),
    ):
        client.read.append(("supply", answer.content.decode()))
    drain()
    client.read.append(("supply", downstream.get("orders/A-1/").content.decode()))
    assert '"delivered"' in client.read[-1][1]
    assert [path for path, text in client.read if "66.67" in text or "6667" in text]
    assert {path: _told(text) for path, text in client.read if _told(text)} == {}
