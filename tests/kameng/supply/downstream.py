"""A site that buys from a shop: it signs as the document says, with the primitives alone.

Every answer is held against the API's description.
"""

import json
import re
import secrets
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from django.test import Client as Browser

from kameng.api import SUPPLY, schema
from resellers.clients.keys import client_key_issue
from resellers.clients.models import Client
from resellers.clients.services import client_credit, client_open
from resellers.models import Reseller
from tests.kameng.supply.signed import ROOT, sign
from tests.program import JSON, PROBLEM, staying
from tests.resellers.withdrawals.test_services import earn


def open_client(shop: Reseller, *, name: str = "青山站", balance: str = "0") -> Client:
    """A client with so much money, which the shop's owner gave it."""
    client = client_open(shop_id=shop.pk, name=name, contact="buyer@qingshan.example", actor="staff:owner")
    if Decimal(balance):
        earn(shop, Decimal(balance), key=f"earned for {name}")
        client = client_credit(client_id=client.pk, amount=Decimal(balance), key="first")
    return client


class Downstream:
    """One client with one key, at one host."""

    def __init__(self, client: Client, *, host: str = "one.test") -> None:
        self.client = client
        key, self.secret = client_key_issue(client_id=client.pk, actor="staff:owner")
        self.key = key.name
        self.browser = Browser(headers={"host": host}, raise_request_exception=False)

    @property
    def balance(self) -> str:
        """What the shop says that there is."""
        return str(self.get("balance/").json()["balance"])

    def get(self, path: str, **forged: Any) -> Any:
        """GET below the API's root; `forged` takes the place of a header."""
        return self.send("GET", path, b"", forged)

    def post(self, path: str, body: Mapping[str, Any] | bytes = b"", **forged: Any) -> Any:
        """POST; bytes go as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, raw, forged)

    def order(self, reference: str, sku: str, quantity: int = 1, **more: Any) -> Any:
        """Buy."""
        return self.post("orders/", {"reference": reference, "sku": sku, "quantity": quantity, **more})

    def send(self, method: str, path: str, body: bytes, forged: Mapping[str, Any]) -> Any:
        """Whatever it is, signed."""
        target, stamp, nonce = ROOT + path, str(int(time.time())), secrets.token_hex(16)
        headers = {
            "Kameng-Key": self.key,
            "Kameng-Timestamp": stamp,
            "Kameng-Nonce": nonce,
            "Content-Type": JSON,
        }
        headers |= {f"Kameng-{name.capitalize()}": str(value) for name, value in forged.items()}
        if "signature" not in forged:
            signed = (headers["Kameng-Timestamp"], headers["Kameng-Nonce"], body)
            headers["Kameng-Signature"] = sign(self.secret, method, target, *signed)
        address, _, query = target.partition("?")
        with staying():
            reply = self.browser.generic(method, address, body, JSON, headers=headers, QUERY_STRING=query)
        hold(method, address, reply)
        return reply


def hold(method: str, address: str, reply: Any) -> None:
    """Hold an answer against the description."""
    paths = schema(SUPPLY)["paths"]
    (found,) = [
        methods for template, methods in paths.items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), address)
    ]
    responses = found[method.lower()]["responses"]
    assert str(reply.status_code) in responses, f"{reply.status_code} is not described: {reply.content!r}"
    kind = reply.headers["Content-Type"]
    assert kind == (JSON if reply.status_code < 300 else PROBLEM)
    described = responses[str(reply.status_code)]["content"][kind]["schema"]
    document = {**described, "components": schema(SUPPLY)["components"]}
    jsonschema.Draft202012Validator(document).validate(json.loads(reply.content))
