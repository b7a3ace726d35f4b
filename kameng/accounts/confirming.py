"""Steps that need a second factor: a code at the step itself, or one of the last minutes in the same session."""

import time
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from kameng.accounts.second_factor import SecondFactorMissing, second_factor_check, second_factor_of
from kameng.admin.forms import StaffForm

#: For how long a code counts for further steps in the same session.
FRESH_SECONDS = 300
_SESSION_KEY = "second_factor"


def has_second_factor(request: HttpRequest) -> bool:
    """Whether the account has one."""
    return second_factor_of(request.user.pk) is not None


def is_fresh(request: HttpRequest) -> bool:
    """Whether a code of the factor that the account has now was given in this session, a few minutes ago at most."""
    factor = second_factor_of(request.user.pk)
    known = request.session.get(_SESSION_KEY)
    if factor is None or factor.confirmed_at is None or not isinstance(known, list):
        return False
    since, at = known
    return bool(since == factor.confirmed_at.isoformat() and 0 <= time.time() - at <= FRESH_SECONDS)


def second_factor_require(request: HttpRequest, code: str) -> None:
    """Go on only with a second factor: the code, or one that is fresh.

    Raises `SecondFactorMissing`, `CodeRefused` and `TooMany`.
    """
    if is_fresh(request):
        return
    second_factor_check(user_id=request.user.pk or 0, code=code)
    factor = second_factor_of(request.user.pk)
    if factor is None or factor.confirmed_at is None:
        raise SecondFactorMissing
    request.session[_SESSION_KEY] = [factor.confirmed_at.isoformat(), time.time()]


class CodeInput(forms.TextInput):
    """Six digits that the phone offers; never drawn again as they were typed."""

    def __init__(self) -> None:
        super().__init__({"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false"})

    def format_value(self, value: Any) -> str:
        """Always empty: a code counts once."""
        return ""


class CodeField(forms.CharField):
    """A code of the app, or a recovery code."""

    widget = CodeInput

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("两步验证码"))
        options.setdefault("help_text", _("手机上的 6 位数字；手机不在身边就填一个备用码"))
        super().__init__(max_length=24, **options)


class ConfirmedForm(StaffForm):
    """A form whose step needs a second factor. It asks for a code unless one is fresh, and last of all."""

    code = CodeField()

    def __init__(self, *args: Any, request: HttpRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request = request
        if is_fresh(request):
            del self.fields["code"]
        self.order_fields([name for name in self.fields if name != "code"])

    def confirm(self) -> None:
        """Take the code, once everything else is right. Raises as `second_factor_require` does."""
        second_factor_require(self._request, self.cleaned_data.get("code", ""))
