"""Changing many prices at once: foreseen, applied as foreseen or not at all, and taken back."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog import pricing
from catalog.listings.edits import SAID, Said, said_of
from catalog.listings.exceptions import PriceRuleInvalid, PricesMoved
from catalog.listings.models import Listing, PriceRule, Repricing
from catalog.listings.plans import Ask, Mode, Plan, Scope, plan, wish_json, wish_of
from catalog.listings.selectors import goods_of
from catalog.listings.services import HIGHEST_PERCENT, SAYS_NOTHING, listing_rename, listings_show, prices_lock
from catalog.listings.wishes import Level, Whose, Wish, Wishes, whose_rule, wishes_of
from kameng.core.money import CENT
from resellers.models import Reseller
from resellers.services import shop_touch

HIGHEST_YUAN = Decimal(100_000)
#: As many variants as an address can name.
MOST_CHOSEN = 300

_FIELDS = {Level.VARIANT: "variant_id", Level.PRODUCT: "product_id", Level.CATEGORY: "category_id"}


def repricing_foresee(*, shop: Reseller, ask: Ask) -> Plan:
    """What an ask would do at this moment. Raises `PriceRuleInvalid` for one that can never be."""
    _check(ask)
    products, _categories = goods_of(shop)
    pieces = [(product, variant) for product in products for variant in product.variants]
    foreseen = plan(pieces, _wishes(), ask)
    if not foreseen.rows:
        raise PriceRuleInvalid(_("这个范围里没有在售的面额"))
    return foreseen


@transaction.atomic
def repricing_apply(*, shop: Reseller, ask: Ask, scope_name: str, digest: str, key: str, actor: str) -> Repricing:
    """Do what was foreseen under `digest`, or nothing. The same `key` again returns what it did the first time.

    Raises `PricesMoved` where a price, a supply price or a wish is another one by now, and `PriceRuleInvalid`.
    """
    prices_lock()
    done = Repricing.objects.filter(key=key).first()
    if done is not None:
        return done
    foreseen = repricing_foresee(shop=shop, ask=ask)
    if foreseen.digest != digest:
        raise PricesMoved
    wishes = _wishes()
    entries = [
        {
            "level": level.value,
            "whose": whose,
            "before": wish_json(wishes.of(level, whose)),
            "since": since.isoformat() if (since := wishes.since.get((level, whose))) else None,
            "after": wish_json(wish),
        }
        for (level, whose), wish in foreseen.edits.items()
    ]
    if not entries:
        raise PriceRuleInvalid(_("没有要改的：这些面额已经是这样了，或者都被跳过了"))
    _write(foreseen.edits)
    shop_touch(shop_id=shop.pk)
    return Repricing.objects.create(
        key=key,
        scope=ask.scope,
        scope_name=scope_name[:80],
        mode=ask.mode,
        value=ask.value,
        rounding=ask.rounding,
        entries=entries,
        changed=foreseen.changed,
        skipped=foreseen.skipped,
        actor=actor,
    )


@transaction.atomic
def repricing_undo(*, shop: Reseller, repricing_id: int, actor: str) -> Repricing:
    """Put back what stood before, but for what somebody has changed since: `left` says what. Undone once, for good.

    A name that comes back is screened as any other. Raises `Repricing.DoesNotExist`, and `ContentBlocked` where a name
    may not be any more.
    """
    prices_lock()
    done = Repricing.objects.get(pk=repricing_id)
    if done.undone_at is not None:
        return done
    wishes = _wishes()
    back: dict[Whose, Wish] = {}
    since: dict[Whose, Any] = {}
    left = []
    for entry in done.entries:
        if entry["level"] in SAID:
            continue
        whose = (Level(entry["level"]), int(entry["whose"]))
        if wish_json(wishes.of(*whose)) != entry["after"]:
            left.append({"level": entry["level"], "whose": entry["whose"]})
            continue
        back[whose], since[whose] = wish_of(entry["before"]), entry["since"]
    left += _put_back(shop, [entry for entry in done.entries if entry["level"] in SAID])
    _write(back, since=since)
    Repricing.objects.filter(pk=done.pk).update(undone_at=Now(), undone_by=actor, left=left)
    shop_touch(shop_id=shop.pk)
    done.refresh_from_db()
    return done


def _put_back(shop: Reseller, words: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Names, and what is shown, as they were; which of them somebody has changed since."""
    stands = said_of([entry["whose"] for entry in words])
    same = [one for one in words if stands[one["level"], one["whose"]][0] == one["after"]]
    moved = [one for one in words if stands[one["level"], one["whose"]][0] != one["after"]]
    for was_visible in (True, False):
        ids = [one["whose"] for one in same if one["level"] == Said.VISIBLE and one["before"] is was_visible]
        if ids:
            listings_show(shop_id=shop.pk, variant_ids=ids, is_visible=was_visible)
    for one in same:
        if one["level"] == Said.NAME:
            listing_rename(shop_id=shop.pk, variant_id=one["whose"], name=one["before"])
    return [{"level": one["level"], "whose": one["whose"]} for one in moved]


def _wishes() -> Wishes:
    return wishes_of(PriceRule.objects.all(), Listing.objects.filter(price__isnull=False))


def _check(ask: Ask) -> None:
    if ask.scope not in Scope or ask.mode not in Mode or ask.rounding not in PriceRule.Rounding:
        raise PriceRuleInvalid
    if ask.scope == Scope.CHOSEN and not 0 < len(ask.chosen) <= MOST_CHOSEN:
        raise PriceRuleInvalid(_("一次选 1 到 %(limit)s 个面额") % {"limit": MOST_CHOSEN})
    if ask.mode == Mode.INHERIT:
        return
    value = ask.value
    if value is None or not value.is_finite() or value < 0 or value != value.quantize(CENT):
        raise PriceRuleInvalid(fields={"value": _("填一个不小于 0 的数，最多两位小数")})
    if ask.mode == Mode.PERCENT and value > HIGHEST_PERCENT:
        raise PriceRuleInvalid(fields={"value": _("加价最多 %(limit)s%%") % {"limit": HIGHEST_PERCENT}})
    if value > HIGHEST_YUAN:
        raise PriceRuleInvalid(fields={"value": _("太大了，最多 %(limit)s") % {"limit": HIGHEST_YUAN}})


def _write(edits: Mapping[Whose, Wish], *, since: Mapping[Whose, Any] | None = None) -> None:
    """Put wishes in the place of those that stand, as if they stood `since` then; the caller has the lock."""
    since = since or {}
    now = timezone.now()
    own = {whose: wish for (level, whose), wish in edits.items() if level is Level.OWN}
    named = {variant_id: price for variant_id, price in own.items() if isinstance(price, Decimal)}
    at = {variant_id: since.get((Level.OWN, variant_id)) or now for variant_id in own}
    Listing.objects.bulk_create(
        [Listing(variant_id=variant_id, price=price) for variant_id, price in named.items()],
        update_conflicts=True,
        unique_fields=["variant"],
        update_fields=["price"],
    )
    for moment in set(at.values()):
        Listing.objects.filter(variant_id__in=[pk for pk in named if at[pk] == moment]).update(updated_at=moment)
    silent = Listing.objects.filter(variant_id__in=own.keys() - named.keys())
    silent.update(price=None)
    silent.filter(SAYS_NOTHING).delete()
    _write_rules({whose: wish for whose, wish in edits.items() if whose[0] is not Level.OWN}, since)


def _write_rules(edits: Mapping[Whose, Wish], since: Mapping[Whose, Any]) -> None:
    standing = {whose_rule(row): row for row in PriceRule.objects.all()}
    PriceRule.objects.filter(pk__in=[standing[whose].pk for whose in edits if whose in standing]).delete()
    made = {
        whose: PriceRule(kind=wish.kind.value, value=wish.value, rounding=wish.rounding.value, **_scope(whose))
        for whose, wish in edits.items()
        if isinstance(wish, pricing.PriceRule)
    }
    PriceRule.objects.bulk_create(made.values())
    for whose, row in made.items():
        if since.get(whose):
            PriceRule.objects.filter(pk=row.pk).update(updated_at=since[whose])


def _scope(whose: Whose) -> dict[str, int]:
    level, pk = whose
    return {_FIELDS[level]: pk} if level in _FIELDS else {}
