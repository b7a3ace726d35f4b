"""A second installation beside the first: its only supplier is a shop of the first one, over the supply API.

It has a database, a broker, secrets, a web server and a worker of its own, and no sandbox: who buys there is a client
of its own, so that money moves without a gateway.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from kameng.embedded import paths
from tests.kameng.sandbox.running import RunningSandbox
from tests.kameng.supply.signed import ROOT, sign
from tests.live.platform import HOUSE, Good, Platform
from tests.live.shopper import Address

#: In the first one: its owner opens a client, pays money in for it and issues a key.
_CLIENT = """
from django.db import connection
from resellers.clients.keys import client_key_issue
from resellers.clients.services import client_call_at, client_credit, client_open
from resellers.models import Reseller

def client(shop, callback_url):
    made = client_open(shop_id=shop.pk, name="B", contact="buyer@b.example", actor="staff:owner")
    client_credit(client_id=made.pk, amount=Decimal("5000.00"), key="first")
    if callback_url:
        client_call_at(client_id=made.pk, address=callback_url)
    key, secret = client_key_issue(client_id=made.pk, actor="staff:owner")
    return {"key": key.name, "secret": secret}
"""
_UPSTREAM = (
    _CLIENT
    + """
said = client(Reseller.objects.get(is_house=True), told["callback_url"])
"""
)
#: In the second one: everything from empty tables, with prices as the first one tells them.
_DOWNSTREAM = (
    _CLIENT
    + """
from catalog.models import Category, Product, Revision, Variant
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.price_lists import price_list_read
from fulfillment.suppliers.services import availability_refresh, supplier_save
from resellers.services import operations_open, reseller_open

operations_open(host="ops.localhost")
shop = reseller_open(slug="second", name="乙站", host_names=["localhost"], is_house=True)
upstream = supplier_save(
    code="upstream", name="甲站", adapter="kameng", base_url=told["base_url"], config=told["config"]
)
category = Category.objects.create(slug="all", name="全部")
for place, good in enumerate(told["goods"]):
    product = Product.objects.create(
        category=category, slug=f"product-{place}", name=good["product"], kind=good["kind"],
        account_fields=good["account_fields"], standing="clear",
    )
    price = Decimal(good["price"]) + 2
    variant = Variant.objects.create(
        product=product, sku=f"own-{place}", name=good["sku"], official_price=price, supply_price=price,
        max_quantity=10,
    )
    SupplierOffer.objects.create(supplier=upstream, variant=variant, supplier_sku=good["sku"])
sync = price_list_read(supplier_id=upstream.pk)
availability_refresh()
Revision.bump()
said = client(shop, "") | {"sync": str(sync.status), "costs": {
    offer.supplier_sku: str(offer.cost) for offer in SupplierOffer.objects.all()
}}
"""
)
_RUN = """
import contextlib, json, sys
from decimal import Decimal
import django
django.setup()
told = json.load(sys.stdin)
with contextlib.redirect_stdout(sys.stderr):
    exec(sys.argv[1])
print(json.dumps(said))
"""


def run(platform: Platform, script: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a script says, run inside an installation."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, script], cwd=paths.ROOT, env=platform.env, input=json.dumps(told),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


class SupplyClient:
    """A program that buys from an installation by its supply API."""

    def __init__(self, platform: Platform, key: str, secret: str) -> None:
        self.address = Address(platform.port, HOUSE, "127.0.0.1")
        self.key, self.secret = key, secret

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """One signed request."""
        target, raw = ROOT + path, b"" if body is None else json.dumps(body).encode()
        stamp, nonce = str(int(time.time())), secrets.token_hex(16)
        reply = self.address.send(method, target, body=raw, headers={
            "Kameng-Key": self.key,
            "Kameng-Timestamp": stamp,
            "Kameng-Nonce": nonce,
            "Kameng-Signature": sign(self.secret, method, target, stamp, nonce, raw),
            "Content-Type": "application/json",
        })  # fmt: skip
        return reply.status, json.loads(reply.body)

    def buy(self, reference: str, sku: str, quantity: int, account: Mapping[str, str]) -> dict[str, Any]:
        """An order that is taken on."""
        wish = {"reference": reference, "sku": sku, "quantity": quantity, "account": dict(account)}
        status, order = self.call("POST", "orders/", wish)
        assert status == 201, order
        return order

    def read(self, reference: str) -> dict[str, Any]:
        """How it stands."""
        return self.call("GET", f"orders/{reference}/")[1]

    @property
    def balance(self) -> Decimal:
        """What is left."""
        return Decimal(self.call("GET", "balance/")[1]["balance"])


class Second(Platform):
    """The second installation; `first` runs already. `upstream` is its client there, `buyer` a client of its own."""

    def __init__(self, folder: Path, first: Platform, goods: Sequence[Good]) -> None:
        super().__init__(folder)
        self.first = first
        self.offered = list(goods)

    def _start_sandbox(self) -> RunningSandbox:
        """Nothing here asks one."""
        return self.first.sandbox

    def _prepare(self) -> None:
        callback_url = f"http://localhost:{self.port}/webhooks/suppliers/upstream/"
        config = run(self.first, _UPSTREAM, {"callback_url": callback_url})
        shopper = self.first.shopper()
        goods = [
            asdict(good) | {"account_fields": shopper.product(good.product)["account_fields"]} for good in self.offered
        ]
        base_url = f"http://localhost:{self.first.port}"
        made = run(self, _DOWNSTREAM, {"base_url": base_url, "config": config, "goods": goods})
        self.upstream = SupplyClient(self.first, config["key"], config["secret"])
        self.buyer = SupplyClient(self, made["key"], made["secret"])
        self.costs = {sku: Decimal(cost) for sku, cost in made["costs"].items()}

    def audit(self) -> None:
        """The same over its own books alone: what the sandbox charged is the first one's."""
        command = [sys.executable, "manage.py", "audit", "--json"]
        done = subprocess.run(command, cwd=paths.ROOT, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
