"""Why an owner's paper is not confirmed, or counts no more: a closed list of codes, and what owners are told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


@dataclass(frozen=True, slots=True)
class PaperReason:
    """One code: what it is called, and what the owner is to do."""

    code: str
    label: str | Promise
    advice: str | Promise


REASONS: Mapping[str, PaperReason] = {
    reason.code: reason
    for reason in (
        PaperReason("K-01", gettext_lazy("扫描件看不清或不全"), gettext_lazy("请把整张证照拍清楚，四角和印章都要在。")),
        PaperReason("K-02", gettext_lazy("填写和扫描件不一致"), gettext_lazy("请照着证照填编号、发证机关和日期。")),
        PaperReason("K-03", gettext_lazy("已经过期"), gettext_lazy("请提交续期后的证照。")),
        PaperReason("K-04", gettext_lazy("范围不符"), gettext_lazy("证照上没有写到的类目或品牌不要选。")),
        PaperReason(
            "K-05", gettext_lazy("持有人不是店铺的经营主体"),
            gettext_lazy("请提交写着店铺经营主体名称的证照，或先改经营主体。"),
        ),
        PaperReason("K-06", gettext_lazy("在发证机关查不到"), gettext_lazy("请核对编号；确实有效就附查询页面的截图。")),
    )
}  # fmt: skip


def paper_statement(codes: Sequence[str]) -> str:
    """What an owner is told: why, and what to do. Codes that nobody knows are left out."""
    return "\n".join(
        _("%(code)s %(label)s：%(advice)s") % {"code": known.code, "label": known.label, "advice": known.advice}
        for known in (REASONS[code] for code in codes if code in REASONS)
    )
