"""A shopper who keeps an account in a shop: whom to call, what opens it, and what it holds."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Route(models.TextChoices):
    """Where money goes back to."""

    SOURCE = "source", _("原路退回")
    WALLET = "wallet", _("退到余额")


class Customer(models.Model):
    """An account of exactly one shop. It is none of those who run shops (`kameng.accounts`), and never becomes one.

    What lies in the wallet came there because the shopper wanted a refund to: nobody can put money in.
    """

    #: As `customers.contacts` has it; a pseudonym once the account is closed.
    contact = models.CharField(_("联系方式"), max_length=120)
    password = models.CharField(max_length=128, editable=False)
    #: In yuan; and what is owed of it in the book (`customers.wallets`).
    wallet = models.DecimalField(_("余额"), max_digits=12, decimal_places=2, default=0, db_default=0)
    #: A hundred are a yuan (`customers.points`).
    points = models.IntegerField(_("积分"), default=0, db_default=0)
    #: Where refunds of new orders go.
    refund_to = models.CharField(_("退款去向"), max_length=8, choices=Route, default=Route.SOURCE)
    #: Sessions of another number are over.
    session_version = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(_("注册时间"), db_default=Now())
    last_seen = models.DateTimeField(_("最近登录"), null=True, blank=True)
    closed_at = models.DateTimeField(_("注销时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("顾客账号")
        verbose_name_plural = _("顾客账号")
        #: No page of the admin shows it.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["contact"], name="customer_once_per_contact"),
            models.CheckConstraint(condition=Q(wallet__gte=0), name="customer_wallet_not_below_zero"),
            models.CheckConstraint(condition=Q(points__gte=0), name="customer_points_not_below_zero"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
