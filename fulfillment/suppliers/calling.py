"""What every adapter that speaks HTTP does alike: check its configuration, call, place the two ends without reply."""

from collections.abc import Iterable, Mapping

from fulfillment.suppliers.base import Connection, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient, NoAnswer, NothingSent, Reply


def require_config(connection: Connection, names: Iterable[str]) -> None:
    """Refuse a connection without address or with an empty secret. Raises `SupplierMisconfigured`."""
    missing = sorted(name for name in names if not connection.config.get(name, "").strip())
    if not connection.base_url.startswith(("https://", "http://")):
        missing.append("base_url")
    if missing:
        raise SupplierMisconfigured(f"{connection.supplier}: missing {', '.join(missing)}")


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
    nothing about what was bought before.
    """
    try:
        return http.request(method, url, headers=headers, body=body)
    except NothingSent as failure:
        evidence.silent(failure)
        kind = OutcomeKind.NOT_SENT if buying else OutcomeKind.UNKNOWN
        reason = Reason.NO_CONNECTION
        said = evidence.said(str(failure))
    except NoAnswer as failure:
        evidence.silent(failure)
        kind, reason, said = OutcomeKind.UNKNOWN, Reason.NO_ANSWER, evidence.said(str(failure))
    return Outcome(kind, code=reason, message=said, evidence=evidence.text())
