"""Signing in: OAuth 2.0 client credentials (RFC 6749, section 4.4), a token for each of Reloadly's services.

Source: https://github.com/Reloadly/reloadly-api-documentation, `openapi/paths/access-token.yaml`. The token comes from
a host of its own, and what is asked there buys nothing: whatever goes wrong, the purchase was not sent.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.calling import exchange
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, json_object, whole
from kameng.core.http import HttpClient, Reply

#: A token is not used in its last seconds.
MARGIN_SECONDS = 60
#: A 401 of the token endpoint says one of these; the SDKs' recordings have none beside "Access Denied".
DENIALS = frozenset({"INVALID_CREDENTIALS", "CREDENTIAL_VS_ENVIRONMENT_MISMATCH"})


@dataclass(frozen=True)
class Token:
    """A bearer token and until when it may be used, in Unix seconds."""

    text: str = field(repr=False)
    good_until: float


class Access:
    """The tokens of one account, kept until they expire."""

    def __init__(self, http: HttpClient, *, url: str, client: str, secret: str, clock: Callable[[], float]) -> None:
        self._http = http
        self._url = url
        self._client = client
        self._secret = secret
        self._clock = clock
        #: By audience.
        self.tokens: dict[str, Token] = {}

    def held(self, audience: str) -> Token | None:
        """A token from before that has not expired."""
        token = self.tokens.get(audience)
        return token if token is not None and self._clock() < token.good_until else None

    def fetch(self, audience: str, evidence: Evidence, *, buying: bool) -> Token | Outcome:
        """A new token, or the outcome that its lack is: `NOT_SENT`, for wrong credentials `REFUSED`, for a question
        `UNKNOWN`."""
        self.tokens.pop(audience, None)
        body = {
            "client_id": self._client,
            "client_secret": self._secret,
            "grant_type": "client_credentials",
            "audience": audience,
        }
        evidence.sent("POST /oauth/token", {})
        reply = exchange(
            self._http,
            evidence,
            method="POST",
            url=self._url,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=json.dumps(body).encode(),
            buying=False,
        )
        if isinstance(reply, Outcome):
            return _without(evidence, buying=buying, message=reply.message)
        try:
            fields = json_object(reply.body)
        except Unclear:
            evidence.replied(reply)
            return _without(evidence, buying=buying)
        evidence.replied(reply, fields)
        token = self._token(reply, fields)
        if token is not None:
            self.tokens[audience] = token
            return token
        said = evidence.said(fields.get("message"))
        code = fields.get("errorCode")
        denied = reply.status == 401 and (code in DENIALS if isinstance(code, str) else said == "Access Denied")
        return _without(evidence, buying=buying, message=said, denied=denied)

    def _token(self, reply: Reply, fields: dict[str, object]) -> Token | None:
        text, lasts = fields.get("access_token"), whole(fields.get("expires_in"))
        if reply.status != 200 or not isinstance(text, str) or not text.isascii() or not text.isprintable():
            return None
        if not text or " " in text or str(fields.get("token_type") or "Bearer").lower() != "bearer":
            return None
        return Token(text, self._clock() + (lasts or 0) - MARGIN_SECONDS)


def _without(evidence: Evidence, *, buying: bool, message: str = "", denied: bool = False) -> Outcome:
    if denied:
        kind, reason = OutcomeKind.REFUSED if buying else OutcomeKind.UNKNOWN, Reason.BAD_CREDENTIALS
    else:
        kind, reason = OutcomeKind.NOT_SENT if buying else OutcomeKind.UNKNOWN, Reason.NO_CONNECTION
    return Outcome(kind, code=reason, message=message, evidence=evidence.text(), eliminates=denied)
