"""The document's worked example, and the API's description."""

import hashlib
import json
import re
from pathlib import Path

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from fulfillment.suppliers.kameng.signing import signature as adapters
from kameng.api import SUPPLY, schema
from kameng.embedded import paths
from kameng.supply.signing import signature
from tests.fulfillment.suppliers.sides import payload

DOCUMENT = (Path(paths.ROOT) / "docs" / "supply-api.md").read_text(encoding="utf-8")
OPERATIONS = {
    ("get", "/api/supply/v1/products/"),
    ("get", "/api/supply/v1/prices/"),
    ("get", "/api/supply/v1/stock/"),
    ("get", "/api/supply/v1/balance/"),
    ("post", "/api/supply/v1/orders/"),
    ("get", "/api/supply/v1/orders/{reference}/"),
    ("post", "/api/supply/v1/orders/{reference}/cancel/"),
}


def test_the_worked_example_of_the_document_comes_out_as_it_says() -> None:
    (secret,) = re.findall(r"With the secret `(.+?)`", DOCUMENT)
    (body,) = re.findall(r"whose body is exactly\n\n```json\n(.+?)\n```", DOCUMENT)
    signed = re.findall(r"signature `([0-9a-f]{64})`|has `([0-9a-f]{64})`", DOCUMENT)
    examples = re.findall(r"```\n(GET|POST)\n(\S+)\n(\d+)\n(\w+)\n([0-9a-f]{64})\n```", DOCUMENT)
    assert [method for method, *_ in examples] == ["POST", "GET"]
    for (method, target, stamp, nonce, digest), (first, second), sent in zip(
        examples, signed, (body.encode(), b""), strict=True
    ):
        assert hashlib.sha256(sent).hexdigest() == digest
        ours = signature(secret, method=method, target=target, timestamp=stamp, nonce=nonce, body=sent)
        theirs = adapters(secret, method=method, target=target, timestamp=int(stamp), nonce=nonce, body=sent)
        assert ours == theirs == (first or second)


def test_the_description_is_valid_whole_and_asks_for_a_signature_everywhere() -> None:
    GENERATOR_STATS.reset()
    described = schema(SUPPLY)
    validate_schema(described)
    assert not GENERATOR_STATS
    assert {(method, path) for path, methods in described["paths"].items() for method in methods} == OPERATIONS
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"clientSignature": []}]
            assert "`signature_wrong`" in operation["responses"]["401"]["description"]


def test_every_refusal_of_the_description_is_in_the_document_and_the_other_way_round() -> None:
    said = json.dumps(schema(SUPPLY)["paths"])
    codes = set(re.findall(r"- `(\w+)`:", said)) - {"malformed", "too_large", "not_json"}
    (table,) = re.findall(r"## Refusals\n(.+?)\n## ", DOCUMENT, re.DOTALL)
    written = {
        code for row in re.findall(r"^\| \d{3} (.+?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert codes == written


def test_the_payloads_of_the_adapter_have_the_shape_of_the_description() -> None:
    schemas = schema(SUPPLY)["components"]["schemas"]
    assert payload("kameng", "processing").keys() == schemas["SupplyOrder"]["properties"].keys()
    assert payload("kameng", "balance").keys() == schemas["SupplyBalance"]["properties"].keys()
    (row,) = payload("kameng", "prices")["results"]
    assert row.keys() == schemas["SupplyPrice"]["properties"].keys()
    for row in payload("kameng", "products")["results"]:
        assert row.keys() <= schemas["SupplyProduct"]["properties"].keys()
