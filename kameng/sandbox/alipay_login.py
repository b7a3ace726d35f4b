"""Alipay's word on who opened a page in it: `auth_base`, which asks the shopper nothing.

Source: opendocs.alipay.com, `alipay.system.oauth.token`. A code counts once; everybody here is the same shopper.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.alipay_asked import GatewayProblem
from kameng.sandbox.keys import Alipay
from kameng.sandbox.web import Reply, Request, redirect

AUTHORIZE, TOKEN = "/oauth2/publicAppAuthorize.htm", "alipay.system.oauth.token"
OPEN_ID = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"
CODE_SECONDS = 180


class AlipayLogin:
    """One application."""

    def __init__(self, keys: Alipay) -> None:
        self.keys = keys
        #: Until when a code counts.
        self._codes: dict[str, float] = {}

    def authorize(self, request: Request) -> Reply:
        """A page that sends the shopper on."""
        asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        back = urlsplit(asked.get("redirect_uri", ""))
        wanted = {"app_id": self.keys.app_id, "scope": "auth_base"}
        if any(asked.get(name) != value for name, value in wanted.items()) or back.scheme not in ("http", "https"):
            return Reply(400, "参数错误".encode(), "text/plain; charset=utf-8")
        code = crypto.letters(32)
        self._codes[code] = time.time() + CODE_SECONDS
        told = {"app_id": self.keys.app_id, "source": "alipay_wallet", "scope": "auth_base", "auth_code": code}
        more = urlencode(told | {"state": asked.get("state", "")})
        return redirect(back._replace(query=f"{back.query}&{more}" if back.query else more).geturl())

    def token(self, params: Mapping[str, str]) -> dict[str, Any]:
        """Who brought a code. The real one has no `code` of success either. Raises `GatewayProblem`."""
        if params.get("grant_type") != "authorization_code":
            raise GatewayProblem("40002", "isv.grant-type-invalid", "不支持的授权类型")
        if self._codes.pop(params.get("code", ""), 0.0) < time.time():
            raise GatewayProblem("40002", "isv.code-invalid", "授权码code无效")
        return {
            "access_token": f"authbseB{crypto.letters(32)}",
            "auth_start": time.strftime("%Y-%m-%d %H:%M:%S"),
            "expires_in": 1296000,
            "open_id": OPEN_ID,
            "re_expires_in": 2592000,
            "refresh_token": f"authbseB{crypto.letters(32)}",
        }
