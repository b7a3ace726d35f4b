"""What every adapter that speaks HTTP does alike: check its configuration, call, place the two ends without reply."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit

from fulfillment.suppliers.base import Connection, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HeldUp, HttpClient, NoAnswer, NothingSent, Reply


def require_config(connection: Connection, names: Iterable[str]) -> None:
    """Refuse a connection with an empty secret, or an address that is not https (http on this machine only).

    Raises `SupplierMisconfigured`.
    """
    wrong = sorted(name for name in names if not str(connection.config.get(name) or "").strip())
    if not is_address(connection.base_url):
        wrong.append("base_url")
    if wrong:
        raise SupplierMisconfigured(f"{connection.supplier}: missing or unfit: {', '.join(wrong)}")


def is_address(url: str) -> bool:
    """Whether secrets may be sent there: https, or http on this machine, and nothing but host, port and path."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or parts.username is not None:
        return False
    on_this_machine = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    return parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)


_send_by: ContextVar[float | None] = ContextVar("send_by", default=None)


@contextmanager
def sent_by(moment: float | None) -> Iterator[None]:
    """No purchase that is made inside is sent after that moment, by `kameng.core.deadlines.awake`."""
    token = _send_by.set(moment)
    try:
        yield
    finally:
        _send_by.reset(token)


def exchange(
    http: HttpClient,
    evidence: Evidence,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    buying: bool,
) -> Reply | Outcome:
    """One HTTP exchange, or the outcome that its failure is.

    A request that never left frees the attempt only when it was the purchase itself (`buying`): an unsent question says
    nothing about what was bought before. A purchase that was held up too long is not sent, and frees nothing either:
    another may have taken the attempt over.
    """
    try:
        return http.request(method, url, headers=headers, body=body, send_by=_send_by.get() if buying else None)
    except HeldUp as failure:
        evidence.silent(failure)
        kind, reason, said = OutcomeKind.UNKNOWN, Reason.HELD_UP, evidence.said(str(failure))
    except NothingSent as failure:
        evidence.silent(failure)
        kind = OutcomeKind.NOT_SENT if buying else OutcomeKind.UNKNOWN
        reason = Reason.NO_CONNECTION
        said = evidence.said(str(failure))
    except NoAnswer as failure:
        evidence.silent(failure)
        kind, reason, said = OutcomeKind.UNKNOWN, Reason.NO_ANSWER, evidence.said(str(failure))
    return Outcome(kind, code=reason, message=said, evidence=evidence.text())
