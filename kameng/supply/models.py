"""A client's orders, and what the client was told of them."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import public_key
from orders.models import Order


class ClientOrder(models.Model):
    """That an order is a client's: `reference` is the client's own number, which makes it once."""

    order = models.OneToOneField(Order, models.PROTECT, verbose_name=_("订单"), related_name="client_order")
    client = public_key("clients.Client", _("下游客户"), db_index=False)
    #: The name of the key that ordered.
    key = models.CharField(_("密钥编号"), max_length=40)
    reference = models.CharField(_("对方单号"), max_length=64)
    request_digest = models.CharField(max_length=64, editable=False)
    #: When the client took it back.
    canceled_at = models.DateTimeField(_("取消时间"), null=True, blank=True)
    created_at = models.DateTimeField(_("下单时间"), db_default=Now())

    class Meta:
        verbose_name = _("下游订单")
        verbose_name_plural = _("下游订单")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["client", "reference"], name="client_order_reference_once")]

    def __str__(self) -> str:
        return self.reference


class ClientCallback(models.Model):
    """One thing that a client is told of an order: that it has ended, and how. Sent until the client says yes."""

    class Status(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting", _("等待送达")
        DELIVERED = "delivered", _("已送达")
        GIVEN_UP = "given_up", _("放弃")

    client_order = models.ForeignKey(
        ClientOrder, models.PROTECT, verbose_name=_("下游订单"), related_name="callbacks", db_index=False
    )
    #: The state of the order that it tells of (`kameng.supply.selectors.State`).
    told = models.CharField(_("告知"), max_length=16)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(_("次数"), default=0)
    #: What came back last, without its body: a status, or why there was no answer.
    answer = models.CharField(_("最近一次应答"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("产生时间"), db_default=Now())
    tried_at = models.DateTimeField(_("最近一次发送"), null=True, blank=True)

    class Meta:
        verbose_name = _("下游回调")
        verbose_name_plural = _("下游回调")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["client_order", "told"], name="client_callback_once_per_state")]

    def __str__(self) -> str:
        return f"#{self.pk}"
