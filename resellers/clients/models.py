"""Who buys by program, with what money and by which keys. Public, because their money is in the platform's book."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.core import encryption
from resellers.models import Reseller


class Client(models.Model):
    """Another site that buys from one shop. `balance` in yuan is what the book says of it, and is never below zero."""

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    name = models.CharField(_("名称"), max_length=60)
    #: An e-mail address: the contact of all orders that it places.
    contact = models.EmailField(_("联系邮箱"), max_length=120)
    balance = models.DecimalField(_("余额"), max_digits=14, decimal_places=2, default=0)
    #: Where it is told that an order has ended; empty where it only asks.
    callback_url = models.CharField(_("回调地址"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("开通时间"), db_default=Now())
    created_by = models.CharField(_("谁开通"), max_length=80)

    class Meta:
        verbose_name = _("下游客户")
        verbose_name_plural = _("下游客户")
        constraints = [
            models.UniqueConstraint(fields=["shop", "name"], name="client_name_once"),
            models.CheckConstraint(condition=Q(balance__gte=0), name="client_balance_never_negative"),
        ]

    def __str__(self) -> str:
        return self.name


class ClientKey(models.Model):
    """One key of a client: its name travels with each request, its secret never does."""

    client = models.ForeignKey(Client, models.PROTECT, verbose_name=_("下游客户"), related_name="keys")
    name = models.CharField(_("密钥编号"), max_length=40, unique=True)
    sealed = models.TextField(editable=False)
    created_at = models.DateTimeField(_("签发时间"), db_default=Now())
    created_by = models.CharField(_("谁签发"), max_length=80)
    revoked_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    revoked_by = models.CharField(_("谁停用"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("下游密钥")
        verbose_name_plural = _("下游密钥")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def secret(self) -> str:
        """What requests are signed with, in clear."""
        return encryption.unseal(self.sealed, context=f"client-key:{self.name}")

    @secret.setter
    def secret(self, value: str) -> None:
        self.sealed = encryption.seal(value, context=f"client-key:{self.name}")


class ClientNonce(models.Model):
    """A request that was seen, for as long as its time would let it be sent again."""

    key = models.ForeignKey(ClientKey, models.CASCADE, related_name="+", db_index=False)
    nonce = models.CharField(max_length=64)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "nonce"], name="client_nonce_once")]
        indexes = [models.Index(fields=["seen_at"], name="client_nonce_age")]
