"""What may be somebody's own host."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resellers.domains.names import (
    MAX_LENGTH,
    BadName,
    Fault,
    Platform,
    check_against,
    normalized,
    shown,
    skeleton,
)

PLATFORM = Platform({"ops.kameng.cn", "kameng.cn", "house.example"}, ("kameng",))


def fault_of(text: str) -> Fault | None:
    try:
        check_against(normalized(text), PLATFORM)
    except BadName as bad:
        return bad.fault
    return None


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" Shop.Baidu.COM. ", "shop.baidu.com"),
        ("https://shop.baidu.com/", "shop.baidu.com"),
        ("充值.中国", "xn--hxqzy.xn--fiqs8s"),
        ("xn--hxqzy.xn--fiqs8s", "xn--hxqzy.xn--fiqs8s"),
        ("shop。baidu．com", "shop.baidu.com"),
        ("ｓｈｏｐ.com", "shop.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("apple充值.com", "xn--apple-m83hy5d.com"),
    ],
)
def test_a_host_is_kept_in_one_form_however_it_is_written(typed: str, host: str) -> None:
    assert normalized(typed) == host
    assert normalized(shown(host)) == host


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        *[(text, Fault.NOT_A_HOST) for text in (
            "", ".", "a..b.com", "-a.com", "a-.com", "a_b.com", "*.shop.com", "shop.com:8000", "http://shop.com/x",
            "https://me@shop.com", "ftp://shop.com", "shop com", "xn--a.com", "shop.com/x", "shop.com?x=1", "a.1",
        )],
        *[(text, Fault.ADDRESS) for text in (
            "1.2.3.4", "127.1", "2130706433", "0x7f000001", "0x7f.1", "[::1]", "::1", "１.2.3.4",
        )],
        ("localhost", Fault.SINGLE), ("com", Fault.SINGLE), ("shop", Fault.SINGLE),
        ("com.cn", Fault.REGISTRY), ("co.uk", Fault.REGISTRY),
        *[(f"shop.{end}", Fault.RESERVED) for end in ("test", "localhost", "local", "onion", "internal", "example")],
        (f"{'a' * 64}.com", Fault.TOO_LONG), (f"{'a.' * 122}com", Fault.TOO_LONG),
        ("x" * 1000 + ".com", Fault.TOO_LONG),
        ("аpple.com", Fault.MIXED), ("paypаl.com", Fault.MIXED), ("раypal.com", Fault.MIXED),
        ("ъyандекс.com", Fault.MIXED), ("αpple.com", Fault.MIXED),
        ("хахаха.com", Fault.CONFUSABLE), ("сосо.com", Fault.CONFUSABLE), ("ıcloud.com", Fault.CONFUSABLE),
        ("kameng.cn", Fault.PLATFORM), ("a.b.kameng.cn", Fault.PLATFORM), ("ops.kameng.cn", Fault.PLATFORM),
        *[(text, Fault.LOOKS_LIKE_PLATFORM) for text in (
            "kameng.com", "kameng-vip.com", "karneng.cn", "kanneng.cn", "kamemg.cn", "kamenq.cn", "ka-meng.cn",
            "kam3ng.com", "kameng.shop.com", "kamèng.cn", "xkameng888.top", "kamng.cn",
        )],
    ],
)  # fmt: skip
def test_what_cannot_be_an_owners_own_host_is_refused_with_the_reason(typed: str, fault: Fault) -> None:
    assert fault_of(typed) == fault


@pytest.mark.parametrize("typed", ["kamen-tools.com", "mykam.com", "notkameng.cn.evil.com", "shop.com.cn"])
def test_what_is_near_a_name_of_ours_and_not_like_it_passes_or_not(typed: str) -> None:
    assert fault_of(typed) == (Fault.LOOKS_LIKE_PLATFORM if "kameng" in typed else None)


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_host_or_refused(text: str) -> None:
    try:
        host = normalized(text)
    except BadName:
        return
    assert host == host.lower()
    assert host.isascii()
    assert 3 <= len(host) <= MAX_LENGTH
    assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert normalized(host) == host


def test_what_reads_alike_has_one_skeleton() -> None:
    assert len({skeleton(text) for text in ("kameng", "KAMENG", "karneng", "ka-meng", "kаmeng", "kámeng")}) == 1
