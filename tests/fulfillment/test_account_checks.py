"""Accounts are checked before paying: as a help, within seconds, and without becoming a directory."""

import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as CacheGone

from catalog.models import Variant
from fulfillment import account_checks
from fulfillment.account_checks import Checked, account_check, masked_nickname
from fulfillment.suppliers.base import AccountCheck, AccountVerdict, Capability
from fulfillment.suppliers.models import Supplier, SupplierBreaker
from fulfillment.suppliers.registry import ADAPTERS
from kameng.core.deadlines import awake, ending
from kameng.core.throttle import counters
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale, place
from tests.races.threads import BRIEFLY, SURELY, Meeting

UID = "482019375"
FORM = {"account_uid": UID}
HOST = "one.test"


class KnowingSupplier(ScriptedSupplier):
    """Tells of accounts what the test says, by supplier."""

    code = "knowing"
    capabilities = ScriptedSupplier.capabilities | {Capability.ACCOUNT_CHECK}
    tells: ClassVar[dict[str, AccountCheck | Exception]] = {}
    asked: ClassVar[list[tuple[str, str, str]]] = []
    ended: ClassVar[list[float]] = []

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        self.asked.append((self.supplier, sku, account["uid"]))
        self.ended.append(ending(60) - awake())
        told = self.tells[self.supplier]
        if isinstance(told, Exception):
            raise told
        return told


@pytest.fixture
def knowing(supplier_double: type[ScriptedSupplier]) -> Iterator[type[KnowingSupplier]]:
    KnowingSupplier.tells = {"first": AccountCheck(AccountVerdict.OK, "夜雨星光")}
    KnowingSupplier.asked, KnowingSupplier.ended = [], []
    ADAPTERS["knowing"] = KnowingSupplier
    yield KnowingSupplier
    del ADAPTERS["knowing"]


@pytest.fixture
def variant(shop: Reseller, knowing: type[KnowingSupplier]) -> Variant:
    made = on_sale(suppliers=("first", "second"))
    Supplier.objects.filter(code__in=("first", "second")).update(adapter="knowing")
    return made


def ask(variant: Variant, uid: str = UID, address: str = "203.0.113.7") -> Checked:
    return account_check(variant_ids=[variant.pk], account={"uid": uid}, address=address)


def test_the_best_supplier_that_can_tell_is_asked_and_the_name_is_masked(
    variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    assert ask(variant) == Checked(AccountVerdict.OK, "夜**光")
    assert knowing.asked == [("first", "S-1", UID)]
    assert knowing.ended[0] <= account_checks.SECONDS


def test_the_same_question_is_asked_once(variant: Variant, knowing: type[KnowingSupplier]) -> None:
    assert ask(variant) == ask(variant, address="198.51.100.9")
    assert len(knowing.asked) == 1
    ask(variant, uid="482019376")
    assert len(knowing.asked) == 2


def test_no_account_is_a_key_of_the_cache(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(cache, "set", lambda key, value, timeout: kept.append(f"{key} {value}"))
    ask(variant)
    assert kept
    assert not [said for said in kept if UID in said or "夜雨星光" in said]


@pytest.mark.parametrize("told", [AccountCheck(AccountVerdict.UNAVAILABLE), RuntimeError("broken")])
def test_who_cannot_tell_is_followed_by_the_next(
    variant: Variant, knowing: type[KnowingSupplier], told: AccountCheck | Exception
) -> None:
    knowing.tells = {"first": told, "second": AccountCheck(AccountVerdict.NOT_FOUND)}
    assert ask(variant).verdict == AccountVerdict.NOT_FOUND
    assert [supplier for supplier, *_ in knowing.asked] == ["first", "second"]


def test_who_is_in_trouble_is_not_asked(variant: Variant, knowing: type[KnowingSupplier]) -> None:
    first = Supplier.objects.get(code="first")
    now = timezone.now()
    SupplierBreaker.objects.create(supplier=first, state=SupplierBreaker.State.OPEN, opened_at=now, retry_at=now)
    knowing.tells = {"second": AccountCheck(AccountVerdict.WRONG_REGION)}
    assert ask(variant).verdict == AccountVerdict.WRONG_REGION


def test_who_was_silent_for_long_is_left_alone_for_a_while(
    variant: Variant, knowing: type[KnowingSupplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_checks, "SILENT_SECONDS", 0)
    knowing.tells = {
        "first": AccountCheck(AccountVerdict.UNAVAILABLE),
        "second": AccountCheck(AccountVerdict.OK, "阿明"),
    }
    ask(variant)
    ask(variant, uid="482019376")
    assert [supplier for supplier, *_ in knowing.asked] == ["first", "second", "second"]


def test_many_accounts_from_one_address_are_told_nothing_and_nobody_is_asked(
    variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    limit = account_checks.LOOKS[0][0]
    found = [ask(variant, uid=str(100_000_000 + number)) for number in range(limit + 3)]
    assert [checked.verdict for checked in found[limit:]] == [AccountVerdict.UNAVAILABLE] * 3
    assert len(knowing.asked) == limit
    assert ask(variant, uid="482019375", address="198.51.100.9").verdict == AccountVerdict.OK


def test_beyond_a_limit_an_account_looks_as_if_nobody_could_tell(
    variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    for number in range(account_checks.LOOKS[0][0]):
        ask(variant, uid=str(100_000_000 + number))
    limited = ask(variant, uid="482019399")
    knowing.tells = {
        "first": AccountCheck(AccountVerdict.UNAVAILABLE),
        "second": AccountCheck(AccountVerdict.UNAVAILABLE),
    }
    silent = ask(variant, uid="482019398", address="198.51.100.9")
    assert (limited, limited.text) == (silent, silent.text)


def test_without_a_cache_nobody_is_asked(
    variant: Variant, knowing: type[KnowingSupplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(key: str) -> None:
        raise CacheGone

    monkeypatch.setattr(cache, "get", gone)
    assert ask(variant).verdict == AccountVerdict.UNAVAILABLE
    assert knowing.asked == []


def test_while_nobody_counts_nobody_is_told(
    variant: Variant, knowing: type[KnowingSupplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(variant)
    monkeypatch.setattr(counters, "count", lambda key, **how: 0)
    assert ask(variant).verdict == AccountVerdict.UNAVAILABLE
    assert ask(variant, uid="482019376").verdict == AccountVerdict.UNAVAILABLE
    assert len(knowing.asked) == 1


def test_one_account_is_not_asked_about_for_ever(variant: Variant, knowing: type[KnowingSupplier]) -> None:
    for number in range(account_checks.NEW_ACCOUNT + 2):
        asked = {"uid": UID, "server": f"s{number}"}
        account_check(variant_ids=[variant.pk], account=asked, address=f"198.51.100.{number}")
    assert len(knowing.asked) == account_checks.NEW_ACCOUNT


def test_a_crowd_does_not_wait_for_a_supplier_that_is_asked_by_others(
    variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    for _ in range(account_checks.AT_ONCE):
        assert account_checks._places.acquire(blocking=False)
    try:
        begun = time.monotonic()
        assert ask(variant).verdict == AccountVerdict.UNAVAILABLE
        assert time.monotonic() - begun < 1
    finally:
        for _ in range(account_checks.AT_ONCE):
            account_checks._places.release()
    assert knowing.asked == []


def ask_twice_at_once(monkeypatch: pytest.MonkeyPatch, *, patience: float) -> tuple[list[Checked], int]:
    """Two tabs ask about one account in the same moment: what they are told, and how often the supplier was asked.

    The supplier answers when both have arrived there, or after `patience`.
    """
    meeting, asked, uid = Meeting(patience=patience), [], secrets.token_hex(8)

    def answer(variant_ids: Collection[int], account: Mapping[str, str], end: float) -> Checked:
        asked.append(account)
        meeting.wait()
        return Checked(AccountVerdict.OK, "夜**光")

    monkeypatch.setattr(account_checks, "_ask", answer)
    with ThreadPoolExecutor(2) as pool:
        told = [
            pool.submit(account_check, variant_ids=[1], account={"uid": uid}, address=f"198.51.100.{tab}")
            for tab in range(2)
        ]
        return [one.result() for one in told], len(asked)


def test_of_two_who_ask_at_once_one_asks_and_both_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_twice_at_once(monkeypatch, patience=BRIEFLY) == ([Checked(AccountVerdict.OK, "夜**光")] * 2, 1)


def test_without_the_turn_both_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_checks, "_is_first", lambda asking: True)
    assert ask_twice_at_once(monkeypatch, patience=SURELY)[1] == 2


@pytest.mark.parametrize("is_asking", [True, None], ids=["silent", "dead"])
def test_who_waits_for_another_in_vain_is_told_in_time_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, is_asking: bool | None
) -> None:
    monkeypatch.setattr(account_checks, "SECONDS", 0.2 if is_asking else 60)
    monkeypatch.setattr(account_checks, "_is_first", lambda asking: False)
    monkeypatch.setattr(cache, "get", lambda key: is_asking if "asking" in key else None)
    monkeypatch.setattr(account_checks, "_ask", lambda *_: pytest.fail("it was asked by two"))
    checked = account_check(variant_ids=[1], account={"uid": UID}, address="203.0.113.7")
    assert checked.verdict == AccountVerdict.UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "shown"),
    [("夜雨星光", "夜**光"), ("阿明", "阿*"), ("X", "*"), ("", ""), ("\u202e\u200babc\n", "a**c"), ("  ", "")],
)
def test_names_are_masked(name: str, shown: str) -> None:
    assert masked_nickname(name) == shown


def test_every_verdict_has_words_of_its_own() -> None:
    texts = {Checked(verdict).text for verdict in AccountVerdict}
    assert len(texts) == len(AccountVerdict)


# --- the pages --------------------------------------------------------------------------------------------------------


def post(variant: Variant, form: Mapping[str, str] = FORM, **headers: str) -> str:
    reply = Client(headers={"Sec-Fetch-Site": "same-origin", **headers}).post(
        f"/p/{variant.product.slug}/account/", form, HTTP_HOST=HOST
    )
    assert reply.status_code == 200
    assert "no-store" in reply["Cache-Control"]
    return reply.content.decode()


def test_the_line_below_the_form_tells_the_name(variant: Variant) -> None:
    said = post(variant)
    assert "夜**光 · 刚刚核对过" in said
    assert "夜雨星光" not in said


@pytest.mark.parametrize("form", [{}, {"account_uid": ""}, {"account_uid": "<script>"}, {"account_other": "1"}])
def test_an_incomplete_form_asks_nobody(variant: Variant, knowing: type[KnowingSupplier], form: dict[str, str]) -> None:
    assert post(variant, form).strip() == ""
    assert knowing.asked == []


def test_other_sites_and_other_methods_are_refused(variant: Variant, knowing: type[KnowingSupplier]) -> None:
    path = f"/p/{variant.product.slug}/account/"
    client = Client(headers={"Sec-Fetch-Site": "cross-site"})
    assert client.post(path, FORM, HTTP_HOST=HOST).status_code == 403
    assert client.get(path, FORM, HTTP_HOST=HOST).status_code == 405
    assert (
        client.post("/p/nothing/account/", FORM, HTTP_HOST=HOST, headers={"Sec-Fetch-Site": "none"}).status_code == 404
    )
    assert knowing.asked == []


def test_a_product_page_offers_the_check_where_somebody_can_tell(variant: Variant) -> None:
    path = f"/p/{variant.product.slug}/"
    assert f'hx-post="{path}account/"' in Client().get(path, HTTP_HOST=HOST).content.decode()
    silent = on_sale(suppliers=("third",))
    assert "hx-post" not in Client().get(f"/p/{silent.product.slug}/", HTTP_HOST=HOST).content.decode()


def confirm_page(shop: Reseller, variant: Variant) -> str:
    """As a browser without scripts gets it."""
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    form = {"product": variant.product.slug, "sku": variant.sku, "quantity": "1", "contact": "13812345678", **FORM}
    reply = client.post("/checkout/", form, HTTP_HOST=HOST)
    assert reply.status_code == 303, reply.content.decode()
    return client.get(reply["Location"], HTTP_HOST=HOST).content.decode()


def test_without_scripts_the_confirm_page_asks_and_shows_the_name(shop: Reseller, variant: Variant) -> None:
    said = confirm_page(shop, variant)
    assert re.search(r'data-testid="confirm-nickname">\s*夜\*\*光\s*<', said)


def test_an_account_that_is_not_there_is_said_plainly_and_stops_nobody(
    shop: Reseller, variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    knowing.tells = {"first": AccountCheck(AccountVerdict.NOT_FOUND)}
    said = confirm_page(shop, variant)
    assert "没有查到这个账号" in said
    assert 'role="alert"' in said
    assert 'data-testid="confirm"' in said


def test_what_was_checked_on_the_product_page_is_not_asked_again(
    shop: Reseller, variant: Variant, knowing: type[KnowingSupplier]
) -> None:
    post(variant)
    confirm_page(shop, variant)
    assert len(knowing.asked) == 1


def test_another_amount_is_no_other_account(shop: Reseller, variant: Variant, knowing: type[KnowingSupplier]) -> None:
    larger = on_sale(suppliers=("first",), product=variant.product)
    post(variant)
    assert "夜**光" in confirm_page(shop, larger)
    assert len(knowing.asked) == 1


def test_an_order_for_codes_has_no_account_to_check(shop: Reseller, variant: Variant) -> None:
    assert place(shop, variant).lines.all()[0].account
    assert account_check(variant_ids=[], account={}, address="203.0.113.7").verdict == AccountVerdict.UNAVAILABLE


# --- the API ----------------------------------------------------------------------------------------------------------


def test_programs_get_the_verdict_the_name_and_the_words(variant: Variant) -> None:
    path = f"/api/v1/products/{variant.product.slug}/account-check/"
    reply = Client().post(path, {"account": {"uid": UID}}, content_type="application/json", HTTP_HOST=HOST)
    assert reply.json() == {"verdict": "ok", "nickname": "夜**光", "message": "夜**光 · 刚刚核对过"}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"account": 5}, 400), ({"account": {"uid": {"a": 1}}}, 400), ({"account": {"uid": ""}}, 422),
     ({"account": {"uid": UID, "more": "1"}}, 422)],
)  # fmt: skip
def test_programs_that_ask_badly_are_told_so(
    variant: Variant, knowing: type[KnowingSupplier], body: dict[str, object], status: int
) -> None:
    path = f"/api/v1/products/{variant.product.slug}/account-check/"
    reply = Client().post(path, body, content_type="application/json", HTTP_HOST=HOST)
    assert (reply.status_code, reply["Content-Type"]) == (status, "application/problem+json")
    assert Client().post(
        "/api/v1/products/none/account-check/", body, content_type="application/json", HTTP_HOST=HOST
    ).status_code in (400, 404)
    assert knowing.asked == []
