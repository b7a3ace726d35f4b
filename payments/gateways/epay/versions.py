"""How the two versions sign, ask and verify. Which one an account speaks is configured, never read from a message.

Version 1 signs with MD5 and a shared key, and its replies are not signed: they are believed because they came over a
connection whose certificate holds. Its questions carry the key in the address, so nothing that is said of a failed call
may quote one. Version 2 signs both ways with RSA over SHA-256 and carries a time.
"""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kameng.core.http import HttpClient, NoAnswer, NothingSent
from payments.gateways import signing
from payments.gateways.base import GatewayRefused, GatewayUnavailable, GatewayUnknown
from payments.gateways.documents import text_of
from payments.gateways.epay import transformers

REPLY_TOLERANCE_SECONDS = 300
#: Installations repeat notices for hours, and not all of them sign anew; older ones are found by asking.
NOTICE_TOLERANCE_SECONDS = 24 * 3600

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Version(ABC):
    """One version of the protocol over one merchant's keys."""

    sign_type: ClassVar[str]
    #: The code of a success.
    success: ClassVar[str]
    submit_path: ClassVar[str]

    def __init__(self, url: str, merchant: str, http: HttpClient, clock: Callable[[], float]) -> None:
        self._url = url
        self._merchant = merchant
        self._http = http
        self._clock = clock

    @abstractmethod
    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with our signature; empty ones are left out."""

    @abstractmethod
    def verify(self, fields: Mapping[str, str]) -> None:
        """Check a notice's signature, and its time where there is one. Raises `ValueError`."""

    @abstractmethod
    def create(self, parameters: Mapping[str, str]) -> tuple[str, str]:
        """Open a payment without a browser; which kind of place the shopper pays at, and the place."""

    @abstractmethod
    def order(self, payment: str) -> dict[str, str]:
        """What the gateway knows of our number."""

    @abstractmethod
    def refund(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return money."""

    @abstractmethod
    def refund_state(self, refund: str) -> dict[str, str]:
        """What the gateway knows of our refund number."""

    def submit_url(self, parameters: Mapping[str, str]) -> str:
        """The page that opens a payment in the shopper's browser."""
        return f"{self._url}{self.submit_path}?{urlencode(self.signed(parameters))}"

    def _ask(self, method: str, path: str, parameters: Mapping[str, str], *, query: str = "") -> dict[str, str]:
        """The flat reply to a call. Nothing that is raised quotes the address or what was sent."""
        sent = urlencode(parameters)
        query = "&".join(part for part in (query, sent if method == "GET" else "") if part)
        address = f"{self._url}{path}" + (f"?{query}" if query else "")
        body = sent.encode("ascii") if method == "POST" else b""
        headers = _FORM if method == "POST" else {"Accept": "application/json"}
        try:
            reply = self._http.request(method, address, headers=headers, body=body)
        except NothingSent as error:
            raise GatewayUnavailable(f"{path}: nothing was sent ({type(error.__cause__).__name__})") from None
        except NoAnswer as error:
            raise GatewayUnknown(f"{path}: no answer ({type(error.__cause__).__name__})") from None
        if reply.status != 200:
            raise GatewayUnknown(f"{path}: HTTP {reply.status}")
        try:
            fields = transformers.reply_fields(reply.body)
            text_of(fields, "code")
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from None
        return fields

    def _accepted(self, path: str, fields: dict[str, str]) -> dict[str, str]:
        if fields["code"] != self.success:
            raise GatewayRefused(fields["code"][:16], f"{path}: {fields.get('msg', '')[:200]}")
        return fields


class Md5Version(Version):
    """Version 1: `submit.php`, `mapi.php`, `api.php`."""

    sign_type: ClassVar[str] = "MD5"
    success: ClassVar[str] = "1"
    submit_path: ClassVar[str] = "/submit.php"

    def __init__(self, key: str, url: str, merchant: str, http: HttpClient, clock: Callable[[], float]) -> None:
        super().__init__(url, merchant, http, clock)
        self._key = key

    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with `sign` and `sign_type`."""
        given = {name: value for name, value in parameters.items() if value != ""}
        return given | {"sign": transformers.md5_signature(given, self._key), "sign_type": self.sign_type}

    def verify(self, fields: Mapping[str, str]) -> None:
        """Check the MD5 signature. Raises `ValueError`."""
        if fields.get("sign_type", self.sign_type) != self.sign_type:
            raise ValueError("sign_type is not MD5")
        wanted = transformers.md5_signature(fields, self._key)
        if not hmac.compare_digest(wanted.encode(), text_of(fields, "sign").encode("utf-8")):
            raise ValueError("wrong signature")

    def create(self, parameters: Mapping[str, str]) -> tuple[str, str]:
        """`mapi.php` answers one of `payurl`, `qrcode` and `urlscheme`."""
        path = "/mapi.php"
        fields = self._accepted(path, self._ask("POST", path, self.signed(parameters)))
        for kind in ("qrcode", "payurl", "urlscheme"):
            if fields.get(kind):
                return kind, fields[kind]
        raise GatewayUnknown(f"{path}: no place to pay")

    def order(self, payment: str) -> dict[str, str]:
        """`api.php?act=order`, with the key in the address."""
        asked = {"act": "order", "pid": self._merchant, "key": self._key, "out_trade_no": payment}
        return self._accepted("/api.php", self._ask("GET", "/api.php", asked))

    def refund(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """`api.php?act=refund`, which knows no number of ours: sent twice, it may return money twice."""
        asked = {"pid": self._merchant, "key": self._key}
        asked |= {name: parameters[name] for name in ("out_trade_no", "trade_no", "money") if parameters.get(name)}
        return self._accepted("/api.php", self._ask("POST", "/api.php", asked, query="act=refund"))

    def refund_state(self, refund: str) -> dict[str, str]:
        """There is no such question. Raises `GatewayUnknown`."""
        raise GatewayUnknown("version 1 cannot be asked about a refund")


class RsaVersion(Version):
    """Version 2: `/api/pay/…`, every reply signed by the platform."""

    sign_type: ClassVar[str] = "RSA"
    success: ClassVar[str] = "0"
    submit_path: ClassVar[str] = "/api/pay/submit"

    def __init__(
        self,
        private_key: RSAPrivateKey,
        public_key: RSAPublicKey,
        url: str,
        merchant: str,
        http: HttpClient,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(url, merchant, http, clock)
        self._private_key = private_key
        self._public_key = public_key

    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with `timestamp`, `sign` and `sign_type`."""
        given = {name: value for name, value in parameters.items() if value != ""}
        given["timestamp"] = str(int(self._clock()))
        signature = signing.sign(self._private_key, transformers.signed_text(given).encode("utf-8"))
        return given | {"sign": signature, "sign_type": self.sign_type}

    def verify(self, fields: Mapping[str, str]) -> None:
        """Check the platform's RSA signature and the time. Raises `ValueError`."""
        if fields.get("sign_type") != self.sign_type:
            raise ValueError("sign_type is not RSA")
        text = transformers.signed_text(fields).encode("utf-8")
        if not signing.verify(self._public_key, text, text_of(fields, "sign")):
            raise ValueError("wrong signature")
        self._check_time(fields, NOTICE_TOLERANCE_SECONDS)

    def create(self, parameters: Mapping[str, str]) -> tuple[str, str]:
        """`/api/pay/create` answers a `pay_type` and, for it, `pay_info`."""
        fields = self._call("/api/pay/create", parameters)
        kind = {"qrcode": "qrcode", "jump": "payurl", "urlscheme": "urlscheme"}.get(fields.get("pay_type", ""))
        if kind is None:
            raise GatewayUnknown("/api/pay/create: a pay_type that no page of ours can show")
        return kind, fields.get("pay_info", "")

    def order(self, payment: str) -> dict[str, str]:
        """`/api/pay/query`."""
        return self._call("/api/pay/query", {"pid": self._merchant, "out_trade_no": payment})

    def refund(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """`/api/pay/refund`; `out_refund_no` keeps it from being done twice."""
        return self._call("/api/pay/refund", {"pid": self._merchant, **parameters})

    def refund_state(self, refund: str) -> dict[str, str]:
        """`/api/pay/refundquery`."""
        return self._call("/api/pay/refundquery", {"pid": self._merchant, "out_refund_no": refund})

    def _call(self, path: str, parameters: Mapping[str, str]) -> dict[str, str]:
        fields = self._ask("POST", path, self.signed(parameters))
        if fields["code"] != self.success and not fields.get("sign"):
            # Installations do not sign their refusals; a person looks at one that matters.
            return self._accepted(path, fields)
        try:
            if fields.get("sign_type", self.sign_type) != self.sign_type:
                raise ValueError("sign_type is not RSA")
            if not signing.verify(self._public_key, transformers.signed_reply(fields), text_of(fields, "sign")):
                raise ValueError("wrong signature on the reply")
            self._check_time(fields, REPLY_TOLERANCE_SECONDS)
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from None
        return self._accepted(path, fields)

    def _check_time(self, fields: Mapping[str, str], tolerance: int) -> None:
        timestamp = text_of(fields, "timestamp")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise ValueError("the timestamp is none")
        age = self._clock() - int(timestamp)
        if age > tolerance or age < -REPLY_TOLERANCE_SECONDS:
            raise ValueError("the timestamp is too far from our clock")
