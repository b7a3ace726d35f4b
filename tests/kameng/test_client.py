"""Whose address counts for limits and is told to gateways."""

from typing import Any

import pytest
from django.test import RequestFactory

from kameng.core.client import client_address

SHOPPER = "203.0.113.9"


def seen(remote: str, forwarded: str | None = None) -> str:
    headers: dict[str, Any] = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))


@pytest.fixture
def proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.7", "172.30.83.0/24", "fd00::/8"]


@pytest.mark.usefixtures("proxies")
@pytest.mark.parametrize("proxy", ["10.0.0.7", "172.30.83.2", "172.30.83.255", "fd12::5", "::ffff:172.30.83.2"])
def test_a_trusted_proxy_is_believed(proxy: str) -> None:
    assert seen(proxy, SHOPPER) == SHOPPER


@pytest.mark.usefixtures("proxies")
@pytest.mark.parametrize("stranger", ["10.0.0.8", "172.30.84.1", "fe80::1", "198.51.100.4"])
def test_a_stranger_cannot_pretend_to_be_somebody_else(stranger: str) -> None:
    assert seen(stranger, SHOPPER) == stranger


@pytest.mark.usefixtures("proxies")
def test_of_several_hops_the_nearest_that_is_not_ours_counts() -> None:
    assert seen("172.30.83.2", f"192.0.2.1, {SHOPPER}, 10.0.0.7") == SHOPPER


@pytest.mark.usefixtures("proxies")
def test_what_a_stranger_wrote_before_the_nearest_hop_is_not_read() -> None:
    assert seen("172.30.83.2", f"10.0.0.7, {SHOPPER}") == SHOPPER
    assert seen("172.30.83.2", f"nonsense, {SHOPPER}") == SHOPPER


@pytest.mark.usefixtures("proxies")
@pytest.mark.parametrize("garbage", ["unknown", "", " ", "203.0.113.9:4711", "203.0.113.9 or 1=1", "x" * 5000])
def test_a_hop_that_is_no_address_leaves_the_proxy_as_the_client(garbage: str) -> None:
    assert seen("172.30.83.2", f"{SHOPPER}, {garbage}") == "172.30.83.2"


@pytest.mark.usefixtures("proxies")
def test_without_a_header_the_proxy_itself_is_the_client() -> None:
    assert seen("172.30.83.2") == "172.30.83.2"


@pytest.mark.usefixtures("proxies")
def test_a_chain_of_our_own_proxies_ends_with_the_farthest() -> None:
    assert seen("172.30.83.2", "172.30.83.9, 10.0.0.7") == "172.30.83.9"


@pytest.mark.usefixtures("proxies")
def test_one_address_has_one_spelling() -> None:
    assert seen("172.30.83.2", "2001:DB8:0:0::1") == "2001:db8::1"
    assert seen("::ffff:198.51.100.4") == "198.51.100.4"


def test_nobody_is_trusted_by_default(settings: Any) -> None:
    settings.TRUSTED_PROXIES = []
    assert seen("127.0.0.1", SHOPPER) == "127.0.0.1"


def test_a_unix_socket_has_no_address() -> None:
    assert seen("", SHOPPER) == ""


def test_a_network_with_host_bits_set_is_refused(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["172.30.83.7/24"]
    with pytest.raises(ValueError, match="host bits set"):
        seen("172.30.83.2", SHOPPER)
