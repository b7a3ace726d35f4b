"""What operators decide about the order in which suppliers are asked: weights, pins, exclusions."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.models import RankingRule, RankingWeights
from kameng.core.problems import Problem

PARTS = ("success", "speed", "cost", "after_sales", "standing")
#: A pin is for a known occasion; longer than this it would be forgotten.
LONGEST_PIN = timedelta(days=14)
SHORTEST_REASON, LONGEST_REASON = 4, 200

Kind = RankingRule.Kind


class RankingRefused(Problem):
    """A weight, pin or exclusion that cannot be; `fields` say why."""

    code = "ranking_refused"
    message = _("没有保存")


@transaction.atomic
def ranking_weights_set(*, category_id: int | None, weights: Mapping[str, int]) -> RankingWeights:
    """How much each part counts in a category, or by default; only proportions matter. Raises `RankingRefused`."""
    wrong = {part: _("0 到 100 的整数") for part in PARTS if not 0 <= weights[part] <= 100}
    if wrong:
        raise RankingRefused(fields=wrong)
    if not any(weights[part] for part in PARTS):
        raise RankingRefused(_("至少有一项大于 0"))
    of_category = RankingWeights.objects.select_for_update().filter(_exactly("category_id", category_id))
    saved = of_category.first() or RankingWeights(category_id=category_id)
    for part in PARTS:
        setattr(saved, part, weights[part])
    saved.save()
    return saved


def _exactly(field: str, value: int | None) -> Q:
    """This value, or none."""
    return Q(**({f"{field}__isnull": True} if value is None else {field: value}))


@transaction.atomic
def ranking_weights_drop(*, category_id: int) -> bool:
    """A category goes by the default again. False where it did already."""
    removed, _by_model = RankingWeights.objects.filter(category_id=category_id).delete()
    return removed > 0


def rules_in_force(*, category_id: int, variant_id: int | None = None) -> QuerySet[RankingRule]:
    """Pins and exclusions that hold for a category, with those of one variant where one is named."""
    holds = Q(category__isnull=True, variant__isnull=True) | Q(category_id=category_id)
    if variant_id is not None:
        holds |= Q(variant_id=variant_id)
    rules = RankingRule.objects.filter(holds, Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
    return rules.select_related("supplier", "category", "variant__product").order_by("-pk")


@transaction.atomic
def ranking_rule_set(
    *,
    kind: str,
    supplier_id: int,
    category_id: int | None,
    variant_id: int | None,
    reason: str,
    expires_at: datetime | None,
    actor: str,
) -> RankingRule:
    """Ask a supplier first until `expires_at`, or not at all; in one category or for one variant.

    There is one word about a supplier in a place, and one pin: what was said before is replaced. Raises
    `RankingRefused`.
    """
    text = " ".join(reason.split())
    if len(text) < SHORTEST_REASON:
        raise RankingRefused(fields={"reason": _("写明理由，至少 4 个字")})
    if len(text) > LONGEST_REASON:
        raise RankingRefused(fields={"reason": _("太长了，最多 200 个字")})
    now = timezone.now()
    if kind == Kind.PIN and (expires_at is None or not now < expires_at <= now + LONGEST_PIN):
        raise RankingRefused(fields={"until": _("置顶要有期限，最长 14 天")})
    place = RankingRule.objects.filter(_exactly("category_id", category_id), _exactly("variant_id", variant_id))
    replaced = Q(supplier_id=supplier_id) | (Q(kind=Kind.PIN) if kind == Kind.PIN else Q(pk=None))
    place.filter(replaced).delete()
    return RankingRule.objects.create(
        kind=kind,
        supplier_id=supplier_id,
        category_id=category_id,
        variant_id=variant_id,
        reason=text,
        actor=actor[:80],
        expires_at=expires_at,
    )


@transaction.atomic
def ranking_rule_end(*, rule_id: int) -> bool:
    """Take back a pin or an exclusion. False where somebody was quicker."""
    removed, _by_model = RankingRule.objects.filter(pk=rule_id).delete()
    return removed > 0
