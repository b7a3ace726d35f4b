"""Run by `.venv-alipay`'s Python, never imported here: does with Alipay's own SDK what it is told, in JSON, to do."""

import json
import sys
from collections.abc import Callable
from urllib.parse import parse_qs

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa2, verify_with_rsa


def sign(key, content):
    return sign_with_rsa2(key, content if isinstance(content, str) else get_sign_content(content), "utf-8")


def verify(key, content, signature):
    try:
        return verify_with_rsa(key, get_sign_content(content).encode(), signature)
    except Exception as refused:
        return type(refused).__name__


def client(own_key, alipay_key):
    config = AlipayClientConfig()
    config.app_id, config.app_private_key, config.alipay_public_key = "2021004123456789", own_key, alipay_key
    return DefaultAlipayClient(config)


def request(own_key):
    """What it would send for a query."""
    asked = AlipayTradeQueryRequest()
    asked.biz_content = {"out_trade_no": "点券 P1+/&="}
    text = client(own_key, "").sdk_execute(asked)
    return {name: values[0] for name, values in parse_qs(text, strict_parsing=True).items()}


def read(alipay_key, body):
    """What it takes from a reply; nothing of one that is not signed right."""
    try:
        return client("", alipay_key)._DefaultAlipayClient__parse_response(body.encode())
    except Exception as refused:
        return type(refused).__name__


DOES: dict[str, Callable[..., object]] = {"sign": sign, "verify": verify, "request": request, "read": read}

if __name__ == "__main__":
    json.dump([DOES[name](*arguments) for name, *arguments in json.load(sys.stdin)], sys.stdout)
