"""I8: no code and no key where it could be read: log files, Redis, our own records.

Codes are recognized by their fingerprints, so that none has to be decrypted; what is found is named, never shown. A
code that holds spaces is not recognized.
"""

import base64
import binascii
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from django.conf import settings

from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.stock_room import code_digest
from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, rows
from kameng.core.encryption import Unreadable
from payments.merchants.models import GatewayAccount
from resellers.clients.models import ClientKey
from resellers.models import Reseller

logger = logging.getLogger(__name__)

#: Where something stands, and the text.
Text = tuple[str, str]

_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/-]{4,}[A-Za-z0-9]")
_PACKED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_SECRET_NAME = re.compile(r"secret|private|key", re.IGNORECASE)
_AT_ONCE = 5000
_CHUNK_CHARACTERS = 1_000_000
_SHORTEST_KEY = 8


def keys() -> dict[str, str]:
    """Every secret of ours that can be looked for, and whose it is. Of a key in several lines, the longest line."""
    found: dict[str, str] = {}
    for account in GatewayAccount.objects.exclude(sealed_config=""):
        found |= _of(f"merchant account {account.code}", account)
    for supplier in Supplier.objects.exclude(sealed_config=""):
        found |= _of(f"supplier {supplier.code}", supplier)
    for key in ClientKey.objects.filter(revoked_at__isnull=True).select_related("client"):
        with suppress(Unreadable):
            found |= _needles(f"client {key.client_id}", {"secret": key.secret})
    own = {"SECRET_KEY": settings.SECRET_KEY, "DIGEST_KEY": settings.DIGEST_KEY}
    own |= {f"ENCRYPTION_KEY {place}": key for place, key in enumerate(settings.ENCRYPTION_KEYS)}
    return found | _needles("the platform", own)


def _of(owner: str, row: GatewayAccount | Supplier) -> dict[str, str]:
    try:
        return _needles(owner, row.config)
    except Unreadable:
        return {}


def _needles(owner: str, config: Mapping[str, object]) -> dict[str, str]:
    needles = {}
    for name, value in config.items():
        if isinstance(value, str) and _SECRET_NAME.search(name) and "public" not in name:
            needle = max(value.split("\n"), key=len).strip()
            if len(needle) >= _SHORTEST_KEY:
                needles[needle] = f"{name} of {owner}"
    return needles


def _unpacked(text: str) -> str:
    """The text, followed by what is base64 in it."""
    parts = [text]
    for packed in _PACKED.findall(text):
        try:
            parts.append(base64.b64decode(packed, validate=True).decode())
        except (binascii.Error, ValueError):
            continue
    return "\n".join(parts)


def leaks(texts: Iterable[Text]) -> Iterator[str]:
    """Which codes and keys stand where."""
    known = keys()
    tokens: dict[str, str] = {}
    for where, raw in texts:
        text = _unpacked(raw)
        for needle, whose in known.items():
            if needle in text:
                yield f"{where} holds {whose}"
        tokens.update(dict.fromkeys(_TOKEN.findall(text), where))
        if len(tokens) >= _AT_ONCE:
            yield from _codes(tokens)
            tokens = {}
    yield from _codes(tokens)


#: Every code there is, however little of the rest is looked at.
_KNOWN = "SELECT id, digest FROM public.suppliers_stockcode WHERE digest = ANY(%s)"


def _codes(tokens: Mapping[str, str]) -> Iterator[str]:
    digests = {code_digest(token): where for token, where in tokens.items()}
    for code in rows(_KNOWN, [list(digests)]):
        yield f"{digests[code['digest']]} holds code #{code['id']}"


@whole
def logs_hold_nothing(folder: Path) -> Breaches:
    """Every file below the folder."""
    return leaks(_files(folder))


def _files(folder: Path) -> Iterator[Text]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                while lines := file.readlines(_CHUNK_CHARACTERS):
                    yield f"log {path.relative_to(folder)}", "".join(lines)


@whole
def redis_holds_nothing() -> Breaches:
    """Every key and value. A Redis that is away holds nothing, and is no reason to call the audit off."""
    try:
        yield from leaks(_values(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)))
    except redis.RedisError as error:
        logger.warning("Redis was not looked through: %s", type(error).__name__)


def _values(client: Any) -> Iterator[Text]:
    for key in client.scan_iter(count=1000):
        name = key.decode(errors="replace")
        match client.type(key):
            case b"string":
                found: list[Any] = [client.get(key)]
            case b"list":
                found = client.lrange(key, 0, -1)
            case b"set":
                found = list(client.smembers(key))
            case b"zset":
                found = client.zrange(key, 0, -1)
            case b"hash":
                found = [part for pair in client.hgetall(key).items() for part in pair]
            case _:
                found = []
        yield f"Redis {name[:60]}", "\n".join([name, *(part.decode(errors="replace") for part in found if part)])


_RECORDS = """
SELECT 'event #' || id AS at, data::text AS said FROM orders_orderevent WHERE data <> '{}'
UNION ALL SELECT 'purchase ' || reference, concat_ws(' ', code, message, evidence) FROM fulfillment_supplierorder
UNION ALL SELECT 'work #' || id, note FROM fulfillment_fulfillment WHERE note <> ''
"""
_PUBLIC_RECORDS = """
SELECT 'work ' || topic || ' #' || id AS at, payload::text || ' ' || last_error AS said FROM public.outbox_outboxevent
UNION ALL SELECT 'notice #' || id, headers::text || ' ' || encode(body, 'escape') FROM inbox_inboxevent
UNION ALL SELECT 'audit trail #' || sequence, data::text FROM public.trail_auditentry
"""


def records_hold_nothing(_: Reseller) -> Breaches:
    """What a shop wrote down of purchases and events."""
    return leaks((row["at"], row["said"]) for row in rows(_RECORDS))


def public_records_hold_nothing() -> Breaches:
    """Work, notices and what people decided."""
    return leaks((row["at"], row["said"]) for row in rows(_PUBLIC_RECORDS))
