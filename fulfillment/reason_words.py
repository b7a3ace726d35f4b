"""Why an attempt to buy ended as it did, in words for operators; what the supplier itself said stands beside them."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.reasons import Reason

_WORDS: Mapping[str, str | Promise] = {
    Reason.NO_CONNECTION: _("连不上渠道，没有提交"),
    Reason.BAD_SKU: _("对方编码不对"),
    Reason.MISSING_ACCOUNT: _("缺充值账号"),
    Reason.WRONG_KIND: _("这个渠道不卖这一类"),
    Reason.COST_UNKNOWN: _("成本不明，没有提交"),
    Reason.OUT_OF_STOCK: _("渠道缺货"),
    Reason.PRODUCT_UNAVAILABLE: _("渠道下架了"),
    Reason.PRICE_ABOVE_LIMIT: _("渠道涨价，超过成本上限"),
    Reason.BAD_ACCOUNT: _("渠道说充值账号不对"),
    Reason.BAD_REQUEST: _("渠道说请求不对"),
    Reason.NO_BALANCE: _("渠道余额不足"),
    Reason.BAD_CREDENTIALS: _("渠道不认密钥"),
    Reason.PAYMENT_FAILED: _("渠道扣款失败"),
    Reason.BAD_CALLBACK_URL: _("渠道不接受回调地址"),
    Reason.FAILED: _("渠道充值失败"),
    Reason.CANCELED: _("渠道取消了"),
    Reason.REFUNDED: _("渠道退款了"),
    Reason.NO_ANSWER: _("没有收到答复"),
    Reason.HTTP_STATUS: _("渠道返回错误页"),
    Reason.UNREADABLE: _("答复读不懂"),
    Reason.MISSING_FIELDS: _("答复不完整"),
    Reason.BAD_SIGNATURE: _("答复的签名不对"),
    Reason.OTHER_ORDER: _("答复说的是别的单"),
    Reason.UNKNOWN_STATE: _("答复的状态不认识"),
    Reason.UNKNOWN_CODE: _("答复的代码不认识"),
    Reason.DUPLICATE: _("渠道说单号重复"),
    Reason.WRONG_COUNT: _("卡密数量不对"),
    Reason.EMPTY_CODE: _("卡密是空的"),
    Reason.PLACEHOLDER: _("给的不是卡密"),
    Reason.REPEATED_CODE: _("卡密重复"),
    Reason.NOT_SUPPORTED: _("渠道不支持"),
    Reason.NO_REFERENCE: _("没有对方单号"),
    Reason.TOO_LATE: _("太晚了"),
    Reason.NO_SUCH_ORDER: _("渠道查无此单"),
    Reason.OWNER_OVERDUE: _("店主没有按时交付"),
    Reason.OWNER_EMPTY: _("店主没有货了"),
    Reason.OWNER_ACCOUNT: _("店主说账号不对，充不了"),
    Reason.OWNER_CANNOT: _("店主这单做不了"),
    Reason.OWNER_STOPPED: _("商品被平台下架，不再由店主交付"),
    "not_found": _("渠道两次查无此单"),
    "code_seen_before": _("卡密以前出现过"),
    "misconfigured": _("渠道配置不完整"),
    "adapter_error": _("接口程序出错"),
    "given_up": _("人工认定没有充成"),
    "held_up": _("耽搁太久，没有提交，先查询"),
}


def reason_words(code: str) -> str:
    """What a code means; the code itself where nobody has words for it."""
    return str(_WORDS.get(code, code))
