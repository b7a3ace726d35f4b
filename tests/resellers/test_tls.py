"""Whether a certificate may be had for a host."""

import pytest
from django.test import Client

from resellers import hosts
from resellers.models import Domain

pytestmark = pytest.mark.usefixtures("db")


def asked(domain: str | None, *, host: str = "ops.test") -> int:
    reply = Client().get("/tls/ask", {} if domain is None else {"domain": domain}, headers={"host": host})
    return reply.status_code


@pytest.mark.parametrize("domain", ["one.test", "ONE.Test", "one.test.", "ops.test"])
def test_hosts_of_ours_get_one(domain: str) -> None:
    assert asked(domain) == 200


@pytest.mark.parametrize(
    "domain", [None, "", "other.test", "sub.one.test", "one.test.evil.example", "*.one.test", "x" * 400, "one.test%00"]
)
def test_other_hosts_get_none(domain: str | None) -> None:
    assert asked(domain) == 404


def test_a_host_that_was_taken_away_gets_none_any_more() -> None:
    assert asked("two.test") == 200
    Domain.objects.filter(domain="two.test").delete()
    hosts.forget()
    assert asked("two.test") == 404


def test_only_the_operations_host_is_asked() -> None:
    assert asked("one.test", host="one.test") == 404
    assert Client().post("/tls/ask?domain=one.test", headers={"host": "ops.test"}).status_code == 405


def test_names_that_strangers_make_up_cost_no_query_each(django_assert_num_queries: pytest.FixtureRequest) -> None:
    asked("one.test")
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert [asked(f"stranger-{number}.example") for number in range(5)] == [404] * 5
