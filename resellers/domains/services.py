"""Adding, proving, watching and giving up hosts that owners bring.

A host is asked about without a transaction being open, and what was found is applied under the lock of its row. Who has
proven a host has its row in `resellers.Domain`, whose uniqueness settles who came first.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name, schema_context

from kameng.alerts.services import alert_end, alert_raise
from kameng.core.problems import NotFound
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import publish
from resellers import hosts
from resellers.domains import judging, names
from resellers.domains.certificate import Seen, certificate_of
from resellers.domains.judging import Target, Verdict
from resellers.domains.models import OwnDomain, Problem
from resellers.domains.resolving import Resolver, Type, address_of
from resellers.domains.selectors import platform
from resellers.domains.words import refusal_words
from resellers.models import Domain, Reseller
from resellers.services import ShopInvalid

logger = logging.getLogger(__name__)

State = OwnDomain.State
TOPIC = "domain.check"
#: Own hosts of one shop.
MOST_OF_A_SHOP = 10
#: One that lives is looked at so often, and keeps answering for so long after its proof was definitely gone: together
#: with the looks in between less than a day.
LIVE_SECONDS, LOST_SECONDS, GRACE = 12 * 3600.0, 3600.0, timedelta(hours=8)
UNCLEAR_SECONDS, FRESH_SECONDS = 600.0, 2.0
#: Nobody answering about a bound host for so long is for people to look at; it stays bound.
UNCLEAR_ALERT = timedelta(days=2)
#: How often a host is looked at that is not proven yet, by how long ago somebody wanted it; then no more.
_PATIENCE = ((timedelta(hours=1), 60.0), (timedelta(days=1), 600.0), (timedelta(days=7), 3600.0))
_CERTIFICATE_SECONDS = ((timedelta(minutes=10), 20.0), (timedelta(days=1), 300.0))


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out about a host, with no transaction open."""

    verdict: Verdict
    certificate: Seen = Seen.UNCLEAR


@transaction.atomic
def domain_claim(*, shop_id: int, host: str, actor: str) -> OwnDomain:
    """Note that an owner wants to use a host; the same one again is the one there is, and is looked at anew.

    Raises `ShopInvalid` for what cannot be anybody's own host, is the platform's, or is a shop's already.
    """
    shop = Reseller.objects.select_for_update().exclude(schema_name=get_public_schema_name()).get(pk=shop_id)
    try:
        name = names.normalized(host, reserved_too=not settings.PRODUCTION)
        names.check_against(name, platform())
    except names.BadName as bad:
        raise _refused(refusal_words(bad.fault)) from bad
    known = OwnDomain.objects.filter(shop=shop, host=name).first()
    if known is not None:
        return known
    holder = Domain.objects.filter(domain=name).first()
    if holder is not None and holder.tenant_id == shop.pk:
        raise _refused(_("这个域名已经是你的店铺在用"))
    if holder is not None and not OwnDomain.objects.filter(host=name, bound=True).exists():
        raise _refused(_("这个域名已经属于别的店铺"))
    if OwnDomain.objects.filter(shop=shop).count() >= MOST_OF_A_SHOP:
        raise _refused(_("一家店最多 %(limit)s 个自有域名，先移除不用的") % {"limit": MOST_OF_A_SHOP})
    own = OwnDomain.objects.create(shop=shop, host=name, nonce=secrets.token_hex(16), created_by=actor)
    _publish(own.pk, delay=_PATIENCE[0][1])
    return own


def domain_ask(*, domain_id: int) -> OwnDomain:
    """Look at a host now, because a person wants to know, and go on looking. Raises `NotFound`."""
    with transaction.atomic():
        own = OwnDomain.objects.select_for_update().filter(pk=domain_id).first()
        if own is None:
            raise NotFound
        OwnDomain.objects.filter(pk=own.pk).update(asked_at=Now(), watched=True)
    again = _applied(domain_id, _look(own))
    if again is not None:
        _look_again(domain_id, seconds=again)
    return OwnDomain.objects.get(pk=domain_id)


def domain_check(*, domain_id: int) -> float | None:
    """Look at a host, for the outbox: in how many seconds to look again, or None once nobody wants to know."""
    own = OwnDomain.objects.filter(pk=domain_id).first()
    return None if own is None else _applied(domain_id, _look(own))


@transaction.atomic
def domain_give_up(*, domain_id: int) -> None:
    """The owner no longer wants a host: it is unbound at once, and nothing of it is kept."""
    own = OwnDomain.objects.select_for_update().filter(pk=domain_id).first()
    if own is None:
        return
    if own.bound:
        _unbind(own)
    alert_end("domain.lost", subject=own.host)
    alert_end("domain.unclear", subject=own.host)
    own.delete()


@transaction.atomic
def domain_waive(*, domain_id: int, actor: str) -> OwnDomain:
    """An operator has seen that a name leads to us although it does not show, say through a network in front of it.

    The proof stays asked for: who runs a name is nothing that anybody can vouch for. Raises `NotFound`.
    """
    own = OwnDomain.objects.select_for_update().filter(pk=domain_id).first()
    if own is None:
        raise NotFound
    own.waived_by = actor[:80]
    own.save(update_fields=["waived_by"])
    return own


def resolver() -> Resolver:
    """The resolvers that are configured, or the machine's."""
    return Resolver([address_of(text) for text in settings.DNS_RESOLVERS] or None)


def _refused(text: str) -> ShopInvalid:
    return ShopInvalid(text, fields={"host": text})


def _publish(domain_id: int, *, delay: float) -> None:
    # A host is the platform's business: its work survives whatever becomes of a shop's schema.
    with schema_context(get_public_schema_name()):
        publish(TOPIC, delay=delay, domain_id=domain_id)


def _look_again(domain_id: int, *, seconds: float) -> None:
    """Move the row of the outbox that looks at a host to another moment, or write one where there is none. One that a
    worker has in hand ends with a wish of its own."""
    rows = OutboxEvent.objects.filter(topic=TOPIC, payload__domain_id=domain_id)
    waiting = rows.filter(lease_until=None).update(run_at=Now() + timedelta(seconds=seconds))
    if not waiting and not rows.exists():
        _publish(domain_id, delay=seconds)


def _look(own: OwnDomain) -> Look:
    """Ask about a host, and where it is bound already, about its certificate."""
    asked = resolver()
    verdict = judging.proof(asked.look_up(own.record_name, Type.TXT), own.record_value)
    target = None
    if verdict.is_good and not own.waived_by:
        target = _target(asked)
        four, six = asked.look_up(own.host, Type.A), asked.look_up(own.host, Type.AAAA)
        verdict = judging.pointing(four, six, target)
    if not verdict.is_good or not own.bound:
        return Look(verdict)
    if settings.PUBLIC_SCHEME != "https":
        return Look(verdict, Seen.VALID)
    # Only where we are ourselves: a host's records decide nothing about whom we call.
    addresses = sorted((target or _target(asked)).addresses)
    return Look(verdict, certificate_of(own.host, addresses[0]) if addresses else Seen.UNCLEAR)


def _target(asked: Resolver) -> Target:
    name = settings.DOMAIN_TARGET
    four, six = asked.look_up(name, Type.A), asked.look_up(name, Type.AAAA)
    return judging.target_of(name, settings.DOMAIN_ADDRESSES, four, six)


@transaction.atomic
def _applied(domain_id: int, look: Look) -> float | None:
    """Write down what was found, and do what follows from it; in how many seconds to look again."""
    own = OwnDomain.objects.select_for_update().filter(pk=domain_id).first()
    if own is None:
        return None
    now = timezone.now()
    verdict = look.verdict
    own.checked_at = now
    if not verdict.is_unclear:
        own.answered_at = now
    own.problem, own.seen = verdict.problem, verdict.seen
    if verdict.is_good and not own.bound:
        _bind(own)
    elif verdict.is_good:
        own.lost_at = None
        own.state = State.LIVE if look.certificate is Seen.VALID or own.state == State.LIVE else State.CERTIFICATE
    elif not verdict.is_unclear:
        _failed(own, now)
    _tell(own, now)
    again = _again(own, verdict, now)
    own.watched = again is not None
    own.save()
    return again


def _bind(own: OwnDomain) -> None:
    """The shop answers on the host from now on, unless somebody else has proven it before."""
    other = OwnDomain.objects.select_for_update().filter(host=own.host, bound=True).exclude(pk=own.pk).first()
    if other is not None and other.state == State.LOST:
        # Its proof is definitely gone, and here is somebody with one: the rest of its time would be theirs.
        _unbind(other)
        other.save()
        other = None
    if not _claimed_first(own):
        own.state, own.problem, own.seen = State.WRONG, Problem.TAKEN, ""
        if other is not None:
            # If what they have proven holds no longer, that shows now.
            _look_again(other.pk, seconds=0)
        return
    own.bound, own.state, own.bound_at, own.lost_at = True, State.VERIFIED, timezone.now(), None
    logger.info("domains: %s answers for %s", own.host, own.shop.slug)
    hosts.forget()


def _claimed_first(own: OwnDomain) -> bool:
    """Write the host down as the shop's; False where it is another's. The database says which, also of two at once."""
    is_first = not Domain.objects.filter(tenant=own.shop).exists()
    try:
        with transaction.atomic():
            Domain.objects.create(domain=own.host, tenant=own.shop, is_primary=is_first)
            OwnDomain.objects.filter(pk=own.pk).update(bound=True, state=State.VERIFIED)
    except IntegrityError:
        return False
    return True


def _failed(own: OwnDomain, now: datetime) -> None:
    """The proof is definitely not there, or the name definitely leads elsewhere."""
    if not own.bound:
        own.state = State.LOST if own.state == State.LOST else State.WRONG
        return
    own.state = State.LOST
    own.lost_at = own.lost_at or now
    if now - own.lost_at >= GRACE:
        _unbind(own)


def _unbind(own: OwnDomain) -> None:
    """The host is nobody's from now on; the caller saves the row."""
    domain = Domain.objects.filter(domain=own.host, tenant=own.shop).first()
    if domain is not None:
        domain.delete()
        left = Domain.objects.filter(tenant=own.shop).order_by("pk")
        if domain.is_primary and (heir := left.first()) is not None:
            Domain.objects.filter(pk=heir.pk).update(is_primary=True)
    own.bound, own.state, own.bound_at = False, State.LOST, None
    own.asked_at = timezone.now()
    logger.warning("domains: %s no longer answers for %s", own.host, own.shop.slug)
    hosts.forget()


def _tell(own: OwnDomain, now: datetime) -> None:
    """Operators, by an alert; the owner's home reads the rows themselves."""
    told: dict[str, Any] = {"shop": own.shop.name, "reason": str(Problem(own.problem).label), "note": own.seen}
    if own.state == State.LOST:
        alert_raise("domain.lost", subject=own.host, **told)
    else:
        alert_end("domain.lost", subject=own.host)
    answered = own.answered_at or own.created_at
    if own.bound and now - answered >= UNCLEAR_ALERT:
        alert_raise("domain.unclear", subject=own.host, **told)
    else:
        alert_end("domain.unclear", subject=own.host)


def _again(own: OwnDomain, verdict: Verdict, now: datetime) -> float | None:
    if own.bound and verdict.is_unclear:
        return UNCLEAR_SECONDS
    if own.state == State.VERIFIED:
        return FRESH_SECONDS
    if own.state == State.CERTIFICATE:
        since = now - (own.bound_at or now)
        return next((seconds for limit, seconds in _CERTIFICATE_SECONDS if since < limit), LOST_SECONDS)
    if own.bound and own.state == State.LOST:
        return min(LOST_SECONDS, max(1.0, (GRACE - (now - (own.lost_at or now))).total_seconds()))
    if own.bound:
        return LIVE_SECONDS
    return next((seconds for limit, seconds in _PATIENCE if now - own.asked_at < limit), None)
