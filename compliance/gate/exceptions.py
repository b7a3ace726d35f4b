"""Why something is not saved, or not decided."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class ContentBlocked(Problem):
    """What was typed may not be sold; `fields` say where and by which rule. Nothing is saved.

    `findings` are those of the screening, as `Screening.findings` has them.
    """

    code = "content_blocked"
    message = _("内容违反平台规则，没有保存")
    findings: Sequence[dict[str, Any]] = ()


class TooMuchText(Problem):
    """More than anybody reads, and than is screened."""

    code = "too_much_text"
    message = _("文字太多了，请删短再保存")


class CaseMoved(Problem):
    """The subject changed after whoever decides has looked."""

    code = "case_moved"
    status = 409
    message = _("内容刚刚改过，请看过新的版本再决定")


class CaseClosed(Problem):
    """Somebody else has decided, or it was withdrawn."""

    code = "case_closed"
    status = 409
    message = _("这个案件已经处理过了")


class StatementMissing(Problem):
    """A decision against somebody without its reason."""

    code = "statement_missing"
    message = _("请选理由，或写明要改什么")


class UndoTooLate(Problem):
    """Only whoever decided takes a decision back, and only for a while."""

    code = "undo_too_late"
    status = 409
    message = _("只有决定的人能在 10 分钟内撤回；过后请下架或恢复上架")
