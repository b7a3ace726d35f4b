"""Telling a client that an order has ended: watched for on a schedule, sent until it is taken, and written down.

A callback holds no code: whoever gets it asks for the order. It is a convenience, since everything can be asked for.
"""

import json
import secrets
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from kameng.core.http import HttpClient, HttpFailure
from kameng.core.locks import alone
from kameng.outbox.services import publish
from kameng.supply.models import ClientCallback, ClientOrder
from kameng.supply.selectors import State, Told, told_of
from kameng.supply.signing import CALLBACK_TARGET, signature
from payments.models import Refund
from resellers.clients.addresses import may_be_called
from resellers.clients.keys import key_for_callback
from resellers.clients.models import Client

Status = ClientCallback.Status
#: Pauses between two looks for an end, by the order's age in seconds.
LOOKS = ((10, 1.0), (120, 5.0), (3600, 30.0))
LATER_LOOK_SECONDS = 300.0
#: Pauses in seconds after each try that was not taken; after the last one nobody tries any more.
PAUSES = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0)
#: One client's callbacks are sent one after the other, so that one that hangs holds up nobody else.
IN_TURN_SECONDS = 1.0

_http = HttpClient(connect=2, read=4, total=5, pool=8, allowed=may_be_called)


def client_order_follow(*, client_order_id: int) -> float | None:
    """Look whether an order has ended, and tell its client so; seconds until the next look, None at the end."""
    asked = ClientOrder.objects.filter(pk=client_order_id).first()
    if asked is None or not Client.objects.filter(pk=asked.client_id).exclude(callback_url="").exists():
        return None
    told = told_of(client_order_id)
    if told.state == State.PROCESSING:
        age = (timezone.now() - asked.created_at).total_seconds()
        return next((pause for limit, pause in LOOKS if age < limit), LATER_LOOK_SECONDS)
    with transaction.atomic():
        callback, is_new = ClientCallback.objects.get_or_create(client_order=asked, told=told.state)
        if is_new:
            publish("client_callback.send", callback_id=callback.pk)
    return None


def client_order_refunded(*, refund_id: int) -> None:
    """A refund has gone on: where it takes back a client's order that had arrived, the client is told."""
    refund = Refund.objects.filter(pk=refund_id, status=Refund.Status.SUCCEEDED).select_related("payment").first()
    if refund is None:
        return
    for client_order_id in ClientOrder.objects.filter(order_id=refund.payment.order_id).values_list("pk", flat=True):
        if told_of(client_order_id).state == State.REVERSED:
            publish("client_order.follow", client_order_id=client_order_id)


def client_callback_send(*, callback_id: int) -> float | None:
    """Send a callback that waits; seconds until the next try, None where it was taken or nobody tries any more."""
    callback = ClientCallback.objects.select_related("client_order").filter(pk=callback_id).first()
    if callback is None or callback.status != Status.WAITING:
        return None
    client = Client.objects.get(pk=callback.client_order.client_id)
    with alone(f"client-callback:{client.pk}") as is_alone:
        if not is_alone:
            return IN_TURN_SECONDS
        is_taken, answer = _sent(callback, client)
    return _noted(callback, is_taken=is_taken, answer=answer)


def _sent(callback: ClientCallback, client: Client) -> tuple[bool, str]:
    key = key_for_callback(client, callback.client_order.key)
    if not client.callback_url or key is None:
        return False, "no address" if key else "no key"
    body = json.dumps(_body(callback.told, told_of(callback.client_order_id))).encode()
    stamp, nonce = str(int(time.time())), secrets.token_hex(16)
    signed = signature(key.secret, method="POST", target=CALLBACK_TARGET, timestamp=stamp, nonce=nonce, body=body)
    headers = {
        "Content-Type": "application/json",
        "Kameng-Key": key.name,
        "Kameng-Timestamp": stamp,
        "Kameng-Nonce": nonce,
        "Kameng-Signature": signed,
    }
    try:
        reply = _http.request("POST", client.callback_url, headers=headers, body=body)
    except HttpFailure as failure:
        return False, f"{type(failure).__name__}: {failure}"
    return 200 <= reply.status < 300, str(reply.status)


def _body(state: str, told: Told) -> dict[str, str]:
    return {"event": "order.ended", "order": told.number, "reference": told.reference, "status": state}


def _noted(callback: ClientCallback, *, is_taken: bool, answer: str) -> float | None:
    tries = callback.tries + 1
    pause = None if is_taken or tries > len(PAUSES) else PAUSES[tries - 1]
    status = Status.DELIVERED if is_taken else Status.WAITING if pause is not None else Status.GIVEN_UP
    ClientCallback.objects.filter(pk=callback.pk).update(
        status=status, tries=F("tries") + 1, answer=answer.replace("\0", "")[:120], tried_at=Now()
    )
    return pause


@transaction.atomic
def client_callback_resend(*, callback_id: int) -> None:
    """Somebody asks for it once more: from the first pause on, whatever came of it."""
    ClientCallback.objects.filter(pk=callback_id).update(status=Status.WAITING, tries=0)
    publish("client_callback.send", callback_id=callback_id)


def callbacks_of(client_id: int, *, days: int = 30) -> list[ClientCallback]:
    """What a client was told lately, newest first."""
    since = timezone.now() - timedelta(days=days)
    found = ClientCallback.objects.filter(client_order__client_id=client_id, created_at__gt=since)
    return list(found.select_related("client_order__order")[:100])
