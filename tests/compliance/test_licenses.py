"""What licenses do to the suppliers' order, to what is on sale, and whom they make the platform tell."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from catalog.models import Brand, Variant
from compliance.models import License
from compliance.services import (
    Terms,
    license_add,
    license_replace,
    license_revoke,
    licenses_watch,
    requirements_set,
)
from fulfillment.services import licenses_changed, requirements_changed
from fulfillment.suppliers.choosing import offers_order, somebody_rests
from fulfillment.suppliers.licensed import lacking_of
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.scores import scores_refresh
from kameng.alerts.models import Alert
from kameng.core.problems import Invalid
from kameng.outbox.models import OutboxEvent
from tests.factories import on_sale

pytestmark = pytest.mark.django_db

ACTOR = "staff:operator"


@pytest.fixture
def variant() -> Variant:
    """Offered by `first` and `second`, of the brand tencent in the category games."""
    brand = Brand.objects.create(slug="tencent", name="腾讯")
    return on_sale(product__category__slug="games", product__brand=brand)


def terms(*, begins: int = -100, ends: int | None = 100, **more: object) -> Terms:
    """A brand authorisation, with its days counted from today."""
    today = timezone.localdate()
    until = None if ends is None else today + timedelta(days=ends)
    told = {"kind": "brand", "number": "A-1", "issuer": "腾讯", "valid_from": today + timedelta(days=begins)}
    return Terms(**{**told, "valid_until": until, **more})  # type: ignore[arg-type]


def asked(variant: Variant) -> list[str]:
    """The suppliers that an order would be bought at, held against the words that people read."""
    order = offers_order(variant_id=variant.pk, highest_cost=Decimal(57))
    offers = {
        offer.pk: offer
        for offer in SupplierOffer.objects.filter(variant=variant).select_related(
            "supplier", "variant__product__category", "variant__product__brand"
        )
    }
    lacks = lacking_of(list(offers.values()))
    assert set(order) == set(offers) - set(lacks)
    return [offers[pk].supplier.code for pk in order]


@pytest.mark.parametrize(
    ("held", "counts"),
    [
        ({}, True),
        ({"ends": None}, True),
        ({"ends": 0}, True),
        ({"begins": 0}, True),
        ({"ends": -1}, False),
        ({"begins": 1}, False),
        ({"kind": "telecom"}, False),
        ({"categories": ("games", "software")}, True),
        ({"categories": ("software",)}, False),
        ({"brands": ("tencent",)}, True),
        ({"brands": ("netease",), "categories": ("games",)}, False),
    ],
)
def test_the_database_and_the_words_agree_on_who_may_be_asked(
    variant: Variant, held: dict[str, object], counts: bool
) -> None:
    assert asked(variant) == ["first", "second"]
    requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    assert asked(variant) == []
    assert not somebody_rests(variant_id=variant.pk, highest_cost=Decimal(57), tried=[])
    license_add(supplier="second", terms=terms(**held), actor=ACTOR)  # type: ignore[arg-type]
    assert asked(variant) == (["second"] if counts else [])
    scores_refresh()
    parts = SupplierOffer.objects.get(supplier__code="second").score_parts["parts"]
    assert next(part for part in parts if part["name"] == "standing")["figures"]["licensed"] is counts


def test_what_nobody_may_supply_leaves_sale_and_comes_back_with_the_renewal(variant: Variant) -> None:
    other = on_sale()
    requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    requirements_changed(category="games")
    assert not Variant.objects.get(pk=variant.pk).is_available
    assert Variant.objects.get(pk=other.pk).is_available
    former = license_add(supplier="first", terms=terms(ends=-1), actor=ACTOR)
    licenses_changed(suppliers=["first"])
    assert not Variant.objects.get(pk=variant.pk).is_available
    renewed = license_replace(license_id=former.pk, terms=terms(begins=0, number="A-2"), actor=ACTOR)
    told = OutboxEvent.objects.filter(topic="licenses.changed").latest("pk")
    licenses_changed(**told.payload)
    assert Variant.objects.get(pk=variant.pk).is_available
    former.refresh_from_db()
    assert (former.replaced_by, former.number) == (renewed, "A-1")
    assert license_revoke(license_id=renewed.pk, actor=ACTOR)
    assert not license_revoke(license_id=renewed.pk, actor=ACTOR)
    assert asked(variant) == []


def test_a_license_that_somebody_else_has_replaced_is_not_replaced_again(variant: Variant) -> None:
    former = license_add(supplier="first", terms=terms(), actor=ACTOR)
    assert license_add(supplier="first", terms=terms(), actor=ACTOR) == former
    license_replace(license_id=former.pk, terms=terms(ends=400), actor=ACTOR)
    for wrong, field in (({"ends": -200}, "valid_until"), ({"kind": "none"}, "kind"), ({"number": ""}, "number")):
        with pytest.raises(Invalid) as refused:
            license_add(supplier="first", terms=terms(**wrong), actor=ACTOR)
        assert field in refused.value.fields
    with pytest.raises(Invalid):
        license_replace(license_id=former.pk, terms=terms(ends=500), actor=ACTOR)
    with pytest.raises(Invalid):
        requirements_set(category="games", kinds=["brand", "none"], actor=ACTOR)
    assert License.objects.count() == 2


def test_each_notice_is_given_once_and_days_nobody_looked_are_made_up_for(variant: Variant) -> None:
    end = date(2026, 6, 30)
    held = Terms("brand", "A-1", "腾讯", date(2026, 1, 1), end)
    paper = license_add(supplier="first", terms=held, actor=ACTOR)
    open_alerts = Alert.objects.filter(kind__startswith="license.", closed_at=None)
    seen = []
    for days in (40, 30, 29, 7, 5, 1, -1, -2):
        assert licenses_watch(today=end - timedelta(days=days)) == 1
        assert licenses_watch(today=end - timedelta(days=days)) == 0
        seen.append([(alert.kind, alert.subject.rpartition("#")[2], alert.times) for alert in open_alerts.all()])
        if days == 7:  # a person has dealt with it
            open_alerts.update(closed_at=Now())
    expiring = "license.expiring"
    assert seen == [
        [], [(expiring, "30", 1)], [(expiring, "30", 1)], [(expiring, "7", 1)], [], [(expiring, "1", 1)],
        [("license.expired", "0", 1)], [("license.expired", "0", 1)],
    ]  # fmt: skip
    turned = OutboxEvent.objects.filter(topic="licenses.changed").count()
    assert turned == 3  # recorded, begun, ended
    license_replace(license_id=paper.pk, terms=terms(), actor=ACTOR)
    assert not open_alerts.exists()
