"""WeChat's word on who opened a page in it: `snsapi_base`, which asks the shopper nothing.

Source: developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html. A code counts once, for
five minutes; everybody here is the same shopper.
"""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.keys import WechatPay
from kameng.sandbox.web import Reply, Request, json_reply, redirect
from kameng.sandbox.wechatpay import OPENID

AUTHORIZE, TOKEN = "/connect/oauth2/authorize", "/sns/oauth2/access_token"
CODE_SECONDS = 300


class WechatLogin:
    """One application."""

    def __init__(self, keys: WechatPay) -> None:
        self.keys = keys
        #: Until when a code counts; those that were used count no more, and are told from those that never were.
        self._codes: dict[str, float] = {}
        self._used: set[str] = set()

    async def handle(self, request: Request) -> Reply:
        """A page that sends the shopper on, and a call that says who they are."""
        asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        return self._authorize(asked) if request.path == AUTHORIZE else self._token(asked)

    def _authorize(self, asked: dict[str, str]) -> Reply:
        back = urlsplit(asked.get("redirect_uri", ""))
        wanted = {"appid": self.keys.appid, "response_type": "code", "scope": "snsapi_base"}
        if any(asked.get(name) != value for name, value in wanted.items()) or back.scheme not in ("http", "https"):
            return Reply(400, "参数错误".encode(), "text/plain; charset=utf-8")
        code = crypto.letters(32)
        self._codes[code] = time.time() + CODE_SECONDS
        more = urlencode({"code": code, "state": asked.get("state", "")})
        return redirect(back._replace(query=f"{back.query}&{more}" if back.query else more).geturl())

    def _token(self, asked: dict[str, str]) -> Reply:
        if asked.get("appid") != self.keys.appid:
            return _problem(40013, "invalid appid")
        if not crypto.same(asked.get("secret", ""), self.keys.app_secret):
            return _problem(40125, "invalid appsecret")
        code = asked.get("code", "")
        if code in self._used:
            return _problem(40163, "code been used")
        if self._codes.pop(code, 0.0) < time.time():
            return _problem(40029, "invalid code")
        self._used.add(code)
        return json_reply(
            {
                "access_token": crypto.letters(40),
                "expires_in": 7200,
                "refresh_token": crypto.letters(40),
                "openid": OPENID,
                "scope": "snsapi_base",
            }
        )


def _problem(code: int, message: str) -> Reply:
    return json_reply({"errcode": code, "errmsg": f"{message}, rid: {crypto.letters(8)}"})
