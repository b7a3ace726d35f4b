"""Another installation as a supplier: what is the supply API's own."""

import json
from decimal import Decimal

import pytest

from fulfillment.suppliers.base import CallbackRefused, Connection, OutcomeKind, SupplierMisconfigured, SupplierSilent
from fulfillment.suppliers.kameng.signing import signature
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_kameng import KAMENG, KamengSide
from tests.fulfillment.suppliers.sides import CODES, NOW, REFERENCE, payload
from tests.fulfillment.suppliers.wire import Answer, Server, Silence


def test_a_request_is_signed_over_method_target_time_nonce_and_body(server: Server, http: HttpClient) -> None:
    adapter = KAMENG.adapter(server.url, http)
    server.answers.extend([KAMENG.accepted(), KAMENG.told("products"), KAMENG.told("products")])
    adapter.submit(KAMENG.attempt())
    adapter.products("")
    adapter.products("2.honor-60")
    for asked in server.asked:
        stamp, nonce = asked.headers["kameng-timestamp"], asked.headers["kameng-nonce"]
        assert asked.headers["kameng-key"] == KAMENG.key
        assert asked.headers["kameng-signature"] == KAMENG.sign(asked.method, asked.path, stamp, nonce, asked.body)
        assert stamp == str(NOW)
    assert len({asked.headers["kameng-nonce"] for asked in server.asked}) == 3
    assert [asked.path for asked in server.asked] == [
        "/api/supply/v1/orders/",
        "/api/supply/v1/products/",
        "/api/supply/v1/products/?cursor=2.honor-60",
    ]


def test_each_part_of_a_request_is_covered_by_its_signature() -> None:
    parts = {"method": "POST", "target": "/a?b=1", "timestamp": NOW, "nonce": "n" * 16, "body": b"{}"}
    others = {"method": "GET", "target": "/a?b=2", "timestamp": NOW + 1, "nonce": "m" * 16, "body": b"{ }"}
    signed = {signature("secret", **parts | {name: other}) for name, other in others.items()}  # type: ignore[arg-type]
    signed |= {signature("secret", **parts), signature("other", **parts)}  # type: ignore[arg-type]
    assert len(signed) == 7


def test_the_order_asks_for_no_more_than_the_attempt_may_cost(server: Server, http: HttpClient) -> None:
    server.answers.append(KAMENG.accepted())
    outcome = KAMENG.adapter(server.url, http).submit(KAMENG.attempt())
    assert json.loads(server.asked[0].body) == {
        "reference": REFERENCE,
        "sku": "honor-60",
        "quantity": 1,
        "account": dict(KAMENG.account),
        "max_cost": "57.00",
    }
    assert outcome.cost == Decimal("5.82")


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("unavailable", 409, Reason.OUT_OF_STOCK),
        ("price_above_limit", 409, Reason.PRICE_ABOVE_LIMIT),
        ("balance_short", 402, Reason.NO_BALANCE),
        ("signature_wrong", 401, Reason.BAD_CREDENTIALS),
    ],
)
def test_a_refusal_buys_nothing(server: Server, http: HttpClient, name: str, status: int, reason: Reason) -> None:
    server.answers.append(KAMENG.told(name, status))
    outcome = KAMENG.adapter(server.url, http).submit(KAMENG.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, reason)
    assert outcome.eliminates == (reason in {Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})


def test_a_nonce_that_was_seen_says_nothing_about_the_purchase(server: Server, http: HttpClient) -> None:
    """Somebody between us may have sent the request twice: the first one may have bought."""
    server.answers.append(Answer(409, b'{"status":409,"code":"nonce_used","title":"seen"}'))
    outcome = KAMENG.adapter(server.url, http).submit(KAMENG.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE, False)


def test_what_arrived_in_part_is_kept_and_charged(server: Server, http: HttpClient) -> None:
    told = KAMENG.told("codes", quantity=3, delivered=2, status="partial", amount="146.10", refunded="48.70")
    server.answers.extend([told, KAMENG.told("codes", quantity=3, delivered=3, status="partial")])
    adapter = KAMENG.adapter(server.url, http)
    outcome = adapter.query(KAMENG.attempt(codes=3))
    assert (outcome.kind, outcome.done, outcome.items) == (
        OutcomeKind.PARTIAL,
        2,
        tuple(payload("kameng", "codes")["codes"]),
    )
    assert outcome.cost == Decimal("97.40")
    assert adapter.query(KAMENG.attempt(codes=3)).code == Reason.WRONG_COUNT


@pytest.mark.parametrize("changes", [{"delivered": 1}, {"codes": [CODES[0]]}])
@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_an_order_that_failed_and_delivered_is_unclear(
    server: Server, http: HttpClient, status: str, changes: dict[str, object]
) -> None:
    server.answers.append(KAMENG.told("failed", status=status, **changes))
    outcome = KAMENG.adapter(server.url, http).query(KAMENG.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE)


def test_a_reversal_is_told_as_one(server: Server, http: HttpClient) -> None:
    server.answers.append(KAMENG.told("delivered", status="reversed", refunded="5.82"))
    assert KAMENG.adapter(server.url, http).query(KAMENG.attempt()).kind is OutcomeKind.REVERSED


def test_no_such_order_frees_only_what_never_had_a_number_there(server: Server, http: HttpClient) -> None:
    adapter = KAMENG.adapter(server.url, http)
    server.answers.extend([KAMENG.told("no_such_order", 404)] * 2 + [Answer(404, b'{"code":"not_found"}')])
    kinds = [adapter.query(KAMENG.attempt(asked=asked)).kind for asked in (False, True, False)]
    assert kinds == [OutcomeKind.NOT_FOUND, OutcomeKind.UNKNOWN, OutcomeKind.UNKNOWN]


def test_only_a_canceled_order_is_undone(server: Server, http: HttpClient) -> None:
    adapter = KAMENG.adapter(server.url, http)
    server.answers.extend([KAMENG.told("failed", status="canceled"), KAMENG.failed(), KAMENG.told("too_late", 409)])
    outcomes = [adapter.cancel(KAMENG.attempt(asked=True)) for _ in range(3)]
    assert [(outcome.kind, outcome.code) for outcome in outcomes] == [
        (OutcomeKind.FAILED, Reason.CANCELED),
        (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE),
        (OutcomeKind.UNKNOWN, Reason.TOO_LATE),
    ]
    assert server.asked[0].path == f"/api/supply/v1/orders/{REFERENCE}/cancel/"


def test_a_callback_names_the_order_and_leaves_what_came_of_it_to_be_asked(http: HttpClient) -> None:
    adapter = KAMENG.adapter("https://them.example", http)
    headers, body = KAMENG.callback()
    claim = adapter.parse_callback(headers=headers, body=body)
    assert (claim.reference, claim.event_id, claim.outcome) == (REFERENCE, f"{KAMENG.order_id}:delivered", None)


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        ({"kameng-key": "ks_other"}, "unknown key"),
        ({"kameng-timestamp": str(NOW + 301)}, "stale"),
        ({"kameng-timestamp": str(NOW + 300)}, "bad signature"),
        ({"kameng-timestamp": "１２"}, "malformed time"),
        ({"kameng-nonce": "another-nonce-of-26-chars-"}, "bad signature"),
        ({"kameng-signature": ""}, "bad signature"),
    ],
)
def test_a_callback_that_somebody_else_made_is_refused(http: HttpClient, spoiled: dict[str, str], why: str) -> None:
    adapter = KAMENG.adapter("https://them.example", http)
    headers, body = KAMENG.callback()
    with pytest.raises(CallbackRefused, match=why):
        adapter.parse_callback(headers=headers | spoiled, body=body)
    with pytest.raises(CallbackRefused, match="bad signature"):
        adapter.parse_callback(headers=headers, body=body + b" ")


def test_the_price_list_is_paged_and_must_go_on(server: Server, http: HttpClient) -> None:
    adapter = KAMENG.adapter(server.url, http)
    server.answers.extend(
        [
            KAMENG.told("products", next_cursor="2.steam-50"),
            KAMENG.told("products", next_cursor="2.steam-50"),
            KAMENG.told("products", results=[], next_cursor="9"),
            KAMENG.told("products", results=[{"sku": "honor-60"}]),
            Silence(),
        ]
    )
    page = adapter.products("")
    assert [(line.sku, line.cost, line.stock, line.is_available) for line in page.products] == [
        ("honor-60", Decimal("5.82"), None, True),
        ("steam-50", Decimal("48.70"), 3, True),
    ]
    assert page.next_cursor == "2.steam-50"
    for _ in range(4):
        with pytest.raises(SupplierSilent):
            adapter.products("2.steam-50")


def test_price_and_balance_are_what_they_say_now(server: Server, http: HttpClient) -> None:
    adapter = KAMENG.adapter(server.url, http)
    row = payload("kameng", "prices")["results"][0]
    server.answers.extend(
        [
            KAMENG.told("prices"),
            KAMENG.told("prices", results=[row | {"available": False}]),
            KAMENG.told("prices", results=[]),
            KAMENG.told("balance"),
            KAMENG.told("balance", currency="USD"),
            KAMENG.unauthorized(),
        ]
    )
    assert [adapter.price("honor-60") for _ in range(3)] == [Decimal("5.82"), None, None]
    assert adapter.price("../1") is None
    assert [adapter.balance() for _ in range(3)] == [Decimal("942.31"), None, None]
    assert server.asked[0].path == "/api/supply/v1/prices/?sku=honor-60"


def test_another_currency_than_yuan_is_refused(http: HttpClient) -> None:
    config = {"key": KamengSide.key, "secret": KamengSide.secret}
    with pytest.raises(SupplierMisconfigured, match="currency"):
        adapter_class("kameng")(Connection("them", "https://them.example", config, currency="USD"), http)
