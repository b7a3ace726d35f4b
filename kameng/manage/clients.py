"""Other sites that buy from the shop by program: who they are, their keys and money, and what they were told."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from kameng.supply.callbacks import callbacks_of, client_callback_resend
from kameng.supply.models import ClientCallback
from resellers.clients.keys import MAX_KEYS, client_key_issue, client_key_revoke
from resellers.clients.models import Client
from resellers.clients.services import client_call_at, client_credit, client_of, client_open, clients_of
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name

_TONES = {
    ClientCallback.Status.WAITING: "neutral",
    ClientCallback.Status.DELIVERED: "ok",
    ClientCallback.Status.GIVEN_UP: "bad",
}


class OpenForm(StaffForm):
    """A new client."""

    name = forms.CharField(label=gettext_lazy("名称"), max_length=60)
    contact = forms.EmailField(
        label=gettext_lazy("联系邮箱"), max_length=120, help_text=gettext_lazy("它下的单都记这个联系方式")
    )


class KeyForm(ConfirmedForm):
    """A new key: nothing but a code."""


class AddressForm(ConfirmedForm):
    """Where the client is told of orders."""

    callback_url = forms.CharField(
        label=gettext_lazy("回调地址"), max_length=300, required=False,
        help_text=gettext_lazy("以 https:// 开头；留空就不回调，对方自己查"),
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip


class CreditForm(ConfirmedForm):
    """How much to put on the balance, or with a minus to take off it."""

    amount = forms.DecimalField(
        label=gettext_lazy("金额（元）"), max_digits=12, decimal_places=2,
        help_text=gettext_lazy("填负数就是退回"),
        widget=forms.TextInput({"inputmode": "text", "autocomplete": "off"}),
    )  # fmt: skip
    key = forms.CharField(max_length=40, widget=forms.HiddenInput)


def _shop_id(request: HttpRequest) -> int:
    return int(request.shop.pk)  # type: ignore[attr-defined]


@shop_site.page("clients/", name="clients", nav=Nav(gettext_lazy("生意"), gettext_lazy("下游客户"), "hub", 15))
@require_http_methods(["GET", "HEAD", "POST"])
def clients(request: HttpRequest) -> HttpResponse:
    """All of them, and a form for a new one."""
    form = OpenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            opened = client_open(shop_id=_shop_id(request), actor=actor_of(request), **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, opened, ADDITION, _("开通下游客户 %(name)s") % {"name": opened.name})
            messages.success(request, _("已开通，接着给它签发密钥、充值"))
            return redirect("manage:client", opened.pk)
    context = {"title": _("下游客户"), "clients": clients_of(_shop_id(request)), "form": form}
    return shop_site.render(request, "staff/clients.html", context, status=422 if request.method == "POST" else 200)


def _page(request: HttpRequest, client: Client, *, status: int = 200, **more: Any) -> HttpResponse:
    shop = request.shop  # type: ignore[attr-defined]
    keys = list(client.keys.order_by("-pk"))
    available = None if shop.is_house else balances_of(shop.pk, Name.AVAILABLE)[Name.AVAILABLE]
    context = {
        "title": client.name,
        "client": client,
        "keys": keys,
        "can_issue": sum(key.revoked_at is None for key in keys) < MAX_KEYS,
        "available": available,
        "has_factor": has_second_factor(request),
        "callbacks": [
            {"callback": told, "tone": _TONES[ClientCallback.Status(told.status)]} for told in callbacks_of(client.pk)
        ],
        "key_form": KeyForm(request=request, auto_id="id_key_%s"),
        "address_form": AddressForm(
            request=request, auto_id="id_address_%s", initial={"callback_url": client.callback_url}
        ),
        "credit_form": CreditForm(request=request, auto_id="id_credit_%s", initial={"key": random_id(20)}),
        "api_url": request.build_absolute_uri("/api/supply/v1/"),
        **more,
    }
    return shop_site.render(request, "staff/client.html", context, status=status)


def _issue(request: HttpRequest, client: Client) -> HttpResponse:
    form = KeyForm(request.POST, request=request, auto_id="id_key_%s")
    if form.is_valid():
        try:
            form.confirm()
            key, secret = client_key_issue(client_id=client.pk, actor=actor_of(request))
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, client, CHANGE, _("签发密钥 %(key)s") % {"key": key.name})
            return _page(request, client, issued=key, secret=secret)
    return _page(request, client, status=422, key_form=form)


def _revoke(request: HttpRequest, client: Client) -> HttpResponse:
    """Without a code: whoever sees that a key is out must be quick."""
    key = client.keys.filter(pk=_number(request)).first()
    if key is None:
        raise Http404
    client_key_revoke(key_id=key.pk, actor=actor_of(request))
    write_down(request, client, CHANGE, _("停用密钥 %(key)s") % {"key": key.name})
    messages.success(request, _("已停用，用它签名的请求从现在起都拒绝"))
    return redirect("manage:client", client.pk)


def _move_address(request: HttpRequest, client: Client) -> HttpResponse:
    form = AddressForm(request.POST, request=request, auto_id="id_address_%s")
    if form.is_valid():
        try:
            form.confirm()
            client_call_at(client_id=client.pk, address=form.cleaned_data["callback_url"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, client, CHANGE, _("回调地址：%(url)s") % {"url": form.cleaned_data["callback_url"]})
            messages.success(request, _("已保存回调地址"))
            return redirect("manage:client", client.pk)
    return _page(request, client, status=422, address_form=form)


def _credit(request: HttpRequest, client: Client) -> HttpResponse:
    form = CreditForm(request.POST, request=request, auto_id="id_credit_%s")
    if form.is_valid():
        amount: Decimal = form.cleaned_data["amount"]
        try:
            form.confirm()
            client_credit(client_id=client.pk, amount=amount, key=form.cleaned_data["key"])
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, client, CHANGE, _("余额变动 %(amount)s 元") % {"amount": amount})
            messages.success(request, _("已记入余额"))
            return redirect("manage:client", client.pk)
    return _page(request, client, status=422, credit_form=form)


def _resend(request: HttpRequest, client: Client) -> HttpResponse:
    callback = ClientCallback.objects.filter(pk=_number(request), client_order__client_id=client.pk).first()
    if callback is None:
        raise Http404
    client_callback_resend(callback_id=callback.pk)
    messages.success(request, _("马上再发一次"))
    return redirect("manage:client", client.pk)


def _number(request: HttpRequest) -> int:
    """Which row a button is about. Raises `Http404`."""
    text = request.POST.get("row", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Http404
    return int(text)


#: What an owner may do with a client, by the button's name.
_ACTS: dict[str, Callable[[HttpRequest, Client], HttpResponse]] = {
    "issue": _issue, "revoke": _revoke, "address": _move_address, "credit": _credit, "resend": _resend,
}  # fmt: skip


@shop_site.page("clients/<int:client_id>/", name="client")
@require_http_methods(["GET", "HEAD", "POST"])
def client(request: HttpRequest, client_id: int) -> HttpResponse:
    """One of them."""
    found = client_of(_shop_id(request), client_id)
    if found is None:
        raise Http404
    if request.method != "POST":
        return _page(request, found)
    act = _ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    return act(request, found)
