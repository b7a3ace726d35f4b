"""Shoppers' reports of products, over all shops, in public."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_TEXT, MAX_CONTACT, MAX_NOTE = 500, 120, 300


class Report(models.Model):
    """One shopper about one product of one shop. Nothing of it is ever shown in the shop's own pages or its admin."""

    class Kind(models.TextChoices):
        """What is wrong."""

        UNLAWFUL = "unlawful", _("违法违规商品（外挂、盗版、赌博、色情等）")
        INFRINGING = "infringing", _("侵犯商标或著作权")
        FRAUD = "fraud", _("欺诈、价格或描述不实")
        ACCOUNT = "account", _("共享、租借或来路不明的账号、卡密")
        MINORS = "minors", _("诱导未成年人消费")
        OTHER = "other", _("其他问题")

    schema_name = models.CharField(_("店铺"), max_length=63)
    product = models.CharField(_("商品代号"), max_length=60)
    #: As it was called in the shop when it was reported.
    product_name = models.CharField(_("商品"), max_length=80)
    kind = models.CharField(_("举报的问题"), max_length=10, choices=Kind)
    text = models.CharField(_("说明"), max_length=MAX_TEXT, blank=True)
    #: If they want an answer; forgotten once the report is handled and old enough.
    contact = models.CharField(_("联系方式"), max_length=MAX_CONTACT, blank=True)
    created_at = models.DateTimeField(_("举报时间"), db_default=Now())
    handled_at = models.DateTimeField(_("举报处理时间"), null=True, blank=True)
    handled_by = models.CharField(_("谁处理的举报"), max_length=80, blank=True)
    note = models.CharField(_("举报处理结果"), max_length=MAX_NOTE, blank=True)

    class Meta:
        verbose_name = _("商品举报")
        verbose_name_plural = _("商品举报")
        #: Who may enter the site may look.
        default_permissions = ()
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["schema_name", "product"], name="report_of_product"),
            models.Index(fields=["created_at"], condition=Q(handled_at__isnull=True), name="report_open"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(handled_at__isnull=True) | (~Q(handled_by="") & ~Q(note="")),
                name="report_handled_by_somebody_who_says_how",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.product_name}"
