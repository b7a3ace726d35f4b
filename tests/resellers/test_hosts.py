"""Which shop answers on a host."""

import pytest
from django.utils import timezone

from kameng.core.remembered import Witness
from resellers import hosts
from resellers.hosts import hostname, shop_of
from resellers.models import Domain, Reseller
from resellers.plans.models import Tenure
from resellers.plans.standing import Standing, standing_of
from resellers.selectors import shop_in, shop_of_number, witness

SAME = ["one.test", "ONE.TEST", "One.Test", "one.test.", "one.test:8000", "One.TEST.:443"]
STRANGERS = [
    "", ".", ":", ":8000", "test", "one", "one.tes", "one.testt", "xone.test", "www.one.test", "one.test.evil.test",
    "one.test..", "one..test", ".one.test", "one.test@evil.test", "one.test/two.test", "one.test,two.test", "one_test",
    "127.0.0.1", "[::1]", "[::1]:8000", "[", "localhost", "%", "%one.test", "one.test\x00", "\x00", "ｏne.test",
    "a" * 5000, "' OR 1=1 --",
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("Shop.Example.:8000", "shop.example"),
        ("shop.example", "shop.example"),
        ("[2001:DB8::1]:8000", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_a_host_is_compared_without_case_port_and_trailing_dot(raw: str, host: str) -> None:
    assert hostname(raw) == host


@pytest.mark.django_db
@pytest.mark.parametrize("raw", [*SAME, " one.test "])
def test_a_shops_host_is_found_however_it_is_written(raw: str) -> None:
    found = shop_of(raw)
    assert found is not None
    assert found.schema_name == "shop_one"


@pytest.mark.django_db
@pytest.mark.parametrize("raw", STRANGERS)
def test_a_host_that_is_nobodys_is_nobodys(raw: str) -> None:
    assert shop_of(raw) is None


@pytest.mark.django_db
def test_a_shop_may_have_several_hosts() -> None:
    one = Reseller.objects.get(slug="one")
    Domain.objects.create(domain="another.test", tenant=one, is_primary=False)
    assert [shop_of("another.test"), shop_of("one.test")] == [one, one]


@pytest.mark.django_db
def test_a_host_is_looked_up_once_a_second(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    now = 1000.0
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: now)
    shop_of("one.test")
    shop_of("nobody.test")
    with django_assert_num_queries(0):  # type: ignore[operator]
        shop_of("ONE.test")
        shop_of("nobody.test")
    Domain.objects.filter(domain="one.test").update(domain="moved.test")
    assert shop_of("one.test") is not None
    now += 1.1
    assert shop_of("one.test") is None
    assert shop_of("moved.test") is not None


@pytest.mark.django_db
def test_no_more_hosts_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts._known, "_size", 3)
    for number in range(10):
        shop_of(f"nobody-{number}.test")
    assert list(hosts._known._known) == ["nobody-7.test", "nobody-8.test", "nobody-9.test"]


@pytest.mark.django_db
def test_many_hosts_are_vouched_for_by_one_question_and_only_what_changed_is_read_anew(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    now = 1000.0
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: now)
    monkeypatch.setattr(Witness, "MANY", 3)
    monkeypatch.setattr(witness, "settled", lambda: True)  # the test itself is a transaction
    one, two = Reseller.objects.get(slug="one"), Reseller.objects.get(slug="two")
    for number in range(8):
        Domain.objects.create(domain=f"one-{number}.test", tenant=one, is_primary=False)
    asked = ["one.test", *(f"one-{number}.test" for number in range(8)), "two.test"]

    def all_of_them() -> list[Reseller | None]:
        return [shop_of(host) for host in asked]

    before = all_of_them()
    for _ in range(3):
        now += 1.1
        all_of_them()
    now += 1.1
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert all_of_them() == before
        assert [shop_in("shop_one"), shop_in("shop_two")] == [one, two]
    Reseller.objects.filter(pk=two.pk).update(name="Other")
    now += 1.1
    with django_assert_num_queries(3):  # type: ignore[operator]
        after = all_of_them()
    assert (after[-1].name, after[:-1]) == ("Other", before[:-1])  # type: ignore[union-attr]
    Domain.objects.filter(domain="one-3.test").update(tenant=two)
    Domain.objects.filter(domain="one-4.test").delete()
    Tenure.objects.update_or_create(shop_id=one.pk, defaults={"suspended_at": timezone.now(), "suspended_reason": "x"})
    now += 1.1
    after = all_of_them()
    assert (after[4], after[5]) == (two, None)
    assert standing_of(after[0]) == Standing.SUSPENDED  # type: ignore[arg-type]


@pytest.mark.django_db
def test_what_a_transaction_reads_is_not_settled() -> None:
    assert not witness.settled()


@pytest.mark.django_db
def test_a_shop_is_read_anew_only_where_its_rows_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: now)
    number = f"{Reseller.objects.get(slug='one').pk}"
    monkeypatch.setattr("resellers.selectors.shop_id_of", int)

    def ways() -> list[Reseller]:
        found = [shop_of("one.test"), shop_in("shop_one"), shop_of_number(number)]
        return [shop for shop in found if shop is not None]

    before = ways()
    now += 1.1
    assert [shop is known for shop, known in zip(ways(), before, strict=True)] == [True] * 3
    Reseller.objects.filter(slug="one").update(name="Other")
    now += 1.1
    assert [shop.name for shop in ways()] == ["Other"] * 3
    Tenure.objects.update_or_create(
        shop_id=before[0].pk, defaults={"suspended_at": timezone.now(), "suspended_reason": "x"}
    )
    now += 1.1
    assert [standing_of(shop) for shop in ways()] == [Standing.SUSPENDED] * 3
    Reseller.objects.filter(slug="one").update(schema_name="shop_moved")
    now += 1.1
    assert shop_in("shop_one") is None
