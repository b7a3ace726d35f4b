"""Opening shops and changing what they are."""

import re
from collections.abc import Iterable
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name, schema_context

from kameng.accounts.models import User
from kameng.core.problems import Problem
from kameng.core.revisions import moved_on
from resellers import hosts
from resellers.models import SCHEMA_PREFIX, Domain, Reseller
from resellers.shop_template import template_replay

#: For a yuan, at most: a tenth of it.
MOST_POINTS = 10

_SLUG = re.compile(r"[a-z][a-z0-9]{1,30}", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)


class ShopInvalid(Problem):
    """A shop cannot be called or reached like that."""

    code = "shop_invalid"


def operations_open(*, host: str) -> Reseller:
    """The public schema's own row and host, without which nothing else can be opened. Safe to call again."""
    shop: Reseller
    shop, _created = Reseller.objects.get_or_create(
        schema_name=get_public_schema_name(), defaults={"slug": "operations", "name": "运营台", "name_en": "Operations"}
    )
    domain_add(shop=shop, host=host)
    return shop


@transaction.atomic
def reseller_open(*, slug: str, name: str, host_names: Iterable[str], **look: object) -> Reseller:
    """Open a shop: its schema from the template, its row, its hosts, all or nothing. It sells everything at once.

    `look` are further fields of `Reseller`. Raises `ShopInvalid`, or `TemplateOutdated`.
    """
    if not _SLUG.fullmatch(slug):
        text = _("代号只能用小写字母和数字，以字母开头，2 到 31 个字符")
        raise ShopInvalid(text, fields={"slug": text})
    if Reseller.objects.filter(slug=slug).exists():
        text = _("这个代号已经有店铺在用")
        raise ShopInvalid(text, fields={"slug": text})
    shop = Reseller(schema_name=SCHEMA_PREFIX + slug, slug=slug, name=name, **look)
    shop.full_clean(exclude=["id"])
    shop.save(force_insert=True)
    template_replay(shop.schema_name)
    for host in host_names:
        domain_add(shop=shop, host=host)
    return shop


def domain_add(*, shop: Reseller, host: str) -> Domain:
    """Let a shop answer on a host. Raises `ShopInvalid` for a host that is malformed or somebody else's."""
    host = hosts.hostname(host)
    if not _HOST.fullmatch(host):
        text = _("这不是一个域名")
        raise ShopInvalid(text, fields={"host": text})
    domain: Domain | None = Domain.objects.filter(domain=host).first()
    if domain is None:
        is_first = not Domain.objects.filter(tenant=shop).exists()
        domain = Domain.objects.create(domain=host, tenant=shop, is_primary=is_first)
    elif domain.tenant_id != shop.pk:
        text = _("这个域名已经属于别的店铺")
        raise ShopInvalid(text, fields={"host": text})
    hosts.forget()
    return domain


def shop_touch(*, shop_id: int) -> None:
    """Something that the shop's pages show has changed: older shelves and pages are thrown away."""
    Reseller.objects.filter(pk=shop_id).update(revision=moved_on("revision"))
    hosts.forget()


def staff_set(*, schema_name: str, username: str, password: str, is_superuser: bool = True) -> User:
    """Somebody who signs in to the admin of exactly this schema; an existing account gets the password, and is let in
    again where an owner had shut it out."""
    with schema_context(schema_name):
        user, _created = User.objects.get_or_create(username=username)
        user.set_password(password)
        user.is_staff, user.is_active, user.is_superuser = True, True, is_superuser
        user.save()
        return user


#: What the owner of a shop may say about it; everything else is the platform's business.
LOOK = (
    "name", "name_en", "tagline", "tagline_en", "brand_color", "radius", "announcement", "announcement_en", "support",
    "density", "theme_default", "hours", "categories", "is_open", "company", "credit_code", "telecom_license", "icp",
    "license_url", "announcement_from", "announcement_until",
)  # fmt: skip
#: Numbers, in which people leave spaces and write small letters.
_NUMBERS = ("credit_code", "telecom_license", "icp")


@transaction.atomic
def shop_look_save(*, shop_id: int, **look: object) -> Reseller:
    """Change how a shop looks and what it says; fields that are not named stay. Raises `ShopInvalid`."""
    if unknown := look.keys() - set(LOOK):
        raise TypeError(f"not the owner's to change: {', '.join(sorted(unknown))}")
    shop: Reseller = Reseller.objects.select_for_update().exclude(schema_name=get_public_schema_name()).get(pk=shop_id)
    for name, value in look.items():
        if isinstance(value, str):
            value = "".join(value.split()).upper() if name in _NUMBERS else " ".join(value.split())
        setattr(shop, name, value)
    try:
        shop.clean_fields()
    except ValidationError as error:
        raise ShopInvalid(fields={name: " ".join(texts) for name, texts in error.message_dict.items()}) from error
    shop.save(update_fields=list(look))
    shop_touch(shop_id=shop_id)
    return shop


def shop_points_save(*, shop_id: int, per_yuan: int, limit_percent: int) -> None:
    """How many points customers get for a yuan, and how many percent of an order points may pay. Raises
    `ShopInvalid`."""
    wrong: dict[str, str] = {}
    if not 0 <= per_yuan <= MOST_POINTS:
        wrong["per_yuan"] = _("每元送 0 到 %(most)s 分") % {"most": MOST_POINTS}
    if not 1 <= limit_percent <= 100:
        wrong["limit_percent"] = _("填 1 到 100")
    if wrong:
        raise ShopInvalid(fields=wrong)
    Reseller.objects.filter(pk=shop_id).update(points_per_yuan=per_yuan, points_limit_percent=limit_percent)


@transaction.atomic
def shop_terms_save(
    *,
    shop_id: int,
    settlement_days: int,
    withdrawal_minimum: Decimal | None = None,
    withdrawal_fee: Decimal | None = None,
    withdrawal_fee_percent: Decimal | None = None,
) -> None:
    """Change after how many days what an owner earns becomes theirs, from the next settlement on, and the terms of
    taking it out, in yuan and percent; the platform's hold where none is given. For operators."""
    Reseller.objects.filter(pk=shop_id).update(
        settlement_days=settlement_days,
        withdrawal_minimum=withdrawal_minimum,
        withdrawal_fee=withdrawal_fee,
        withdrawal_fee_percent=withdrawal_fee_percent,
    )


@transaction.atomic
def domain_remove(*, domain_id: int) -> None:
    """Stop answering on a host. Raises `ShopInvalid` for the last one, without which nobody finds the shop."""
    domain = Domain.objects.select_for_update().get(pk=domain_id)
    left = Domain.objects.filter(tenant=domain.tenant).exclude(pk=domain_id)
    if not left.exists():
        raise ShopInvalid(_("这是最后一个域名，删掉就没人找得到这家店了"))
    domain.delete()
    if domain.is_primary:
        left.filter(pk=min(left.values_list("pk", flat=True))).update(is_primary=True)
    hosts.forget()


@transaction.atomic
def domain_prefer(*, domain_id: int) -> None:
    """Make a host the one that links to the shop name."""
    domain = Domain.objects.select_for_update().get(pk=domain_id)
    Domain.objects.filter(tenant=domain.tenant).update(is_primary=False)
    Domain.objects.filter(pk=domain_id).update(is_primary=True)
    hosts.forget()
