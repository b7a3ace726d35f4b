"""Alipay's certificate leads to its root, link by link, or the account is not saved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from payments.gateways.alipay.chains import chain_check
from payments.gateways.base import GatewayMisconfigured
from tests.payments.gateways.conftest import Keys
from tests.payments.gateways.platforms import NOW
from tests.payments.gateways.test_alipay_certificates import name

TODAY = datetime.fromtimestamp(NOW, UTC)


def link(subject: str, key: Any, issuer: str, signer: Any, *, is_authority: bool = False, days: int = 10) -> Any:
    """A certificate that began a hundred days ago and ends in `days`."""
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(TODAY - timedelta(days=100)).not_valid_after(TODAY + timedelta(days=days))
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(signer, hashes.SHA256())


def test_it_may_be_issued_by_the_root_or_by_an_authority_beside_it(keys: Keys) -> None:
    root = link("R1", keys.certified, "R1", keys.certified)
    chain_check([link("leaf", keys.platform, "R1", keys.certified)], [root], now=TODAY)
    between = link("Class 1 R1", keys.merchant, "R1", keys.certified, is_authority=True)
    leaf = link("leaf", keys.platform, "Class 1 R1", keys.merchant)
    for supplied in ([leaf, between], [between, leaf], [leaf, between, root]):
        chain_check(supplied, [link("R2", keys.stranger, "R2", keys.stranger), root], now=TODAY)


def test_one_whose_time_is_over_does_not_hold_up_the_one_that_takes_its_place(keys: Keys) -> None:
    root = link("R1", keys.certified, "R1", keys.certified)
    between = link("Class 1 R1", keys.merchant, "R1", keys.certified, is_authority=True)
    over = link("leaf", keys.platform, "R1", keys.certified, days=-1)
    valid = link("leaf", keys.stranger, "Class 1 R1", keys.merchant)
    chain_check([over, valid, between], [root], now=TODAY)
    # One authority alone is no certificate of Alipay's, and a wrong one is not excused by the old one beside it.
    for supplied in ([over, between], [over, link("leaf", keys.stranger, "R1", keys.stranger)]):
        with pytest.raises(GatewayMisconfigured):
            chain_check(supplied, [root], now=TODAY)


def test_whatever_does_not_lead_there_is_refused_in_words(keys: Keys) -> None:
    root = link("R1", keys.certified, "R1", keys.certified)
    leaf = link("leaf", keys.platform, "Class 1 R1", keys.merchant)
    between = link("Class 1 R1", keys.merchant, "R1", keys.certified, is_authority=True)
    application = link("Class 1 R1", keys.merchant, "R1", keys.certified)
    forged = link("leaf", keys.platform, "R1", keys.stranger)
    circle = [
        link("A", keys.merchant, "B", keys.stranger, is_authority=True),
        link("B", keys.stranger, "A", keys.merchant, is_authority=True),
    ]
    wrong: list[tuple[list[Any], str]] = [
        ([forged], "has signed what"),
        ([leaf], "has signed what"),
        ([leaf, application], "has signed what"),
        ([link("leaf", keys.platform, "leaf", keys.platform)], "has signed what"),
        (circle, "lead to no root"),
        ([link("leaf", keys.platform, "R1", keys.certified, days=-1)], "not today"),
        ([leaf, link("Class 1 R1", keys.merchant, "R1", keys.certified, is_authority=True, days=-1)], "not today"),
    ]
    for supplied, said in wrong:
        with pytest.raises(GatewayMisconfigured, match=said):
            chain_check(supplied, [root], now=TODAY)
    with pytest.raises(GatewayMisconfigured, match="not today"):
        chain_check([leaf, between], [link("R1", keys.certified, "R1", keys.certified, days=-1)], now=TODAY)
    with pytest.raises(GatewayMisconfigured, match="not today"):
        chain_check([leaf, between], [root], now=TODAY - timedelta(days=101))
