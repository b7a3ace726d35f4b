"""Where a client may be called: an https address on the public internet, or in the demo one on this machine.

Looked at twice: when it is written down, so that a mistake is told at once, and with every connection, because a name
may lead elsewhere by then.
"""

import socket
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from kameng.core.public_address import is_public, is_this_machine
from resellers.clients.exceptions import ClientRefused

LONGEST = 300


def may_be_called(address: str) -> bool:
    """Whether a connection to that address may be made for a client."""
    return is_public(address) or (not settings.PRODUCTION and is_this_machine(address))


def callback_address(text: str) -> str:
    """An address as it is kept; empty for none. Raises `ClientRefused`."""
    text = text.strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(_("这不是一个网址")) from None
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= LONGEST
    if not plain or not host or parts.fragment or parts.username is not None or parts.password is not None:
        raise _refused(_("这不是一个网址"))
    found = _addresses(host, port or 443)
    if not found:
        raise _refused(_("找不到这个域名，检查一下拼写"))
    if not all(map(may_be_called, found)):
        raise _refused(_("不能填内网或本机的地址"))
    if parts.scheme != "https" and not (parts.scheme == "http" and all(map(is_this_machine, found))):
        raise _refused(_("要以 https:// 开头"))
    return text


def _addresses(host: str, port: int) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _refused(text: str) -> ClientRefused:
    return ClientRefused(text, fields={"callback_url": text})
