"""Who gets in: whoever signed this very request with a key that counts here, once."""

import json
import time
from typing import Any

import pytest
import time_machine

from kameng.core import throttle
from orders.models import Order
from resellers.clients.keys import client_key_revoke, nonces_forget
from resellers.clients.models import ClientKey, ClientNonce
from resellers.models import Reseller
from tests.factories import on_sale
from tests.kameng.supply.downstream import Downstream, open_client
from tests.kameng.supply.signed import sign
from tests.program import refusal


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        ({"key": ""}, "signature_missing"),
        ({"nonce": "short"}, "signature_missing"),
        ({"timestamp": "yesterday"}, "signature_missing"),
        ({"signature": "x"}, "signature_missing"),
        ({"key": "ks_" + "0" * 24}, "key_unknown"),
        ({"signature": "0" * 64}, "signature_wrong"),
        ({"timestamp": int(time.time()) - 400}, "timestamp_stale"),
        ({"timestamp": int(time.time()) + 4000}, "timestamp_stale"),
    ],
)
def test_who_is_not_certain_is_told_why_and_nothing_happens(
    downstream: Downstream, forged: dict[str, Any], code: str
) -> None:
    reply = downstream.post("orders/", {"reference": "A-1", "sku": "x", "quantity": 1}, **forged)
    assert refusal(reply) == (401, code)
    assert not Order.objects.exists()
    assert not ClientNonce.objects.exists()


def test_every_part_of_a_request_is_signed(downstream: Downstream) -> None:
    stamp, nonce = str(int(time.time())), "n" * 20
    of_another = [
        sign(downstream.secret, "POST", "/api/supply/v1/balance/", stamp, nonce, b""),
        sign(downstream.secret, "GET", "/api/supply/v1/stock/", stamp, nonce, b""),
        sign(downstream.secret, "GET", "/api/supply/v1/balance/?sku=1", stamp, nonce, b""),
        sign(downstream.secret, "GET", "/api/supply/v1/balance/", stamp, "m" * 20, b""),
        sign(downstream.secret, "GET", "/api/supply/v1/balance/", str(int(stamp) + 1), nonce, b""),
        sign(downstream.secret, "GET", "/api/supply/v1/balance/", stamp, nonce, b"{}"),
        sign("another secret", "GET", "/api/supply/v1/balance/", stamp, nonce, b""),
    ]
    for signature in of_another:
        reply = downstream.get("balance/", timestamp=stamp, nonce=nonce, signature=signature)
        assert refusal(reply) == (401, "signature_wrong")
    assert downstream.get("balance/", timestamp=stamp, nonce=nonce).status_code == 200


def test_a_request_counts_once_also_while_redis_is_away(
    downstream: Downstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle.counters, "count", lambda *_args, **_options: 0)
    stamp, nonce = int(time.time()), "once-and-never-again"
    assert downstream.get("balance/", timestamp=stamp, nonce=nonce).status_code == 200
    assert refusal(downstream.get("balance/", timestamp=stamp, nonce=nonce)) == (409, "nonce_used")
    nonces_forget()
    assert refusal(downstream.get("balance/", timestamp=stamp, nonce=nonce)) == (409, "nonce_used")


def test_a_key_counts_in_its_own_shop_until_it_is_revoked(downstream: Downstream, other_shop: Reseller) -> None:
    elsewhere = Downstream(open_client(other_shop, name="别处"), host="one.test")
    assert refusal(elsewhere.get("balance/")) == (401, "key_unknown")
    second = Downstream(downstream.client)
    client_key_revoke(key_id=ClientKey.objects.get(name=downstream.key).pk, actor="staff:owner")
    assert refusal(downstream.get("balance/")) == (401, "key_unknown")
    assert second.balance == "1000.00"


def test_secrets_are_sealed(downstream: Downstream) -> None:
    stored = ClientKey.objects.get(name=downstream.key)
    assert downstream.secret not in json.dumps([str(value) for value in vars(stored).values()])
    assert stored.secret == downstream.secret


def test_a_client_has_its_limit(downstream: Downstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kameng.supply.access.CLIENT_LIMIT", 2)
    on_sale()
    with time_machine.travel(time.time() // 60 * 60 + 30, tick=False):  # far from the edge of a window
        assert [downstream.get("stock/").status_code for _ in range(3)] == [200, 200, 429]
