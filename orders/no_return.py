"""What a shopper confirms, for each purchase by itself: that these goods are not taken back without a reason.

Goods of that kind may be kept out of the seven days only where the shopper has said so when buying, and never by a box
that is ticked beforehand (docs/compliance.md). What was said is kept with the order: when, and in which words.

A wording that was ever shown stays here, so that an order of years ago can still be read: new words get a new name.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

#: A program that orders through the API asks in words of its own.
BY_PROGRAM = "program"
WORDINGS: Mapping[str, Any] = {
    "charge-1": _("我确认：这是充到账号的虚拟商品，到账后不支持七日无理由退货。没到账，全额退款。"),
    "code-1": _("我确认：这是卡密，显示后不支持七日无理由退货。没显示过的可以申请退款，卡密无效换卡或退款。"),
    BY_PROGRAM: _("由下单的程序自行提示并确认"),
}
#: What is shown now, by the kind of goods; everything else is charged onto an account.
_NOW = {"code": "code-1"}
_CHARGE = "charge-1"


def wording_for(kind: str) -> str:
    """The name of the words that goods of a kind are confirmed in now."""
    return _NOW.get(kind, _CHARGE)


def wording_text(name: str) -> str:
    """The words themselves, in the reader's language; the name where nobody knows them."""
    return str(WORDINGS.get(name, name))


def is_wording(name: str) -> bool:
    """Whether a page of ours has ever asked in these words."""
    return name in WORDINGS and name != BY_PROGRAM
