"""What the framework is told when it asks whether somebody may do something: owners everything, others nothing."""

from collections.abc import Iterator

import pytest
from django.apps import apps

from kameng.accounts.models import Role, User
from kameng.accounts.services import visitor_username


def asked() -> Iterator[str]:
    """Every permission that the framework knows of."""
    for model in apps.get_models():
        for act in ("view", "add", "change", "delete"):
            yield f"{model._meta.app_label}.{act}_{model._meta.model_name}"


@pytest.mark.parametrize("is_active", [True, False])
@pytest.mark.parametrize("is_superuser", [True, False])
@pytest.mark.parametrize("roles", [[], *([role] for role in Role), list(Role)])
def test_owners_may_everything_while_they_may_enter_and_roles_give_nothing(
    is_active: bool, is_superuser: bool, roles: list[Role]
) -> None:
    """Without a database: nothing is looked up, so no row of any schema gives a right."""
    names = ["somebody", visitor_username("li")]
    for user in (
        User(pk=1, username=name, is_staff=True, is_active=is_active, is_superuser=is_superuser, roles=roles)
        for name in names
    ):
        may = is_active and is_superuser
        permissions = list(asked())
        assert len(permissions) > 300
        assert {user.has_perm(permission) for permission in permissions} == {may}
        assert user.has_perm(permissions[0], user) is may
        assert user.has_perms(permissions) is may
        assert {user.has_module_perms(config.label) for config in apps.get_app_configs()} == {may}
        assert user.get_all_permissions() == set()
