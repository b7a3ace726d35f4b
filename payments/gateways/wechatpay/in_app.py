"""Paying inside WeChat: who the shopper is to our application (`openid`), and what WeChat's browser is told to pay.

Sources: pay.weixin.qq.com/doc/v3/merchant/4012791857 (what the page calls and how that is signed) and
developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html (`snsapi_base`, which asks the
shopper nothing). An openid means something to one application only.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from kameng.core.http import HttpClient, NoAnswer, NothingSent
from payments.gateways import signing
from payments.gateways.base import GatewayRefused, GatewayUnavailable, GatewayUnknown
from payments.gateways.configuration import read_base_url, read_optional_text
from payments.gateways.documents import read_object

AUTHORIZE_URL = "https://open.weixin.qq.com/connect/oauth2/authorize"
LOGIN_URL = "https://api.weixin.qq.com"
#: `errcode` where their system is busy and nothing is said of the code.
BUSY = -1

_OPENID = re.compile(r"[A-Za-z0-9_-]{6,128}")


def is_openid(text: str) -> bool:
    """Whether it may be one."""
    return _OPENID.fullmatch(text) is not None


def call_of(app: str, prepay_id: str, key: RSAPrivateKey, *, now: int, nonce: str) -> dict[str, str]:
    """What `WeixinJSBridge` is called with: `getBrandWCPayRequest` takes it as it is."""
    package = f"prepay_id={prepay_id}"
    message = f"{app}\n{now}\n{nonce}\n{package}\n"
    return {
        "appId": app,
        "timeStamp": str(now),
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signing.sign(key, message.encode()),
    }


class Login:
    """An official account's application, which may ask WeChat who opened a page in it."""

    def __init__(self, config: Mapping[str, object], http: HttpClient, *, app: str, secret: str) -> None:
        """`authorize_url` and `login_url` of the configuration lead elsewhere than to WeChat. Raises
        `GatewayMisconfigured`."""
        self._authorize_url = _url(config, "authorize_url", AUTHORIZE_URL)
        self._login_url = _url(config, "login_url", LOGIN_URL)
        self._app, self._secret, self._http = app, secret, http

    def url(self, *, return_url: str, state: str) -> str:
        """Where to send the shopper, who comes back to `return_url` with `code` and `state`."""
        asked = {
            "appid": self._app,
            "redirect_uri": return_url,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
        return f"{self._authorize_url}?{urlencode(asked)}#wechat_redirect"

    def openid(self, code: str) -> str:
        """Who came back with a code; it counts once, for five minutes.

        Raises `GatewayRefused` for one that counts no more, `GatewayUnavailable` and `GatewayUnknown`. The address
        carries our secret: no reason quotes it.
        """
        call = "sns/oauth2/access_token"
        asked = {"appid": self._app, "secret": self._secret, "code": code, "grant_type": "authorization_code"}
        try:
            reply = self._http.request("GET", f"{self._login_url}/{call}?{urlencode(asked)}", headers={}, body=b"")
        except (NothingSent, NoAnswer) as error:
            raise GatewayUnavailable(f"{call}: {type(error).__name__}") from None
        if reply.status != 200:
            raise GatewayUnknown(f"{call}: HTTP {reply.status}")
        try:
            document = read_object(reply.body)
        except ValueError:
            raise GatewayUnknown(f"{call}: not a JSON object") from None
        if problem := document.get("errcode"):
            if problem == BUSY:
                raise GatewayUnavailable(f"{call}: busy")
            raise GatewayRefused(str(problem), call)
        openid = document.get("openid")
        if not isinstance(openid, str) or not is_openid(openid):
            raise GatewayUnknown(f"{call}: no openid")
        return openid


def read_login(config: Mapping[str, object], http: HttpClient, *, app: str) -> Login | None:
    """Where the account has an `app_secret`; None where nobody pays inside WeChat. Raises `GatewayMisconfigured`."""
    secret = read_optional_text(config, "app_secret")
    return Login(config, http, app=app, secret=secret) if secret else None


def _url(config: Mapping[str, object], name: str, default: str) -> str:
    return read_base_url({name: read_optional_text(config, name) or default}, name)
