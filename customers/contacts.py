"""Where a shopper is reached, as they type it. Pure."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

_LONGEST = 120
_PHONE = re.compile(r"1[3-9]\d{9}", re.ASCII)


def contact_clean(raw: Any) -> str:
    """A mobile number of eleven digits or an e-mail address, normalized.

    Raises `ValueError` with a message for people.
    """
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(_("请填写手机号或邮箱，查订单时要用"))
    text = raw.strip()
    digits = re.sub(r"[\s\-]", "", text).removeprefix("+86")
    if _PHONE.fullmatch(digits):
        return digits
    if len(text) <= _LONGEST and "@" in text:
        try:
            validate_email(text)
        except ValidationError:
            pass
        else:
            return text.lower()
    raise ValueError(_("手机号或邮箱不对，应像 13812345678 或 name@example.com 这样"))
