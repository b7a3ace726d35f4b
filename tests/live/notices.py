"""Notices with the gateways' own signatures and content of our choice, as nobody but the gateways could send them."""

import base64
import json
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kameng.sandbox import alipay_messages, keys, wechatpay_messages
from kameng.sandbox.post import Outgoing


class Signer:
    """Has the other side's private keys."""

    def __init__(self, sandbox: Path) -> None:
        self._folder = sandbox

    @cached_property
    def _ring(self) -> keys.Keyring:
        return keys.ensure(self._folder)

    def alipay(self, template: bytes, changes: Mapping[str, str], *, forged: bool = False) -> Outgoing:
        """A notice like an earlier one, except for `changes`, signed anew."""
        fields = {name: value for name, value in parse_qsl(template.decode()) if name not in {"sign", "sign_type"}}
        fields["notify_id"] = secrets.token_hex(17)
        return alipay_messages.notice(self._ring.alipay, "", {**fields, **changes}, forged=forged)

    def wechatpay(self, template: bytes, changes: Mapping[str, Any], *, forged: bool = False) -> Outgoing:
        """The same, sealed and signed anew."""
        ours = self._ring.wechatpay
        resource = json.loads(template)["resource"]
        opened = AESGCM(ours.apiv3_key.encode()).decrypt(
            resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource["associated_data"].encode()
        )
        content: Mapping[str, Any] = {**json.loads(opened), **changes}
        body = wechatpay_messages.sealed_notice(
            ours, event="TRANSACTION.SUCCESS", kind="transaction", summary="支付成功", content=content
        )
        return wechatpay_messages.notice(ours, "", body, ours.public_key_id, forged=forged, probe=False)
