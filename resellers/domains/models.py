"""Hosts that owners bring, in public. A row of `resellers.Domain` stands beside one as long as it is bound."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.core.encryption import digest
from resellers.domains.names import PROOF_LABEL, shown
from resellers.models import Reseller

#: What the record says before the value, so that people know what it is for.
PROOF_PREFIX = "kameng-verification="


class Problem(models.TextChoices):
    """What stands between a host and its shop."""

    NONE = "", _("没有问题")
    NO_RECORD = "no_record", _("还没有这条 TXT 记录")
    OTHER_VALUE = "other_value", _("TXT 记录的值不对")
    NOT_POINTING = "not_pointing", _("域名没有指向我们")
    TAKEN = "taken", _("别的店铺已经证明过这个域名")
    TIMEOUT = "timeout", _("域名服务器没有回答")
    SERVER_FAILURE = "server_failure", _("域名服务器出错")


class OwnDomain(models.Model):
    """One host that a shop's owner says is theirs. Saying so blocks nobody; proving it does (`bound`)."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting", _("等待解析")
        WRONG = "wrong", _("要修改")
        VERIFIED = "verified", _("已验证")
        CERTIFICATE = "certificate", _("签发证书中")
        LIVE = "live", _("已生效")
        LOST = "lost", _("已失效")

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="own_domains")
    #: Small ASCII letters, as in `resellers.Domain`.
    host = models.CharField(_("域名"), max_length=253)
    #: Makes the proof another one each time that a host is added: an old record proves nothing.
    nonce = models.CharField(max_length=40, editable=False)
    state = models.CharField(_("状态"), max_length=12, choices=State, default=State.WAITING)
    problem = models.CharField(_("问题"), max_length=16, choices=Problem, blank=True, default=Problem.NONE)
    #: What there was instead, as the name's servers said it.
    seen = models.CharField(_("查到的"), max_length=200, blank=True)
    #: The shop answers there.
    bound = models.BooleanField(_("已绑定"), default=False)
    #: There is a row of the outbox that looks at it.
    watched = models.BooleanField(default=True)
    #: An operator knows that the name leads to us in a way that it does not show.
    waived_by = models.CharField(_("谁通过"), max_length=80, blank=True)
    created_by = models.CharField(_("谁添加"), max_length=80)
    created_at = models.DateTimeField(_("添加时间"), db_default=Now())
    #: When a person last wanted it looked at: from then on the looks become rarer.
    asked_at = models.DateTimeField(db_default=Now())
    checked_at = models.DateTimeField(_("最近检查"), null=True)
    #: When there last was a definite answer.
    answered_at = models.DateTimeField(null=True)
    bound_at = models.DateTimeField(_("绑定时间"), null=True)
    lost_at = models.DateTimeField(_("失效时间"), null=True)

    class Meta:
        verbose_name = _("自有域名")
        verbose_name_plural = _("自有域名")
        default_permissions = ()
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["shop", "host"], name="own_domain_once_a_shop"),
            models.UniqueConstraint(fields=["host"], condition=Q(bound=True), name="own_domain_bound_once"),
            models.CheckConstraint(
                condition=Q(bound=True) | Q(state__in=["waiting", "wrong", "lost"]), name="own_domain_unbound_state"
            ),
            models.CheckConstraint(
                condition=Q(bound=False) | Q(state__in=["verified", "certificate", "live", "lost"]),
                name="own_domain_bound_state",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(watched=True), name="own_domain_watched")]

    def __str__(self) -> str:
        return self.host

    @property
    def record_name(self) -> str:
        """Where the proof is looked for."""
        return f"{PROOF_LABEL}.{self.host}"

    @property
    def record_value(self) -> str:
        """The proof: of this shop, this host and this adding, and of nothing else; nobody can guess it."""
        return PROOF_PREFIX + digest(f"{self.shop_id}:{self.host}:{self.nonce}", purpose="own-domain")[:40]

    @property
    def shown_host(self) -> str:
        """As people read it."""
        return shown(self.host)
