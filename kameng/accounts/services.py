"""People who sign in to the current schema's admin."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.models import User
from kameng.core.problems import Problem

#: Begins the names of accounts that platform staff act under in a shop. No typed name has a colon in it.
VISITOR = "platform:"


class StaffInvalid(Problem):
    """Somebody cannot be let in, or shut out, like that; `fields` say why."""

    code = "staff_invalid"
    message = gettext_lazy("这个账号没有保存")


@transaction.atomic
def staff_add(*, username: str, password: str, first_name: str = "", email: str = "") -> User:
    """Let somebody in, with every right of this schema's admin but that over other accounts. Raises `StaffInvalid`."""
    user = User(username=username, first_name=first_name, email=email, is_staff=True)
    _set_password(user, password)
    try:
        user.full_clean()
        user.save()
    except (ValidationError, IntegrityError) as error:
        texts = error.message_dict if isinstance(error, ValidationError) else {"username": [_("这个名字已经有人用了")]}
        raise StaffInvalid(fields={name: " ".join(said) for name, said in texts.items()}) from error
    return user


@transaction.atomic
def staff_change(*, user_id: int, by: int, first_name: str, email: str, is_active: bool, password: str = "") -> User:
    """Change who somebody is, whether they may enter, and (if one is given) their password, which ends their sessions.

    `by` is who asks. Raises `StaffInvalid`; nobody shuts themselves out.
    """
    user = User.objects.select_for_update().exclude(username__startswith=VISITOR).get(pk=user_id)
    if user_id == by and not is_active:
        raise StaffInvalid(fields={"is_active": _("不能停用自己的账号")})
    user.first_name, user.email, user.is_active = first_name, email, is_active
    if password:
        _set_password(user, password)
    user.full_clean()
    user.save()
    return user


def visitor_username(name: str) -> str:
    """What the platform's operator of that name is called in a shop."""
    return f"{VISITOR}{name}"[:150]


def is_visitor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether an account is one that platform staff act under."""
    return user.get_username().startswith(VISITOR)


@transaction.atomic
def visitor_account(*, name: str) -> User:
    """The account that an operator acts under in the current shop: no password opens it, and earlier sessions end."""
    user, _created = User.objects.get_or_create(username=visitor_username(name))
    user.is_staff, user.is_active, user.is_superuser = True, True, False
    user.set_unusable_password()
    user.save()
    return user


@transaction.atomic
def visitor_account_close(*, name: str) -> User:
    """Its sessions end, and nobody signs in to it until the next visit."""
    user = User.objects.get(username=visitor_username(name))
    user.is_active = False
    user.set_unusable_password()
    user.save()
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        text = " ".join(error.messages)
        raise StaffInvalid(text, fields={"password": text}) from error
    user.set_password(password)
