"""Alipay's own SDK as the other side, in an environment of its own: what it signs we accept, what we sign it accepts.

Tampered with on the way, neither side takes anything.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kameng.embedded.bootstrap import ALIPAY
from payments.gateways.alipay import in_app
from payments.gateways.base import Channel, GatewayStatus, NoticeRefused
from tests.payments.gateways.platforms import PAYMENT, AlipayPlatform, payload, public_pem

QUERY = "alipay.trade.query"


def sdk(*asked: tuple[Any, ...]) -> list[Any]:
    """What it makes of each."""
    program = [str(ALIPAY / "bin" / "python"), "-P", str(Path(__file__).with_name("alipay_official.py"))]
    done = subprocess.run(program, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def key_of(key: RSAPrivateKey) -> str:
    """In the form that it reads."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def test_what_the_official_sdk_signs_we_accept_and_what_we_sign_it_accepts(
    alipay, alipay_platform, keys, charge_request
):
    notice = payload("alipay", "notice_trade_success") | {"body": ""}
    signed = {name: value for name, value in notice.items() if name != "sign_type"}
    text = AlipayPlatform.text(payload("alipay", "query_trade_success") | {"store_name": "满 50} 减 5"})
    alipay_platform.answer("alipay.trade.precreate", payload("alipay", "precreate_success"))
    links = [alipay.charge(replace(charge_request, channel=each)).url for each in (Channel.H5, Channel.PAGE)]
    alipay.charge(replace(charge_request, channel=Channel.QR))
    alipay_platform.answer(in_app.CREATE, payload("alipay", "create_success"))
    alipay_platform.answer(in_app.TOKEN, payload("alipay", "login_success"))
    payer = alipay.payer_of("4b203fe6c11548bcabd8da5bb087a83b")
    alipay.charge(replace(charge_request, channel=Channel.JSAPI, payer=payer))
    pages = [dict(parse_qsl(link.partition("?")[2], strict_parsing=True)) for link in links]
    sent = [(request, request.pop("sign")) for request in (*alipay_platform.requests, *pages)]
    replied = alipay_platform.reply(QUERY, text).text
    theirs, ours = public_pem(keys.platform), public_pem(keys.merchant)

    notice_sign, reply_sign, request, read, changed, *verified = sdk(
        ("sign", key_of(keys.platform), signed),
        ("sign", key_of(keys.platform), text),
        ("request", key_of(keys.merchant)),
        ("read", theirs, replied),
        ("read", theirs, replied.replace("TRADE_SUCCESS", "TRADE_CLOSED")),
        *(("verify", ours, fields, sign) for fields, sign in sent),
        *(("verify", ours, fields | {"app_id": "2021004123456780"}, sign) for fields, sign in sent),
    )

    body = urlencode(notice | {"sign": notice_sign})
    assert alipay.verify_notice(headers={}, body=body.encode()).payment.payment == PAYMENT
    with pytest.raises(NoticeRefused):
        alipay.verify_notice(
            headers={}, body=urlencode(notice | {"sign": notice_sign, "total_amount": "0.01"}).encode()
        )
    answer = f'{{"alipay_trade_query_response":{text},"sign":"{reply_sign}"}}'
    alipay_platform.answers[QUERY] = lambda _: httpx.Response(200, content=answer.encode())
    assert alipay.query(PAYMENT).status is GatewayStatus.CONFIRMED
    alipay_platform.check(request)
    with pytest.raises(InvalidSignature):
        alipay_platform.check(request | {"biz_content": "{}"})
    assert (json.loads(read)["trade_status"], changed) == ("TRADE_SUCCESS", "ResponseException")
    assert verified == [True] * 5 + ["VerificationError"] * 5
