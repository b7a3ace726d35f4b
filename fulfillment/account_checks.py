"""Whether goods can arrive at an account: a supplier that can tell is asked before anybody pays.

It is a help, never a gate: whatever comes of it, the shopper may go on, and who cannot be asked in time says nothing
about the account. What is shown of a player's name is masked, and who asks about many accounts is told as little as
where nobody can be asked: the shop is no directory of other people's accounts.
"""

import json
import logging
import time
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore

from django.core.cache import cache
from django.db.models import F, Q
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from fulfillment.suppliers.base import AccountCheck, AccountVerdict, Capability, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of, supplier_known
from fulfillment.suppliers.models import SupplierBreaker, SupplierOffer
from kameng.core.deadlines import awake, no_later_than
from kameng.core.encryption import digest
from kameng.core.throttle import allow

logger = logging.getLogger(__name__)

#: A shopper waits for so many seconds at most, for so many suppliers one after the other.
SECONDS, SUPPLIERS = 4.5, 2
#: The next one is asked only if so much is left.
ENOUGH_SECONDS = 1.0
#: A supplier that took so long without an answer is not asked for a while: everybody would wait for nothing.
SILENT_SECONDS, REST_SECONDS = 1.5, 20
#: So many in a process ask at once, or wait for who asks the same; the others are told at once that nobody knows.
AT_ONCE = 4
#: Whoever asks has the question to themselves for so long, should they die over it; who waits looks so often.
ASKING_SECONDS, LOOK_SECONDS = 6, 0.05
#: What an answer is good for, in seconds; a good one for longer, because a refusal may have been put right.
KEPT_SECONDS = {AccountVerdict.OK: 900, AccountVerdict.UNAVAILABLE: 10}
KEPT_OTHERWISE = 180
#: Looks from one address, also at what is known, in ten minutes and in a day: many people may share one.
LOOKS = ((40, 600), (300, 86_400))
#: New questions about one account, whatever server or product is named with it, and in one shop, in ten minutes.
NEW_ACCOUNT, NEW_SHOP, NEW_SECONDS = 6, 600, 600

_places = BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Checked:
    """What is known of an account; `nickname` is masked, and empty where nobody tells one."""

    verdict: AccountVerdict
    nickname: str = ""

    @property
    def tone(self) -> str:
        """How it is shown: `ok`, `bad`, or `info` where it says nothing about the account."""
        return {AccountVerdict.OK: "ok", AccountVerdict.UNAVAILABLE: "info"}.get(self.verdict, "bad")

    @property
    def text(self) -> str:
        """What the shopper reads."""
        match self.verdict:
            case AccountVerdict.OK if self.nickname:
                return _("%(nickname)s · 刚刚核对过") % {"nickname": self.nickname}
            case AccountVerdict.OK:
                return _("账号可以充值 · 刚刚核对过")
            case AccountVerdict.NOT_FOUND:
                return _("没有查到这个账号，请核对编号")
            case AccountVerdict.NO_ROLE:
                return _("这个账号在所选区服还没有角色，请核对区服")
            case AccountVerdict.WRONG_REGION:
                return _("这个账号不在所选的区服或地区，请核对")
            case AccountVerdict.LIMIT_REACHED:
                return _("这个账号已到充值上限，现在充可能到不了账")
            case AccountVerdict.ABNORMAL:
                return _("这个账号状态异常，可能充不进去")
            case AccountVerdict.RESTRICTED:
                return _("这个账号限制充值（例如未成年人保护），可能充不进去")
            case _other:
                return _("暂时查不到角色，可以继续，请再核对一遍编号")


_UNKNOWN = Checked(AccountVerdict.UNAVAILABLE)


def is_checkable(variant_ids: Collection[int]) -> bool:
    """Whether a supplier of one of these can be asked about accounts."""
    return any(True for _ in _askable(variant_ids))


def account_check(*, variant_ids: Collection[int], account: Mapping[str, str], address: str) -> Checked:
    """What a supplier of one of these variants says of an account, within `SECONDS`. Never raises.

    `account` as suppliers are told it, its own number first; `address` whose question it is. The same question
    is asked once in a while only, and by one at a time: who comes meanwhile waits for that answer. Beyond the limits,
    and while nobody counts, nothing is told and nobody is asked.
    """
    known_as = digest(json.dumps([sorted(variant_ids), sorted(account.items())]), purpose="account-check")
    try:
        if not _may_look(address):
            return _UNKNOWN
        known = _known(known_as)
        if known is not None:
            return known
        if not _places.acquire(blocking=False):
            return _UNKNOWN
        try:
            return _asked_by_one(known_as, variant_ids, account)
        finally:
            _places.release()
    except (RedisError, OSError):
        # Without counters anybody could ask about everybody.
        return _UNKNOWN


def _known(known_as: str) -> Checked | None:
    known = cache.get(f"account-check:{known_as}")
    return None if known is None else Checked(AccountVerdict(known[0]), known[1])


def _asked_by_one(known_as: str, variant_ids: Collection[int], account: Mapping[str, str]) -> Checked:
    """Ask, unless somebody in whatever process asks the same at this moment: then their answer is ours."""
    end, asking = awake() + SECONDS, f"account-check-asking:{known_as}"
    if not _is_first(asking):
        return _heard(known_as, asking, end)
    try:
        known = _known(known_as)  # who asked before may have ended between our look and our turn
        if known is not None:
            return known
        if not _may_ask(next(iter(account.values()), "")):
            return _UNKNOWN
        found = _ask(variant_ids, account, end)
        kept = KEPT_SECONDS.get(found.verdict, KEPT_OTHERWISE)
        cache.set(f"account-check:{known_as}", (found.verdict.value, found.nickname), timeout=kept)
        return found
    finally:
        cache.delete(asking)


def _is_first(asking: str) -> bool:
    return bool(cache.add(asking, True, timeout=ASKING_SECONDS))


def _heard(known_as: str, asking: str, end: float) -> Checked:
    """What somebody else is told. Nobody knows where they are told nothing, or in time nothing at all."""
    is_asking = True
    while is_asking and awake() < end:
        time.sleep(LOOK_SECONDS)
        is_asking = cache.get(asking) is not None  # looked at first: the answer is there before the question ends
        known = _known(known_as)
        if known is not None:
            return known
    return _UNKNOWN


def _may_look(address: str) -> bool:
    return not any(
        allow(f"account-look-{seconds}", address, limit=limit, seconds=seconds, strict=True) for limit, seconds in LOOKS
    )


def _may_ask(number: str) -> bool:
    return not (
        allow("account-check", number, limit=NEW_ACCOUNT, seconds=NEW_SECONDS, strict=True)
        or allow("account-check-shop", "", limit=NEW_SHOP, seconds=NEW_SECONDS, strict=True)
    )


def _ask(variant_ids: Collection[int], account: Mapping[str, str], end: float) -> Checked:
    asked = 0
    for offer, adapter in _askable(variant_ids):
        rest = f"account-check-rest:{offer.supplier_id}"
        if cache.get(rest):
            continue
        if asked == SUPPLIERS or end - awake() < ENOUGH_SECONDS:
            break
        asked += 1
        begun = time.monotonic()
        with no_later_than(end):
            told = _told(adapter, offer, account)
        if told.verdict is not AccountVerdict.UNAVAILABLE:
            return Checked(told.verdict, masked_nickname(told.nickname))
        if time.monotonic() - begun >= SILENT_SECONDS:
            cache.set(rest, True, timeout=REST_SECONDS)
    return _UNKNOWN


def _told(adapter: SupplierAdapter, offer: SupplierOffer, account: Mapping[str, str]) -> AccountCheck:
    try:
        return adapter.check_account(offer.supplier_sku, account)
    except Exception as error:  # a question before the purchase must not cost the purchase
        logger.error("account check by offer %s: %s", offer.pk, type(error).__name__)
        return AccountCheck(AccountVerdict.UNAVAILABLE)


def _askable(variant_ids: Collection[int]) -> Iterator[tuple[SupplierOffer, SupplierAdapter]]:
    """One offer of each supplier that can tell, best first; nobody who is in trouble."""
    offers = SupplierOffer.objects.filter(
        Q(supplier__breaker=None) | Q(supplier__breaker__state=SupplierBreaker.State.CLOSED),
        variant_id__in=variant_ids,
        is_active=True,
        supplier__is_active=True,
        supplier__eliminated_at=None,
    ).order_by(F("score").desc(nulls_last=True), "rank", "pk")
    seen = set()
    for offer in offers:
        if offer.supplier_id in seen:
            continue
        seen.add(offer.supplier_id)
        try:
            adapter = adapter_of(supplier_known(offer.supplier_id))
        except SupplierMisconfigured:
            continue
        if Capability.ACCOUNT_CHECK in adapter.capabilities:
            yield offer, adapter


def masked_nickname(nickname: str) -> str:
    """Enough of a player's name to recognize one's own: `夜**光`. Signs that cannot be seen are dropped."""
    seen = "".join(sign for sign in nickname if unicodedata.category(sign)[0] != "C").strip()
    if len(seen) <= 1:
        return "*" if seen else ""
    return f"{seen[0]}**{seen[-1]}" if len(seen) > 2 else f"{seen[0]}*"
