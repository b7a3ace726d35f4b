"""The second factor of whoever signs in here: set one up, take its codes once each, take it off."""

import re
import time

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.accounts import totp
from kameng.accounts.models import SecondFactor, User
from kameng.core import sql
from kameng.core.encryption import digest
from kameng.core.ids import normalize, random_id
from kameng.core.problems import Problem
from kameng.core.throttle import TooMany, allow

RECOVERY_CODES = 10
#: 50 random bits, in two groups.
RECOVERY_LENGTH = 10
#: Codes and passwords tried for one account, right ones too: in five minutes, and in a day, after which nobody gets
#: further by guessing. Counted strictly: while nobody can count, no code is taken.
TRIES, TRY_SECONDS, TRIES_A_DAY, DAY = 10, 300, 50, 86_400

#: A code counts only if it is of a later step than the last one: of two who come with the same, one is late.
_USE = "UPDATE accounts_secondfactor SET last_step = %(step)s WHERE user_id = %(user)s AND last_step < %(step)s"
_USE_RECOVERY = """
UPDATE accounts_secondfactor SET recovery = array_remove(recovery, %(digest)s)
 WHERE user_id = %(user)s AND %(digest)s = ANY(recovery)
"""
_TOTP = re.compile(r"[0-9]{6}", re.ASCII)


class SecondFactorMissing(Problem):
    """This needs a second factor, and the account has none."""

    code = "second_factor_missing"
    status = 403
    message = _("这一步要先启用两步验证")


class CodeRefused(Problem):
    """Not the code of now, or one that was taken before."""

    code = "code_refused"
    message = _("验证码不对，或已经用过；等手机上换了新的再试")


class SecondFactorRefused(Problem):
    """It cannot be set up like that."""

    code = "second_factor_refused"


def second_factor_of(user_id: int | None) -> SecondFactor | None:
    """The factor that protects an account of the current schema; None where nothing does."""
    return SecondFactor.objects.filter(user_id=user_id or 0, confirmed_at__isnull=False).first()


def _limit(user_id: int) -> None:
    for scope, limit, seconds in (("second-factor", TRIES, TRY_SECONDS), ("second-factor-day", TRIES_A_DAY, DAY)):
        if retry_after := allow(scope, str(user_id), limit=limit, seconds=seconds, strict=True):
            text = _("试得太多了，%(minutes)s 分钟后再试") % {"minutes": -(-retry_after // 60)}
            raise TooMany(text, extra={"retry_after": retry_after})


@transaction.atomic
def second_factor_begin(*, user_id: int, password: str) -> str:
    """Give somebody a new key, in base 32, which protects nothing until `second_factor_confirm`.

    The password is asked for, or whoever finds an open browser would lock its owner out. Raises
    `SecondFactorRefused`, and `TooMany`.
    """
    _limit(user_id)
    user = User.objects.select_for_update().get(pk=user_id)
    if not user.check_password(password):
        text = _("密码不对")
        raise SecondFactorRefused(text, fields={"password": text})
    if second_factor_of(user_id) is not None:
        raise SecondFactorRefused(_("已经启用了两步验证；要换手机，先停用再启用"))
    factor = SecondFactor(user=user)
    factor.key = key = totp.new_key()
    factor.save()
    return key


@transaction.atomic
def second_factor_confirm(*, user_id: int, code: str) -> list[str]:
    """One right code of the new key: from now on it protects the account. The recovery codes, to be shown this once.

    Raises `SecondFactorRefused` where there is none to confirm, `CodeRefused`, and `TooMany`.
    """
    _limit(user_id)
    factor = SecondFactor.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=True).first()
    if factor is None:
        raise SecondFactorRefused(_("没有等着确认的两步验证，从头再来一次"))
    step = totp.matching_step(factor.key, _digits(code), now=time.time())
    if step is None:
        text = _("验证码不对：看手机时间准不准，等换了新的再试")
        raise CodeRefused(text, fields={"code": text})
    codes = _recovery_codes()
    factor.recovery = [_recovery_digest(user_id, found) for found in codes]
    factor.last_step, factor.confirmed_at = step, Now()
    factor.save()
    return codes


def second_factor_check(*, user_id: int, code: str) -> None:
    """Take a code of the app, or a recovery code, which then is worth nothing any more.

    Raises `SecondFactorMissing`, `CodeRefused`, and `TooMany` after too many tries, right ones among them.
    """
    factor = second_factor_of(user_id)
    if factor is None:
        raise SecondFactorMissing
    _limit(user_id)
    typed = _digits(code)
    if _TOTP.fullmatch(typed):
        step = totp.matching_step(factor.key, typed, now=time.time())
        if step is not None and sql.execute(_USE, {"step": step, "user": user_id}):
            return
    elif sql.execute(_USE_RECOVERY, {"digest": _recovery_digest(user_id, normalize(code)), "user": user_id}):
        return
    raise CodeRefused(fields={"code": CodeRefused.message})


def second_factor_remove(*, user_id: int, code: str) -> None:
    """Take it off. Raises as `second_factor_check` does."""
    second_factor_check(user_id=user_id, code=code)
    SecondFactor.objects.filter(user_id=user_id).delete()


def recovery_renew(*, user_id: int, code: str) -> list[str]:
    """New recovery codes; the earlier ones are worth nothing any more. Raises as `second_factor_check` does."""
    second_factor_check(user_id=user_id, code=code)
    codes = _recovery_codes()
    digests = [_recovery_digest(user_id, found) for found in codes]
    SecondFactor.objects.filter(user_id=user_id).update(recovery=digests)
    return codes


def second_factor_reset(*, username: str) -> bool:
    """Take it off for somebody who has lost phone and paper; whoever asks must be known in person. False for none."""
    deleted, _by_model = SecondFactor.objects.filter(user__username=username).delete()
    return deleted > 0


def _digits(code: str) -> str:
    return "".join(code.split())


def _recovery_codes() -> list[str]:
    half = RECOVERY_LENGTH // 2
    return [f"{random_id(half)}-{random_id(half)}" for _place in range(RECOVERY_CODES)]


def _recovery_digest(user_id: int, code: str) -> str:
    schema_name = connection.schema_name  # type: ignore[attr-defined]
    return digest(f"{schema_name}:{user_id}:{normalize(code)}", purpose="recovery-code")
