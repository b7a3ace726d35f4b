"""A client's keys: shown once, kept sealed; two at a time, so that one can take the other's place without a gap."""

import secrets

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from kameng.core import sql
from resellers.clients.exceptions import ClientRefused
from resellers.clients.models import Client, ClientKey

MAX_KEYS = 2
#: A request may be this much older or newer than our clock says, in seconds; its nonce is remembered for twice as long,
#: and a minute more for clocks that differ.
WINDOW_SECONDS, CLOCKS_APART = 300, 60

_SEEN = """
INSERT INTO public.clients_clientnonce (key_id, nonce, seen_at) VALUES (%s, %s, statement_timestamp())
ON CONFLICT (key_id, nonce) DO NOTHING
"""
_FORGET = "DELETE FROM public.clients_clientnonce WHERE seen_at < statement_timestamp() - %s * interval '1 second'"


@transaction.atomic
def client_key_issue(*, client_id: int, actor: str) -> tuple[ClientKey, str]:
    """A new key and its secret, which nobody can read again. Raises `ClientRefused` where there are two already."""
    client = Client.objects.select_for_update().get(pk=client_id)
    if client.keys.filter(revoked_at__isnull=True).count() >= MAX_KEYS:
        raise ClientRefused(_("已经有两个密钥了，先停用旧的"))
    secret = secrets.token_urlsafe(32)
    key = ClientKey(client=client, name=f"ks_{secrets.token_hex(12)}", created_by=actor)
    key.secret = secret
    key.save()
    key.refresh_from_db()
    return key, secret


@transaction.atomic
def client_key_revoke(*, key_id: int, actor: str) -> ClientKey:
    """Nothing that is signed with it counts any more. Safe to say twice."""
    ClientKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=Now(), revoked_by=actor)
    return ClientKey.objects.get(pk=key_id)


def key_named(name: str, *, shop_id: int) -> ClientKey | None:
    """The key of that name, with its client, if it counts in that shop."""
    valid = ClientKey.objects.select_related("client").filter(name=name, revoked_at__isnull=True)
    return valid.filter(client__shop_id=shop_id).first()


def key_for_callback(client: Client, ordered_by: str) -> ClientKey | None:
    """What a callback is signed with: the key that ordered, while it counts, else the newest one; None without any."""
    valid = {key.name: key for key in client.keys.filter(revoked_at__isnull=True).order_by("pk")}
    return valid.get(ordered_by) or (list(valid.values())[-1] if valid else None)


def nonce_use(*, key_id: int, nonce: str) -> bool:
    """Whether nobody has sent that nonce with that key before; from now on somebody has."""
    return sql.execute_anywhere(_SEEN, [key_id, nonce]) == 1


def nonces_forget() -> int:
    """Drop those whose requests are too old to be sent again. Run by beat; twice is harmless."""
    return sql.execute_anywhere(_FORGET, [2 * WINDOW_SECONDS + CLOCKS_APART])
