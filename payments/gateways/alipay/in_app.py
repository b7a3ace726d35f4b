"""Paying inside Alipay: who the shopper is to our application, and what Alipay's browser is told to pay.

Sources: opendocs.alipay.com/open/284 (`scope=auth_base`, which asks the shopper nothing), …/alipay.system.oauth.token,
…/alipay.trade.create (`JSAPI_PAY`), myjsapi.alipay.com/jsapi/native/trade-pay.html (what the page calls). An open_id
means something to one application only; older applications are told a user_id, which begins with 2088.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from payments.gateways.configuration import read_base_url, read_flag, read_optional_text
from payments.gateways.documents import text_of

AUTHORIZE_URL = "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm"
CREATE, TOKEN = "alipay.trade.create", "alipay.system.oauth.token"
PRODUCT = "JSAPI_PAY"

_WORD = re.compile(r"[A-Za-z0-9_-]{6,128}")
_USER_ID = re.compile(r"2088[0-9]{12}")


def read_authorize_url(config: Mapping[str, object]) -> str:
    """Where shoppers are sent, at Alipay's unless `authorize_url` says otherwise; empty without `jsapi`, which says
    that the merchant has that contract. Raises `GatewayMisconfigured`."""
    name, is_agreed = "authorize_url", read_flag(config, "jsapi", default=False)
    return read_base_url({name: read_optional_text(config, name) or AUTHORIZE_URL}, name) if is_agreed else ""


def authorize_url(base: str, *, app: str, return_url: str, state: str) -> str:
    """Where to send the shopper, who comes back to `return_url` with `auth_code` and `state`."""
    return f"{base}?{urlencode({'app_id': app, 'scope': 'auth_base', 'redirect_uri': return_url, 'state': state})}"


def is_word(text: str) -> bool:
    """Whether it may be a code, an open_id or a user_id."""
    return _WORD.fullmatch(text) is not None


def buyer(payer: str) -> dict[str, object]:
    """Who pays, in the words of `alipay.trade.create`."""
    return {"buyer_id" if _USER_ID.fullmatch(payer) else "buyer_open_id": payer}


def payer_in(document: Mapping[str, object]) -> str:
    """Whom the answer to a code names. Raises `ValueError`."""
    payer = text_of(document, "open_id" if document.get("open_id") else "user_id")
    if not is_word(payer):
        raise ValueError("neither an open_id nor a user_id")
    return payer
