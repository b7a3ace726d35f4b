"""Why something about a client is refused."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class ClientRefused(Problem):
    """A client, its key or its money cannot be as it was asked; `fields` say why."""

    code = "client_refused"


class BalanceShort(Problem):
    """The client's balance does not reach; `balance` says what there is."""

    code = "balance_short"
    status = 402
    message = _("余额不足，请先充值")
