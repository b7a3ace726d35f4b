"""Whether Alipay's certificates are what its roots have issued.

As `AntCertificationUtil.isTrusted` of the official SDK has it (github.com/alipay/alipay-easysdk): the file of Alipay's
certificate holds what lies between it and a root, and every link is signed by the next one and within its time. Whoever
lies between is a certificate authority (RFC 5280, section 4.2.1.9), so that no application's certificate, which the
same roots issue, stands in for one.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from payments.gateways.base import GatewayMisconfigured

#: More links than any real chain has; certificates that name each other in a circle end here.
LONGEST = 5


def chain_check(supplied: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], *, now: datetime) -> None:
    """Every certificate that is supplied leads to a root, but for those whose time is over beside one that takes their
    place. Raises `GatewayMisconfigured`, which says what does not."""
    in_use = [certificate for certificate in supplied if certificate.not_valid_after_utc >= now]
    if all(_is_authority(certificate) for certificate in in_use):
        in_use = list(supplied)
    for certificate in in_use:
        _lead_up(certificate, supplied, roots, now)


def _lead_up(
    certificate: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime
) -> None:
    link = certificate
    for _step in range(LONGEST):
        _in_time(link, now)
        if link in roots:
            return
        if root := next((root for root in roots if _issued(link, root)), None):
            _in_time(root, now)
            return
        above = [other for other in between if other != link and _is_authority(other)]
        issuer = next((other for other in above if _issued(link, other)), None)
        if issuer is None:
            named = link.issuer.rfc4514_string()
            raise GatewayMisconfigured(
                f"alipay_public_cert: nothing in alipay_root_cert or beside it has signed what {named!r} is said to"
                " have issued; take both files from the same application"
            )
        link = issuer
    raise GatewayMisconfigured("alipay_public_cert: its certificates lead to no root")


def _in_time(certificate: x509.Certificate, now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now <= ends:
        raise GatewayMisconfigured(
            f"the certificate of {certificate.subject.rfc4514_string()!r} is valid from {begins:%Y-%m-%d} to"
            f" {ends:%Y-%m-%d}, not today"
        )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the one names the other, and is signed by its key."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
