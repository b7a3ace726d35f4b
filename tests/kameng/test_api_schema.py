"""The API's description: valid OpenAPI 3.1, complete, and drawn up without a warning."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from kameng.api import schema
from kameng.core.endpoint import Endpoint, UnknownAddress
from kameng.urls_shop import api_urlpatterns
from resellers.models import Reseller
from tests.program import Program, staying

CONTRACT = {
    ("get", "/api/v1/products/"),
    ("get", "/api/v1/products/{slug}/"),
    ("post", "/api/v1/products/{slug}/account-check/"),
    ("post", "/api/v1/orders/"),
    ("get", "/api/v1/orders/{number}/"),
    ("post", "/api/v1/orders/{number}/payments/"),
    ("post", "/api/v1/orders/{number}/reveal/"),
    ("get", "/api/v1/orders/{number}/events/"),
}
#: What the contract promises each reply to have, by the schema that describes it.
PROMISED = {
    "ProductPage": ["next", "results"],
    "ProductSummary": ["category", "from_price", "kind", "name", "slug"],
    "ProductDetail": ["account_fields", "asks_age", "kind", "name", "slug", "variants"],
    "AccountField": ["choices", "example", "label", "name", "pattern", "required", "type"],
    "VariantDetail": ["available", "max_quantity", "name", "official_price", "price", "sku"],
    "OrderPlaced": ["discount", "due", "expires_at", "number", "status", "token", "total"],
    "PaymentOpened": ["amount", "call", "expires_at", "payment", "qr", "url"],
    "OrderDetail": ["lines", "number", "payments", "refunds", "status", "total"],
    "LineEntry": ["name", "price", "quantity", "sku", "status"],
    "PaymentEntry": ["amount", "gateway", "payment", "status"],
    "RefundEntry": ["amount", "payment", "refund", "route", "status"],
    "RevealedCodes": ["codes"],
    "RevealedCodeEntry": ["code", "sku"],
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return schema()


def test_it_is_drawn_up_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()
    schema.cache_clear()
    validate_schema(schema())
    assert not GENERATOR_STATS
    assert capsys.readouterr().err == ""


def test_it_describes_the_contract_and_nothing_else(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    assert {(method, path) for path, methods in described["paths"].items() for method in methods} == CONTRACT
    served = {getattr(pattern.callback, "cls", None) for pattern in api_urlpatterns}
    assert all(view is not None and issubclass(view, Endpoint) for view in served)
    assert UnknownAddress not in served


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_reply_has_what_was_promised(described: dict[str, Any], name: str) -> None:
    entry = described["components"]["schemas"][name]
    assert sorted(entry["properties"]) == sorted(entry["required"]) == PROMISED[name]


def test_states_and_kinds_are_those_of_the_contract(described: dict[str, Any]) -> None:
    names = described["components"]["schemas"]
    assert names["ProductKind"]["enum"] == ["topup", "phone", "data", "membership", "code"]
    assert names["LineStatus"]["enum"] == [
        "waiting", "queued", "buying", "verifying", "manual", "delivered", "failed", "refunded",
    ]  # fmt: skip
    assert names["GatewayEnum"]["enum"] == ["alipay", "wechatpay", "epay", "wallet"]
    assert names["ChannelEnum"]["enum"] == ["qr", "h5", "page", "jsapi"]


def test_requests_are_described_as_strictly_as_they_are_read(described: dict[str, Any]) -> None:
    names = described["components"]["schemas"]
    for form in ("OrderForm", "LineForm", "PaymentForm"):
        assert names[form]["additionalProperties"] is False
    assert names["OrderForm"]["required"] == ["contact", "lines"]
    lines = names["OrderForm"]["properties"]["lines"]
    assert (lines["minItems"], lines["maxItems"]) == (1, 20)
    assert names["LineForm"]["properties"]["quantity"]["type"] == "integer"


def test_every_refusal_is_problem_details_with_its_codes(described: dict[str, Any]) -> None:
    place = described["paths"]["/api/v1/orders/"]["post"]["responses"]
    assert sorted(place) == ["201", "400", "403", "404", "409", "413", "415", "422", "429"]
    codes = re.findall(r"^- `(\w+)`:", place["409"]["description"], re.MULTILINE)
    assert codes == ["unavailable", "price_changed", "idempotency_conflict", "shop_cannot_take"]
    for methods in described["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                wanted = "application/json" if status.startswith("2") else "application/problem+json"
                assert list(response["content"]) == [wanted]


def test_orders_ask_for_their_token_and_goods_for_nothing(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for operation in methods.values():
            wanted: Any = [{"orderToken": []}] if "{number}" in path else None
            assert operation.get("security") == wanted
    assert described["components"]["securitySchemes"]["orderToken"]["name"] == "Authorization"


def test_it_is_served_on_a_shops_host_to_anybody(shop: Reseller) -> None:
    reply = Program().get("schema/")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json() == json.loads(json.dumps(schema()))


def test_the_operations_host_has_no_such_api(shop: Reseller) -> None:
    with staying():
        reply = Client(headers={"host": "ops.test"}, raise_request_exception=False).get("/api/v1/schema/")
    assert reply.status_code != 200
    assert b"openapi" not in reply.content
