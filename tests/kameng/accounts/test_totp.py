"""Codes as the standard has them."""

import base64

import pytest

from kameng.accounts.totp import address, code_at, matching_step, new_key, step_of

KEY = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
        (2000000000, "69279037"), (20000000000, "65353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_rfc_6238_appendix_b(now: int, code: str) -> None:
    assert code_at(KEY, step_of(now)) == code[-6:]


@pytest.mark.parametrize(("off", "found"), [(-2, None), (-1, 9), (0, 10), (1, 11), (2, None)])
def test_a_clock_may_be_one_step_off_either_way(off: int, found: int | None) -> None:
    assert matching_step(KEY, code_at(KEY, 10 + off), now=10 * 30 + 29.9) == found


@pytest.mark.parametrize("typed", ["", "94287", "9428708２", "94287082", "００００００"])
def test_what_is_no_code_matches_nothing(typed: str) -> None:
    assert matching_step(KEY, typed, now=59) is None


def test_an_app_is_told_the_key_and_whose_it_is() -> None:
    told = address("ABC", issuer="悦游 A", account="owner")
    assert told.startswith("otpauth://totp/%E6%82%A6%E6%B8%B8%20A%3Aowner?secret=ABC&issuer=%E6%82%A6%E6%B8%B8%20A&")
    assert "+" not in told


def test_keys_are_as_long_as_the_digest_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(base64.b32decode(key)) for key in keys} == {20}
