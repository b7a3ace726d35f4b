"""Why people decide as they do: a closed list of codes, and the statement to the owner that comes of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from compliance.gate.models import Case
from compliance.gate.words import HISTORY, quoted
from compliance.screening.rules import Category

#: The rule was wrong about it. Counts against the rule.
FALSE_ALARM = "N-00"
_BACK, _DOWN = Case.State.SENT_BACK, Case.State.TAKEN_DOWN


@dataclass(frozen=True, slots=True)
class Reason:
    """One code: what it is called, what an owner is told to do, and the decision that it usually leads to."""

    code: str
    label: str | Promise
    advice: str | Promise
    usual: Case.State


REASONS: Mapping[str, Reason] = {
    reason.code: reason
    for reason in (
        Reason("R01", gettext_lazy("法律禁止的商品或服务"), gettext_lazy("这类商品不能卖，请不要再上架。"), _DOWN),
        Reason(
            "R03", gettext_lazy("侵权或没有授权"), gettext_lazy("请改掉品牌名、软件名或图片，或先提交授权文件。"), _BACK
        ),
        Reason("R05", gettext_lazy("买卖账号、绕过实名或防沉迷"), gettext_lazy("请只卖充到买家账号的商品。"), _DOWN),
        Reason("R07", gettext_lazy("共享、租借或合租账号"), gettext_lazy("请只卖充到买家自己账号的会员。"), _DOWN),
        Reason("R09", gettext_lazy("博彩、抽奖或返利"), gettext_lazy("请删掉概率、抽奖和返利的玩法。"), _DOWN),
        Reason("R12", gettext_lazy("外挂、脚本或代练"), gettext_lazy("这类商品不能卖，请不要再上架。"), _DOWN),
        Reason("R15", gettext_lazy("虚假宣传"), gettext_lazy("请删掉没有凭据的说法，例如“官方”“全网最低”。"), _BACK),
        Reason("R18", gettext_lazy("货源可疑"), gettext_lazy("请提交进货凭据。"), _DOWN),
        Reason("P-01", gettext_lazy("价格异常"), gettext_lazy("请核对官方价和售价，或说明为什么便宜。"), _BACK),
        Reason("L-01", gettext_lazy("证照过期"), gettext_lazy("请提交续期后的证照。"), _BACK),
        Reason("L-02", gettext_lazy("证照范围不符"), gettext_lazy("请提交包含这类商品的证照。"), _BACK),
        Reason("L-03", gettext_lazy("缺少授权"), gettext_lazy("请提交授权文件。"), _BACK),
        Reason("D-01", gettext_lazy("说明不全"), gettext_lazy("请写明到账时间、适用区服和退款规则。"), _BACK),
        Reason("U-01", gettext_lazy("买家举报属实"), gettext_lazy("请按举报的问题改正。"), _BACK),
        Reason(FALSE_ALARM, gettext_lazy("误报"), "", Case.State.APPROVED),
    )
}
#: The code that goes with what the screening found.
_USUAL: Mapping[str, str] = {
    Category.GAME_CHEAT: "R12",
    Category.CRACKED_SOFTWARE: "R03",
    Category.VIRTUAL_CURRENCY: "R01",
    Category.PORNOGRAPHY: "R01",
    Category.GAMBLING: "R09",
    Category.SHARED_ACCOUNT: "R07",
    Category.INFRINGEMENT: "R03",
    Category.REAL_NAME_ACCOUNT: "R05",
    Category.PERSONAL_DATA: "R01",
    Category.VPN: "R01",
    Category.FORGED_DOCUMENT: "R01",
}


def suggested(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """The codes for what was found, the most severe finding's first.

    What has no place in a text is about its price, but for the seller's history, for which nothing is decided."""
    return list(
        dict.fromkeys(
            "P-01" if not finding["field"] else _USUAL[finding["category"]]
            for finding in findings
            if finding.get("rule") != HISTORY and (not finding["field"] or finding["category"] in _USUAL)
        )
    )


def statement_of(to: str, codes: Sequence[str], findings: Sequence[Mapping[str, Any]]) -> str:
    """What an owner is told beside the decision: about which words, why, and what to do. Empty for an approval.

    Codes that nobody knows are left out.
    """
    known = [REASONS[code] for code in codes if code in REASONS and REASONS[code].advice]
    if to == Case.State.APPROVED or not known:
        return ""
    sentences = []
    if caught := quoted(findings):
        sentences.append(_("看到的文字：%(caught)s。") % {"caught": caught})
    for reason in known:
        sentences.append(_("%(code)s %(label)s：%(advice)s") % {
            "code": reason.code, "label": reason.label, "advice": reason.advice,
        })  # fmt: skip
    sentences.append(_("不同意的话，7 天内可以申诉，由另一位审核员复核。"))
    return "\n".join(sentences)
