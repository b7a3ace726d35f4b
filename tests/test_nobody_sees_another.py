"""Every address of one shop, asked with its own and with another shop's numbers: nothing of the other is ever seen."""

import hashlib
import io
import re
import time
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from catalog.models import Brand, Variant
from resellers.models import Reseller
from tests.canaries import Nest, fill, shopper_of
from tests.compliance.gate import doubtful_words
from tests.factories import on_sale
from tests.kameng.supply.signed import ROOT, sign
from tests.staff import at, member_of, visitor

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

Answer = Any
SUPPLY_KEY = "Kameng-Key"
#: What arguments may be in any shop: they name no row of one.
EVERYWHERE: dict[str, tuple[object, ...]] = {
    "doc": ("terms", "privacy"),
    "form": ("csv", "xlsx"),
    "picture": ("qr.png", "qr.svg", "poster.svg"),
    "version": ("00000000",),
    "code": ("starter",),
    "content_type_id": (1,),
    "account": ("account-1",),
    "supplier": ("first",),
}
#: Addresses that are written as an expression, by how that begins.
EXPRESSIONS = {
    r"^numbers/(?P<prefix>": "numbers/1391234/",
    r"^api/": "api/nothing/",
    "^(?P<app_label>": "orders/",
    "(?P<url>.*)$": "nothing/",
}
#: Where their owner meets what they wrote.
SHOWING = (
    "orders/order", "goods", "listings/pricerule", "look", "papers", "domains", "cases", "withdrawals", "deposit",
    "clients", "coupons", "price-changes", "customers", "staff", "changes", "announcement", "share", "share/poster.svg",
    "own", "orders/by-hand",
)  # fmt: skip
#: What owners are not shown either, or not as it was written: masked, added up, in groups of four.
UNSEEN = {
    "a secret", "a session", "a token", "a link", "a phone number", "what was earned", "an order", "another order",
}  # fmt: skip


class Unfilled(Exception):
    """An address has an argument that this walk knows no value for."""


def parts_of(patterns: Iterable[URLPattern | URLResolver], before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each address, as the parts that its resolvers add."""
    for found in patterns:
        parts = (*before, found.pattern)
        if isinstance(found, URLResolver):
            yield from parts_of(found.url_patterns, parts)
        else:
            yield parts


def filled(parts: Iterable[Any], values: dict[str, tuple[object, ...]]) -> list[str]:
    """The addresses that come of it: one for each value of its arguments. Raises `Unfilled`."""
    made = [""]
    for part in parts:
        if isinstance(part, RegexPattern):
            text = next((text for begin, text in EXPRESSIONS.items() if str(part).startswith(begin)), None)
            if text is None:
                raise Unfilled(str(part))
            made = [before + text for before in made]
            continue
        for literal, name in re.findall(r"([^<]*)(?:<(?:\w+:)?(\w+)>)?", str(part)):
            if name and name not in values:
                raise Unfilled(f"{part}: {name}")
            made = [f"{before}{literal}{value}" for before in made for value in (values[name] if name else ("",))]
    return made


def addresses(*nests: Nest) -> list[str]:
    """Every address of a shop, with the numbers of each of these."""
    found: dict[str, None] = {}
    for nest in nests:
        for parts in parts_of(get_resolver("kameng.urls_shop").url_patterns):
            found.update(dict.fromkeys(f"/{text}" for text in filled(parts, {**EVERYWHERE, **nest.arguments})))
    return list(found)


def said(answer: Answer) -> str:
    """All that an answer says: status, headers, cookies and body; a sheet is unpacked."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if body.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(body)) as sheet:
            body = b"\n".join(sheet.read(name) for name in sheet.namelist())
    heads = [f"{name}: {value}" for name, value in answer.headers.items()]
    heads += [morsel.OutputString() for morsel in answer.cookies.values()]
    return "\n".join([*map(unquote, heads), body.decode("utf-8", "replace")])


def leaks(nest: Nest, answer: Answer, asked: str) -> list[str]:
    """What of the nest an answer says that the question did not; a number that was asked for is told in groups."""
    text = said(answer)
    met = {where: what for where, what in nest.canaries.items() if what in text}
    return [where for where, what in met.items() if what not in asked and what.replace("-", "") not in asked]


@pytest.fixture
def variant(db: None) -> Variant:
    """What both shops sell."""
    Brand.objects.create(slug="steam", name="Steam")
    doubtful_words()
    return on_sale()


@pytest.fixture
def mine(shop: Reseller, variant: Variant) -> Nest:
    return fill(shop, variant, word="Sparrow8", digit=8)


@pytest.fixture
def theirs(mine: Nest, other_shop: Reseller, variant: Variant) -> Nest:
    return fill(other_shop, variant, word="Canary9", digit=9)


def test_nothing_of_one_shop_is_said_or_opened_or_moved_at_another(
    shop: Reseller, other_shop: Reseller, mine: Nest, theirs: Nest
) -> None:
    """Both shops are filled once for all of it, which takes longer than asking."""
    whatever_their_owner_sees_is_there_to_be_found(theirs)
    before = fingerprint(other_shop)
    no_answer_says_anything_of_them(shopper_of(mine, member_of(shop)), mine, theirs)
    what_opens_their_doors_opens_none_of_ours(mine, theirs)
    only_the_host_that_was_asked_says_whose_page_it_is(mine, theirs)
    # Nor did any form that one of us sent move anything there.
    assert fingerprint(other_shop) == before


def fingerprint(shop: Reseller) -> dict[str, str]:
    """Everything in a shop's schema, and its money and keys in public."""
    where = {f"{shop.schema_name}.{table}": "true" for table in _tables(shop.schema_name)}
    for table in (
        "withdrawals_payee",
        "withdrawals_withdrawal",
        "clients_client",
        "domains_owndomain",
        "plans_tenure",
        "coupons_coupon",
    ):
        where[f"public.{table}"] = f"shop_id = {shop.pk}"
    where["public.compliance_license"] = f"holder = '{shop.slug}'"
    where["public.gate_case"] = f"schema_name = '{shop.schema_name}'"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(
            f"SELECT '{table}', string_agg(said::text, ' ' ORDER BY said::text) FROM {table} said WHERE {rows}"
            for table, rows in where.items()
        ))  # fmt: skip
        return {table: hashlib.sha256((rows or "").encode()).hexdigest() for table, rows in cursor.fetchall()}


def _tables(schema_name: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema_name])
        return [name for (name,) in cursor.fetchall()]


def whatever_their_owner_sees_is_there_to_be_found(theirs: Nest) -> None:
    """Else the walk below would find nothing wherever it looks."""
    pages = [f"/manage/orders/order/{pk}/change/" for pk in theirs.arguments["object_id"][:1]]
    pages += [f"/manage/clients/{pk}/" for pk in theirs.arguments["client_id"]]
    pages += [f"/manage/coupons/{pk}/" for pk in theirs.arguments["coupon_id"]]
    pages += [f"/manage/{page}/" for page in SHOWING]
    seen = {where for page in pages for where in leaks(theirs, theirs.owner.get(page), "")}
    assert set(theirs.canaries) - seen == UNSEEN


def no_answer_says_anything_of_them(shopper: Client, mine: Nest, theirs: Nest) -> None:
    """Asked by a guest, a shopper and the owner, with our numbers and with theirs."""
    every = addresses(mine, theirs)
    found: dict[str, list[str]] = {}
    broken = []
    named = {str(value) for values in theirs.arguments.values() for value in values}
    theirs_alone = {address for address in every if named & set(address.split("/"))}
    for who, client in (("guest", visitor("one.test")), ("shopper", shopper), ("owner", mine.owner)):
        client.raise_request_exception = False
        for address in every:
            # Strangers get nothing of the admin (tests/kameng/admin/test_access.py); a shopper is a guest with orders.
            if address.startswith("/manage/") != (who == "owner") or (who == "shopper" and address not in theirs_alone):
                continue
            methods = ["get", "post"] if who == "guest" or address in theirs_alone else ["get"]
            for method in methods:
                answer = getattr(client, method)(address)
                if answer.status_code == 500:
                    broken.append(f"{who} {method} {address}")
                if leaked := leaks(theirs, answer, unquote(address)):
                    found[f"{who} {method} {address}"] = leaked
    assert found == {}
    assert broken == []


def what_opens_their_doors_opens_none_of_ours(mine: Nest, theirs: Nest) -> None:
    carried = at(theirs.owner, "one.test")
    shopper = shopper_of(theirs, visitor("one.test"))
    numbers = [str(number) for number in theirs.arguments["number"]]
    assert carried.get("/manage/").status_code == 302
    assert theirs.owner.get("/manage/deposit/").status_code == 200
    for number in numbers[:2]:
        for address in (f"/o/{number}/", f"/pay/{number}/", f"/api/v1/orders/{number}/"):
            answer = shopper.get(address, headers={"Authorization": f"Order {theirs.token}"})
            # A page says the same of every number that it does not know: prove that it is yours.
            assert answer.status_code == {"o": 200, "pay": 302, "api": 404}[address.split("/")[1]]
            assert leaks(theirs, answer, address) == []
    # The token of another shop opens no order of this one either.
    own = mine.arguments["number"][0]
    told = visitor("one.test").get(f"/api/v1/orders/{own}/", headers={"Authorization": f"Order {theirs.token}"})
    assert told.status_code in (401, 403, 404)
    for host, nest, status in (("two.test", theirs, 200), ("one.test", theirs, 401), ("one.test", mine, 200)):
        assert _balance(host, nest).status_code == status
    assert leaks(theirs, _balance("one.test", theirs), theirs.key) == []


def _balance(host: str, nest: Nest) -> Answer:
    target, stamp, nonce = f"{ROOT}balance/", str(int(time.time())), hashlib.sha256(host.encode()).hexdigest()[:32]
    signed = sign(nest.secret, "GET", target, stamp, nonce, b"")
    given = {SUPPLY_KEY: nest.key, "Kameng-Timestamp": stamp, "Kameng-Nonce": nonce, "Kameng-Signature": signed}
    return Client(headers={"host": host, **given}).get(target)


def only_the_host_that_was_asked_says_whose_page_it_is(mine: Nest, theirs: Nest) -> None:
    """However it is written; an address in absolute form (RFC 9112, 3.2.2) names no shop beside it."""
    forged = {"x-forwarded-host": "two.test", "x-forwarded-server": "two.test", "forwarded": "host=two.test"}
    absolute: dict[str, Any] = {
        "RAW_URI": "http://two.test/help/",
        "SERVER_NAME": "two.test",
        "REQUEST_URI": "http://two.test/help/",
    }
    picture = theirs.arguments["name"][0]
    for host in ("one.test", "ONE.test", "one.test.", "one.test:8443"):
        client = Client(headers={"host": host, **forged}, raise_request_exception=False)
        for address in ("/", "/help/", "/manage/", "/nothing/", "/api/v1/products/"):
            assert leaks(theirs, client.get(address, **absolute), "") == []
        assert client.get(f"/brand/{picture}", **absolute).status_code == 404
        assert mine.canaries["a text"] in said(client.get("/help/", **absolute))
    assert visitor("two.test").get(f"/brand/{picture}").status_code == 200


def test_an_address_that_the_walk_cannot_fill_is_not_passed_over() -> None:
    """Whoever adds one names its arguments above."""
    (parts,) = parts_of(get_resolver("kameng.urls_shop").url_patterns[4:5])
    assert filled(parts, {}) == [""]
    with pytest.raises(Unfilled):
        filled(["x/<int:never_heard_of>/"], EVERYWHERE)
    with pytest.raises(Unfilled):
        filled([RegexPattern("^never/(?P<heard>.*)$")], EVERYWHERE)
    assert filled(["x/<str:form>/", "<slug:doc>"], EVERYWHERE) == [
        "x/csv/terms", "x/csv/privacy", "x/xlsx/terms", "x/xlsx/privacy",
    ]  # fmt: skip
