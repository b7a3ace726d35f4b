"""Merchant accounts at payment gateways: the platform's, each for all shops or for one, and those of shops' owners."""

import json
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kameng.core import encryption
from kameng.core.money import quantize

#: In percent. What a gateway takes is far below; more than that is a slip of the keyboard.
HIGHEST_FEE = Decimal("9.999")


class FeeBearer(models.TextChoices):
    """Who bears what a gateway keeps of a payment."""

    PLATFORM = "platform", _("平台承担")
    OWNER = "owner", _("店主承担")


class GatewayAccount(models.Model):
    """One configured account at one gateway; its keys are sealed and never shown again."""

    code = models.SlugField(_("代号"), max_length=40, unique=True)
    gateway = models.CharField(_("支付方式"), max_length=20)
    name = models.CharField(_("名称"), max_length=60)
    #: Empty: every shop collects through this account.
    schema_name = models.CharField(_("仅供店铺"), max_length=63, blank=True)
    #: The account is the shop owner's own: what is paid there never is the platform's. Said once, when it is opened.
    owner_collects = models.BooleanField(
        _("店主自己的账户"), default=False, db_default=False,
        help_text=_("钱直接进店主的账户，供货价从店铺的保证金扣；只能给一家分站，开好以后不能改"),
    )  # fmt: skip
    sealed_config = models.TextField(editable=False)
    fee_percent = models.DecimalField(
        _("费率（%）"), max_digits=4, decimal_places=3, default=0,
        validators=[MinValueValidator(0), MaxValueValidator(HIGHEST_FEE)],
        help_text=_("每笔实收的百分之几，最多三位小数，四舍五入到分；改了只影响之后的收款"),
    )  # fmt: skip
    fee_bearer = models.CharField(
        _("手续费由谁承担"), max_length=8, choices=FeeBearer, default=FeeBearer.PLATFORM,
        help_text=_("由店主承担的，从店主赚的里扣；没到账就退款的那部分由平台承担。直营店都是平台承担"),
    )  # fmt: skip
    position = models.PositiveIntegerField(_("排序"), default=0)
    is_active = models.BooleanField(_("启用"), default=True)
    #: Keys that wait to take the place of those above, from when on they count, and who typed them.
    next_sealed = models.TextField(editable=False, blank=True, default="")
    next_at = models.DateTimeField(_("新密钥生效"), null=True, blank=True, editable=False)
    next_by = models.CharField(max_length=80, blank=True, default="", editable=False)
    #: It was opened beside others, or moved to a shop, and collects from then on; empty where it does.
    counts_from = models.DateTimeField(_("开始收款"), null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("收款账户")
        verbose_name_plural = _("收款账户")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(fee_percent__gte=0, fee_percent__lt=10), name="gateway_account_fee_below_a_tenth"
            ),
            models.CheckConstraint(
                condition=Q(owner_collects=False) | ~Q(schema_name=""), name="gateway_account_of_an_owner_has_a_shop"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def fee_of(self, amount: Decimal) -> Decimal:
        """What the gateway keeps of a payment over so many yuan, half up to the fen, as gateways round."""
        return quantize(amount * self.fee_percent / 100)

    @property
    def config(self) -> dict[str, object]:
        """The configuration in clear."""
        plain: dict[str, object] = json.loads(encryption.unseal(self.sealed_config, context=f"gateway:{self.code}"))
        return plain

    @config.setter
    def config(self, value: dict[str, object]) -> None:
        self.sealed_config = encryption.seal(json.dumps(value), context=f"gateway:{self.code}")

    @property
    def next_config(self) -> dict[str, object]:
        """The configuration that waits, in clear. Only where there is one."""
        plain: dict[str, object] = json.loads(encryption.unseal(self.next_sealed, context=f"gateway:{self.code}"))
        return plain

    @next_config.setter
    def next_config(self, value: dict[str, object]) -> None:
        self.next_sealed = encryption.seal(json.dumps(value), context=f"gateway:{self.code}")
