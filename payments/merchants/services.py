"""Merchant accounts: configure one, and the adapter that speaks for it."""

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from threading import Lock
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core.encryption import Unreadable
from kameng.core.http import HttpClient
from kameng.core.remembered import Remembered
from payments.gateways.base import ByHand, Gateway, GatewayError, GatewayKeyUnknown, GatewayMisconfigured, Vetted
from payments.gateways.registry import gateway_class
from payments.merchants.alone import alone_lock, alone_refresh
from payments.merchants.models import GatewayAccount
from payments.transfers.desk import AccountDesk
from resellers.models import Reseller

logger = logging.getLogger(__name__)

#: So long the stored keys go on counting, and somebody may notice. The pages say 24 hours.
COOL_OFF = timedelta(hours=24)
KEY_UNKNOWN = "merchant.key_unknown"
NEW_ACCOUNT = "merchant.account_new"
_http = HttpClient()
_gateways: dict[int, tuple[object, Gateway]] = {}
_lock = Lock()
_by_id: Remembered[int, GatewayAccount] = Remembered()
_by_code: Remembered[str, GatewayAccount | None] = Remembered()
_of_shop: Remembered[str, list[GatewayAccount]] = Remembered()
#: What shops collect through that have no account of their own, and which have one. Most have none, and so a thousand
#: of them cost a process one question.
_of_others: Remembered[None, tuple[list[GatewayAccount], frozenset[str]]] = Remembered(1)


def gateway_of(account: GatewayAccount) -> Gateway:
    """The adapter over an account, kept by the process until the account changes. Raises `GatewayMisconfigured`."""
    known = _gateways.get(account.pk)
    if known is not None and known[0] == account.updated_at:
        return known[1]
    try:
        config = account.config
    except Unreadable as error:
        raise GatewayMisconfigured("the configuration cannot be decrypted") from error
    gateway: Gateway = gateway_class(account.gateway)(config, _http)
    if isinstance(gateway, ByHand):
        gateway = gateway.at(AccountDesk(account.pk))
    with _lock:
        _gateways[account.pk] = (account.updated_at, gateway)
    return gateway


def gateway_trouble(account: GatewayAccount, error: GatewayError) -> None:
    """Tell operators of an answer that stays worthless until they do something: its key is not in the configuration."""
    if isinstance(error, GatewayKeyUnknown):
        alert_raise(
            KEY_UNKNOWN,
            subject=account.code,
            level=Level.URGENT,
            url=f"/admin/merchants/gatewayaccount/{account.pk}/change/",
            account=account.name,
            note=str(error)[:200],
        )


def account_known(account_id: int) -> GatewayAccount:
    """An account as it was a second ago at most. Raises `GatewayAccount.DoesNotExist`."""
    return _by_id.get(account_id, lambda: GatewayAccount.objects.get(pk=account_id))


def account_named(code: str) -> GatewayAccount | None:
    """The account of that code, as it was a second ago at most."""
    return _by_code.get(code, lambda: GatewayAccount.objects.filter(code=code).first())


def accounts_for_shop() -> list[GatewayAccount]:
    """What the current shop collects through: of each gateway its own account, else the platform's.

    As it was a second ago at most.
    """
    schema_name: str = connection.schema_name  # type: ignore[attr-defined]
    platforms, with_their_own = _of_others.get(None, _accounts_of_others)
    if schema_name not in with_their_own:
        return platforms
    return _of_shop.get(schema_name, lambda: _accounts_for(schema_name))


def _accounts_of_others() -> tuple[list[GatewayAccount], frozenset[str]]:
    """Both of one moment: an account that becomes a shop's own is in one of them."""
    theirs = _usable().exclude(schema_name="").order_by().values("schema_name").distinct()
    platforms = list(_usable().filter(schema_name="").annotate(with_their_own=ArraySubquery(theirs)))
    with_their_own = platforms[0].with_their_own if platforms else theirs.values_list("schema_name", flat=True)
    return _chosen(platforms), frozenset(with_their_own)


def _usable() -> QuerySet[GatewayAccount]:
    counts = Q(counts_from__isnull=True) | Q(counts_from__lte=timezone.now())
    return GatewayAccount.objects.filter(counts, is_active=True)


def _accounts_for(schema_name: str) -> list[GatewayAccount]:
    return _chosen(_usable().filter(Q(schema_name="") | Q(schema_name=schema_name)))


def _chosen(usable: Iterable[GatewayAccount]) -> list[GatewayAccount]:
    """One of each gateway, a shop's own before the platform's."""
    chosen: dict[str, GatewayAccount] = {}
    for account in usable:
        if account.gateway not in chosen or account.schema_name:
            chosen[account.gateway] = account
    return sorted(chosen.values(), key=lambda account: (account.position, account.pk))


@transaction.atomic
def gateway_account_save(
    *,
    code: str,
    gateway: str,
    config: Mapping[str, object],
    name: str = "",
    schema_name: str = "",
    position: int = 0,
    fee_percent: Decimal | None = None,
    fee_bearer: str | None = None,
    owner_collects: bool | None = None,
) -> GatewayAccount:
    """Create or update a merchant account, at once, after checking that an adapter can read its keys: for whoever is at
    the machine itself. `gateway_account_open` is for pages.

    `fee_percent` and `fee_bearer` hold for what is paid from now on; None leaves them as they are. `owner_collects`
    says, of a new account, that it is the shop owner's own. Raises `GatewayMisconfigured`, also for a gateway nobody
    speaks, and `django.core.exceptions.ValidationError` for a fee that is none, and where whose account it is changes
    or cannot be.
    """
    try:
        gateway_class(gateway)
    except KeyError as error:
        raise GatewayMisconfigured(f"no such gateway: {gateway}") from error
    _vet(gateway, config)
    account = GatewayAccount.objects.filter(code=code).first() or GatewayAccount(code=code)
    if account._state.adding:
        account.owner_collects = bool(owner_collects)
    elif owner_collects not in (None, account.owner_collects):
        raise ValidationError({"owner_collects": _("是谁的账户，开好以后不能改；另开一个")})
    _owned(account, schema_name)
    account.gateway, account.schema_name, account.position = gateway, schema_name, position
    account.name = name or account.name or code
    account.fee_percent = account.fee_percent if fee_percent is None else fee_percent
    account.fee_bearer = fee_bearer or account.fee_bearer
    account.config = dict(config)
    if account.next_at is not None:
        _no_next(account)
    account.full_clean(exclude=["sealed_config"])
    account.save()
    alert_end(KEY_UNKNOWN, subject=account.code)
    alone_refresh()
    forget()
    return account


@transaction.atomic
def gateway_account_open(*, code: str, schema_name: str, is_active: bool, actor: str, **terms: Any) -> GatewayAccount:
    """A new merchant account, with the terms of `gateway_account_save`. Where there is another one already for a shop
    that it is for, in use or not, it collects only after `COOL_OFF`, and people are told: it leads money elsewhere just
    as other keys would. A platform's, or a shop's, very first collects at once.

    Raises what `gateway_account_save` does, and `ValidationError` for a code that is taken.
    """
    if GatewayAccount.objects.filter(code=code).exists():
        raise ValidationError({"code": _("这个代号已经有账户在用")})
    alone_lock()
    is_first = not _others(schema_name)
    account = gateway_account_save(code=code, schema_name=schema_name, **terms)
    account.is_active = is_active
    if not is_first:
        _cool_off(account, actor)
    account.save()
    alone_refresh()
    forget()
    return account


def _vet(gateway: str, config: Mapping[str, object]) -> None:
    """An adapter can read such keys, and has nothing against them. Raises `GatewayMisconfigured`."""
    adapter = gateway_class(gateway)(config, _http)
    if isinstance(adapter, Vetted):
        adapter.vet(config, now=timezone.now())


def _others(schema_name: str, *, but: int | None = None) -> bool:
    """Whether there is an account, in use or not, through which that shop collects, or any shop where none is named."""
    known = GatewayAccount.objects.exclude(pk=but or 0).exclude(sealed_config="")
    return known.filter(schema_name__in=("", schema_name)).exists() if schema_name else known.exists()


def _cool_off(account: GatewayAccount, actor: str) -> None:
    account.counts_from = timezone.now() + COOL_OFF
    alert_raise(
        NEW_ACCOUNT, subject=account.code, level=Level.URGENT,
        url=f"/admin/merchants/gatewayaccount/{account.pk}/change/", account=account.name, by=actor,
        schema=account.schema_name,
    )  # fmt: skip


def _owned(account: GatewayAccount, schema_name: str) -> None:
    """An owner's own account is of one sub-site, and of that one for good. Raises `ValidationError`."""
    if not account.owner_collects:
        return
    sub_site = Reseller.objects.filter(schema_name=schema_name, is_house=False)
    if not sub_site.exclude(schema_name=get_public_schema_name()).exists():
        raise ValidationError({"schema_name": _("店主自己的账户只能给一家分站，直营店的就是平台的")})
    if not account._state.adding and account.schema_name != schema_name:
        raise ValidationError({"schema_name": _("店主自己的账户不能换给别的店；另开一个")})


@transaction.atomic
def gateway_account_change(*, account_id: int, config: Mapping[str, object], actor: str) -> GatewayAccount:
    """Let these keys take the place of the stored ones of the same names, after `COOL_OFF`, and tell operators.

    Until then the stored ones count, and `gateway_account_change_cancel` takes the change back. What changes nothing is
    no change; a later change takes an earlier one's place and waits anew. Raises `GatewayMisconfigured`.
    """
    account = GatewayAccount.objects.select_for_update().get(pk=account_id)
    stored = account.config
    wanted = {**stored, **config}
    if wanted == stored or (account.next_sealed and wanted == account.next_config):
        return account
    _vet(account.gateway, wanted)
    account.next_config = wanted
    account.next_at, account.next_by = timezone.now() + COOL_OFF, actor
    account.save(update_fields=["next_sealed", "next_at", "next_by"])
    alert_raise(
        "merchant.keys_changing", subject=account.code, level=Level.URGENT,
        url=f"/admin/merchants/gatewayaccount/{account.pk}/change/", account=account.name, by=actor,
        keys=", ".join(sorted(config)),
    )  # fmt: skip
    return account


@transaction.atomic
def gateway_account_change_cancel(*, account_id: int) -> bool:
    """Take keys back that do not count yet. False where there are none."""
    account = GatewayAccount.objects.select_for_update().get(pk=account_id)
    if account.next_at is None:
        return False
    _no_next(account)
    account.save(update_fields=["next_sealed", "next_at", "next_by"])
    return True


def _no_next(account: GatewayAccount) -> None:
    account.next_sealed, account.next_at, account.next_by = "", None, ""
    alert_end("merchant.keys_changing", subject=account.code)


@transaction.atomic
def gateway_accounts_change_due() -> int:
    """Let keys count, and new accounts collect, whose time has come; of how many accounts keys do. Run by beat, in
    public; twice is harmless."""
    due = list(GatewayAccount.objects.select_for_update().filter(next_at__lte=timezone.now()).order_by("pk"))
    for account in due:
        account.sealed_config = account.next_sealed
        _no_next(account)
        alert_end(KEY_UNKNOWN, subject=account.code)
        account.save()
        logger.warning("merchant account %s: its new keys count from now on", account.code)
    for account in GatewayAccount.objects.select_for_update().filter(counts_from__lte=timezone.now()).order_by("pk"):
        account.counts_from = None
        account.save(update_fields=["counts_from"])
        alert_end(NEW_ACCOUNT, subject=account.code)
        logger.warning("merchant account %s collects from now on", account.code)
    alone_refresh()
    if due:
        forget()
    return len(due)


@transaction.atomic
def gateway_account_place(
    *,
    account_id: int,
    name: str,
    schema_name: str,
    position: int,
    fee_percent: Decimal,
    fee_bearer: str,
    actor: str = "",
) -> None:
    """Say what an account is called, which shop alone collects through it (empty: all), which one comes first, and what
    the gateway keeps of what is paid from now on. One that comes to shops which collected otherwise is new to them, and
    waits like a new one, everywhere.

    Raises `django.core.exceptions.ValidationError` for a fee that is none, and for another shop than the owner's whose
    account it is.
    """
    account = GatewayAccount.objects.select_for_update().get(pk=account_id)
    _owned(account, schema_name)
    is_new_there = account.schema_name not in ("", schema_name) and _others(schema_name, but=account.pk)
    account.name, account.schema_name, account.position = name, schema_name, position
    account.fee_percent, account.fee_bearer = fee_percent, fee_bearer
    account.full_clean(exclude=["sealed_config"])
    if is_new_there:
        _cool_off(account, actor)
    account.save()
    alone_refresh()
    forget()


@transaction.atomic
def gateway_account_enable(*, account_id: int, is_active: bool) -> None:
    """Collect through this account, or open no new payments there: what is open is followed, refunds go back."""
    GatewayAccount.objects.filter(pk=account_id).update(is_active=is_active, updated_at=Now())
    if not is_active:
        alert_end(NEW_ACCOUNT, subject=GatewayAccount.objects.values_list("code", flat=True).get(pk=account_id))
    alone_refresh()
    forget()


def forget() -> None:
    """Drop accounts and adapters: for tests, and for the process that has just changed an account."""
    with _lock:
        _gateways.clear()
    for remembered in (_by_id, _by_code, _of_shop, _of_others):
        remembered.forget()
