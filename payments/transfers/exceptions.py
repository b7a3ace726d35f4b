"""Why a movement on an account is not taken down."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class TransferRefused(Problem):
    """It cannot be written down like that; `fields` say why."""

    code = "transfer_refused"


class TransferDecided(Problem):
    """It has gone on meanwhile, and this step is over."""

    code = "transfer_decided"
    status = 409
    message = _("这笔转账已经有人处理过了，刷新再看")
