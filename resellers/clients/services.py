"""Clients and their money: each movement is one conditional update of the balance and its journal in the book."""

from collections.abc import Sequence
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core import sql
from kameng.core.money import quantize
from resellers.clients.addresses import callback_address
from resellers.clients.exceptions import BalanceShort, ClientRefused
from resellers.clients.models import Client
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.ledger.purses import Movement, purse_refilled, purse_spent
from resellers.models import Reseller

#: More than that at once is a slip of the keyboard.
MOST = Decimal(10) ** 8

#: Only while it reaches: two orders at once cannot both spend the last yuan.
_MOVE = """
UPDATE public.clients_client SET balance = balance + %(amount)s
 WHERE id = %(client)s AND balance + %(amount)s >= 0
"""
_KNOWN = "SELECT FROM public.ledger_journal WHERE key = %s"


def clients_of(shop_id: int) -> Sequence[Client]:
    """A shop's clients by name."""
    return list(Client.objects.filter(shop_id=shop_id).order_by("name"))


def client_of(shop_id: int, client_id: int) -> Client | None:
    """One of them."""
    return Client.objects.filter(shop_id=shop_id, pk=client_id).first()


@transaction.atomic
def client_open(*, shop_id: int, name: str, contact: str, actor: str) -> Client:
    """A new client, without money and keys. Raises `ClientRefused`."""
    name, contact = " ".join(name.split()), contact.strip().lower()
    wrong: dict[str, str] = {}
    if not 1 <= len(name) <= 60:
        wrong["name"] = _("名称 1 到 60 个字")
    try:
        validate_email(contact)
    except ValidationError:
        wrong["contact"] = _("邮箱不对，应像 name@example.com 这样")
    Reseller.objects.select_for_update().get(pk=shop_id)
    if Client.objects.filter(shop_id=shop_id, name=name).exists():
        wrong["name"] = _("已经有叫这个名字的客户了")
    if wrong:
        raise ClientRefused(fields=wrong)
    client = Client.objects.create(shop_id=shop_id, name=name, contact=contact, created_by=actor)
    client.refresh_from_db()
    return client


@transaction.atomic
def client_call_at(*, client_id: int, address: str) -> Client:
    """From now on the client is told there of orders that end; empty: nowhere. Raises `ClientRefused`."""
    kept = callback_address(address)
    client = Client.objects.select_for_update().get(pk=client_id)
    client.callback_url = kept
    client.save(update_fields=["callback_url"])
    return client


@transaction.atomic
def client_credit(*, client_id: int, amount: Decimal, key: str) -> Client:
    """Put money on a client's balance, or with a negative `amount` take some off; the same `key` again moves nothing.

    A sub-site's owner, whom the client has paid, gives it from what they could take out. The house shop's clients pay
    the platform itself, outside any gateway. Raises `ClientRefused`; nothing has moved then.
    """
    client = Client.objects.get(pk=client_id)
    shop = Reseller.objects.select_for_update().get(pk=client.shop_id)
    name = f"client_credit:{client_id}:{key}"
    if sql.rows_anywhere(_KNOWN, [name]):
        return client
    if not amount or amount != quantize(amount) or abs(amount) >= MOST:
        raise _refused(_("金额不能为零，最多两位小数"))
    if amount > 0 and not shop.is_house:
        available = balances_of(shop.pk, Name.AVAILABLE)[Name.AVAILABLE]
        if amount > available:
            raise _refused(_("你的可提现只有 %(available)s 元") % {"available": f"{max(available, Decimal(0)):.2f}"})
    if not sql.execute_anywhere(_MOVE, {"client": client_id, "amount": amount}):
        raise _refused(_("这个客户的余额没有这么多"))
    source = Name.TRANSFERS if shop.is_house else Name.AVAILABLE
    moves = [Move(source, amount, shop.pk), Move(Name.PREPAID, -amount, client_id)]
    post(name, Kind.CLIENT_CREDIT, moves, shop_id=shop.pk)
    client.refresh_from_db()
    return client


def _refused(text: str) -> ClientRefused:
    return ClientRefused(text, fields={"amount": text})


def client_charge(movement: Movement) -> None:
    """Pay from a client's balance, within the transaction that books the payment. Raises `BalanceShort`; nothing has
    moved then."""
    client_id, amount = movement.holder_id, movement.amount
    if not sql.execute_anywhere(_MOVE, {"client": client_id, "amount": -amount}):
        balance = Client.objects.values_list("balance", flat=True).get(pk=client_id)
        raise BalanceShort(extra={"balance": f"{balance:.2f}"})
    purse_spent(Kind.CLIENT_PAID, [Move(Name.PREPAID, amount, client_id)], movement)


def client_give_back(movement: Movement) -> None:
    """Return money to the balance that a payment came from, within the transaction that ends the refund, and so once.
    Raises `ValueError` for a client that is gone."""
    client_id, amount = movement.holder_id, movement.amount
    if not sql.execute_anywhere(_MOVE, {"client": client_id, "amount": amount}):
        raise ValueError(f"client {client_id} of payment {movement.payment} is gone")
    purse_refilled(Kind.CLIENT_BACK, [Move(Name.PREPAID, -amount, client_id)], movement)
