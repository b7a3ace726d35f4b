"""The numbers under which a business is registered, and what they have to look like.

A number that is well formed need not be somebody's: whoever reads it can look it up where the page leads to.
"""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

#: Where the ministry (工业和信息化部) answers who has filed a website; the filing number at a page's foot leads there.
ICP_URL = "https://beian.miit.gov.cn/"
#: GB 32100-2015: without I, O, S, V and Z; a character counts as much as its place here.
CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE = re.compile(rf"[{CODE_ALPHABET}]{{2}}[0-9]{{6}}[{CODE_ALPHABET}]{{10}}", re.ASCII)
#: The short names of provinces, autonomous regions and municipalities.
_PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川蜀贵黔云滇藏陕陇甘青宁新"
_ICP = re.compile(rf"[{_PROVINCES}]ICP(备|证)[0-9]{{6,10}}号(-[0-9]{{1,3}})?")
#: Of one province, or (without one) of the whole country; one license may be for several kinds of business.
_TELECOM = re.compile(rf"[{_PROVINCES}]?(合字)?([AB][12]\.)*[AB][12]-[0-9]{{6,12}}")


def check_character(code: str) -> str:
    """The 18th character of a unified social credit code by its first 17 (GB 32100-2015): the weight of a place is the
    power of three before it, modulo 31. Raises `ValueError` for a character that no code has.
    """
    total = sum(CODE_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return CODE_ALPHABET[-total % 31]


def credit_code(text: str) -> None:
    """A unified social credit code (统一社会信用代码), as on a business license. Raises `ValidationError`."""
    if not _CREDIT_CODE.fullmatch(text):
        raise ValidationError(_("统一社会信用代码是 18 位数字或大写字母，没有 I、O、S、V、Z"))
    if check_character(text) != text[17]:
        raise ValidationError(_("统一社会信用代码的最后一位校验不对，请对着执照核对每一位"))


def icp_number(text: str) -> None:
    """A filing or a license of a website (ICP 备案号、许可证号). Raises `ValidationError`."""
    if not _ICP.fullmatch(text):
        raise ValidationError(_("备案号应像 京ICP备12345678号-1 这样"))


def telecom_license(text: str) -> None:
    """A license for value-added telecommunication (增值电信业务经营许可证). Raises `ValidationError`."""
    if not _TELECOM.fullmatch(text):
        raise ValidationError(_("许可证号应像 京B2-20261234 这样"))
