"""Signing in to Reloadly: a token for each service from another host, kept until it ends, replaced once if refused."""

import json
from collections.abc import Mapping

import pytest

from fulfillment.suppliers.base import Connection, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.reloadly.access import Token
from fulfillment.suppliers.reloadly.adapter import ReloadlyAdapter
from kameng.core.http import HttpClient, Reply
from tests.fulfillment.suppliers.side_reloadly import GIFT_CARDS, TOPUPS
from tests.fulfillment.suppliers.side_reloadly import RELOADLY as SIDE
from tests.fulfillment.suppliers.sides import CODES, NOW, answer, payload
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

TOKEN = SIDE.told("token")
DENIED = SIDE.told("token_denied", 401)
STALE = SIDE.told("invalid_token", 401)


def test_a_token_is_fetched_once_for_each_service_and_kept(server: Server, http: HttpClient) -> None:
    server.answers += [
        TOKEN,
        SIDE.told("topup_async"),
        SIDE.reported(),
        TOKEN,
        SIDE.before_goods(1),
        answer([{"pinCode": CODES[0]}]),
    ]
    adapter = SIDE.adapter(server.url, http, signed_in=False)
    bought = adapter.submit(SIDE.attempt())
    assert bought.kind is OutcomeKind.ACCEPTED
    assert adapter.query(SIDE.attempt()).kind is OutcomeKind.DELIVERED
    assert adapter.query(SIDE.attempt(codes=1)).items == CODES[:1]
    assert [asked.path.partition("?")[0] for asked in server.asked] == [
        "/oauth/token",
        "/topups-async",
        "/topups/reports/transactions",
        "/oauth/token",
        "/reports/transactions",
        "/orders/transactions/4602843/cards",
    ]
    assert json.loads(server.asked[0].body) == {
        "client_id": SIDE.client,
        "client_secret": SIDE.secret,
        "grant_type": "client_credentials",
        "audience": TOPUPS,
    }
    assert json.loads(server.asked[3].body)["audience"] == GIFT_CARDS
    given = payload("reloadly", "token")["access_token"]
    assert server.asked[1].headers["authorization"] == f"Bearer {given}"
    kept = bought.evidence + repr(bought) + repr(adapter.access.tokens)
    assert not any(secret in kept for secret in (given, SIDE.client, SIDE.secret))


def test_an_expired_token_is_not_used(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("token", expires_in=30), SIDE.told("topup_async"), TOKEN, SIDE.reported()]
    adapter = SIDE.adapter(server.url, http, signed_in=False)
    adapter.access.tokens[TOPUPS] = Token("old", NOW)
    adapter.submit(SIDE.attempt())
    adapter.query(SIDE.attempt())
    assert [asked.path.partition("?")[0] for asked in server.asked] == [
        *("/oauth/token", "/topups-async"),
        *("/oauth/token", "/topups/reports/transactions"),
    ]


def test_a_token_that_is_refused_is_replaced_once(server: Server, http: HttpClient) -> None:
    server.answers += [STALE, TOKEN, SIDE.told("topup_async")]
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert [asked.path for asked in server.asked] == ["/topups-async", "/oauth/token", "/topups-async"]


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_new_token_that_is_refused_is_the_end(server: Server, http: HttpClient, signed_in: bool) -> None:
    server.answers += [*([STALE] if signed_in else []), TOKEN, STALE]
    outcome = SIDE.adapter(server.url, http, signed_in=signed_in).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, Reason.BAD_CREDENTIALS, True)
    assert len(server.asked) == (3 if signed_in else 2)


def test_a_page_with_401_says_nothing_about_the_token(server: Server, http: HttpClient) -> None:
    server.answers.append(Answer(401, b"<html>who are you?</html>"))
    assert SIDE.adapter(server.url, http).submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "lost",
    [
        *(Silence(), Reset(), Answer(500, b"{}"), Answer(200, b"<html>"), Answer(200, b"{}"), Answer(403, b"{}")),
        *(Answer(401, b"<html>"), SIDE.told("token_denied", 400), SIDE.told("token_denied", 401, errorCode="BUSY")),
        *(SIDE.told("token", token_type="MAC"), SIDE.told("token", access_token="a b"), SIDE.told("token", 201)),
        SIDE.told("token", access_token="a\r\nX-Evil: 1"),
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_without_a_token_nothing_is_bought_and_nothing_is_known(
    server: Server, http: HttpClient, lost: Answer | Silence | Reset, signed_in: bool
) -> None:
    first = [STALE] if signed_in else []
    server.answers += [*first, lost]
    outcome = SIDE.adapter(server.url, http, signed_in=signed_in).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.NOT_SENT, Reason.NO_CONNECTION, False)
    server.answers += [*first, lost]
    asked = SIDE.adapter(server.url, http, signed_in=signed_in).query(SIDE.attempt())
    assert (asked.kind, asked.code, asked.eliminates) == (OutcomeKind.UNKNOWN, Reason.NO_CONNECTION, False)


@pytest.mark.parametrize("denied", [DENIED, SIDE.told("token_denied", 401, errorCode=None)])
def test_wrong_credentials_end_it_before_anything_is_bought(server: Server, http: HttpClient, denied: Answer) -> None:
    server.answers += [denied, denied]
    adapter = SIDE.adapter(server.url, http, signed_in=False)
    submitted, asked = adapter.submit(SIDE.attempt()), adapter.query(SIDE.attempt())
    assert (submitted.kind, submitted.code, submitted.eliminates) == (
        OutcomeKind.REFUSED,
        Reason.BAD_CREDENTIALS,
        True,
    )
    assert (asked.kind, asked.code, asked.eliminates) == (OutcomeKind.UNKNOWN, Reason.BAD_CREDENTIALS, True)
    assert [asked.path for asked in server.asked] == ["/oauth/token"] * 2


def test_a_token_host_that_is_down_frees_the_purchase(server: Server, http: HttpClient) -> None:
    gone = Server()
    gone.close()
    adapter = SIDE.adapter(server.url, http, signed_in=False, auth_url=f"{gone.url}/oauth/token")
    submitted, asked = adapter.submit(SIDE.attempt()), adapter.query(SIDE.attempt())
    assert (submitted.kind, submitted.code) == (OutcomeKind.NOT_SENT, Reason.NO_CONNECTION)
    assert (asked.kind, asked.code) == (OutcomeKind.UNKNOWN, Reason.NO_CONNECTION)
    assert server.asked == []


class Recorder(HttpClient):
    """Knows a token and nothing else; keeps where it was asked."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.audiences: list[str] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        send_by: float | None = None,
    ) -> Reply:
        self.urls.append(url.partition("?")[0])
        if not url.endswith("/oauth/token"):
            return Reply(500, {}, b"")
        self.audiences.append(json.loads(body)["audience"])
        return Reply(200, {}, TOKEN.body)


@pytest.mark.parametrize("named", ["topups", "giftcards"])
@pytest.mark.parametrize("mode", ["", "-sandbox"])
def test_each_service_has_a_host_of_its_own(named: str, mode: str) -> None:
    http = Recorder()
    config = {"client_id": "a", "client_secret": "b"}
    adapter = ReloadlyAdapter(Connection("haitang", f"https://{named}{mode}.reloadly.com/", config), http)
    adapter.query(SIDE.attempt())
    adapter.query(SIDE.attempt(codes=1))
    assert adapter.balance() is None
    topups, cards = f"https://topups{mode}.reloadly.com", f"https://giftcards{mode}.reloadly.com"
    assert http.audiences == [topups, cards]
    assert http.urls == [
        "https://auth.reloadly.com/oauth/token",
        f"{topups}/topups/reports/transactions",
        "https://auth.reloadly.com/oauth/token",
        f"{cards}/reports/transactions",
        f"https://{named}{mode}.reloadly.com/accounts/balance",
    ]


def test_secrets_go_to_reloadly_only_where_the_address_is_theirs() -> None:
    http = Recorder()
    config = {"client_id": "a", "client_secret": "b"}
    ReloadlyAdapter(Connection("haitang", "https://topups.reloadly.com.example/x", config), http).balance()
    assert http.urls[0] == "https://topups.reloadly.com.example/x/oauth/token"


@pytest.mark.parametrize(
    "address", ["http://auth.example/oauth/token", "ftp://a.example", "https://u:p@a.example", "x"]
)
def test_the_token_address_must_be_as_safe_as_the_other(http: HttpClient, address: str) -> None:
    with pytest.raises(SupplierMisconfigured, match="auth_url"):
        SIDE.adapter("http://127.0.0.1:1", http, auth_url=address)
