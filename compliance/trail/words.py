"""What kinds of subjects and actions of the audit trail are called; one without a word here is shown by its code."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

KINDS: Mapping[str, Any] = {
    "license": _("证照"),
    "requirement": _("类目要求"),
    "rule": _("筛查规则"),
    "rules": _("软件自带的筛查规则"),
    "words": _("筛查词组"),
    "report": _("商品举报"),
    "case": _("审核案件"),
    "shop": _("店铺"),
}
ACTIONS: Mapping[str, Any] = {
    "license.added": _("录入证照"),
    "license.replaced": _("证照由新的一份替换"),
    "license.revoked": _("作废证照"),
    "license.handed_in": _("店主提交证照"),
    "license.taken_back": _("店主撤回证照"),
    "license.confirmed": _("核对证照：通过"),
    "license.sent_back": _("核对证照：退回"),
    "license.undone": _("撤回对证照的决定"),
    "license.scan_added": _("上传证照扫描件"),
    "license.scan_seen": _("查看证照扫描件"),
    "requirement.set": _("改了类目要求"),
    "rule.added": _("新增筛查规则"),
    "rule.changed": _("修改筛查规则"),
    "words.added": _("新增筛查词组"),
    "words.changed": _("修改筛查词组"),
    "rules.renewed": _("随软件更新筛查规则"),
    "report.handled": _("处理商品举报"),
    "case.approved": _("审核通过"),
    "case.sent_back": _("退回修改"),
    "case.taken_down": _("下架"),
    "case.restored": _("恢复上架"),
    "case.amended": _("改字后通过"),
    "case.undone": _("撤回决定"),
    "case.exported": _("导出案件"),
    "case.appealed": _("店主申诉"),
    "case.appeal_upheld": _("复核：维持原决定"),
    "shop.opened": _("付款开店"),
    "shop.renewed": _("续费"),
    "shop.upgraded": _("升级套餐"),
    "shop.granted": _("平台给套餐"),
    "shop.visited": _("平台员工进入店铺后台"),
    "shop.visit_ended": _("平台员工离开店铺后台"),
    "shop.suspended": _("停业"),
    "shop.resumed": _("恢复营业"),
    "shop.closed": _("关店"),
    "shop.time_taken_back": _("退款后收回套餐时间"),
    "shop.exported": _("导出店铺数据"),
    "case.appeal_reversed": _("复核：撤销原决定"),
}
