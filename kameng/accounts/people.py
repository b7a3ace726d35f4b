"""A shop's people: owners let them in by a link, say what they see to, and shut them out.

Who acts is looked at again under the lock that each of these takes, so that nobody acts on a right that another owner
is taking away just now; and since nobody changes themselves, there is always an owner left.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.accounts.models import Role, SecondFactor, User
from kameng.accounts.services import VISITOR, StaffInvalid
from kameng.core.encryption import digest
from kameng.core.problems import Problem

#: For how long an invitation counts.
INVITED = timedelta(days=3)


class NotAnOwner(Problem):
    """Only an owner says who else comes in, and nobody does about themselves."""

    code = "not_an_owner"
    status = 403
    message = gettext_lazy("只有店主能管员工；自己的身份和停用要另一位店主来改")


class InvitationRefused(Problem):
    """A link lets nobody in: it was changed, came too late, was used, or another was made after it."""

    code = "invitation_refused"
    status = 403
    message = gettext_lazy("这个邀请链接用不了：用过了、换过了，或抄漏了字符。请店主再发一个。")


def people() -> list[User]:
    """Everybody who is let into the current shop's admin, owners first; platform staff are not among them."""
    found = User.objects.filter(is_staff=True).exclude(username__startswith=VISITOR).select_related("second_factor")
    return list(found.order_by("-is_active", "-is_superuser", "username"))


@transaction.atomic
def person_invite(*, by: int, username: str, first_name: str, roles: Iterable[Role], is_owner: bool) -> User:
    """An account that nobody opens before its link was used (`invitation_of`). Raises `NotAnOwner`, `StaffInvalid`."""
    _require_owner(by)
    chosen = _chosen(roles, is_owner=is_owner)
    user = User(username=username, first_name=first_name, is_staff=True, is_superuser=is_owner, roles=chosen)
    user.set_unusable_password()
    try:
        user.full_clean()
        user.save()
    except (ValidationError, IntegrityError) as error:
        texts = error.message_dict if isinstance(error, ValidationError) else {"username": [_("这个名字已经有人用了")]}
        raise StaffInvalid(fields={name: " ".join(said) for name, said in texts.items()}) from error
    return user


@transaction.atomic
def person_change(
    *, user_id: int, by: int, first_name: str, roles: Iterable[Role], is_owner: bool, is_active: bool
) -> User:
    """Change what somebody sees to and whether they come in; shut out, they are so from their next page on.

    Raises `NotAnOwner`, also about oneself, and `StaffInvalid`.
    """
    user = _other(user_id, by)
    user.roles = _chosen(roles, is_owner=is_owner)
    user.first_name, user.is_superuser, user.is_active = first_name, is_owner, is_active
    user.full_clean()
    user.save()
    return user


@transaction.atomic
def person_invite_again(*, user_id: int, by: int) -> User:
    """Take password and second factor off somebody, whose sessions and earlier links end with that, for a new link.

    Raises as `person_change` does.
    """
    user = _other(user_id, by)
    if not user.is_active:
        text = _("停用着，链接也打不开：先让他可以登录，保存以后再换")
        raise StaffInvalid(text, fields={"is_active": text})
    user.set_unusable_password()
    user.save()
    SecondFactor.objects.filter(user=user).delete()
    return user


def invitation_of(user: User) -> str:
    """What opens an account that waits for its password; the account must have none."""
    return signing.dumps([user.pk, _stamp(user)], salt=_salt())


def invited(invitation: str, *, lock: bool = False) -> User:
    """Whom an invitation is for. Raises `InvitationRefused`."""
    try:
        user_id, stamp = signing.loads(invitation, salt=_salt(), max_age=INVITED)
    except signing.SignatureExpired as late:
        raise InvitationRefused(_("这个邀请链接过期了，只在 3 天内有效。请店主再发一个。")) from late
    except signing.BadSignature as foreign:
        raise InvitationRefused from foreign
    rows = User.objects.select_for_update() if lock else User.objects.all()
    user = rows.filter(pk=user_id, is_staff=True, is_active=True).first()
    if user is None or user.has_usable_password() or _stamp(user) != stamp:
        raise InvitationRefused
    return user


@transaction.atomic
def person_join(*, invitation: str, password: str) -> User:
    """Give an account its password, once. Raises `InvitationRefused` and `StaffInvalid`."""
    user = invited(invitation, lock=True)
    try:
        validate_password(password, user)
    except ValidationError as error:
        text = " ".join(error.messages)
        raise StaffInvalid(text, fields={"password": text}) from error
    user.set_password(password)
    user.save()
    return user


def _chosen(roles: Iterable[Role], *, is_owner: bool) -> list[str]:
    chosen = [role.value for role in Role if role in set(roles)]
    if not chosen and not is_owner:
        text = _("至少选一个身份")
        raise StaffInvalid(text, fields={"roles": text})
    return [] if is_owner else chosen


def _require_owner(by: int) -> None:
    """Held by all owners' rows, always in one order, until the end of the transaction."""
    owners = User.objects.select_for_update(no_key=True).filter(is_superuser=True, is_staff=True).order_by("pk")
    if by not in {owner.pk for owner in owners if owner.is_active}:
        raise NotAnOwner


def _other(user_id: int, by: int) -> User:
    _require_owner(by)
    if user_id == by:
        raise NotAnOwner
    others = User.objects.select_for_update().filter(is_staff=True).exclude(username__startswith=VISITOR)
    return others.get(pk=user_id)


def _salt() -> str:
    return f"invitation/{connection.schema_name}"  # type: ignore[attr-defined]


def _stamp(user: User) -> str:
    """Other with each password, and with each time that one was taken off."""
    return digest(user.password, purpose="invitation")[:20]
